"""A broker with every way to log in, and the server that it talks to: for tests of logins."""

import socket
from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qsl, urlencode

from starlette.applications import Starlette
from starlette.requests import Request as Asked
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.routing import Route
from tests.house import broker

from sangam.accounts.ways import totp
from sangam.brokers.contract import (
    Asks,
    BrokerSpec,
    Ctx,
    FieldKind,
    Grant,
    Login,
    LoginField,
    Operation,
    Redirect,
    Reply,
    Request,
    Session,
    Steps,
    WireRequest,
)
from sangam.model.errors import Refused, SessionExpired, Unknown
from sangam.simulators.rest import Rest

SECRET = "JBSWY3DPEHPK3PXP"
PIN = "planted-pin-4711"
OTP = "246810"

_PIN = LoginField("pin", "PIN")
_TOTP = LoginField("totp", "Authenticator", FieldKind.TOTP, required=False)
_TOKEN = LoginField("access_token", "Access token", daily=True)


class Bank:
    """The broker's side. `client` is who logs in; `good` are the tokens that it takes; `heard` is what was asked."""

    def __init__(self) -> None:
        self.client = "EX1"
        self.good: set[str] = set()
        self.heard: list[str] = []
        self.now = 0.0
        self.broken = False
        self._number = 0
        self._codes: set[str] = set()
        self._rest: Rest | None = None
        self.url = ""

    async def __aenter__(self) -> "Bank":
        listening = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{listening.getsockname()[1]}"
        routes = [
            Route("/page", self._page),
            Route("/{what}", self._answer, methods=["GET", "POST", "DELETE"]),
        ]
        self._rest = Rest(Starlette(routes=routes), listening)
        await self._rest.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._rest is not None:
            await self._rest.stop()

    @property
    def hosts(self) -> dict[str, str]:
        return {"api": self.url}

    def token(self) -> str:
        """A fresh one; the older ones stay good."""
        self._number += 1
        token = f"planted-token-{self._number:04d}"
        self.good.add(token)
        return token

    def code(self) -> str:
        """What the page hands to the browser: good once."""
        self._number += 1
        code = f"planted-code-{self._number:04d}"
        self._codes.add(code)
        return code

    async def _page(self, asked: Asked) -> Response:
        """Whoever comes is logged in and sent back."""
        query = dict(asked.query_params)
        back = {"code": self.code()} | ({"state": query["state"]} if "state" in query else {})
        return RedirectResponse(f"{query['back']}?{urlencode(back)}")

    async def _answer(self, asked: Asked) -> Response:
        what = asked.path_params["what"]
        form = dict(parse_qsl((await asked.body()).decode()))
        token = asked.headers.get("authorization", "")
        self.heard.append(what)
        if self.broken:
            return JSONResponse({"message": "out of order"}, 503)
        if what in ("who", "renew", "logout") and token not in self.good:
            return JSONResponse({"message": "the token is dead"}, 401)
        answer = self._answers(what, form, token)
        return JSONResponse({"message": "that is wrong"}, 400) if answer is None else JSONResponse(answer)

    def _answers(self, what: str, form: Mapping[str, str], token: str) -> dict[str, str] | None:
        answer: dict[str, str] | None = None
        match what:
            case "who":
                answer = {"id": self.client}
            case "begin":
                answer = {"ticket": "planted-ticket"}
            case "exchange" if form.get("code") in self._codes:
                self._codes.remove(form["code"])
                answer = self._granted()
            case "login" if form.get("pin") == PIN and self._knows(form.get("totp", "")):
                answer = {"ticket": "planted-ticket"}
            case "otp" if (form.get("ticket"), form.get("otp")) == ("planted-ticket", OTP):
                answer = self._granted()
            case "renew":
                answer = self._granted()
            case "logout":
                self.good.discard(token)
                answer = {}
        return answer

    def _knows(self, code: str) -> bool:
        return code in ("", totp(SECRET, int(self.now)))

    def _granted(self) -> dict[str, str]:
        return {"token": self.token(), "id": self.client}


