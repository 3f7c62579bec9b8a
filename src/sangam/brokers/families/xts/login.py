"""Two sessions in one: orders have keys and a token of their own, market data others (documents: User; Auth)."""

from collections.abc import Mapping
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
    Steps,
    WireRequest,
    ended,
)
from sangam.brokers.hosts import check_url
from sangam.model.errors import BrokerError, InvalidInput, Unknown

from .answers import Wire
from .member import Member, data_at, orders_at
from .tables import LOOKUP, SOURCE


class _Opened(msgspec.Struct, rename={"user": "userID", "investor": "isInvestorClient"}):
    """A session of either service."""

    token: str
    user: str
    investor: bool = True


class _Profile(msgspec.Struct, rename={"client": "ClientId"}):
    client: str


class _Found(msgspec.Struct):
    """Some installations write the names with another capital, or put the object into a list."""

    uniquekey: str
    connectionstring: str


def authorize(session: Session, request: Request, wire: WireRequest, ctx: Ctx) -> Mapping[str, str]:
    """The bare token; `auth` says which of the two."""
    return {"Authorization": session.secrets["feed_token" if request.auth == "market" else "access_token"]}


def dealt(session: Session) -> dict[str, str]:
    """What a dealer adds to every call about a client. Investors say nothing."""
    client = session.secrets.get("client_code", "")
    return {"clientID": client} if client else {}


def user_of(session: Session, name: str = "user_id") -> str:
    """As whom a socket is opened: the two logins may tell different names."""
    return session.secrets.get(name) or session.secrets.get("user_id") or session.client_id


