"""The pages say what the code does: names, numbers and examples in README and docs are compared with it."""

import ast
import json
import re
from datetime import date
from decimal import Decimal
from functools import cache
from pathlib import Path
from typing import Any, get_args

import msgspec
import pytest
import typer
from picows import WSCloseCode
from tests.gateway_support import authenticate
from tests.orders_support import an_order
from tests.paper_rig import instrument
from tests.support import ROOT
from typer.core import TyperGroup

from sangam.accounts.demo import Demo
from sangam.accounts.ways import Way, ways
from sangam.api.errors import ErrorCode
from sangam.api.order_requests import PlaceOrder, Resolve
from sangam.app.alerts import Alerts
from sangam.app.loop import LagMeter
from sangam.app.observe import Observer
from sangam.app.order_figures import order_families
from sangam.brokers import registry
from sangam.brokers.contract import (
    BrokerSpec,
    Candle,
    Confirmed,
    Ctx,
    Endpoint,
    Grant,
    Operation,
    Reply,
    Request,
    RowRefused,
    Send,
    Session,
)
from sangam.cli.main import app
from sangam.cli.welcome import welcome_text
from sangam.client import OrderInfo, WebSocketBroker
from sangam.feed.feed import Feed
from sangam.gateway import protocol
from sangam.gateway.server import Gateway
from sangam.gateway.session import _HANDLERS
from sangam.gateway.settings import Close, GatewaySettings
from sangam.model import errors
from sangam.model.calendar import Calendar
from sangam.model.clock import SystemClock
from sangam.model.enums import INTERVALS_MS, AccountState, Action, Exchange, InstrumentType, Mode, PriceType, Scope
from sangam.model.errors import AuthError, DecodeError, Refused, SessionExpired, SymbolNotFound, Unknown
from sangam.model.histogram import STAGE_BOUNDS, Histogram
from sangam.model.instrument import Instrument, Level
from sangam.model.market import Fields, Patch
from sangam.model.order import MAX_WAIT_MS, Accepted, Change, OrderState
from sangam.orders import rows
from sangam.orders.actions import MAX_ORDERS, SCOPES
from sangam.orders.asked import Asked, ticket, trigger_legs
from sangam.orders.events import order_news
from sangam.orders.journal import EventKind
from sangam.orders.protection import protect
from sangam.orders.seeking import Pace
from sangam.orders.states import NEVER_REACHED
from sangam.orders.timing import RouterTiming
from sangam.prices.prices import Prices
from sangam.settings import Settings
from sangam.store.home import RunInfo
from sangam.transport.http import HttpDriver
from sangam.transport.trace import Trace

PAGES = sorted([ROOT / "README.md", *(ROOT / "docs").glob("*.md")])
LINK = re.compile(r"\[[^\]]+\]\(([^)\s]+)\)")
BLOCK = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


@cache
def page(name: str) -> str:
    return (ROOT / name).read_text(encoding="utf-8")


def blocks(name: str, language: str) -> list[str]:
    return [text for kind, text in BLOCK.findall(page(name)) if kind == language]


def examples() -> list[dict[str, Any]]:
    """Every JSON message of the protocol's page, one per line."""
    return [json.loads(line) for block in blocks("docs/websocket.md", "json") for line in block.splitlines()]


def section(name: str, heading: str) -> str:
    return re.split(r"^#{2,3} ", page(name).split(f"# {heading}\n", 1)[1], maxsplit=1, flags=re.MULTILINE)[0]


def names_in_tables(text: str) -> set[str]:
    """What stands in backquotes in the first cell of a table's rows."""
    return {name for row in re.findall(r"^\|([^|]+)\|", text, re.MULTILINE) for name in re.findall(r"`([^`]+)`", row)}


