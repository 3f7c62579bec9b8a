"""Dhan's logins: a pasted token, PIN and authenticator, the consent page of an API key, renewal (documents:
Authentication). A token lives for 24 hours, and there is no logout."""

from collections.abc import Mapping
from typing import Any
from urllib.parse import urlencode

import msgspec

from sangam.brokers.contract import (
    Asks,
    Ctx,
    FieldKind,
    Grant,
    Login,
    LoginField,
    Operation,
    Redirect,
    Request,
    Session,
    Steps,
)
from sangam.brokers.families.dhan.login import CLIENT_ID
from sangam.model.errors import InvalidInput, Unknown

from .tables import HOSTS, WIRE


class _Granted(msgspec.Struct, rename="camel"):
    """`RenewToken` may tell neither name nor hour; the hour is India's."""

    access_token: str = ""
    token: str = ""
    dhan_client_id: str = ""
    expiry_time: str = ""


class _Consent(msgspec.Struct, rename="camel"):
    consent_app_id: str


class _Profile(msgspec.Struct, rename="camel"):
    dhan_client_id: str


def _profile(session: Session, ctx: Ctx) -> Operation[str]:
    data = yield Request(method="GET", host="api", path="/profile")
    return WIRE.read(data, _Profile, "the profile").dhan_client_id


def _by_code(
    session: Session, answers: Mapping[str, str], carried: Mapping[str, str], ctx: Ctx
) -> Operation[Grant | Asks]:
    """One token every two minutes; a new one ends the one before."""
    pin, code = session.secrets.get("pin", ""), answers.get("totp", "")
    if not (pin and code):
        raise InvalidInput("Dhan needs 'pin' and 'totp' to log in by itself. Store them, or paste an access token.")
    query = {"dhanClientId": session.secrets["client_id"], "pin": pin, "totp": code}
    granted = yield Request(
        method="POST", host="auth", path="/app/generateAccessToken", query=query, auth="none", effect="write"
    )
    return _grant(granted, session)


def _announced(session: Session, ctx: Ctx) -> Operation[Mapping[str, str]]:
    """Dhan wants to know of a login before its page is opened: 25 times a day."""
    query = {"client_id": session.secrets["client_id"]}
    told = yield Request(
        method="POST", host="auth", path="/app/generate-consent", query=query, headers=_app(session), auth="none",
        effect="write",
    )  # fmt: skip
    return {"consent": WIRE.read(told, _Consent, "the answer to the login").consent_app_id}


def _page(session: Session, state: str, back: str) -> str:
    """Dhan's login page. It returns to the address registered with the API key, and nothing of `state`."""
    query = urlencode({"consentAppId": session.secrets["consent"]})
    return f"{session.host('auth', HOSTS).rstrip('/')}/login/consentApp-login?{query}"


def _exchange(session: Session, callback: Mapping[str, str], ctx: Ctx) -> Operation[Grant]:
    token = callback.get("tokenId", "")
    if not token:
        raise InvalidInput("Dhan sent no tokenId: the login was not finished. Start it again.")
    granted = yield Request(
        method="GET", host="auth", path="/app/consumeApp-consent", query={"tokenId": token}, headers=_app(session),
        auth="none", effect="write",
    )  # fmt: skip
    return _grant(granted, session)


def _renew(session: Session, ctx: Ctx) -> Operation[Grant]:
    """Of tokens that were made on Dhan's web page and still live; the former one is dead then."""
    client = {"dhanClientId": session.secrets["client_id"]}
    granted = yield Request(method="GET", host="api", path="/RenewToken", headers=client, effect="write")
    return _grant(granted, session)


def _app(session: Session) -> Mapping[str, str]:
    return {"app_id": session.secrets.get("api_key", ""), "app_secret": session.secrets.get("api_secret", "")}


def _grant(granted: Any, session: Session) -> Grant:
    told = WIRE.read(granted, _Granted, "the answer to the login")
    token = told.access_token or told.token
    if not token:
        raise Unknown("Dhan: the login was answered without an access token.")
    return Grant(
        secrets={"access_token": token},
        client_id=told.dhan_client_id or session.secrets["client_id"],
        expires_at=WIRE.moment(told.expiry_time) or None,
    )


LOGIN = Login(
    fields=(
        CLIENT_ID,
        LoginField("pin", "PIN (to log in by itself, with the authenticator)", required=False),
        LoginField("totp", "Authenticator's secret", FieldKind.TOTP, required=False),
        LoginField("api_key", "API key (to log in by Dhan's page)", FieldKind.TEXT, required=False),
        LoginField("api_secret", "API secret", required=False),
        LoginField("access_token", "Access token (valid for 24 hours)", daily=True),
    ),
    check=_profile,
    redirect=Redirect(
        url=_page, exchange=_exchange, needs=("api_key", "api_secret"), prepare=_announced, brings="tokenId"
    ),
    steps=Steps(_by_code, automatic=True),
    renew=_renew,
)
