"""Users are isolated from each other: every route and socket action, with too few scopes and with others' accounts.

A new route or action without a rule here fails."""

from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest
from starlette.routing import BaseRoute
from tests.gateway_support import MAIN, SECOND, World
from tests.house import FIELDS, open_house
from tests.served import Served

from sangam.gateway.session import _HANDLERS
from sangam.model.enums import Scope
from sangam.model.order import OrderNews
from sangam.orders.actions import SCOPES

SBIN = {"symbol": "SBIN", "exchange": "NSE"}
NIFTY = {"underlying": "NIFTY", "exchange": "NSE_INDEX", "expiry_date": "28OCT25"}
OPTION = {"symbol": "NIFTY28OCT2524000CE", "exchange": "NFO"}

DATA: dict[str, dict[str, Any]] = {
    "quotes": SBIN,
    "multiquotes": {"symbols": [SBIN]},
    "depth": SBIN,
    "history": {**SBIN, "interval": "5m", "start_date": "2026-07-01", "end_date": "2026-07-02"},
    "interval": {},
    "intervals": {},
    "symbol": SBIN,
    "search": {"query": "SBIN"},
    "expiry": {"symbol": "NIFTY", "exchange": "NFO", "instrumenttype": "options"},
    "instruments": {},
    "optionsymbol": {**NIFTY, "offset": "ATM", "option_type": "CE"},
    "syntheticfuture": NIFTY,
    "optionchain": NIFTY,
    "optiongreeks": OPTION,
    "multioptiongreeks": {"symbols": [OPTION]},
}
"""Bodies of the routes that need the scope `data`, and may name an account."""

ORDER = {**SBIN, "action": "BUY", "quantity": 1}
LEG = {"offset": "ATM", "option_type": "CE", "action": "BUY", "quantity": 65}
GTT = {**ORDER, "trigger_type": "SINGLE", "product": "CNC", "price": 5, "triggerprice_sl": 5}

READS: dict[str, dict[str, Any]] = {
    "orderbook": {},
    "tradebook": {},
    "positionbook": {},
    "holdings": {},
    "funds": {},
    "orderstatus": {"orderid": "1"},
    "openposition": {**SBIN, "product": "MIS"},
    "margin": {"positions": [{**ORDER, "product": "MIS", "pricetype": "MARKET"}]},
    "gttorderbook": {},
    "pnl/symbols": {},
}
"""Bodies of the routes that need the scope `orders:read`, and may name an account."""

WRITES: dict[str, dict[str, Any]] = {
    "placeorder": ORDER,
    "placesmartorder": {**ORDER, "position_size": 1},
    "modifyorder": {**ORDER, "orderid": "1", "product": "MIS", "pricetype": "LIMIT", "price": 5},
    "cancelorder": {"orderid": "1"},
    "cancelallorder": {},
    "closeposition": {},
    "positions/convert": {**SBIN, "product": "MIS", "to_product": "CNC", "quantity": 1},
    "basketorder": {"orders": [ORDER]},
    "splitorder": {**ORDER, "splitsize": 1},
    "optionsorder": {**NIFTY, **LEG},
    "optionsmultiorder": {**NIFTY, "legs": [LEG]},
    "placegttorder": GTT,
    "modifygttorder": {**GTT, "trigger_id": "1"},
    "cancelgttorder": {"trigger_id": "1"},
    "orders/resolve": {"orderid": "1", "outcome": "complete", "note": "seen"},
}
"""The same of `orders:write`."""

OF_THE_USER = {"analyzer": Scope.ORDERS_READ, "orders/events": Scope.ORDERS_READ, "analyzer/toggle": Scope.ORDERS_WRITE}
"""Routes about all of a user's accounts."""

DATA_BY_QUERY = {"/api/v1/instruments": {}, "/api/v1/ticker/NSE:SBIN": {"from": "2026-07-01", "to": "2026-07-02"}}

OWN = {"/api/v1/ping", "/api/v1/accounts", "/api/v1/accounts/default", "/health", "/api/v1/admin/{verb:path}"}
"""Tested one by one below."""

NOBODYS = {"/metrics", "/api/v1/market/holidays", "/api/v1/market/timings", "/openapi.json", "/docs"}
"""They tell nothing of any account."""

PAGES = {
    "/signin",
    "/signout",
    "/login/confirm",
    "/{broker}/login/{account}",
    "/{broker}/callback",
    "/{broker}/callback/{account}",
}
"""Pages for browsers: tested in test_api_logins."""