# --- links ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.name)
def test_links_resolve(path: Path) -> None:
    for target in LINK.findall(path.read_text(encoding="utf-8")):
        if target.startswith("https://"):
            continue
        file, _, anchor = target.partition("#")
        there = (path.parent / file).resolve() if file else path
        assert there.exists(), f"{path.name} links to {target}"
        if anchor:
            titles = re.findall(r"^#+ (.+)$", there.read_text(encoding="utf-8"), re.MULTILINE)
            assert anchor in {re.sub(r"[^\w -]", "", title).lower().replace(" ", "-") for title in titles}, target


def test_every_page_is_reached_from_the_readme() -> None:
    reached = {(ROOT / target).resolve() for target in LINK.findall(page("README.md"))}
    assert {path for path in PAGES if path.parent.name == "docs"} <= reached


# --- README -----------------------------------------------------------------------------------------------------------


def test_the_make_targets_of_the_pages_exist() -> None:
    targets = set(re.findall(r"^([a-z-]+):", page("Makefile"), re.MULTILINE))
    named = {word for path in PAGES for word in re.findall(r"(?:^|`|\$ )make ([a-z-]+)", path.read_text("utf-8"), re.M)}
    assert {"serve", "test"} <= named <= targets


def test_the_readme_lists_every_broker_and_what_it_tells() -> None:
    rows = dict(re.findall(r"^\| `(\w+)` \|(.+)\|$", page("README.md"), re.MULTILINE))
    specs = {spec.name: spec for spec in registry.load()}
    assert rows.keys() == specs.keys()
    for name, spec in specs.items():
        carried = {mode.label for stream in spec.streams for mode in stream.carries.modes}
        assert all(label in rows[name] for label in carried)
        assert all(f"`{alias}`" in rows[name] for alias in spec.aliases)
        assert ("quotes" in rows[name]) == (spec.data is not None and spec.data.quote_batch > 0)
        assert ("candles" in rows[name]) == (spec.data is not None and spec.data.history is not None)


def test_the_readme_shows_the_welcome_as_it_is() -> None:
    shown = next(block for block in blocks("README.md", "") if "make serve\n" in block and "API key" in block)
    key = re.search(r"sangam_\w+", shown)
    assert key is not None
    run = RunInfo(pid=1, api_host="127.0.0.1", api_port=5000, websocket_host="127.0.0.1", websocket_port=8765)
    welcome = welcome_text(run, Demo(key[0], None, True)).split("\nStream and trade it", 1)[0].strip()
    assert welcome in shown


def commands() -> dict[str, set[str]]:
    """Every command of the program, with its options."""
    root = typer.main.get_command(app)
    assert isinstance(root, TyperGroup)
    found = {}
    for name, command in root.commands.items():
        inner = (
            {f"{name} {part}": one for part, one in command.commands.items()} if isinstance(command, TyperGroup) else {}
        )
        for words, one in (inner or {name: command}).items():
            found[words] = {"--help", *(option for parameter in one.params for option in parameter.opts)}
    return found


def test_every_command_is_shown_and_every_option_that_is_shown_exists() -> None:
    known, used = commands(), set()
    text = " ".join(path.read_text(encoding="utf-8").replace("\\\n", " ") for path in PAGES)
    for line in re.findall(r"\bsangam ((?:[a-z]+ )*[a-z]+\b[^`\n]*)", text):
        words = line.split()
        name = next((one for one in (" ".join(words[:2]), words[0]) if one in known), None)
        if name is not None:
            used.add(name)
            assert set(re.findall(r"(?<= )--[a-z-]+", line)) <= known[name], line
    assert used == set(known)


def test_the_requests_of_the_tour_are_what_the_api_takes() -> None:
    text = page("README.md").replace("\\\n", "")
    bodies = {
        path: json.loads(body.replace('\\"', '"'))
        for path, body in re.findall(r"curl -s \S+(/api/v1/\w+) .*?-d \"(\{.*?\})\"", text, re.DOTALL)
    }
    assert bodies.keys() == {"/api/v1/quotes", "/api/v1/placeorder"}
    wanted = PlaceOrder.model_validate(bodies["/api/v1/placeorder"])
    assert (wanted.symbol, wanted.quantity, wanted.pricetype) == ("SBIN", 10, PriceType.MARKET)
    assert set(bodies["/api/v1/placeorder"]) <= set(PlaceOrder.model_fields)


