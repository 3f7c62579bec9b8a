"""What passes between a split server's parent and its parts."""

import base64
from pathlib import Path

import msgspec
import pytest

from sangam.app.part import Task, reveal
from sangam.settings import load_settings


def test_settings_survive_the_pipe(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    certificate = tmp_path / "cert.pem"
    certificate.touch()
    for name, value in {
        "SANGAM_HOME": str(tmp_path),
        "SANGAM_KEY": base64.b64encode(bytes(32)).decode(),
        "VALID_BROKERS": "paper, zerodha",
        "TLS_CERT": str(certificate),
        "TLS_KEY": str(certificate),
        "MARKET_DATA_INTERVAL_MS": "100",
        "API_RATE_LIMIT": "70 per second",
    }.items():
        monkeypatch.setenv(name, value)
    told = load_settings(None, websocket_port=0)
    task = Task(name="feed", settings=reveal(told), requests="", data="")
    arrived = msgspec.json.decode(msgspec.json.encode(task), type=Task)
    for name in ("SANGAM_KEY", "VALID_BROKERS", "API_RATE_LIMIT"):
        monkeypatch.setenv(name, "")
    assert load_settings(None, **arrived.settings) == told


def test_what_was_not_set_keeps_its_default(tmp_path: Path) -> None:
    told = load_settings(None, sangam_home=tmp_path)
    assert "database_url" not in reveal(told)
    assert load_settings(None, **reveal(told)).database == told.database
