"""What a user may hand over for an account: the login fields its broker asks for, and hosts that replace its own."""

import ipaddress
from collections.abc import Mapping
from urllib.parse import urlsplit

from sangam.brokers.contract import BrokerSpec, FieldKind
from sangam.model.errors import InvalidInput


def check_fields(spec: BrokerSpec, given: Mapping[str, str]) -> None:
    """Refuse login fields that the broker does not ask for, and missing or blank ones that it needs."""
    names = [field.name for field in spec.login.fields]
    if unknown := sorted(set(given) - set(names)):
        raise InvalidInput(f"{spec.title} has no login field '{unknown[0]}'. Its fields: {', '.join(names) or 'none'}.")
    for field in spec.login.fields:
        if field.required and not given.get(field.name, "").strip():
            raise InvalidInput(f"{spec.title} needs '{field.name}' ({field.label}).")


def secret_values(spec: BrokerSpec | None, values: Mapping[str, str]) -> list[str]:
    """The values that nobody may see: all but those of plain text fields. Without a table all are secret."""
    plain = {field.name for field in spec.login.fields if field.kind is FieldKind.TEXT} if spec else set()
    return [value for name, value in values.items() if name not in plain]


def check_hosts(spec: BrokerSpec, hosts: Mapping[str, str]) -> None:
    """Refuse unknown host rows, and unencrypted ones beyond this machine: credentials travel there."""
    for name, url in hosts.items():
        if name not in spec.hosts:
            raise InvalidInput(f"{spec.title} has no host '{name}'. Its hosts: {', '.join(spec.hosts)}.")
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https", "ws", "wss", "tcp", "tls") or not parts.hostname:
            raise InvalidInput(f"Host '{name}' needs a whole URL such as https://127.0.0.1:8443, not '{url}'.")
        if parts.scheme in ("http", "ws", "tcp") and not _is_loopback(parts.hostname):
            raise InvalidInput(f"Host '{name}' at {parts.hostname} must be encrypted (https:// or wss://).")


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