def test_the_client_of_the_tour_uses_what_there_is() -> None:
    """Its lines are those of the real client: names are looked up, nothing is connected."""
    tour = next(block for block in blocks("README.md", "python") if "sangam.client" in block)
    compile(tour, "README.md", "exec")
    broker = WebSocketBroker("ws://127.0.0.1:1", "key")
    assert all(hasattr(broker, name) for name in re.findall(r"broker\.(\w+)", tour))
    assert set(re.findall(r"order\.(\w+)", tour)) <= set(OrderInfo.__struct_fields__)


# --- orders -----------------------------------------------------------------------------------------------------------


def test_the_states_of_orders_are_told_as_they_are() -> None:
    text = section("docs/orders.md", "The states")
    told = dict(re.findall(r"^\| `([a-z ]+)` \| `([a-z ]+)` \|", text, re.MULTILINE))
    assert told == {state.value: state.outward.value for state in OrderState}
    drawn = {name.replace("_", " ") for name in re.findall(r"--> (\w+)", text)}
    assert drawn == set(told)


@pytest.mark.parametrize("kind", [InstrumentType.EQ, InstrumentType.FUT, InstrumentType.CE, InstrumentType.PE])
def test_the_protection_of_market_orders_is_told_as_it_is(kind: InstrumentType) -> None:
    rows = re.findall(r"^\| (\w+ \d+|\d+ to \d+) \| (.+?) \| (.+?) \|$", page("docs/orders.md"), re.MULTILINE)
    assert len(rows) == 6
    option = kind in (InstrumentType.CE, InstrumentType.PE)
    traded = msgspec.structs.replace(instrument("SBIN", kind=kind), tick_size=0.01)
    for where, shares, options in rows:
        low, high = bounds(where)
        for last in (low, (low + high) / 2, high - Decimal("0.05")):
            sent = protect(PriceType.MARKET, Action.BUY, Decimal(0), traded, last)
            assert sent is not None
            told = (options if option else shares).replace("₹ ", "₹")
            assert f"{told} protection" in sent.conversion, (where, last)


def bounds(text: str) -> tuple[Decimal, Decimal]:
    """The prices of a row, a little beyond the end where it has none."""
    numbers = [Decimal(number) for number in re.findall(r"\d+", text)]
    if text.startswith("below"):
        return Decimal("0.05"), numbers[0]
    if text.startswith("above"):
        return numbers[0] + Decimal("0.05"), numbers[0] * 10
    return numbers[0], numbers[1]


def test_the_outcomes_that_a_user_may_settle_are_told() -> None:
    told = section("docs/orders.md", "When the outcome is unknown")
    assert {f"`{outcome}`" for outcome in get_args(Resolve.model_fields["outcome"].annotation)} <= set(
        re.findall(r"`\w+`", told)
    )
    timing = RouterTiming()
    assert f"up to {timing.evidence:g} seconds" in told
    assert f"read {Pace().settle:g} s later" in told
    assert NEVER_REACHED in told
    assert f"up to {timing.gate:g} s" in section("docs/orders.md", "After a restart")


# --- accounts ---------------------------------------------------------------------------------------------------------


def test_the_ways_to_log_in_are_told_with_their_brokers() -> None:
    table = section("docs/accounts.md", "Log in")
    rows = dict(re.findall(r"^\| `(\w+)` \|.*\|(.*)\|$", table, re.MULTILINE))
    assert rows.keys() == {way.value for way in Way}
    for way, brokers in rows.items():
        offering = {spec.name for spec in registry.load() if way in ways(spec.login)}
        assert set(re.findall(r"`(\w+)`", brokers)) == offering