class Entrance:
    """The ways to a session of one broker."""

    def __init__(self, member: Member, wire: Wire) -> None:
        self._member = member
        self._wire = wire

    def login(self) -> Login:
        ways = {*self._member.ways}
        return Login(
            fields=(
                LoginField("api_key", "App key of the interactive API"),
                LoginField("api_secret", "Secret key of the interactive API"),
                LoginField("market_key", "App key of the market data API"),
                LoginField("market_secret", "Secret key of the market data API"),
                LoginField("client_code", "Client code (dealers only)", FieldKind.TEXT, required=False),
                LoginField("access_token", "Token of the interactive API", daily=True),
                LoginField("feed_token", "Token of the market data API", daily=True),
                LoginField("user_id", "User ID", FieldKind.TEXT, required=False, daily=True),
            ),
            check=self._check,
            redirect=Redirect(url=self._page, exchange=self._exchange, brings="session") if ways - {"keys"} else None,
            steps=Steps(run=self._steps, automatic=True) if "keys" in ways else None,
            logout=self._logout,
        )

    def _check(self, session: Session, ctx: Ctx) -> Operation[str]:
        """Both tokens are proved; the one for orders tells whose they are."""
        profile = Request(method="GET", host="api", path="/user/profile", query=dealt(session))
        config = Request(method="GET", host="market", path="/config/clientConfig", auth="market")
        told, _ = yield [profile, config]
        return self._wire.read(told, _Profile, "the profile").client

    # --- by keys ------------------------------------------------------------------------------------------------------

    def _steps(
        self, session: Session, answers: Mapping[str, str], carried: Mapping[str, str], ctx: Ctx
    ) -> Operation[Grant]:
        secrets = session.secrets
        form = {"appKey": secrets["api_key"], "secretKey": secrets["api_secret"], "source": SOURCE}
        hosts: dict[str, str] = {}
        if self._member.lookup:
            found = yield from self._looked_up()
            form["uniqueKey"], hosts = found.uniquekey, _unless_own(session, orders_at(found.connectionstring))
            for row, address in hosts.items():
                check_url(row, address)  # the keys go there
        return (yield from self._granted(session, (yield from self._opened(form, hosts.get("api", "api"))), hosts))

    def _looked_up(self) -> Operation[_Found]:
        """Judged by what is there: some installations answer a success with another type."""
        request = Request(method="POST", host="lookup", path="/hostlookup", json=LOOKUP, auth="none", lane="login")
        told = yield request
        told = told[0] if isinstance(told, list) and told else told
        names = {name.casefold(): value for name, value in told.items()} if isinstance(told, dict) else {}
        return self._wire.read(names, _Found, "the host look-up")

    def _opened(self, form: Mapping[str, str], host: str) -> Operation[_Opened]:
        """A session for orders."""
        request = Request(
            method="POST", host=host, path="/user/session", json=form, auth="none", effect="write", lane="login"
        )
        told = yield request
        return self._wire.read(told, _Opened, "the answer to the login")

    def _granted(self, session: Session, orders: _Opened, hosts: Mapping[str, str]) -> Operation[Grant]:
        """A session for orders, and one for market data with it."""
        if orders.investor == bool(session.secrets.get("client_code")):
            raise InvalidInput(
                f"{self._wire.title}: keys of a dealer need the client's code, and those of an investor have none. "
                "Correct the account's client_code."
            )
        data, found = yield from self._opened_data(session)
        return Grant(
            secrets={
                "access_token": orders.token, "user_id": orders.user, "feed_token": data.token, "feed_user": data.user,
            },
            client_id=session.secrets.get("client_code") or orders.user,
            hosts={**hosts, **found},
        )  # fmt: skip

    def _opened_data(self, session: Session) -> Operation[tuple[_Opened, Mapping[str, str]]]:
        """Market data is served at one of several prefixes: what is not there has no envelope."""
        form = {
            "appKey": session.secrets["market_key"],
            "secretKey": session.secrets["market_secret"],
            "source": SOURCE,
        }
        places = [data_at(self._member.root + prefix) for prefix in self._member.prefixes]
        if "market" in session.hosts:
            places = [{"market": session.hosts["market"]}]
        failure: BrokerError | None = None
        for place in places:
            request = Request(
                method="POST", host=place["market"], path="/auth/login", json=form, auth="none", effect="write",
                lane="login",
            )  # fmt: skip
            try:
                told = yield request
            except Unknown as error:
                failure = failure or error
                continue
            return self._wire.read(told, _Opened, "the answer to the market data login"), _unless_own(session, place)
        raise failure or Unknown(f"{self._wire.title}: no market data is served.")

    # --- by the page --------------------------------------------------------------------------------------------------

    def _page(self, session: Session, state: str, back: str) -> str:
        query = {"appKey": session.secrets["api_key"], "returnURL": back}
        return f"{session.host('api', self._member.hosts)}/thirdparty?{urlencode(query)}"

    def _exchange(self, session: Session, callback: Mapping[str, str], ctx: Ctx) -> Operation[Grant]:
        brought = _unpacked(callback.get("session", ""))
        secrets = session.secrets
        if "page session" in self._member.ways and brought.get("token"):
            return (yield from self._granted(session, self._wire.read(brought, _Opened, "the page's session"), {}))
        if not brought.get("accessToken"):
            raise InvalidInput(f"{self._wire.title} sent no session: the login was not finished. Start it again.")
        form = {
            "appKey": secrets["api_key"],
            "secretKey": secrets["api_secret"],
            "accessToken": str(brought["accessToken"]),
        }
        return (yield from self._granted(session, (yield from self._opened(form, "api")), {}))

    # --- out ----------------------------------------------------------------------------------------------------------

    def _logout(self, session: Session, ctx: Ctx) -> Operation[None]:
        for host, path, auth in (("api", "/user/session", "default"), ("market", "/auth/logout", "market")):
            request = Request(method="DELETE", host=host, path=path, auth=auth, effect="write", lane="login")
            yield from ended(request)


def _unless_own(session: Session, hosts: Mapping[str, str]) -> dict[str, str]:
    """Hosts that a login tells, where the account does not name its own (simulators)."""
    return {row: address for row, address in hosts.items() if row not in session.hosts}


def _unpacked(text: str) -> dict[str, Any]:
    """The page's session is JSON, sometimes a text of JSON in JSON; anything else brings nothing."""
    told: Any = text
    try:
        for _ in range(3):
            told = msgspec.json.decode(told) if isinstance(told, str) else told
    except (ValueError, RecursionError):
        return {}
    return told if isinstance(told, dict) else {}
