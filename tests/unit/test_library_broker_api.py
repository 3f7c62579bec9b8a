"""The known functions over the brokers' simulators: their ledgers are the judges, mishaps of writes included."""

import asyncio
import socket
import threading
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from typing import Any
from urllib.parse import urlencode

import pytest
from tests.conformance.stands import STANDS
from tests.simulator_thread import SimulatorThread
from tests.support import wait_for_sync

from sangam import simulators
from sangam.accounts.ways import Way, ways
from sangam.brokers import registry
from sangam.library.broker_api import BrokerApi
from sangam.model.enums import Exchange as Code
from sangam.model.enums import PriceType
from sangam.simulators import Exchange
from sangam.simulators.mishaps import Mishap

HOUSE = registry.load()
ONE = "zerodha"
TRADING = [spec.name for spec in HOUSE if spec.trading is not None and spec.name in simulators.names()]


@pytest.fixture(scope="module", params=TRADING)
def broker(request: pytest.FixtureRequest) -> Iterator[SimulatorThread]:
    with SimulatorThread(request.param, exchange=Exchange(pace=10.0), run=True) as thread:
        yield thread


class Opened:
    """The functions for a simulated broker, and a token that is good there."""

    def __init__(self, thread: SimulatorThread) -> None:
        self.thread = thread
        spec = HOUSE[thread.name]
        known = thread.simulator.credentials
        kept = {field.name: known[field.name] for field in spec.login.kept if field.name in known}
        self.api = BrokerApi(thread.name, hosts=thread.simulator.hosts, **kept)
        daily = {field.name: known[field.name] for field in spec.login.daily if field.name in known}
        self.auth: str | Mapping[str, str] = next(iter(daily.values())) if len(daily) == 1 else daily

    def order(self, **changes: Any) -> dict[str, Any]:
        """As programs write it: numbers as texts, prices that mean nothing as 0."""
        data = {
            "symbol": "SBIN",
            "exchange": "NSE",
            "action": "BUY",
            "quantity": "10",
            "pricetype": "LIMIT",
            "product": "MIS",
            "price": str(self.price(-0.03)),
            "trigger_price": "0",
            "disclosed_quantity": "0",
        }
        return {**data, **changes}

    def price(self, move: float = 0.0) -> float:
        def read() -> float:
            market = self.thread.simulator.exchange.market("SBIN", Code.NSE)
            return float(market.rupees(round(market.ltp * (1 + move))))

        price: float = self.thread.call(read)
        return price

    @property
    def future(self) -> str:
        """One of NIFTY's, of which ten are no lot."""
        contracts = self.thread.call(lambda: self.thread.simulator.exchange.contracts)
        return next(str(one.symbol) for one in contracts if one.name == "NIFTY" and one.symbol.endswith("FUT"))

    def mishap(self, kind: Mishap, times: int = 1) -> None:
        self.thread.call(lambda: self.thread.simulator.faults.orders.mishap(kind, times))

    @property
    def taken(self) -> int:
        """How many orders the exchange has."""
        return len(self.thread.ledger().orders)


@pytest.fixture
def opened(broker: SimulatorThread) -> Iterator[Opened]:
    rig = Opened(broker)
    yield rig
    rig.api.close()
    broker.call(broker.simulator.faults.orders.clear)


def test_an_order_lives_from_place_to_cancel(opened: Opened) -> None:
    api, auth = opened.api, opened.auth
    before = opened.taken
    response, answer, orderid = api.place_order_api(opened.order(), auth)
    assert (response.status_code, response.status, response.json()) == (200, 200, answer)
    assert (answer["status"], answer["orderid"]) == ("success", orderid)
    assert opened.taken == before + 1
    changed, status = api.modify_order(opened.order(orderid=orderid, quantity=20), auth)
    assert (changed["status"], changed["orderid"], status) == ("success", orderid, 200)
    gone, status = api.cancel_order(str(orderid), auth)
    assert (gone["status"], status) == ("success", 200)

    def shown() -> dict[str, Any]:
        book = api.get_orderbook(auth)
        assert book["status"] == "success"
        found: dict[str, Any] = next(row for row in book["data"] if row["orderid"] == orderid)
        return found

    wait_for_sync(lambda: shown()["order_status"] == "cancelled", what="the cancellation")
    assert (shown()["symbol"], shown()["quantity"]) == ("SBIN", 20)


