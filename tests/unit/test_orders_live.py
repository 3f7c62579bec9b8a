"""The live executor over canned answers: what is asked, with what, and what a broker does not offer."""

from collections.abc import Sequence
from dataclasses import replace
from decimal import Decimal
from typing import Any, TypeVar
from unittest.mock import ANY

import msgspec
import pytest
from tests.toy_broker import toy_instrument, toy_session, toy_spec

from sangam.brokers.contract import BrokerSpec, Ctx, GttDesk, Operation, Session, Tag, Trading, done
from sangam.model.books import GttLeg
from sangam.model.enums import Action, Exchange, PriceType, Product
from sangam.model.errors import Denied, SessionExpired, Unsupported
from sangam.model.order import Accepted, Change, Order, OrderUpdate, TradingMode
from sangam.orders.live import Live
from sangam.orders.ports import Executor, Sending

T = TypeVar("T")

SBIN = toy_instrument("SBIN")
ORDER = Order(
    id="L-0123456789",
    account="u-toy",
    user="u",
    broker="toy",
    mode=TradingMode.LIVE,
    symbol="SBIN",
    exchange=Exchange.NSE,
    action=Action.BUY,
    quantity=10,
    price_type=PriceType.MARKET,
    product=Product.MIS,
)
LEG = GttLeg(trigger=Decimal(90), action=Action.SELL, quantity=1, price=Decimal(90))


class Canned:
    """Runs operations that ask nothing; keeps with what they were run."""

    def __init__(self) -> None:
        self.runs: list[dict[str, Any]] = []

    def ctx(self) -> Ctx:
        return Ctx(1, bytes)

    async def run(
        self,
        spec: BrokerSpec,
        session: Session,
        operation: Operation[T],
        *,
        urgent: bool = False,
        sending: Sending | None = None,
        wait: float | None = None,
    ) -> T:
        self.runs.append({"urgent": urgent, "sending": sending, "wait": wait})
        try:
            operation.send(None)
        except StopIteration as stop:
            value: T = stop.value
            return value
        raise AssertionError("asked something")


def row(order_id: str, tag: str = "") -> OrderUpdate:
    return OrderUpdate(
        order_id=order_id, brsymbol="SBIN-TOY", brexchange="NSE", action="BUY", quantity=10, status="open", tag=tag
    )


class House:
    def __init__(self, **fields: Any) -> None:
        self.asked: list[tuple[Any, ...]] = []
        self.book: list[OrderUpdate] = []
        base: dict[str, Any] = {
            "place": self._answers("place", Accepted(order_id="7")),
            "modify": self._answers("modify", Accepted(order_id="7")),
            "cancel": self._answers("cancel", Accepted(order_id="7")),
            "orders": self._answers("orders", self.book),
            "trades": self._answers("trades", []),
            "positions": self._answers("positions", []),
            "holdings": self._answers("holdings", []),
            "funds": self._answers("funds", None),
            "products": {Exchange.NSE: frozenset(Product)},
            "tag": Tag("text", 20),
        }
        self.trading: Trading | None = Trading(**{**base, **fields})
        self.session: Session | None = toy_session("ws://x")
        self.driver = Canned()
        self.live = Live(self.driver, lambda account: replace(toy_spec(), trading=self.trading), lambda _: self.session)
        self.executor: Executor = self.live

    def _answers(self, name: str, answer: Any) -> Any:
        def operation(*arguments: Any) -> Operation[Any]:
            self.asked.append((name, *arguments[:-2]))
            return done(answer)

        return operation

    def gtt(self, **fields: Any) -> GttDesk:
        names = ("place", "modify", "cancel")
        desk: dict[str, Any] = {name: self._answers(f"{name} gtt", "11") for name in names}
        return GttDesk(**{**desk, "list": self._answers("list", []), **fields})


@pytest.fixture
def house() -> House:
    return House()


async def sending() -> None: ...


async def test_writes_are_announced_and_cancels_are_urgent(house: House) -> None:
    change = Change(quantity=5, price_type=PriceType.LIMIT, price=Decimal(1))
    assert await house.live.place("u-toy", ORDER, SBIN, sending, urgent=False, wait=2.0) == Accepted(order_id="7")
    await house.live.modify("u-toy", ORDER, change, SBIN, sending, urgent=False)
    await house.live.cancel("u-toy", ORDER, sending)
    assert house.driver.runs == [
        {"urgent": False, "sending": ANY, "wait": 2.0},
        {"urgent": False, "sending": ANY, "wait": None},
        {"urgent": True, "sending": ANY, "wait": None},
    ]
    assert house.asked == [("place", ORDER, SBIN), ("modify", ORDER, change, SBIN), ("cancel", ORDER)]


async def test_the_broker_gets_the_terms_that_go_out(house: House) -> None:
    converted = msgspec.structs.replace(ORDER, sent_price_type=PriceType.LIMIT, sent_price=Decimal(101))
    await house.live.place("u-toy", converted, SBIN, sending, urgent=False, wait=None)
    ((_, order, _),) = house.asked
    assert (order.price_type, order.price) == (PriceType.LIMIT, Decimal(101))