def test_the_scopes_and_hours_of_accounts_are_told() -> None:
    text = page("docs/accounts.md")
    assert {scope.value for scope in Scope} <= set(re.findall(r"`([\w:]+)`", text))
    for spec in registry.load():
        assert not spec.session_ends or f"| {spec.session_ends} | {spec.title}'s sessions end" in text
        assert not spec.instruments_ready or f"| {spec.instruments_ready} | {spec.title}'s file" in text


# --- operations -------------------------------------------------------------------------------------------------------


def test_every_setting_is_documented_with_its_default() -> None:
    rows = re.findall(r"^\| (`[A-Z].+?) \| (.*?) \|", section("docs/operations.md", "Settings"), re.MULTILINE)
    told: dict[str, str] = {}
    for names, defaults in rows:
        variables = re.findall(r"`(\w+)`", names)
        values = [value.strip(" `") for value in defaults.split(",")]
        told |= zip(variables, values * len(variables) if len(values) == 1 else values, strict=False)
    assert told.keys() == {name.upper() for name in Settings.model_fields}
    for name, field in Settings.model_fields.items():
        if isinstance(field.default, (int, float)) or name.endswith("_host"):
            assert told[name.upper()] == (str(field.default).removesuffix(".0")), name


async def test_every_figure_of_the_house_is_documented() -> None:
    lag, clock = LagMeter(), SystemClock()
    feed = Feed(HttpDriver(clock).run, Prices(), clock, Calendar())
    alerts = Alerts(feed.all_health, list, ROOT, clock)
    observer = Observer(feed, Gateway(feed, authenticate, brokers=[]), lag, alerts, Trace())
    names = {f"sangam_{name}" for name in observer.metrics()}
    families = [*observer.families(), *order_families((), lambda account: (), Histogram(STAGE_BOUNDS))]
    names |= {family.name + ("_total" if family.type == "counter" else "") for family in families}
    await lag.stop()
    assert names <= names_in_tables(section("docs/operations.md", "Monitoring"))


# --- the protocol -----------------------------------------------------------------------------------------------------

NOT_OF_ORDERS = {
    "CONFIG_ERROR",
    "DECODE_ERROR",
    "MASTER_REJECTED",
}
"""Codes that no order action ends with."""

SPOKEN = [ROOT / "src/sangam/gateway", ROOT / "src/sangam/feed"]


def error_codes() -> set[str]:
    """Every literal that looks like a code, and the codes of the errors that are passed on."""
    codes = {AuthError.code, SymbolNotFound.code}
    for path in (path for folder in SPOKEN for path in folder.glob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Constant) and re.fullmatch(r"[A-Z]+(_[A-Z]+)+", str(node.value)):
                codes.add(str(node.value))
    return codes


def close_codes() -> set[int]:
    named = re.findall(r"WSCloseCode\.([A-Z_]+)", (ROOT / "src/sangam/gateway/server.py").read_text(encoding="utf-8"))
    own = {value for name, value in vars(Close).items() if name.isupper()}
    return own | {int(WSCloseCode[name].value) for name in named}


def test_every_action_is_documented() -> None:
    documented = set(re.findall(r"`(\w+)`", page("docs/websocket.md").split("\n## ", 1)[0]))
    assert set(_HANDLERS) | set(SCOPES) | set(protocol._ALIASES) <= documented


def test_every_error_code_is_documented_and_none_else() -> None:
    assert names_in_tables(section("docs/websocket.md", "Errors")) == error_codes()


def test_every_close_code_is_documented_and_none_else() -> None:
    table = section("docs/websocket.md", "Limits and closes")
    assert {int(code) for code in re.findall(r"^\| (\d{4}) \|", table, re.MULTILINE)} == close_codes()


def test_features_states_and_intervals_are_documented() -> None:
    features = section("docs/websocket.md", "Features")
    assert names_in_tables(features) == protocol.FEATURES
    assert {f"`{state.value}`" for state in AccountState} <= set(re.findall(r"`\w+`", features))
    assert names_in_tables(section("docs/architecture.md", "States")) == {state.value for state in AccountState}
    assert ", ".join(map(str, INTERVALS_MS)) in section("docs/websocket.md", "Subscribe")