def test_a_change_keeps_what_was_changed_elsewhere(opened: Opened) -> None:
    _, answer, orderid = opened.api.place_order_api(opened.order(), opened.auth)
    assert orderid, answer
    elsewhere, price = Opened(opened.thread), opened.price(-0.02)
    told, status = elsewhere.api.modify_order({"orderid": orderid, "price": price}, elsewhere.auth)
    assert status == 200, told
    elsewhere.api.close()
    told, status = opened.api.modify_order({"orderid": orderid, "quantity": 20}, opened.auth)
    assert status == 200, told
    found = next(row for row in opened.api.get_orderbook(opened.auth)["data"] if row["orderid"] == orderid)
    assert (found["quantity"], found["price"]) == (20, price)
    opened.api.cancel_order(orderid, opened.auth)


def test_the_books(opened: Opened) -> None:
    api, auth = opened.api, opened.auth
    kind = PriceType.MARKET if HOUSE[opened.thread.name].trading.takes(PriceType.MARKET) else PriceType.LIMIT  # type: ignore[union-attr]
    _, answer, orderid = api.place_order_api(opened.order(pricetype=kind, price=opened.price(0.01)), auth)
    assert orderid, answer
    wait_for_sync(lambda: any(row["quantity"] for row in api.get_positions(auth)["data"]), what="the position")
    row = next(row for row in api.get_positions(auth)["data"] if row["symbol"] == "SBIN")
    assert (row["exchange"], row["product"], row["average_price"] > 0) == ("NSE", "MIS", True)
    assert {row["symbol"] for row in api.get_holdings(auth)["data"]} >= {"INFY"}
    funds = api.get_margin_data(auth)
    assert set(funds) == {"availablecash", "collateral", "m2munrealized", "m2mrealized", "utiliseddebits"}
    assert float(funds["availablecash"]) > 0


@pytest.mark.parametrize("mishap", [Mishap.TAKEN_THEN_RESET, Mishap.TAKEN_SERVER_ERROR, Mishap.TAKEN_NONSENSE])
def test_an_order_whose_answer_is_lost_is_looked_for_and_sent_once(opened: Opened, mishap: Mishap) -> None:
    opened.mishap(mishap)
    before = opened.taken
    _, answer, orderid = opened.api.place_order_api(opened.order(), opened.auth)
    assert opened.taken == before + 1
    if HOUSE[opened.thread.name].trading.tag.kind == "none":  # type: ignore[union-attr]
        assert answer["code"] == "OUTCOME_UNKNOWN"
    else:
        assert orderid in opened.thread.ledger().orders