async def test_without_a_session_nothing_is_asked(house: House) -> None:
    house.session = None
    for call in (house.live.orders("u-toy"), house.live.cancel("u-toy", ORDER, sending)):
        with pytest.raises(SessionExpired, match="Log in; nothing") as told:
            await call
        assert not told.value.sent
    assert not house.driver.runs


async def test_a_broker_without_orders_says_so(house: House) -> None:
    house.trading = None
    with pytest.raises(Unsupported, match="Live orders are not supported for broker 'Toy Broker' yet"):
        await house.live.funds("u-toy")


async def test_what_a_broker_does_not_offer(house: House) -> None:
    for call, says in (
        (house.live.margin("u-toy", []), "Margin calculation is not supported"),
        (house.live.convert("u-toy", SBIN, Product.MIS, Product.CNC, 1, sending), "Position conversion is not"),
        (house.live.gtts("u-toy"), "GTT orders are not supported for broker 'Toy Broker' yet"),
        (house.live.place_gtt("u-toy", SBIN, [LEG], 100.0, sending), "GTT orders are not supported"),
        (house.live.cancel_gtt("u-toy", "1", sending), "GTT orders are not supported"),
    ):
        with pytest.raises(Unsupported, match=says):
            await call
    assert not house.driver.runs


async def test_gtts() -> None:
    house = House()
    assert house.trading is not None
    house.trading = replace(house.trading, gtt=house.gtt(oco=False))
    legs: Sequence[GttLeg] = [LEG]
    assert await house.live.place_gtt("u-toy", SBIN, legs, 100.0, sending) == "11"
    assert await house.live.modify_gtt("u-toy", "11", SBIN, legs, 100.0, sending) == "11"
    assert await house.live.cancel_gtt("u-toy", "11", sending) == "11"
    assert await house.live.gtts("u-toy") == []
    assert [run["urgent"] for run in house.driver.runs] == [False, False, True, False]
    with pytest.raises(Unsupported, match="OCO orders are not supported"):
        await house.live.place_gtt("u-toy", SBIN, [LEG, LEG], 100.0, sending)
    market = msgspec.structs.replace(LEG, price_type=PriceType.MARKET)
    with pytest.raises(Unsupported, match=r"of type MARKET .* Use LIMIT"):
        await house.live.place_gtt("u-toy", SBIN, [market], 100.0, sending)


async def test_a_trigger_orders_nothing_that_the_broker_takes_no_orders_for() -> None:
    """Where nobody knows whether a commodity is counted in lots or units, a trigger's order would be a hundredfold."""
    house = House()
    assert house.trading is not None
    house.trading = replace(house.trading, gtt=house.gtt())
    oil = msgspec.structs.replace(SBIN, exchange=Exchange.MCX)
    carried = msgspec.structs.replace(LEG, product=Product.NRML)
    for call in (
        house.live.place_gtt("u-toy", oil, [carried], 100.0, sending),
        house.live.modify_gtt("u-toy", "11", oil, [carried], 100.0, sending),
    ):
        with pytest.raises(Unsupported, match="GTT orders of product NRML on MCX are not supported"):
            await call
    assert not house.driver.runs


# --- finding one order ------------------------------------------------------------------------------------------------


async def test_by_its_number_with_the_cheapest_read(house: House) -> None:
    known = msgspec.structs.replace(ORDER, order_id="7")
    house.book += [row("6", "0123456789"), row("7")]
    assert await house.live.find("u-toy", known) is house.book[1]
    assert house.trading is not None
    house.trading = replace(house.trading, order=house._answers("order", row("7")))
    assert await house.live.find("u-toy", known) == row("7")
    assert [name for name, *_ in house.asked] == ["orders", "order"]


async def test_by_our_tag(house: House) -> None:
    house.book += [row("6", "XYZ"), row("7", "0123456789mine")]
    assert await house.live.find("u-toy", ORDER) is house.book[1]
    assert house.trading is not None
    house.trading = replace(house.trading, find=house._answers("find", []))
    assert await house.live.find("u-toy", ORDER) is None
    assert house.asked[-1] == ("find", house.trading.tag.text(ORDER))


async def test_without_number_and_tag_nothing_is_proven() -> None:
    house = House(tag=Tag())
    house.book.append(row("6"))
    with pytest.raises(Unsupported, match="echoes no tag"):
        await house.live.find("u-toy", ORDER)
    assert not house.driver.runs


@pytest.mark.parametrize("generation", [None, 7], ids=["gone", "renewed"])
async def test_what_waited_while_its_session_ended_is_not_sent(house: House, generation: int | None) -> None:
    told: list[str] = []

    async def tell() -> None:
        told.append("sent")

    await house.executor.place("u-toy", ORDER, SBIN, tell, urgent=False, wait=None)
    announced = house.driver.runs[-1]["sending"]
    await announced()
    assert told == ["sent"]
    assert house.session is not None
    house.session = None if generation is None else msgspec.structs.replace(house.session, generation=generation)
    with pytest.raises(Denied, match="Nothing was sent") as ended:
        await announced()
    assert ended.value.code == "INVALID_TOKEN"
    assert told == ["sent"]