def test_the_limits_are_those_of_the_gateway() -> None:
    limits = GatewaySettings()
    table = section("docs/websocket.md", "Limits and closes")
    slow = section("docs/websocket.md", "Slow clients")
    for text in (
        f"| {limits.auth_grace:g} s (`WS_AUTH",
        f"authenticating | {limits.max_messages_unauthenticated} |",
        f"{limits.max_message} bytes (`WS_MAX",
        f"; {limits.max_message_unauthenticated} bytes before",
        f"| {limits.message_rate} (`WS_MAX",
        f", {limits.message_burst} at once",
        f"after {limits.max_refused_messages} of these {Close.FLOOD}",
        f"| {limits.max_subscriptions} per client",
        f"| {limits.max_actions}, and {limits.reserved_cancels} more cancels",
        f"| {limits.write_high} bytes",
        f"| {limits.ping_timeout:g} s (`WS_PING_TIMEOUT`); pings every {limits.ping_interval:g} s",
    ):
        assert text in table, text
    for text in (
        f"{limits.write_high} bytes",
        f"{limits.max_backlog} bytes",
        f"{limits.max_backlog_events} acks",
        f"for {limits.stuck_seconds:g} s",
        f"with {Close.SLOW_CONSUMER}",
    ):
        assert text in slow, text
    assert f"{limits.join_seconds * 1000:g} ms" in section("docs/websocket.md", "Intervals")
    assert f"{limits.bad_key_delay:g} s later" in section("docs/websocket.md", "Authenticate")


def test_every_data_field_is_documented_and_shown() -> None:
    shown = next(row["data"] for row in examples() if row.get("type") == "market_data" and row["mode"] == Mode.DEPTH)
    documented = names_in_tables(section("docs/websocket.md", "Market data"))
    unified = set(Fields.__annotations__)
    assert unified <= documented
    assert set(shown) - {"symbol", "exchange", "mode"} == documented
    assert unified <= set(shown)


def test_the_order_update_has_the_fields_that_are_sent() -> None:
    shown = next(row for row in examples() if row.get("type") == "order_update")
    news = order_news(EventKind.PLACED, 1, an_order())
    assert list(shown) == list(msgspec.json.decode(news.update))


def test_order_events_and_their_codes_are_documented() -> None:
    shown = next(row for row in examples() if row.get("type") == "ORDER_PLACED")
    assert list(shown) == list(msgspec.json.decode(order_news(EventKind.PLACED, 1, an_order()).event))
    told = names_in_tables(section("docs/websocket.md", "Order events"))
    of_the_audit = {EventKind.PENDING, EventKind.SENT, EventKind.RESOLVED, EventKind.NOTED}
    assert told == set(EventKind) - of_the_audit
    codes = names_in_tables(section("docs/websocket.md", "When an order action fails"))
    house = {error.code for error in vars(errors).values() if hasattr(error, "code")}
    assert (
        codes == (house | set(ErrorCode) | {"INSUFFICIENT_PERMISSION", "SERVER_ERROR", NEVER_REACHED}) - NOT_OF_ORDERS
    )


def test_order_requests_and_rows_of_the_page_are_as_they_are() -> None:
    requests = {row["action"]: row for row in examples() if "action" in row and "type" not in row}
    placed = ticket(Asked({**requests["place_order"], "action": None}))
    assert (placed.quantity, placed.price, placed.client_order_id) == (10, Decimal("1030.00"), "entry-1")
    assert [ticket(entry).symbol for entry in Asked(requests["place_orders"]).entries("orders", 2)] == ["SBIN", "SBIN"]
    assert trigger_legs(Asked({**requests["place_gtt"], "action": None}))[0].trigger == 950
    assert protocol.parse_since(requests["subscribe_orders"]) == 4
    replies = {row["type"]: row for row in examples() if "status" in row and "type" in row}
    assert list(replies["get_order"]["data"]) == list(rows.order_row(an_order()))
    assert list(replies["cancel_order"])[2:-1] == list(rows.reply_row(an_order()))
    assert str(MAX_ORDERS) in section("docs/websocket.md", "Several orders at once")
    assert str(MAX_WAIT_MS) in section("docs/websocket.md", "Order actions")


