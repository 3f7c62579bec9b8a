"""Credentials and the signing header (Kite docs: User)."""

from collections.abc import Mapping
from hashlib import sha256
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
from sangam.model.errors import InvalidInput, Unknown

from .answers import read
from .tables import HOSTS, VERSION


def authorize(session: Session, request: Request, wire: WireRequest, ctx: Ctx) -> Mapping[str, str]:
    secrets = session.secrets
    return {**VERSION, "Authorization": f"token {secrets['api_key']}:{secrets['access_token']}"}


def _profile(session: Session, ctx: Ctx) -> Operation[str]:
    profile = yield Request(method="GET", host="api", path="/user/profile")
    if not isinstance(profile, dict) or not profile.get("user_id"):
        raise Unknown("Zerodha: the profile came without a user_id.")
    return str(profile["user_id"])


def _page(session: Session, state: str, back: str) -> str:
    """Kite's login page. It returns to the address registered with the app, so `back` is not told here."""
    query = {"v": "3", "api_key": session.secrets["api_key"], "redirect_params": urlencode({"state": state})}
    return f"{session.host('login', HOSTS).rstrip('/')}/connect/login?{urlencode(query)}"


def _exchange(session: Session, callback: Mapping[str, str], ctx: Ctx) -> Operation[Grant]:
    """The request token of the callback is good for one use and a few minutes."""
    token = callback.get("request_token", "")
    if callback.get("status", "success") != "success" or not token:
        raise InvalidInput("Zerodha sent no request token: the login was not finished. Start it again.")
    return (yield from _tokens(session, "/session/token", "request_token", token))


def _renew(session: Session, ctx: Ctx) -> Operation[Grant]:
    token = session.secrets.get("refresh_token", "")
    if not token:
        raise InvalidInput("Zerodha gave this session no refresh token. Log in again.")
    return (yield from _tokens(session, "/session/refresh_token", "refresh_token", token))


def _tokens(session: Session, path: str, name: str, token: str) -> Operation[Grant]:
    """Trade a token for today's credentials; the checksum proves that we know the secret."""
    key, secret = session.secrets["api_key"], session.secrets.get("api_secret", "")
    if not secret:
        raise InvalidInput("Zerodha needs 'api_secret' to log in by its page. Store it, or paste an access token.")
    checksum = sha256(f"{key}{token}{secret}".encode()).hexdigest()
    form = {"api_key": key, name: token, "checksum": checksum}
    granted = yield Request(
        method="POST", host="api", path=path, form=form, headers=VERSION, auth="none", effect="write"
    )
    told = read(granted, _Granted, "the answer to the login")
    secrets = {"access_token": told.access_token}
    if told.refresh_token:
        secrets["refresh_token"] = told.refresh_token
    return Grant(secrets=secrets, client_id=told.user_id or session.client_id)


class _Granted(msgspec.Struct):
    access_token: str
    user_id: str = ""
    refresh_token: str | None = None


def _logout(session: Session, ctx: Ctx) -> Operation[None]:
    query = {name: session.secrets[name] for name in ("api_key", "access_token")}
    yield from ended(Request(method="DELETE", host="api", path="/session/token", query=query, effect="write"))


LOGIN = Login(
    fields=(
        LoginField("api_key", "API key", FieldKind.TEXT),
        LoginField("api_secret", "API secret (to log in by Zerodha's page)", required=False),
        LoginField("access_token", "Access token (valid until 06:00 tomorrow)", daily=True),
    ),
    check=_profile,
    redirect=Redirect(url=_page, exchange=_exchange, echoes_state=True, needs=("api_secret",), brings="request_token"),
    renew=_renew,
    logout=_logout,
)
