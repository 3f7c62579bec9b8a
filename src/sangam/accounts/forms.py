"""What a user may hand over for an account: the login fields its broker asks for, and hosts that replace its own."""

from collections.abc import Iterable, Mapping

from sangam.brokers.contract import BrokerSpec, FieldKind, LoginField
from sangam.brokers.hosts import check_url, is_here
from sangam.model.errors import InvalidInput, SessionExpired


class Secrets(dict[str, str]):
    """Of a session made of what a program gave: one that is missing is said to be, wherever it is needed first."""

    def __init__(self, title: str, given: Mapping[str, str]) -> None:
        super().__init__(given)
        self._title = title

    def __missing__(self, name: str) -> str:
        raise SessionExpired(f"{self._title} needs '{name}', which was not given")


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
    """Refuse unknown host rows, and beyond this machine unencrypted ones, for credentials travel there, and all others
    than the broker's where orders move no money, lest practice reach the real ones."""
    for name, url in hosts.items():
        if name not in spec.hosts:
            raise InvalidInput(f"{spec.title} has no host '{name}'. Its hosts: {', '.join(spec.hosts)}.")
        check_url(name, url)
        if spec.sandbox and url != spec.hosts[name] and not is_here(url):
            raise InvalidInput(f"{spec.title} is used at {spec.hosts[name]} or on this machine only, not at {url}.")
