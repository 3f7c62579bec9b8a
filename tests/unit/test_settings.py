from pathlib import Path

import pytest

from sangam.model.errors import ConfigError
from sangam.settings import Settings, load_settings


@pytest.fixture(autouse=True)
def bare_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    for name in Settings.model_fields:
        monkeypatch.delenv(name.upper(), raising=False)


def test_defaults_are_the_known_figures() -> None:
    settings = load_settings()
    assert (settings.api_host, settings.api_port) == ("127.0.0.1", 5000)
    assert (settings.websocket_port, settings.zmq_port) == (8765, 5555)
    assert settings.market_data_interval_ms == 50
    assert settings.max_symbols_per_websocket is None
    assert settings.valid_brokers == ()
    assert settings.sangam_home == Path("~/.sangam").expanduser()
    assert settings.database == f"sqlite:///{settings.sangam_home.as_posix()}/sangam.db"


def test_environment_wins_over_file_and_file_over_defaults(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("API_PORT=7000\nWEBSOCKET_PORT=7001\nVALID_BROKERS= zerodha, paper ,\n")
    monkeypatch.setenv("API_PORT", "7100")
    settings = load_settings()
    assert (settings.api_port, settings.websocket_port) == (7100, 7001)
    assert settings.valid_brokers == ("zerodha", "paper")
    assert load_settings(api_port=7200).api_port == 7200


def test_empty_values_count_as_not_set(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("API_PORT", "")
    monkeypatch.setenv("MAX_WEBSOCKET_CONNECTIONS", "")
    assert load_settings().api_port == 5000
    assert load_settings().max_websocket_connections is None


@pytest.mark.parametrize(
    ("name", "value", "told"),
    [
        ("API_PORT", "abc", "valid integer"),
        ("API_PORT", "70000", "65535"),
        ("MARKET_DATA_INTERVAL_MS", "70", "allowed: 0, 50, 100, 250, 500, 1000"),
        ("LOG_LEVEL", "LOUD", "'DEBUG', 'INFO', 'WARNING' or 'ERROR'"),
        ("MAX_SYMBOLS_PER_WEBSOCKET", "0", "greater than or equal to 1"),
        ("DATABASE_URL", "mysql://root@localhost/x", "allowed: sqlite"),
        ("DATABASE_URL", "nonsense", "allowed: sqlite"),
        ("HOST_SERVER", "sangam.example.com", "write it as https://sangam.example.com"),
        ("HOST_SERVER", "https://sangam.example.com/?x=1", "write it as https://"),
        ("TLS_CERT", "/no/such/file", "no such file"),
        ("API_RATE_LIMIT", "fast", "valid integer"),
    ],
)
def test_errors_name_the_variable_and_what_is_allowed(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str, told: str
) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(ConfigError) as caught:
        load_settings()
    assert str(caught.value).startswith(name)
    assert told in str(caught.value)


def test_all_faults_are_told_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("API_PORT", "x")
    monkeypatch.setenv("ZMQ_PORT", "-1")
    with pytest.raises(ConfigError, match=r"API_PORT=x[\s\S]*ZMQ_PORT=-1"):
        load_settings()


def test_a_certificate_without_its_key_is_refused(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "cert.pem").write_text("-")
    monkeypatch.setenv("TLS_CERT", "cert.pem")
    with pytest.raises(ConfigError, match="TLS_CERT and TLS_KEY belong together"):
        load_settings()


def test_known_spellings(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("API_RATE_LIMIT", "30 per second")
    monkeypatch.setenv("LOG_LEVEL", "debug")
    assert load_settings().api_rate_limit == 30
    assert load_settings().log_level == "DEBUG"


def test_secrets_are_not_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BROKER_API_SECRET", "planted-secret")
    monkeypatch.setenv("SANGAM_KEY", "planted-key")
    assert "planted" not in repr(load_settings())
    monkeypatch.setenv("DATABASE_URL", "oracle://u:planted-password@h/d")
    with pytest.raises(ConfigError) as caught:
        load_settings()
    assert "planted" not in str(caught.value)


def test_a_damaged_env_file_is_told(tmp_path: Path) -> None:
    (tmp_path / ".env").write_bytes(b"API_PORT=\xff\xfe\n")
    with pytest.raises(ConfigError, match="settings cannot be read"):
        load_settings()