def test_requests_in_the_page_are_understood() -> None:
    requests = [row for row in examples() if "action" in row and "type" not in row]
    assert len(requests) >= 5
    for row in requests:
        message = protocol.decode(json.dumps(row).encode())
        assert message is not None
        assert message.action in {*_HANDLERS, *SCOPES}
    authenticate, subscribe, unsubscribe = requests[:3]
    assert protocol.parse_credentials(authenticate).features == protocol.FEATURES
    assert [(entry.symbol, entry.mode, entry.interval) for entry in protocol.parse_subscribe(subscribe)] == [
        ("SBIN", Mode.LTP, 1000),
        ("NOPE", Mode.LTP, 250),
    ]
    assert protocol.parse_unsubscribe(unsubscribe)[0].mode is Mode.LTP


def test_the_recipe_for_gaps_works() -> None:
    space: dict[str, Any] = {}
    exec(blocks("docs/websocket.md", "python")[0], space)  # noqa: S102 - our own page

    def verdicts(*messages: tuple[int, int], interval: int = 0) -> list[str]:
        state, said = None, []
        for epoch, seq in messages:
            verdict, state = space["follow"](state, {"data": {"epoch": epoch, "seq": seq}}, interval)
            said.append(verdict)
        return said

    assert verdicts((7, 4), (7, 5), (7, 8), (9, 9)) == ["first", "next", "gap", "discontinuity"]
    assert verdicts((7, 4), (7, 8), interval=50) == ["first", "next"]


# --- adding a broker --------------------------------------------------------------------------------------------------


def test_the_broker_in_the_page_is_one() -> None:
    space: dict[str, Any] = {}
    exec(blocks("docs/adding-a-broker.md", "python")[0], space)  # noqa: S102 - our own page
    spec = space["SPEC"]
    assert isinstance(spec, BrokerSpec)
    secrets = {"api_key": "k", "access_token": "t"}
    session, ctx = Session(account="a", broker="example", generation=1, secrets=secrets), Ctx(0, bytes)

    def answered(operation: Operation[Any], payload: Any) -> tuple[Request, Any]:
        """What an operation asks, and what it makes of the answer."""
        request = next(operation)
        assert isinstance(request, Request)
        with pytest.raises(StopIteration) as done:
            operation.send(spec.check(request, Reply(200, {}, payload)))
        return request, done.value.value

    request, client = answered(spec.login.check(session, ctx), {"id": "AB1"})
    assert client == "AB1"
    with pytest.raises(SessionExpired):
        spec.check(request, Reply(401, {}, None))
    redirect = spec.login.redirect
    assert redirect is not None
    assert redirect.url(session, "signed", "http://us") == (
        "https://api.example.com/login?key=k&state=signed&redirect_uri=http%3A%2F%2Fus"
    )
    request, grant = answered(redirect.exchange(session, {"code": "c"}, ctx), {"token": "t2", "id": "AB1"})
    assert (request.effect, request.auth) == ("write", "none")
    assert grant == Grant(secrets={"access_token": "t2"}, client_id="AB1")

    share, refused = spec.instruments.parse([b"7,SBIN,0.05\n8,,1\n"])
    assert isinstance(share, Instrument)
    assert (share.exchange, refused) == (Exchange.NSE, RowRefused("no symbol", "8,,1"))

    assert spec.data is not None
    assert spec.data.history is not None
    quotes = spec.data.quotes([share, msgspec.structs.replace(share, token="8")], session, ctx)
    assert answered(quotes, {"7": 62550})[1] == [Patch(share, {"ltp": 625.5})]
    history = spec.data.history(share, "1m", date(2026, 8, 3), date(2026, 8, 3), session, ctx)
    assert answered(history, [[60, 100, 300, 50, 200, 9]])[1] == [Candle(60, 1.0, 3.0, 0.5, 2.0, 9)]

    stream = spec.streams[0]
    codec = stream.codec(session, Endpoint(url="wss://x"), ctx)
    key = stream.key(share)
    assert list(codec.update({key: Level(Mode.LTP)})) == [Send('{"add": ["7"]}', ("7",)), Confirmed(("7",))]
    assert list(codec.update({})) == [Send('{"drop": ["7"]}')]
    assert list(codec.received('["7", 62550]')) == [Patch("7", {"ltp": 625.5})]
    for bad in ("", "{", "7", "[1]", "null", b"\xff"):
        with pytest.raises(DecodeError):
            codec.received(bad)