ACTIONS: dict[str, Scope | None] = {
    "authenticate": None,
    "get_supported_brokers": None,
    "ping": None,
    "get_stats": None,
    "get_broker_info": None,
    "subscribe": Scope.DATA,
    "unsubscribe": Scope.DATA,
    "unsubscribe_all": Scope.DATA,
    "subscribe_orders": Scope.ORDERS_READ,
    "unsubscribe_orders": None,
    "place_order": Scope.ORDERS_WRITE,
    "place_orders": Scope.ORDERS_WRITE,
    "modify_order": Scope.ORDERS_WRITE,
    "cancel_order": Scope.ORDERS_WRITE,
    "place_gtt": Scope.ORDERS_WRITE,
    "modify_gtt": Scope.ORDERS_WRITE,
    "cancel_gtt": Scope.ORDERS_WRITE,
    "get_order": Scope.ORDERS_READ,
    "get_orderbook": Scope.ORDERS_READ,
    "get_tradebook": Scope.ORDERS_READ,
    "get_positions": Scope.ORDERS_READ,
    "get_holdings": Scope.ORDERS_READ,
    "get_funds": Scope.ORDERS_READ,
    "get_gtts": Scope.ORDERS_READ,
    "get_quote": Scope.DATA,
}
"""The scope that each action of a socket needs. That order actions reach own accounts only is tested with the desk."""


class Two(Served):
    """Asha has an account at `example`; Ravi, whose keys are used here, one at `other`."""

    async def ask(self, method: str, path: str, key: str, **body: Any) -> tuple[int, Any]:
        self.house.clock.advance(60)
        if method == "GET":
            reply = await self.client.get(path, params={"apikey": key, **body})
        else:
            reply = await self.client.post(path, json={"apikey": key, **body})
        return reply.status_code, reply.json()

    def key_of(self, user: str, *scopes: Scope) -> str:
        return self.house.accounts.keys.create(user, scopes)[0]


@pytest.fixture
async def two(tmp_path: Path) -> AsyncIterator[Two]:
    two = Two(open_house(tmp_path))
    two.house.accounts.create("ravi", "other", FIELDS)
    yield two
    await two.client.aclose()
    two.house.database.close()


def routes(found: list[BaseRoute]) -> Iterator[str]:
    for route in found:
        inner = getattr(route, "original_router", None)
        if inner is not None:
            yield from routes(inner.routes)
        else:
            yield str(getattr(route, "path", route))


def test_every_route_has_a_rule(two: Two) -> None:
    by_query = {path.replace("NSE:SBIN", "{name:path}") for path in DATA_BY_QUERY}
    known = (
        {f"/api/v1/{name}" for name in (*DATA, *READS, *WRITES, *OF_THE_USER)}
        | by_query
        | OWN
        | NOBODYS
        | PAGES
        | {"/docs/oauth2-redirect"}
    )
    assert set(routes(two.app.routes)) == known


def test_every_action_has_a_rule() -> None:
    assert set(_HANDLERS) | set(SCOPES) == set(ACTIONS)


ASKED = [("POST", f"/api/v1/{name}", body) for name, body in DATA.items()]
ASKED += [("GET", path, query) for path, query in DATA_BY_QUERY.items()]


@pytest.mark.parametrize(("method", "path", "body"), ASKED)
async def test_data_needs_its_scope_and_an_account_of_ones_own(
    two: Two, method: str, path: str, body: dict[str, Any]
) -> None:
    few = two.key_of("ravi", Scope.ORDERS_READ, Scope.ORDERS_WRITE)
    status, told = await two.ask(method, path, few, **body)
    assert (status, told["error_code"]) == (403, "INSUFFICIENT_PERMISSION")
    status, told = await two.ask(method, path, "sangam_00000000_forged", **body)
    assert (status in (401, 403), told["error_code"]) == (True, "INVALID_TOKEN")
    if method == "POST":
        good = two.key_of("ravi", Scope.DATA)
        for name in ({"account": "asha-example"}, {"broker": "example"}):
            status, told = await two.ask(method, path, good, **body, **name)
            assert (status, told["message"]) == (404, f"You have no account '{next(iter(name.values()))}'.")
    assert two.fetched == []
    assert two.asked == []


@pytest.mark.parametrize(
    ("path", "body", "right"),
    [(path, body, Scope.ORDERS_READ) for path, body in READS.items()]
    + [(path, body, Scope.ORDERS_WRITE) for path, body in WRITES.items()],
)
async def test_orders_need_their_scope_and_an_account_of_ones_own(
    two: Two, path: str, body: dict[str, Any], right: Scope
) -> None:
    where = f"/api/v1/{path}"
    few = two.key_of("ravi", *(set(Scope) - {right, Scope.ADMIN}))
    status, told = await two.ask("POST", where, few, **body)
    assert (status, told["error_code"]) == (403, "INSUFFICIENT_PERMISSION")
    status, told = await two.ask("POST", where, "sangam_00000000_forged", **body)
    assert (status, told["error_code"]) == (403, "INVALID_TOKEN")
    good = two.key_of("ravi", right)
    for name in ({"account": "asha-example"}, {"broker": "example"}):
        status, told = await two.ask("POST", where, good, **body, **name)
        assert (status, told["message"]) == (404, f"You have no account '{next(iter(name.values()))}'.")
    assert two.desk.asked == []


