"""The ways to log in that a broker's table offers, and what each needs."""

import base64
from collections.abc import Mapping
from dataclasses import replace
from enum import StrEnum
from typing import TypeVar

from cryptography.hazmat.primitives.hashes import SHA1
from cryptography.hazmat.primitives.twofactor.totp import TOTP

from sangam.brokers.contract import BrokerSpec, Ctx, FieldKind, Grant, Login, LoginField, Operation, Session
from sangam.model.errors import InvalidInput

from .forms import is_code, missing_fields

Part = TypeVar("Part")


class Way(StrEnum):
    """Today's token is pasted; on the broker's page; by answers to the broker's questions."""

    PASTE = "paste"
    REDIRECT = "redirect"
    STEPS = "steps"


def ways(login: Login) -> tuple[Way, ...]:
    """The most convenient first."""
    found = []
    if login.steps is not None:
        found.append(Way.STEPS)
    if login.redirect is not None:
        found.append(Way.REDIRECT)
    if login.daily or not found:
        found.append(Way.PASTE)
    return tuple(found)


def choose(spec: BrokerSpec, way: Way | None, fields: Mapping[str, str], known: Mapping[str, str]) -> Way:
    """The way that was named; else pasting where a daily field is given; else the first one that is open: what only a
    redirect needs may not be there."""
    found = ways(spec.login)
    if way is not None:
        if way not in found:
            raise InvalidInput(f"{spec.title} offers no login by {way.value}. Its ways: {', '.join(found)}.")
        return way
    if Way.PASTE in found and any(field.name in fields for field in spec.login.daily):
        return Way.PASTE
    possible = [each for each in found if each is not Way.REDIRECT or not redirect_needs(spec.login, known)]
    return (possible or found)[0]


def redirect_needs(login: Login, known: Mapping[str, str]) -> tuple[LoginField, ...]:
    """The fields that a login on the broker's page requires and that are not known."""
    needs = login.redirect.needs if login.redirect is not None else ()
    return missing_fields((replace(field, required=True) for field in login.kept if field.name in needs), known)


def offered(spec: BrokerSpec, part: Part | None, way: Way) -> Part:
    """A part of the broker's login that only some have."""
    if part is None:
        raise InvalidInput(f"{spec.title} offers no login by {way.value}.")
    return part


def checked(login: Login, session: Session, ctx: Ctx) -> Operation[Grant]:
    """One harmless call proves what was pasted, and tells whose it is."""
    client = yield from login.check(session, ctx)
    return Grant(secrets={}, client_id=client)


def codes(login: Login, values: Mapping[str, str], now_ms: int) -> dict[str, str]:
    """Today's six digits of every authenticator whose secret is known; a code that was typed stays as it is.

    Raises InvalidInput for a secret that is none."""
    found = {}
    for field in login.kept:
        value = values.get(field.name, "").replace(" ", "")
        if field.kind is not FieldKind.TOTP or not value:
            continue
        try:
            found[field.name] = value if is_code(value) else totp(value, now_ms // 1000)
        except ValueError:
            raise InvalidInput(f"'{field.name}' ({field.label}) is not an authenticator's secret.") from None
    return found


def totp(secret: str, now: int) -> str:
    """An authenticator's six digits (RFC 6238). Brokers hand out secrets of 80 bits, so short ones are taken.

    Raises ValueError for a secret that is no base32."""
    key = base64.b32decode(secret + "=" * (-len(secret) % 8), casefold=True)
    return TOTP(key, 6, SHA1(), 30, enforce_key_length=False).generate(now).decode()  # noqa: S303 - the standard's hash


def may_log_in_alone(login: Login, kept: Mapping[str, str]) -> bool:
    """Whether what the account keeps suffices for a login without a person."""
    return (
        login.steps is not None
        and login.steps.automatic
        and all(kept.get(field.name, "").strip() for field in login.kept if field.required)
        and all(kept.get(field.name, "").strip() for field in login.kept if field.kind is FieldKind.TOTP)
    )


def same_client(spec: BrokerSpec, account: str, known: str, told: str) -> None:
    """Refuse a login of somebody else, once the account's client is known."""
    if known and told.strip().casefold() != known.strip().casefold():
        raise InvalidInput(
            f"{spec.title} says that {told} logged in, but {account} belongs to {known}. "
            f"Log out on the broker's page and log in as {known}, or add another account for {told}."
        )
