"""What a user may hand over for an account: the login fields its broker asks for, and hosts that replace its own."""

import ipaddress
from collections.abc import Iterable, Mapping
from urllib.parse import urlsplit

from sangam.brokers.contract import BrokerSpec, FieldKind, LoginField
from sangam.model.errors import InvalidInput


def check_fields(spec: BrokerSpec, given: Mapping[str, str]) -> None:
    """Refuse login fields that the broker does not ask for, and missing or blank ones among those that are kept."""
    check_names(spec, given)
    if missing := missing_fields(spec.login.kept, given):
        raise InvalidInput(f"{spec.title} needs '{missing[0].name}' ({missing[0].label}).")


def check_names(spec: BrokerSpec, given: Mapping[str, str], *more: LoginField) -> None:
    """`more` are fields beyond those of the form: the questions of a login's step."""
    names = list(dict.fromkeys(field.name for field in (*spec.login.fields, *more)))
    if unknown := sorted(set(given) - set(names)):
        raise InvalidInput(f"{spec.title} has no login field '{unknown[0]}'. Its fields: {', '.join(names) or 'none'}.")


def missing_fields(fields: Iterable[LoginField], given: Mapping[str, str]) -> tuple[LoginField, ...]:
    return tuple(field for field in fields if field.required and not given.get(field.name, "").strip())


def kept(spec: BrokerSpec, given: Mapping[str, str]) -> dict[str, str]:
    """What of these is stored with the account; the rest lives as long as a session, or a minute."""
    fields = {field.name: field for field in spec.login.kept}
    return {
        name: value
        for name, value in given.items()
        if name in fields and not (fields[name].kind is FieldKind.TOTP and is_code(value))
    }


def is_code(value: str) -> bool:
    """Whether somebody typed what an authenticator shows, instead of its secret."""
    return value.isdecimal() and len(value) <= 8


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