@pytest.mark.parametrize(("path", "right"), OF_THE_USER.items())
async def test_what_concerns_a_user_needs_its_scope(two: Two, path: str, right: Scope) -> None:
    few = two.key_of("ravi", *(set(Scope) - {right, Scope.ADMIN}))
    status, told = await two.ask("POST", f"/api/v1/{path}", few, mode=True)
    assert (status, told["error_code"]) == (403, "INSUFFICIENT_PERMISSION")
    assert two.desk.asked == []
    two.desk.news = [OrderNews(1, two.account.id, b"{}", b"{}"), OrderNews(2, "ravi-other", b'{"seq":2}', b"{}")]
    status, told = await two.ask("POST", f"/api/v1/{path}", two.key_of("ravi", right), mode=True)
    assert status == 200
    if path == "orders/events":
        assert told["data"] == [{"seq": 2}]
    elif path == "analyzer/toggle":
        assert two.desk.asked[0] == ("switch", "ravi", True)


async def test_a_user_is_told_of_own_accounts_only(two: Two) -> None:
    key = two.key_of("ravi", Scope.DATA)
    _, told = await two.ask("POST", "/api/v1/accounts", key)
    assert [row["account"] for row in told["data"]] == ["ravi-other"]
    _, told = await two.ask("POST", "/api/v1/ping", key, account="asha-example")
    assert told["data"]["broker"] == ""
    two.state = {"status": "ok", "accounts": [{"account": name, "state": "live"} for name in ("asha-example", "x")]}
    health = (await two.client.get("/health", headers={"X-API-KEY": key})).json()
    assert health["accounts"] == []
    assert "asha" not in (await two.client.get("/health")).text


@pytest.mark.parametrize("field", ["data_account", "order_account"])
async def test_a_user_chooses_among_own_accounts_with_the_scope_for_it(two: Two, field: str) -> None:
    accounts = two.house.accounts
    second = accounts.create("ravi", "other", FIELDS).id
    right = Scope.DATA if field == "data_account" else Scope.ORDERS_WRITE
    path = "/api/v1/accounts/default"
    wrong = two.key_of("ravi", *(set(Scope) - {right, Scope.ADMIN}))
    status, told = await two.ask("POST", path, wrong, **{field: second})
    assert (status, told["error_code"]) == (403, "INSUFFICIENT_PERMISSION")
    key = two.key_of("ravi", right)
    for foreign in ("asha-example", "nowhere"):
        assert (await two.ask("POST", path, key, **{field: foreign}))[0] == 404
    assert (await two.ask("POST", path, key))[0] == 400
    heard: list[str] = []
    accounts.on_change(heard.append)
    status, told = await two.ask("POST", path, key, **{field: second})
    assert status == 200
    assert heard == ["ravi"]
    identity = accounts.authenticate(key)
    assert identity.data_account is not None
    assert identity.order_account is not None
    expected = (second, "ravi-other") if field == "data_account" else ("ravi-other", second)
    assert (identity.data_account.id, identity.order_account.id) == expected


@pytest.mark.parametrize(
    "verb",
    [
        *("account/list", "user/list", "key/list", "account/remove", "key/create", "user/passwd", "user/analyzer"),
        *("risk/show", "risk/set", "risk/kill", "orders/list", "orders/show", "orders/resolve", "orders/export"),
        *("paper/show", "paper/configure", "paper/reset"),
    ],
)
async def test_administration_needs_an_admin(two: Two, verb: str) -> None:
    key = two.key_of("ravi", Scope.DATA, Scope.ORDERS_READ, Scope.ORDERS_WRITE)
    reply = await two.client.post(f"/api/v1/admin/{verb}", json={}, headers={"X-API-KEY": key})
    assert (reply.status_code, reply.json()["error_code"]) == (403, "INSUFFICIENT_PERMISSION")


# --- sockets ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("action", [action for action, scope in ACTIONS.items() if scope is not None])
def test_an_action_needs_its_scope(action: str) -> None:
    reply = World().client("key-u1-none").ask(action=action, symbols=[SBIN])
    assert reply["code"] == "INSUFFICIENT_PERMISSION"


@pytest.mark.parametrize("action", [action for action in ACTIONS if action not in ("authenticate", "ping")])
@pytest.mark.parametrize("name", [{"account": MAIN.id}, {"account": SECOND.id}, {"broker": "beta"}])
def test_an_action_reaches_no_foreign_account(action: str, name: dict[str, str]) -> None:
    """Whatever it names, nothing of the other user is told, held or followed."""
    world = World()
    world.client("key-u1").ask(action="subscribe", symbols=[SBIN])
    held = world.feed.total_held
    stranger = world.client("key-u2")
    stranger.say(action=action, symbols=[SBIN], **name)
    if action in ("subscribe", "unsubscribe"):
        assert stranger.heard()[0]["code"] == "INVALID_PARAMETERS"
    assert "u1" not in str(stranger.heard())
    assert world.feed.total_held == held
    world.hub.order(OrderNews(1, MAIN.id, b"", b'{"type":"order_update","orderid":"1","order_status":"open"}'))
    world.loop.advance(1)
    assert stranger.heard() == []
