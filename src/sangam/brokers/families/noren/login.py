"""Credentials, and the ways to a session (Noren API docs: Authentication; Pi docs: Login)."""

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
    ended,
)
from sangam.model.errors import InvalidInput, Refused

from .answers import Wire, body, user


class _Granted(msgspec.Struct):
    """`access_token` by OAuth, `token` otherwise; who it is of may stand in either way. `expires_in` is an hour at
    one broker and a span at the next, so the broker's hour of the table holds."""

    access_token: str = ""
    token: str = ""
    refresh_token: str = ""
    uid: str = ""
    actid: str = ""
    client: str = ""


class _Profile(msgspec.Struct):
    uid: str = ""
    actid: str = ""


class _Ways:
    def __init__(self, wire: Wire) -> None:
        self.wire = wire
        self.member = wire.member

    def check(self, session: Session, ctx: Ctx) -> Operation[str]:
        told = yield self.wire.asked(session, "UserDetails")
        profile = self.wire.read(told, _Profile, "the profile")
        return profile.actid or profile.uid or user(session)

    def page(self, session: Session, state: str, back: str) -> str:
        name = "client_id" if self.member.login == "oauth" else "app_key"
        base = session.host("login", self.member.all_hosts)
        return f"{base}?{urlencode({name: session.secrets['api_key']})}"

    def exchange(self, session: Session, callback: Mapping[str, str], ctx: Ctx) -> Operation[Grant]:
        """The Pi documents call the code `request_code`, their program `code`."""
        code = callback.get("code") or callback.get("request_code")
        if not code:
            raise InvalidInput(f"{self.wire.title} sent no code: the login was not finished. Start it again.")
        key, secret = session.secrets["api_key"], session.secrets["api_secret"]
        if self.member.login == "pi":
            form = {"api_key": key, "request_code": code, "api_secret": _hashed(key, code, secret)}
            request = _login(host="token", path="/trade/apitoken", json=form)
        else:
            form = {"code": code, "checksum": _hashed(key, secret, code)}
            request = _login(host="api", path="/GenAcsTok", content=body(form))
        return self._granted((yield request), session)

    def renew(self, session: Session, ctx: Ctx) -> Operation[Grant]:
        token = session.secrets.get("refresh_token", "")
        if not token:
            raise InvalidInput(f"{self.wire.title} gave this session no refresh token. Log in again.")
        form = body({"refresh_token": token})
        return self._granted((yield _login(host="api", path="/RefreshToken", content=form)), session)

    def _granted(self, told: Any, session: Session) -> Grant:
        granted = self.wire.read(told, _Granted, "the answer to the login")
        token, client = granted.access_token or granted.token, granted.actid or granted.uid or granted.client
        if not token:
            raise Refused(f"{self.wire.title}: the login was answered without a token. Start it again.")
        secrets = {"access_token": token}
        if granted.refresh_token and self.member.renews:
            secrets["refresh_token"] = granted.refresh_token
        return Grant(secrets=secrets, client_id=client or user(session))

    def logout(self, session: Session, ctx: Ctx) -> Operation[None]:
        yield from ended(self.wire.write(session, "Logout", {"ordersource": "API"}, "default"))


def _login(**more: Any) -> Request:
    headers = {"Content-Type": "text/plain"} if "content" in more else {}
    return Request(method="POST", auth="none", effect="write", lane="login", headers=headers, **more)


def _hashed(*parts: str) -> str:
    return sha256("".join(parts).encode()).hexdigest()


def login(wire: Wire) -> Login:
    ways, member = _Ways(wire), wire.member
    renewal = LoginField("refresh_token", "Refresh token (to prolong the session)", daily=True, required=False)
    return Login(
        fields=(
            LoginField("user_id", "User id", FieldKind.TEXT),
            LoginField("api_key", "API key (client id)" if member.login == "oauth" else "API key"),
            LoginField("api_secret", "Secret code"),
            LoginField("access_token", "Access token (of today)", daily=True),
            *((renewal,) if member.renews else ()),
        ),
        check=ways.check,
        redirect=Redirect(url=ways.page, exchange=ways.exchange, brings="code"),
        renew=ways.renew if member.renews else None,
        logout=None if "logout" in member.lacks else ways.logout,
    )