def login_broker(name: str, *, echoes: bool = True, ways: str = "paste redirect steps renew logout") -> BrokerSpec:
    """A broker with some of the ways; `steps` ask an OTP, `automatic` ones are content with PIN and authenticator."""
    automatic = "automatic" in ways
    asked = [_PIN, _TOTP] if automatic or "steps" in ways else []
    steps = Steps(_automatic, automatic=True) if automatic else Steps(_with_otp) if "steps" in ways else None
    if "secret" in ways:
        asked.append(LoginField("api_secret", "API secret", required=False))
    fields = (LoginField("api_key", "API key", FieldKind.TEXT, required=False), *asked)
    return broker(
        name,
        hosts={"api": "http://127.0.0.1:1"},
        authorize=_authorize,
        check=_check,
        login=Login(
            fields=(*fields, _TOKEN) if "paste" in ways else fields,
            check=_who,
            redirect=_redirect(echoes, ways) if "redirect" in ways else None,
            steps=steps,
            renew=_renew if "renew" in ways else None,
            logout=_logout if "logout" in ways else None,
        ),
    )


def _authorize(session: Session, request: Request, wire: WireRequest, ctx: Ctx) -> Mapping[str, str]:
    return {"Authorization": session.secrets["access_token"]}


def _check(request: Request, reply: Reply) -> Any:
    if reply.status == 200:
        return reply.payload
    text = f"Bank: {(reply.payload or {}).get('message')}"
    if reply.status == 401:
        raise SessionExpired(text)
    if reply.status == 400:
        raise Refused(text)
    raise Unknown(text)


def _grant(answer: Any) -> Grant:
    return Grant(secrets={"access_token": answer["token"]}, client_id=answer["id"])


def _ask(what: str, **form: str) -> Request:
    return Request(method="POST", host="api", path=f"/{what}", form=form, auth="none", effect="write")


def _who(session: Session, ctx: Ctx) -> Operation[str]:
    return str((yield Request(method="GET", host="api", path="/who"))["id"])


def _redirect(echoes: bool, ways: str) -> Redirect:
    needs = ("api_secret",) if "secret" in ways else ()
    return Redirect(_url(echoes), _exchange, echoes, needs, _prepare if "prepared" in ways else None)


def _prepare(session: Session, ctx: Ctx) -> Operation[Mapping[str, str]]:
    return {"ticket": (yield _ask("begin"))["ticket"]}


def _url(echoes: bool) -> Any:
    def url(session: Session, state: str, back: str) -> str:
        query = {"back": back} | ({"state": state} if echoes else {})
        query |= {"ticket": session.secrets["ticket"]} if "ticket" in session.secrets else {}
        return f"{session.hosts['api']}/page?{urlencode(query)}"

    return url


def _exchange(session: Session, callback: Mapping[str, str], ctx: Ctx) -> Operation[Grant]:
    return _grant((yield _ask("exchange", code=callback.get("code", ""))))


def _with_otp(
    session: Session, answers: Mapping[str, str], carried: Mapping[str, str], ctx: Ctx
) -> Operation[Grant | Asks]:
    if not carried:
        ticket = yield _ask("login", pin=session.secrets["pin"], totp=answers.get("totp", ""))
        return Asks((LoginField("otp", "Code from the message"),), {"ticket": ticket["ticket"]})
    return _grant((yield _ask("otp", ticket=carried["ticket"], otp=answers["otp"])))


def _automatic(
    session: Session, answers: Mapping[str, str], carried: Mapping[str, str], ctx: Ctx
) -> Operation[Grant | Asks]:
    ticket = yield _ask("login", pin=session.secrets["pin"], totp=answers["totp"])
    return _grant((yield _ask("otp", ticket=ticket["ticket"], otp=OTP)))


def _renew(session: Session, ctx: Ctx) -> Operation[Grant]:
    return _grant((yield Request(method="POST", host="api", path="/renew")))


def _logout(session: Session, ctx: Ctx) -> Operation[None]:
    yield Request(method="DELETE", host="api", path="/logout", effect="write")