def test_its_orders_are_sent_once_and_refused_only_by_evidence() -> None:
    space: dict[str, Any] = {}
    for block in blocks("docs/adding-a-broker.md", "python"):
        exec(block, space)  # noqa: S102 - our own page
    spec = space["SPEC"]
    trading = spec.trading
    session, ctx = Session(account="a", broker="example", generation=1, secrets={}), Ctx(0, bytes)
    share = Instrument(symbol="SBIN", exchange=Exchange.NSE, brsymbol="SBIN", brexchange="NSE", token="7")
    order = an_order(tag="mine")
    taken = Reply(200, {}, {"order": "N1", "book": "b"})

    def answered(operation: Operation[Any], reply: Reply) -> tuple[Request, Any]:
        request = next(operation)
        assert isinstance(request, Request)
        assert (request.effect, request.lane) in {("write", "orders"), ("read", "books")}
        with pytest.raises(StopIteration) as done:
            operation.send(spec.check(request, reply))
        return request, done.value.value

    request, accepted = answered(trading.place(order, share, session, ctx), taken)
    assert request.form is not None
    assert (request.form["tag"], request.form["price"]) == ("AAAAAAAAAAmine", "625.5")
    assert accepted == Accepted(order_id="N1", native={"book": "b"})
    placed = msgspec.structs.replace(order, order_id="N1", native=accepted.native)
    change = Change(quantity=5, price_type=placed.price_type, price=placed.price)
    for operation in (trading.modify(placed, change, share, session, ctx), trading.cancel(placed, session, ctx)):
        assert answered(operation, taken)[1].native == {"book": "b"}

    for status, body, error in (
        (400, {"error": "BAD_INPUT", "text": "no such price"}, Refused),
        (400, {"error": "OTHER", "text": "Insufficient funds"}, Refused),
        (400, {"error": "BAD_INPUT", "text": "order timed out"}, Unknown),
        (400, {"error": "OTHER", "text": ""}, Unknown),
        (500, {"error": "BAD_INPUT"}, Unknown),
        (200, {}, Unknown),
        (200, None, Unknown),
    ):
        with pytest.raises(error):
            spec.check(request, Reply(status, {}, body))

    row = {"order": "N1", "symbol": "SBIN", "side": "BUY", "quantity": 10, "filled": 4, "average": 625.0, "time": 1}
    row |= {"status": "OPEN", "product": "MIS", "type": "LIMIT", "price": 625.5, "tag": "AAAAAAAAAAmine"}
    (told,) = answered(trading.orders(session, ctx), Reply(200, {}, [row]))[1]
    assert (told.status, told.filled_quantity, told.tag[:10]) == ("open", 4, order.our_tag)
    assert trading.postback.read(json.dumps(row).encode(), {}) == told
    assert answered(trading.funds(session, ctx), Reply(200, {}, {"cash": 5.0}))[1].available_cash == 5


def test_the_files_named_for_a_broker_are_those_of_the_model_to_follow() -> None:
    named = names_in_tables(page("docs/adding-a-broker.md").split("```", 1)[0])
    assert all((ROOT / "src/sangam/brokers/zerodha" / name).is_file() for name in named)
