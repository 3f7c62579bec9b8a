"""The pages of a broker login: begin it, answer its questions, and take what the broker's own page sends back.

No page and no log line shows what a broker sent. Every form is posted with a cookie that other sites cannot send
(SameSite=Lax), or carries a signed text."""

from collections.abc import Awaitable, Callable, Mapping
from urllib.parse import parse_qsl, quote

from fastapi import APIRouter, Header, Request
from starlette.responses import RedirectResponse, Response

from sangam.accounts.admin import ADMIN_USER
from sangam.accounts.desk import Desk
from sangam.accounts.pending import LIFETIME_MS, Flow
from sangam.accounts.signin import SIGNED_IN_SECONDS
from sangam.brokers.contract import FieldKind
from sangam.logs import redactor
from sangam.model.clock import Clock
from sangam.model.enums import Scope
from sangam.model.errors import AuthError, SangamError

from .errors import ApiError, ErrorCode, success
from .limits import RateLimit
from .pages import Form, Input, page

SIGNED_IN = "sangam_user"
BEGAN = "sangam_login"
WHO = (Input("name", "User"), Input("password", "Password", secret=True))
PASSWORD_TRIES = 10
"""A minute, from one address."""
MAX_PAGE_REQUESTS = 30
"""A minute, from one address: nobody needs more, and each may cause a call to a broker."""

Handler = Callable[..., Awaitable[Response]]


def make_login_router(desk: Desk, clock: Clock, secure: bool) -> APIRouter:
    """`secure` says that browsers reach us by https only."""
    router = APIRouter(include_in_schema=False)
    pages = Pages(desk, clock, secure)
    router.add_api_route("/signin", pages.sign_in_form, methods=["GET"])
    router.add_api_route("/signin", pages.sign_in, methods=["POST"])
    router.add_api_route("/signout", pages.sign_out, methods=["POST"])
    router.add_api_route("/login/confirm", pages.confirm, methods=["POST"])
    router.add_api_route("/{broker}/login/{account}", pages.begin, methods=["GET"])
    router.add_api_route("/{broker}/login/{account}", pages.answer, methods=["POST"])
    for path in ("/{broker}/callback", "/{broker}/callback/{account}"):
        router.add_api_route(path, pages.callback, methods=["GET", "POST"])
    return router


