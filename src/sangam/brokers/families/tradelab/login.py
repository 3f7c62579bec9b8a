"""The ways to a session: OAuth 2 on the broker's page (documents: login), and client code with a code by two calls (SDK
pocketful 0.1.2: generateSession). Tokens of either go with a header, and to hosts, of their own."""

import base64
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
)
from sangam.model.errors import InvalidInput

from .answers import CHANNEL_CODE, CHANNEL_LOGIN, PROFILE, TOKEN, TRADING_INFO, Wire

SCOPE = "orders holdings"
CHANNEL = "channel"
"""What `front` says in the secrets of a session that was made by the channel login."""

TOTP_QUESTION = "100"

CHANNEL_HEADERS = {
    "Accept": "application/json",
    "X-UserType": "USER",
    "X-SourceID": "WEB",
    "P-DeviceType": "WEB",
    "x-device-type": "web",
    # What is checked is where a call comes from; the SDK sends what it believes to be our addresses.
    "X-ClientLocalIP": "127.0.0.1",
    "X-ClientPublicIP": "127.0.0.1",
    "X-MACAddress": "00:00:00:00:00:00",
}

OAUTH_FIELDS = (
    LoginField("api_key", "App ID", FieldKind.TEXT, required=False),
    LoginField("api_secret", "App secret (to log in by the broker's page)", required=False),
    LoginField("redirect_uri", "Redirect URL as registered with the app", FieldKind.TEXT, required=False),
)
CHANNEL_FIELDS = (
    LoginField("channel_secret", "Channel secret (to log in by code)", required=False),
    LoginField("totp", "Secret of the authenticator app (to log in by itself)", FieldKind.TOTP, required=False),
)


def authorize(session: Session, request: Request, wire: WireRequest, ctx: Ctx) -> Mapping[str, str]:
    token = session.secrets["access_token"]
    if session.secrets.get("front") == CHANNEL:
        return {**CHANNEL_HEADERS, "x-authorization-token": token}
    return _bearer(token)


def _bearer(token: str) -> Mapping[str, str]:
    return {"Accept": "application/json", "Authorization": f"Bearer {token}"}


class _Person(msgspec.Struct):
    client_id: str


class _Granted(msgspec.Struct):
    access_token: str


class _Question(msgspec.Struct):
    question_id: str


class _Challenge(msgspec.Struct):
    twofa_token: str
    questions: list[_Question]


class _Asked(msgspec.Struct):
    twofa: _Challenge


class _Entered(msgspec.Struct):
    auth_token: str


class Door(Wire):
    """One broker's ways in; there is no way out but the end of the day."""

    def login(self) -> Login:
        oauth, channel = ("oauth" in self.member.logins), (CHANNEL in self.member.logins)
        return Login(
            fields=(
                LoginField("client_id", "Client id", FieldKind.TEXT, required=False),
                *(OAUTH_FIELDS if oauth else ()),
                *(CHANNEL_FIELDS if channel else ()),
                LoginField("access_token", "Access token of today", daily=True),
            ),
            check=self.person,
            redirect=Redirect(
                url=self._page,
                exchange=self._exchange,
                echoes_state=True,
                brings="code",
                needs=("api_key", "api_secret", "redirect_uri"),
            )
            if oauth
            else None,
            steps=Steps(
                self._by_code, asks=(LoginField("totp", "Code of the authenticator app, or PIN"),), automatic=True
            )
            if channel
            else None,
        )

    def person(self, session: Session, ctx: Ctx) -> Operation[str]:
        """Whose session it is. The SDK knows no other question than that for the profile. A page may answer in place of
        JSON, so the answer is taken as text."""
        query = {"client_id": self.client(session)} if session.secrets.get("front") == CHANNEL else None
        path = PROFILE if query else TRADING_INFO
        told = yield Request(method="GET", host="api", path=path, query=query, reply="text")
        return self.read(told, _Person, "the user").client_id

    def _page(self, session: Session, state: str, back: str) -> str:
        """The browser is sent back only to the address that the app is registered with; `back` should be that one, but
        the user's word for it counts, since the exchange of the code must name it again."""
        query = {
            "scope": SCOPE,
            "state": state,
            "redirect_uri": session.secrets["redirect_uri"],
            "response_type": "code",
            "client_id": session.secrets["api_key"],
        }
        return f"{session.host('api', self.member.hosts).rstrip('/')}/oauth2/auth?{urlencode(query)}"

    def _exchange(self, session: Session, callback: Mapping[str, str], ctx: Ctx) -> Operation[Grant]:
        """The code of the callback is good for one use. What `expires_in` says is more than the token lives."""
        if not (code := callback.get("code", "")):
            raise InvalidInput(f"{self.title} sent no code: the login was not finished. Start it again.")
        secrets = session.secrets
        app = base64.b64encode(f"{secrets['api_key']}:{secrets['api_secret']}".encode()).decode()
        form = {"grant_type": "authorization_code", "code": code, "redirect_uri": secrets["redirect_uri"]}
        headers = {"Accept": "application/json", "Authorization": f"Basic {app}"}
        granted = yield Request(
            method="POST", host="api", path=TOKEN, form=form, headers=headers, auth="none", effect="write", lane="login"
        )
        token = self.read(granted, _Granted, "the answer to the login").access_token
        told = yield Request(method="GET", host="api", path=TRADING_INFO, headers=_bearer(token), auth="none")
        return Grant(secrets={"access_token": token}, client_id=self.read(told, _Person, "the user").client_id)

    def _by_code(
        self, session: Session, answers: Mapping[str, str], carried: Mapping[str, str], ctx: Ctx
    ) -> Operation[Grant]:
        """The first call opens a question, the second answers it: by an authenticator's code, or by the PIN."""
        client, secret = self.client(session), session.secrets.get("channel_secret", "")
        if not (secret and (code := answers.get("totp", ""))):
            raise InvalidInput(f"{self.title} needs 'channel_secret' and 'totp' to log in by code. Store them.")
        form = {"channel_id": client, "channel_secret": secret}
        asked = yield self._post(CHANNEL_LOGIN, json=form)
        challenge = self.read(asked, _Asked, "the answer to the login").twofa
        question = challenge.questions[0].question_id if challenge.questions else ""
        told = yield self._post(
            CHANNEL_CODE,
            effect="write",
            json={
                "login_id": client,
                "twofa": [{"question_id": question, "answer": code}],
                "twofa_token": challenge.twofa_token,
                "type": "TOTP" if question == TOTP_QUESTION else "PIN",
                "device_type": "web",
            },
        )
        token = self.read(told, _Entered, "the answer to the login").auth_token
        hosts = {row: session.host(other, self.member.hosts) for row, other in _HOSTS.items()}
        return Grant(secrets={"access_token": token, "front": CHANNEL}, client_id=client, hosts=hosts)

    @staticmethod
    def _post(path: str, **more: object) -> Request:
        return Request(
            method="POST",
            host=CHANNEL,
            path=path,
            headers=CHANNEL_HEADERS,
            auth="none",
            lane="login",
            **more,  # type: ignore[arg-type]
        )


_HOSTS = {"api": CHANNEL, "stream": "channel_stream"}
