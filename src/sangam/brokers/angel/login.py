"""Credentials, headers, and the ways to a session (SmartAPI docs: User)."""

from collections.abc import Mapping
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
    Steps,
    WireRequest,
    ended,
)
from sangam.model.errors import InvalidInput

from .answers import read
from .tables import AUTH, HOSTS, TITLE, USER

HEADERS = {
    "Accept": "application/json",
    "X-UserType": "USER",
    "X-SourceID": "WEB",
    # Required, but what Angel checks is where a call comes from; its own SDK sends constants, too.
    "X-ClientLocalIP": "127.0.0.1",
    "X-ClientPublicIP": "127.0.0.1",
    "X-MACAddress": "00:00:00:00:00:00",
}


def authorize(session: Session, request: Request, wire: WireRequest, ctx: Ctx) -> Mapping[str, str]:
    headers = {**HEADERS, "X-PrivateKey": session.secrets["api_key"]}
    if request.auth != "login":
        headers["Authorization"] = bearer(session.secrets["access_token"])
    return headers


def bearer(token: str) -> str:
    """Some deployments hand the jwt out with the word in front."""
    return f"Bearer {token.removeprefix('Bearer ')}"


def _profile(session: Session, ctx: Ctx) -> Operation[str]:
    told = yield Request(method="GET", host="api", path=f"{USER}/getProfile", lane="profile")
    return read(told, _Profile, "the profile").clientcode


class _Profile(msgspec.Struct):
    clientcode: str


class _Granted(msgspec.Struct, rename={"access_token": "jwtToken", "refresh_token": "refreshToken"}):
    access_token: str
    refresh_token: str
    feed_token: str = msgspec.field(name="feedToken")


def _steps(session: Session, answers: Mapping[str, str], carried: Mapping[str, str], ctx: Ctx) -> Operation[Grant]:
    secrets = session.secrets
    if not secrets.get("pin"):
        raise InvalidInput(f"{TITLE} needs 'pin' to log in by itself. Store it, or paste today's tokens.")
    form = {"clientcode": secrets["client_code"], "password": secrets["pin"], "totp": answers.get("totp", "")}
    return (yield from _granted("/user/v1/loginByPassword", form, "login", secrets["client_code"]))


def _renew(session: Session, ctx: Ctx) -> Operation[Grant]:
    token = session.secrets.get("refresh_token", "")
    if not token:
        raise InvalidInput(f"{TITLE} gave this session no refresh token. Log in again.")
    client = session.client_id or session.secrets["client_code"]
    return (yield from _granted("/jwt/v1/generateTokens", {"refreshToken": token}, "default", client))


def _granted(path: str, form: Mapping[str, str], auth: str, client: str) -> Operation[Grant]:
    told = yield Request(
        method="POST", host="api", path=AUTH + path, json=form, auth=auth, effect="write", lane="login"
    )
    granted = read(told, _Granted, "the answer to the login")
    return Grant(secrets=msgspec.structs.asdict(granted), client_id=client)


def _page(session: Session, state: str, back: str) -> str:
    query = {"api_key": session.secrets["api_key"], "redirect_url": back, "state": state}
    return f"{session.host('login', HOSTS).rstrip('/')}/publisher-login?{urlencode(query)}"


def _exchange(session: Session, callback: Mapping[str, str], ctx: Ctx) -> Operation[Grant]:
    """The page returns the tokens themselves; the profile tells whose they are."""
    names = {"access_token": "auth_token", "feed_token": "feed_token", "refresh_token": "refresh_token"}
    secrets = {ours: callback[theirs] for ours, theirs in names.items() if callback.get(theirs)}
    if not {"access_token", "feed_token"} <= secrets.keys():
        raise InvalidInput(f"{TITLE} sent no tokens: the login was not finished. Start it again.")
    headers = {"Authorization": bearer(secrets["access_token"])}
    path = f"{USER}/getProfile"
    told = yield Request(method="GET", host="api", path=path, headers=headers, auth="login", lane="profile")
    return Grant(secrets=secrets, client_id=read(told, _Profile, "the profile").clientcode)


def _logout(session: Session, ctx: Ctx) -> Operation[None]:
    form = {"clientcode": session.client_id or session.secrets["client_code"]}
    request = Request(method="POST", host="api", path=f"{USER}/logout", json=form, effect="write", lane="login")
    yield from ended(request)


LOGIN = Login(
    fields=(
        LoginField("api_key", "API key"),
        LoginField("client_code", "Client code", FieldKind.TEXT),
        LoginField("pin", "PIN (to log in by itself)", required=False),
        LoginField("totp", "Secret of the authenticator app (to log in by itself)", FieldKind.TOTP, required=False),
        LoginField("access_token", "jwtToken (valid until midnight)", daily=True),
        LoginField("feed_token", "feedToken", daily=True),
        LoginField("refresh_token", "refreshToken (to prolong the session)", daily=True, required=False),
    ),
    check=_profile,
    redirect=Redirect(url=_page, exchange=_exchange, echoes_state=True),
    steps=Steps(run=_steps, asks=(LoginField("totp", "Code of the authenticator app"),), automatic=True),
    renew=_renew,
    logout=_logout,
)