def test_what_nobody_knows_is_said_to_be_unknown_and_no_rejection(
    opened: Opened, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sangam.client.direct_desk.LOOKS", (0.01, 0.05))
    before = opened.taken
    opened.mishap(Mishap.LOST_RESET)
    data = opened.order(client_order_id="lost-1")
    for _ in range(2):  # it is not sent again
        response, answer, orderid = opened.api.place_order_api(data, opened.auth)
        assert (response.status_code, answer["status"], answer["code"], orderid) == (
            504,
            "error",
            "OUTCOME_UNKNOWN",
            None,
        )
        assert (answer["client_order_id"], answer["state"]) == ("lost-1", "unknown")
    assert opened.taken == before
    _, _, orderid = opened.api.place_order_api(opened.order(), opened.auth)
    opened.mishap(Mishap.LOST_RESET, 2)
    told, status = opened.api.cancel_order(str(orderid), opened.auth)
    assert (told["code"], status) == ("OUTCOME_UNKNOWN", 504)
    told, status = opened.api.modify_order(opened.order(orderid=orderid, quantity=7), opened.auth)
    assert (told["code"], status) == ("OUTCOME_UNKNOWN", 504)


def test_the_same_client_order_id_is_the_same_order_from_many_threads_and_programs(opened: Opened) -> None:
    if HOUSE[opened.thread.name].trading.tag.kind == "none":  # type: ignore[union-attr]
        pytest.skip("the broker echoes no tag")
    data, before = opened.order(client_order_id="mine-1"), opened.taken
    ids: list[str | None] = []
    threads = [
        threading.Thread(target=lambda: ids.append(opened.api.place_order_api(data, opened.auth)[2])) for _ in range(5)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    later = Opened(opened.thread)
    ids.append(later.api.place_order_api(data, later.auth)[2])
    later.api.close()
    assert len(ids) == 6
    assert len(set(ids)) == 1
    assert opened.taken == before + 1


def test_refusals_and_what_was_never_sent(opened: Opened) -> None:
    api, auth, before = opened.api, opened.auth, opened.taken
    for data, status, code in (
        (opened.order(symbol="NOPE"), 404, "SYMBOL_NOT_FOUND"),
        (opened.order(quantity="ten"), 400, "INVALID_INPUT"),
        (opened.order(quantity=1.5), 400, "INVALID_INPUT"),
        (opened.order(action="HOLD"), 400, "INVALID_INPUT"),
        (opened.order(price=0), 400, "INVALID_INPUT"),
        ({}, 400, "INVALID_INPUT"),
        (opened.order(price=1000.013), 400, "INVALID_ORDER"),
        (opened.order(product="NRML"), 400, "INVALID_ORDER"),
        (opened.order(symbol="NIFTY", exchange="NSE_INDEX"), 400, "INVALID_ORDER"),
        (opened.order(symbol=opened.future, exchange="NFO"), 400, "INVALID_ORDER"),
    ):
        response, answer, orderid = api.place_order_api(data, auth)
        assert (response.status_code, answer["code"], orderid) == (status, code, None), answer
        assert "state" not in answer  # nobody asked the broker
    response, answer, _ = api.place_order_api(opened.order(), "no such token")
    assert (response.status_code, answer["code"]) == (401, "INVALID_TOKEN")
    told, status = api.cancel_order("no-such", auth)
    assert (told["status"], status) == ("error", 400)
    assert opened.taken == before
    _, answer, orderid = api.place_order_api(opened.order(), auth)
    told, status = api.modify_order({"orderid": orderid, "price": 1000.013}, auth)
    assert (told["code"], status, "tick size" in told["message"]) == ("INVALID_ORDER", 400, True), answer


def test_a_book_that_cannot_be_read_is_no_empty_one(opened: Opened) -> None:
    api = opened.api
    assert api.get_positions(opened.auth)["status"] == "success"
    opened.thread.call(lambda: opened.thread.simulator.faults.refuse_requests(503, 100))
    for told in (api.get_positions(opened.auth), api.get_holdings(opened.auth), api.get_margin_data(opened.auth)):
        assert (told["status"], "data" in told, "availablecash" in told) == ("error", False, False)
        assert told["code"] != "OUTCOME_UNKNOWN"  # that is said of orders
    opened.thread.call(opened.thread.simulator.faults.clear)


def test_names_of_instruments(opened: Opened) -> None:
    api = opened.api
    assert api.get_positions(opened.auth)["status"] == "success"
    info = api.get_symbol_info("SBIN", "NSE")
    assert info is not None
    assert (info.symbol, info.exchange, info.lotsize, info.expiry) == ("SBIN", "NSE", 1, "")
    assert api.get_token("SBIN", "NSE") == info.token
    assert api.get_br_symbol("SBIN", "NSE") == info.brsymbol
    assert api.get_oa_symbol(info.brsymbol, "NSE") == "SBIN"
    assert api.get_brexchange("NSE") == info.brexchange
    assert (api.get_token("NOPE", "NSE"), api.get_symbol_info("NOPE", "NSE")) == (None, None)
    assert (api.get_br_symbol("NOPE", "NSE"), api.get_oa_symbol("NOPE", "NSE"), api.get_brexchange("MARS")) == (
        "NOPE",
        "NOPE",
        "MARS",
    )


# --- logins -----------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module", params=[spec.name for spec in HOUSE if spec.name in simulators.names()])
def any_broker(request: pytest.FixtureRequest) -> Iterator[SimulatorThread]:
    with SimulatorThread(request.param, run=True) as thread:
        yield thread


def test_every_way_of_a_login_gives_a_token_that_is_good(any_broker: SimulatorThread) -> None:
    spec, stand, known = HOUSE[any_broker.name], STANDS[any_broker.name], any_broker.simulator.credentials
    login, daily = spec.login, [field.name for field in spec.login.daily if field.required]

    def good(api: BrokerApi, token: str | None, error: str | None) -> None:
        assert (error, bool(token)) == (None, True)
        if spec.trading is not None and token:
            assert "availablecash" in api.get_margin_data(token)

    if login.redirect is not None:
        with closing(Opened(any_broker).api) as api:
            brought = asyncio.run(_browse(stand, api.login_url("http://127.0.0.1:5000/back")))
            address = f"http://127.0.0.1:5000/back?{urlencode(brought)}"
            assert not login.redirect.brings or login.redirect.brings in brought
            token, feed, error = api.authenticate_broker(brought.get(login.redirect.brings) or address)
            good(api, token, error)
            assert feed is None or "feed_token" in daily
    if login.steps is not None:
        with closing(Opened(any_broker).api) as api:
            answers = stand.answers(any_broker.simulator)
            good(api, *api.authenticate_broker(**answers))
    known = any_broker.simulator.credentials
    with closing(Opened(any_broker).api) as api:
        good(api, *api.authenticate_broker(**{name: known[name] for name in daily}))


async def _browse(stand: Any, url: str) -> Mapping[str, str]:
    found: Mapping[str, str] = await stand.browse(url)
    return found


def test_a_login_that_is_refused_says_why(any_broker: SimulatorThread) -> None:
    login = HOUSE[any_broker.name].login
    api = Opened(any_broker).api
    if login.redirect is not None and login.steps is None and login.redirect.brings:
        told = api.authenticate_broker("wrong")
        assert told[:2] == (None, None)
        assert told[2]
    if login.daily:
        known = any_broker.simulator.credentials
        daily = {field.name: known[field.name] for field in login.daily if field.required}
        for _ in range(2):
            token, error = api.authenticate_broker(**{**daily, login.daily[0].name: "wrong"})
            assert (token, bool(error)) == (None, True)
        assert api.authenticate_broker(**daily)[1] is None
    api.close()


def test_who_mistyped_logs_in_with_the_same_arguments_and_so_does_tomorrow(any_broker: SimulatorThread) -> None:
    spec = HOUSE[any_broker.name]
    known = {**any_broker.simulator.credentials, **STANDS[any_broker.name].answers(any_broker.simulator)}
    names = [field.name for field in (*spec.login.kept, *(spec.login.steps.asks if spec.login.steps else ()))]
    form = [name for name in dict.fromkeys(names) if name != "api_key"]
    if spec.login.steps is None or ways(spec.login)[0] is not Way.STEPS or set(form) - set(known):
        pytest.skip("its login by answers is not the first one, or asks for more than the simulator knows")
    right, wrong = [known[name] for name in form], ["1111" for name in form]
    with closing(BrokerApi(any_broker.name, hosts=any_broker.simulator.hosts, api_key=known["api_key"])) as api:
        assert api.authenticate_broker(*wrong)[0] is None
        for _ in range(2):
            token, error = api.authenticate_broker(*right)
            assert (error, bool(token)) == (None, True)


@pytest.mark.parametrize("given", [None, 5, "http://[bad"])
def test_what_is_no_token_is_an_answer_and_no_crash(any_broker: SimulatorThread, given: Any) -> None:
    """Where the account's fields alone make a session, nothing has to be given; what is, is an answer to something."""
    with closing(Opened(any_broker).api) as api:
        alone = HOUSE[any_broker.name].login.redirect is None and api.authenticate_broker()[0] is not None
        alone = alone and given is None
        told = api.authenticate_broker(given)
        assert (told[0] is None, bool(told[-1])) == (not alone, not alone)
        nothing: tuple[Any, ...] = (None, "", {}, 5, ["t"], {"no such": "t"}, {"no such": object()})
        for auth in nothing:
            assert api.get_orderbook(auth)["status"] == "error"
            assert api.place_order_api({"symbol": "SBIN", "exchange": "NSE"}, auth)[1]["status"] == "error"


@pytest.mark.parametrize(
    "ask", [lambda api: api.get_orderbook("t"), lambda api: api.get_margin_data("t"), lambda api: api.get_holdings("t")]
)
def test_what_is_closed_while_a_book_is_read_answers_with_an_error(ask: Callable[[BrokerApi], dict[str, Any]]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent, ThreadPoolExecutor() as pool:
        hosts = {"api": f"http://127.0.0.1:{silent.getsockname()[1]}"}
        api = BrokerApi(ONE, hosts=hosts, api_key="k")
        told = pool.submit(ask, api)
        line, _ = silent.accept()
        with line:
            assert line.recv(1)  # a connection that is only being made is nobody's to close
            api.close()
            assert (told.result(10)["status"], "data" in told.result()) == ("error", False)


def test_unknown_names_are_told_with_the_known_ones(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ValueError, match=r"Known brokers: .*paper"):
        BrokerApi("nobody")
    with pytest.raises(ValueError, match="has no login field 'colour'"):
        BrokerApi(TRADING[0], colour="blue")
    with pytest.raises(ValueError, match="must be encrypted"):
        BrokerApi(TRADING[0], hosts={next(iter(HOUSE[TRADING[0]].hosts)): "http://example.com"})
    api = BrokerApi("paper")
    assert api.get_margin_data("x")["code"] == "UNSUPPORTED"
    api.close()
    for _ in range(2):  # once closed, it may be used again
        assert api.get_positions("")["status"] == "error"
        api.close()
