"""Credentials, and the ways to them (documentation: Authentication & Login Flow).

An access token is a JSON Web Token: its claims say when it ends, and the key of the data socket."""

from base64 import urlsafe_b64decode
from collections.abc import Mapping
from hashlib import sha256
from typing import Any
from urllib.parse import urlencode

import msgspec

from sangam.brokers.contract import (
    Ctx,
    FieldKind,
    Grant,
    Login,
    LoginField,
    Operation,
    Redirect,
    Request,
    Session,
    WireRequest,
    ended,
)
from sangam.model.errors import InvalidInput

from .answers import read
from .tables import HOSTS, VERSION

PROFILE = "/api/v3/profile"


class Claims(msgspec.Struct):
    """What a token says of itself; `exp` is an epoch second."""

    exp: int = 0
    hsm_key: str = ""


class _Profile(msgspec.Struct):
    fy_id: str


class _Granted(msgspec.Struct):
    access_token: str
    refresh_token: str = ""


def claims(token: str) -> Claims:
    """Nothing of a text that is no such token."""
    payload = token.split(".")[1] if token.count(".") == 2 else ""
    try:
        return msgspec.json.decode(urlsafe_b64decode(payload + "=" * (-len(payload) % 4)), type=Claims)
    except (ValueError, msgspec.DecodeError):
        return Claims()


def credential(session: Session) -> str:
    """What the Authorization header bears everywhere, without "Bearer"."""
    return f"{session.secrets['api_key']}:{session.secrets['access_token']}"


def authorize(session: Session, request: Request, wire: WireRequest, ctx: Ctx) -> Mapping[str, str]:
    return {**VERSION, "Authorization": credential(session)}


def _profile(session: Session, ctx: Ctx) -> Operation[str]:
    return _client((yield Request(method="GET", host="api", path=PROFILE)))


def _client(answer: Any) -> str:
    return read(answer.get("data"), _Profile, "the profile").fy_id


def _page(session: Session, state: str, back: str) -> str:
    query = {"client_id": session.secrets["api_key"], "redirect_uri": back, "response_type": "code", "state": state}
    return f"{session.host('api', HOSTS).rstrip('/')}/api/v3/generate-authcode?{urlencode(query)}"


def _exchange(session: Session, callback: Mapping[str, str], ctx: Ctx) -> Operation[Grant]:
    code = callback.get("auth_code", "")
    if callback.get("s", "ok") != "ok" or not code:
        raise InvalidInput("Fyers sent no auth_code: the login was not finished. Start it again.")
    return (yield from _tokens(session, "validate-authcode", {"grant_type": "authorization_code", "code": code}))


def _renew(session: Session, ctx: Ctx) -> Operation[Grant]:
    """A refresh token lives 15 days. Since April 2026 Fyers may answer that this way is closed."""
    token, pin = session.secrets.get("refresh_token", ""), session.secrets.get("pin", "")
    if not (token and pin):
        raise InvalidInput("Fyers prolongs a session by its refresh token and the PIN. Log in again.")
    asked = {"grant_type": "refresh_token", "refresh_token": token, "pin": pin}
    return (yield from _tokens(session, "validate-refresh-token", asked))


def _tokens(session: Session, path: str, asked: dict[str, str]) -> Operation[Grant]:
    """Trade a code or a token for today's credentials; the hash proves that we know the app's secret."""
    app, secret = session.secrets["api_key"], session.secrets.get("api_secret", "")
    if not secret:
        raise InvalidInput("Fyers needs the app's secret to log in by its page. Store it, or paste an access token.")
    body = asked | {"appIdHash": sha256(f"{app}:{secret}".encode()).hexdigest()}
    answer = yield Request(method="POST", host="api", path=f"/api/v3/{path}", json=body, auth="none", effect="write")
    granted = read(answer, _Granted, "the answer to the login")
    secrets = {"access_token": granted.access_token}
    if granted.refresh_token:
        secrets["refresh_token"] = granted.refresh_token
    headers = {**VERSION, "Authorization": f"{app}:{granted.access_token}"}
    answer = yield Request(method="GET", host="api", path=PROFILE, auth="none", headers=headers)
    ends = claims(granted.access_token).exp
    return Grant(secrets=secrets, client_id=_client(answer), expires_at=ends * 1000 if ends else None)


def _logout(session: Session, ctx: Ctx) -> Operation[None]:
    return ended(Request(method="POST", host="api", path="/api/v3/logout", effect="write"))


LOGIN = Login(
    fields=(
        LoginField("api_key", "App ID (XXXX-100)", FieldKind.TEXT),
        LoginField("api_secret", "App secret (to log in by Fyers' page)", required=False),
        LoginField("pin", "PIN (to prolong sessions)", required=False),
        LoginField("access_token", "Access token (valid for the day)", daily=True),
    ),
    check=_profile,
    redirect=Redirect(url=_page, exchange=_exchange, echoes_state=True, needs=("api_secret",), brings="auth_code"),
    renew=_renew,
    logout=_logout,
)
