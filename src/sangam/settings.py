"""Settings: the environment, then `.env`, then defaults. Every variable is read here and nowhere else.

Field names are the variables' names in lower case; a bad value raises ConfigError naming each variable at fault and
what it may be. Empty values count as not set."""

import re
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, BeforeValidator, Field, SecretStr, ValidationError, model_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict, SettingsError
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError

from sangam.model.enums import INTERVALS_MS
from sangam.model.errors import ConfigError


def _split(value: Any) -> Any:
    return tuple(name.strip() for name in value.split(",") if name.strip()) if isinstance(value, str) else value


def _known_interval(value: int) -> int:
    if value not in INTERVALS_MS:
        raise ValueError(f"allowed: {', '.join(map(str, INTERVALS_MS))}")
    return value


def _upper(value: Any) -> Any:
    return value.upper() if isinstance(value, str) else value


def _rate(value: Any) -> Any:
    """Both ``50`` and the longer ``50 per second`` are known spellings."""
    return re.sub(r"\s*per (second|minute)$", "", value) if isinstance(value, str) else value


def _home(path: Path) -> Path:
    return path.expanduser().absolute()


def _existing_file(path: Path) -> Path:
    if not path.expanduser().is_file():
        raise ValueError("no such file")
    return path.expanduser()


def _whole_url(url: str) -> str:
    if url and not re.fullmatch(r"https?://[^/?#\s]+(/[^?#\s]*)?", url):
        raise ValueError("write it as https://sangam.example.com")
    return url


def _database_url(url: str) -> str:
    try:
        backend = make_url(url).get_backend_name()
    except ArgumentError:
        backend = ""
    if backend not in ("sqlite", "postgresql"):
        raise ValueError("allowed: sqlite:///path/to/file or postgresql+psycopg://user:password@host/database")
    return url


Port = Annotated[int, Field(ge=0, le=65535)]
Positive = Annotated[int, Field(ge=1)]
Seconds = Annotated[float, Field(gt=0)]
File = Annotated[Path, AfterValidator(_existing_file)]


class Settings(BaseSettings):
    """What the server is told at its start. Ports: 0 asks the system for a free one."""

    model_config = SettingsConfigDict(env_file=".env", env_ignore_empty=True, extra="ignore", frozen=True)

    sangam_home: Annotated[Path, AfterValidator(_home)] = Path("~/.sangam")
    sangam_key: SecretStr | None = None
    database_url: Annotated[str, AfterValidator(_database_url)] = Field(default="", validate_default=False)

    api_host: str = "127.0.0.1"
    api_port: Port = 5000
    websocket_host: str = "127.0.0.1"
    websocket_port: Port = 8765
    zmq_host: str = "127.0.0.1"
    zmq_port: Port = 5555
    legacy_zmq_ingress: bool = False
    alert_webhook: SecretStr | None = None
    public_ip_url: Annotated[str, AfterValidator(_whole_url)] = ""
    host_server: Annotated[str, AfterValidator(_whole_url)] = ""
    tls_cert: File | None = None
    tls_key: File | None = None

    valid_brokers: Annotated[tuple[str, ...], NoDecode, BeforeValidator(_split)] = ()
    broker_api_key: SecretStr | None = None
    broker_api_secret: SecretStr | None = None
    max_symbols_per_websocket: Positive | None = None
    max_websocket_connections: Positive | None = None

    market_data_interval_ms: Annotated[int, AfterValidator(_known_interval)] = 50
    ws_ping_interval: Seconds = 20.0
    ws_ping_timeout: Seconds = 20.0
    ws_auth_grace_seconds: Seconds = 15.0
    ws_max_message_bytes: Positive = 1 << 20
    ws_max_messages_per_second: Positive = 200
    ws_max_subscriptions: Positive = 3000
    api_rate_limit: Annotated[Positive, BeforeValidator(_rate)] = 50
    greeks_rate_limit: Annotated[Positive, BeforeValidator(_rate)] = 30
    order_rate_limit: Annotated[Positive, BeforeValidator(_rate)] = 10
    smart_order_rate_limit: Annotated[Positive, BeforeValidator(_rate)] = 10

    log_level: Annotated[Literal["DEBUG", "INFO", "WARNING", "ERROR"], BeforeValidator(_upper)] = "INFO"

    @model_validator(mode="after")
    def _tls_needs_both(self) -> Self:
        if (self.tls_cert is None) != (self.tls_key is None):
            raise ValueError("TLS_CERT and TLS_KEY belong together: set both, or none")
        return self

    @property
    def database(self) -> str:
        """`DATABASE_URL`, or the SQLite file in the home folder."""
        return self.database_url or f"sqlite:///{(self.sangam_home / 'sangam.db').as_posix()}"


def load_settings(env_file: Path | str | None = ".env", **overrides: Any) -> Settings:
    """Read and check everything. `overrides` win over environment and file (command line options).

    Raises ConfigError."""
    try:
        return Settings(_env_file=env_file, **overrides)
    except ValidationError as error:
        lines = [_explain(fault) for fault in error.errors(include_url=False, include_context=False)]
        raise ConfigError("\n".join(lines)) from None
    except (SettingsError, UnicodeDecodeError) as error:
        raise ConfigError(f"The settings cannot be read: {error}") from None


def _explain(fault: Any) -> str:
    """One line per fault; the value is shown unless its variable holds a secret."""
    reason = fault["msg"].removeprefix("Value error, ")
    if not fault["loc"]:
        return f"{reason}."
    name = str(fault["loc"][0]).upper()
    secret = name in ("SANGAM_KEY", "BROKER_API_KEY", "BROKER_API_SECRET", "DATABASE_URL", "ALERT_WEBHOOK")
    value = "" if secret else f"={fault['input']}"
    return f"{name}{value} is not allowed: {reason[:1].lower()}{reason[1:]}."
