"""Credentials and the ways in and out (Upstox docs: Authentication; Login; Logout)."""

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
    WireRequest,
    ended,
)
from sangam.model.errors import InvalidInput

from .answers import read
from .tables import HOSTS, JSON


def authorize(session: Session, request: Request, wire: WireRequest, ctx: Ctx) -> Mapping[str, str]:
    headers = {**JSON, "Authorization": f"Bearer {session.secrets['access_token']}"}
    if request.lane == "orders" and (algo := session.secrets.get("algo_name")):
        headers["X-Algo-Name"] = algo
    return headers


class _Person(msgspec.Struct):
    user_id: str


def _profile(session: Session, ctx: Ctx) -> Operation[str]:
    profile = yield Request(method="GET", host="api", path="/v2/user/profile")
    return read(profile, _Person, "the profile").user_id


def _page(session: Session, state: str, back: str) -> str:
    """Upstox sends the browser only to the address that the app is registered with; `back` should be that one, but the
    user's word for it counts, since the exchange of the code must name it again."""
    query = {
        "response_type": "code",
        "client_id": session.secrets["api_key"],
        "redirect_uri": session.secrets["redirect_uri"],
        "state": state,
    }
    return f"{session.host('api', HOSTS).rstrip('/')}/v2/login/authorization/dialog?{urlencode(query)}"


class _Granted(msgspec.Struct):
    access_token: str
    user_id: str = ""


def _exchange(session: Session, callback: Mapping[str, str], ctx: Ctx) -> Operation[Grant]:
    """The code of the callback is good for one use."""
    if not (code := callback.get("code", "")):
        raise InvalidInput("Upstox sent no code: the login was not finished. Start it again.")
    secrets = session.secrets
    form = {
        "code": code,
        "client_id": secrets["api_key"],
        "client_secret": secrets["api_secret"],
        "redirect_uri": secrets["redirect_uri"],
        "grant_type": "authorization_code",
    }
    path = "/v2/login/authorization/token"
    granted = yield Request(method="POST", host="api", path=path, form=form, headers=JSON, auth="none", effect="write")
    told = read(granted, _Granted, "the answer to the login")
    return Grant(secrets={"access_token": told.access_token}, client_id=told.user_id or session.client_id)


def _logout(session: Session, ctx: Ctx) -> Operation[None]:
    yield from ended(Request(method="DELETE", host="api", path="/v2/logout", effect="write"))


LOGIN = Login(
    fields=(
        LoginField("api_key", "API key", FieldKind.TEXT, required=False),
        LoginField("api_secret", "API secret (to log in by Upstox' page)", required=False),
        LoginField("redirect_uri", "Redirect URL as registered with the app", FieldKind.TEXT, required=False),
        LoginField("algo_name", "Algo name (of a registered strategy only)", FieldKind.TEXT, required=False),
        LoginField("access_token", "Access token (valid until 03:30 tomorrow)", daily=True),
    ),
    check=_profile,
    redirect=Redirect(
        url=_page, exchange=_exchange, echoes_state=True, needs=("api_key", "api_secret", "redirect_uri"), brings="code"
    ),
    logout=_logout,
)