class Pages:
    def __init__(self, desk: Desk, clock: Clock, secure: bool) -> None:
        self._desk = desk
        self._secure = secure
        self._passwords = RateLimit(PASSWORD_TRIES, clock, 60.0)
        self._requests = RateLimit(MAX_PAGE_REQUESTS, clock, 60.0)

    # --- signing in ---------------------------------------------------------------------------------------------------

    async def sign_in_form(self, request: Request) -> Response:
        return _sign_in_page(request.query_params.get("next", ""))

    async def sign_in(self, request: Request) -> Response:
        form = await _form(request)
        following = form.get("next", "")
        try:
            cookie = await self._entered(request, form)
        except AuthError as error:
            return _sign_in_page(following, str(error), 403)
        reply: Response = page("Signed in", f"You are signed in as {form['name']}.")
        if _ours(following):
            reply = RedirectResponse(following, 303)
        self._keep(reply, SIGNED_IN, cookie, SIGNED_IN_SECONDS)
        return reply

    async def sign_out(self, request: Request) -> Response:
        reply = page("Signed out", "You are signed out.")
        reply.delete_cookie(SIGNED_IN)
        return reply

    async def _entered(self, request: Request, form: Mapping[str, str]) -> str:
        if not self._passwords.allows(_address(request)):
            raise AuthError("Too many tries. Wait a minute.")
        return await self._desk.sign_in.enter(form.get("name", "").strip(), form.get("password", ""))

    # --- beginning ----------------------------------------------------------------------------------------------------

    async def begin(
        self, broker: str, account: str, request: Request, ticket: str = "", x_api_key: str = Header(default="")
    ) -> Response:
        """To the broker's page. An admin key gets its address as JSON; a browser needs a ticket or a signed-in user."""
        if x_api_key:
            return await self._address_for_key(broker, account, x_api_key)
        if not ticket and self._user(request) is None:
            path = f"/{quote(broker)}/login/{quote(account)}"
            return RedirectResponse(f"/signin?next={quote(path)}", 303)
        try:
            self._slowly(request)
            if ticket:
                flow = self._desk.callbacks.admitted(ticket)
            else:
                self._own(request, broker, account)
                flow = await self._desk.flows.begin(account)
            return self._go_on(flow)
        except SangamError as error:
            return _trouble(error)

    async def answer(self, broker: str, account: str, request: Request) -> Response:
        """What the login asked."""
        form = await _form(request)
        try:
            self._slowly(request)
            flow = self._desk.flows.pending[form.pop("login", "")]
            if not self._began(request, flow):
                self._own(request, broker, flow.account)
            return self._go_on(await self._desk.flows.answer(flow.id, form))
        except SangamError as error:
            return _trouble(error)

    async def _address_for_key(self, broker: str, account: str, key: str) -> Response:
        identity = self._desk.accounts.authenticate(key)
        if not identity.may(Scope.ADMIN):
            raise ApiError(403, ErrorCode.INSUFFICIENT_PERMISSION, f"This API key lacks the scope '{Scope.ADMIN}'.")
        self._exists(broker, account)
        flow = await self._desk.flows.begin(account)
        return success(data=self._desk.rows.login(flow))

    def _go_on(self, flow: Flow) -> Response:
        """The next thing to do in a login under way."""
        if not flow.open:
            return self._end(flow)
        title = f"Log in: {flow.account}"
        if flow.asks:
            inputs = [Input(field.name, field.label, field.kind is FieldKind.SECRET) for field in flow.asks]
            action = f"/{flow.session.broker}/login/{quote(flow.account)}"
            reply: Response = page(title, "The broker asks:", Form(action, inputs, {"login": flow.id}))
        elif flow.url:
            reply = RedirectResponse(flow.url, 303)
        else:
            return page(title, "The broker did not answer. Try again.", status=503)
        self._keep(reply, BEGAN, self._desk.callbacks.mark(flow), LIFETIME_MS // 1000)
        return reply

    # --- coming back --------------------------------------------------------------------------------------------------

    async def callback(self, broker: str, request: Request, account: str | None = None) -> Response:
        """What the broker's page sends. Where it does not carry our state, it must come from the browser that began the
        login, or its user must confirm it."""
        parameters = {**request.query_params, **(await _form(request))}
        try:
            self._slowly(request)
            flow, proven = self._desk.callbacks.arrived(broker, account, parameters)
            if not proven and not self._began(request, flow):
                token = self._desk.callbacks.hold(flow, parameters)
                return self._ask_to_confirm(request, flow, token)
            await self._desk.flows.brought(flow, parameters)
        except SangamError as error:
            return _trouble(error)
        return self._end(flow)

    async def confirm(self, request: Request) -> Response:
        """The account's user completes a login whose callback came from nowhere in particular."""
        form = await _form(request)
        token = form.get("token", "")
        try:
            flow = self._desk.callbacks.confirmed(token)
            user = self._user(request)
            if user is None:
                try:
                    await self._entered(request, form)
                except AuthError as error:
                    return self._ask_to_confirm(request, flow, token, f"{error} ", 403)
                user = form.get("name", "").strip()
            if user not in (ADMIN_USER, self._desk.accounts[flow.account].info.user):
                raise AuthError(f"{flow.account} is not an account of {user}.")
            await self._desk.flows.brought(flow, flow.brought)
        except SangamError as error:
            return _trouble(error)
        return self._end(flow)

    def _ask_to_confirm(
        self, request: Request, flow: Flow, token: str, before: str = "", status: int = 200
    ) -> Response:
        inputs = WHO if self._user(request) is None else ()
        text = f"{before}Did you just log in for the account {flow.account}? Only its user may complete this."
        return page(
            "Complete the login", text, Form("/login/confirm", inputs, {"token": token}, "Yes, complete it"), status
        )

    def _end(self, flow: Flow) -> Response:
        if flow.error:
            return page("Not logged in", redactor(flow.error), status=400)
        info = self._desk.accounts[flow.account].info
        title = self._desk.flows.spec(flow.account).title
        reply = page(
            "Logged in", f"{flow.account} is logged in at {title} as {info.client_id}. You may close this window."
        )
        reply.delete_cookie(BEGAN)
        return reply

    # --- who ----------------------------------------------------------------------------------------------------------

    def _user(self, request: Request) -> str | None:
        return self._desk.sign_in.user(request.cookies.get(SIGNED_IN, ""))

    def _began(self, request: Request, flow: Flow) -> bool:
        return self._desk.callbacks.is_marked(flow, request.cookies.get(BEGAN, ""))

    def _own(self, request: Request, broker: str, account: str) -> None:
        """Others' accounts are as unknown as those that do not exist."""
        user = self._user(request)
        accounts = self._desk.accounts
        if user is None or account not in accounts or user not in (ADMIN_USER, accounts[account].info.user):
            raise AuthError(f"You have no account '{account}'.")
        self._exists(broker, account)

    def _exists(self, broker: str, account: str) -> None:
        if self._desk.flows.spec(account).name != broker:
            raise AuthError(f"'{account}' is not an account of {broker}.")

    def _slowly(self, request: Request) -> None:
        if not self._requests.allows(_address(request)):
            raise AuthError("Too many requests. Wait a minute.")

    def _keep(self, reply: Response, name: str, value: str, seconds: int) -> None:
        reply.set_cookie(name, value, max_age=seconds, httponly=True, samesite="lax", secure=self._secure)


async def _form(request: Request) -> dict[str, str]:
    """A form's fields; other bodies have none."""
    if not request.headers.get("content-type", "").startswith("application/x-www-form-urlencoded"):
        return {}
    return dict(parse_qsl((await request.body()).decode("utf-8", "replace"), keep_blank_values=True))


def _sign_in_page(following: str, text: str = "Your user and password.", status: int = 200) -> Response:
    hidden = {"next": following} if _ours(following) else {}
    return page("Sign in", text, Form("/signin", WHO, hidden, "Sign in"), status)


def _ours(path: str) -> bool:
    """Whether a path leads back to this server: two slashes, or a backslash, would lead elsewhere."""
    return path.startswith("/") and not path.startswith("//") and "\\" not in path and path.isprintable()


def _trouble(error: SangamError) -> Response:
    return page("Not logged in", redactor(str(error)), status=403 if isinstance(error, AuthError) else 400)


def _address(request: Request) -> str:
    return request.client.host if request.client else ""
