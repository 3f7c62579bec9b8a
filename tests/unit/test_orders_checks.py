"""Promise 5: wrong terms are refused before sending, with a text that says what to do."""

from datetime import date
from decimal import Decimal
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sangam.brokers.contract import Trading
from sangam.model.books import GttLeg
from sangam.model.enums import Action, Exchange, InstrumentType, PriceType, Product
from sangam.model.errors import Denied
from sangam.model.instrument import Instrument
from sangam.model.order import Change, Order, Ticket, TradingMode, Validity
from sangam.orders.checks import check, check_change, check_gtt, tickets_of

D = Decimal
TODAY = date(2026, 1, 5)
SBIN = Instrument(symbol="SBIN", exchange=Exchange.NSE, brsymbol="SBIN", brexchange="NSE", token="3045")
NIFTY = Instrument(
    symbol="NIFTY27JAN26FUT",
    exchange=Exchange.NFO,
    brsymbol="NIFTY26JANFUT",
    brexchange="NFO",
    token="9",
    instrument_type=InstrumentType.FUT,
    expiry=date(2026, 1, 27),
    lot_size=75,
    tick_size=0.1,
)


def ticket(instrument: Instrument = SBIN, **fields: Any) -> Ticket:
    base: dict[str, Any] = {
        "symbol": instrument.symbol,
        "exchange": instrument.exchange,
        "action": Action.BUY,
        "quantity": instrument.lot_size,
        "price_type": PriceType.LIMIT,
        "price": D("100.00"),
    }
    return Ticket(**{**base, **fields})


def trading(**fields: Any) -> Trading:
    never: Any = None
    names = ("place", "modify", "cancel", "orders", "trades", "positions", "holdings", "funds")
    return Trading(**{**dict.fromkeys(names, never), **fields})


def denied(asked: Ticket, instrument: Instrument = SBIN, **options: Any) -> str:
    with pytest.raises(Denied) as told:
        check(asked, instrument, TODAY, **options)
    return str(told.value)


def test_good_tickets_pass() -> None:
    for asked in (
        ticket(),
        ticket(price_type=PriceType.MARKET, price=D(0)),
        ticket(price_type=PriceType.SL, trigger_price=D("99.95")),
        ticket(price_type=PriceType.SL, action=Action.SELL, trigger_price=D("100")),
        ticket(price_type=PriceType.SL_M, price=D(0), trigger_price=D("99.95")),
        ticket(product=Product.CNC, validity=Validity.IOC, disclosed_quantity=1),
    ):
        assert check(asked, SBIN, TODAY) == asked
    assert check(ticket(NIFTY, product=Product.NRML), NIFTY, TODAY, freeze=75)


def test_prices_that_a_price_type_does_not_have_are_dropped() -> None:
    asked = ticket(price_type=PriceType.MARKET, price=D("100.03"), trigger_price=D("7.777"))
    clean = check(asked, SBIN, TODAY)
    assert (clean.price, clean.trigger_price) == (D(0), D(0))
    clean = check(ticket(price_type=PriceType.SL_M, price=D("1.01"), trigger_price=D(99)), SBIN, TODAY)
    assert (clean.price, clean.trigger_price) == (D(0), D(99))
    assert check(ticket(trigger_price=D("3.333")), SBIN, TODAY).trigger_price == 0


def test_indices_and_contracts_that_are_over() -> None:
    index = msgspec.structs.replace(
        SBIN, symbol="NIFTY", exchange=Exchange.NSE_INDEX, instrument_type=InstrumentType.INDEX
    )
    assert "index" in denied(ticket(index), index)
    assert "index" in denied(ticket(), msgspec.structs.replace(SBIN, instrument_type=InstrumentType.INDEX))
    over = msgspec.structs.replace(NIFTY, expiry=date(2026, 1, 4))
    assert "expired on 2026-01-04" in denied(ticket(over), over)
    last_day = msgspec.structs.replace(NIFTY, expiry=TODAY)
    assert check(ticket(last_day), last_day, TODAY)


@pytest.mark.parametrize(("quantity", "says"), [(0, "positive"), (-75, "positive"), (100, "multiples of lot size 75")])
def test_quantities(quantity: int, says: str) -> None:
    assert says in denied(ticket(NIFTY, quantity=quantity), NIFTY)


def test_freeze_quantity() -> None:
    assert "splitorder" in denied(ticket(NIFTY, quantity=1875), NIFTY, freeze=1800)
    assert check(ticket(NIFTY, quantity=1800), NIFTY, TODAY, freeze=1800)
    assert check(ticket(NIFTY, quantity=75_000), NIFTY, TODAY)


def test_products_of_each_exchange() -> None:
    assert "Use CNC or MIS" in denied(ticket(product=Product.NRML))
    assert "Use MIS or NRML" in denied(ticket(NIFTY, product=Product.CNC), NIFTY)
    own = trading(products={Exchange.NSE: frozenset({Product.CNC, Product.NRML})})
    assert "Use CNC." in denied(ticket(), trading=own)
    assert "takes no orders for NFO" in denied(ticket(NIFTY), NIFTY, trading=own)
    assert check(ticket(product=Product.CNC), SBIN, TODAY, trading=own)


def test_disclosed_quantity_and_ioc() -> None:
    assert "Disclosed" in denied(ticket(quantity=5, disclosed_quantity=6))
    assert "Disclosed" in denied(ticket(disclosed_quantity=-1))
    own = trading(products={Exchange.NSE: frozenset(Product)}, no_ioc=frozenset({Exchange.NSE}))
    assert "IOC" in denied(ticket(validity=Validity.IOC), trading=own)


@pytest.mark.parametrize(
    "fields", [{"tag": "x" * 21}, {"tag": "naïve"}, {"client_order_id": "c" * 37}, {"client_order_id": "a\nb"}]
)
def test_words(fields: dict[str, Any]) -> None:
    assert "printable ASCII" in denied(ticket(**fields))
    assert check(ticket(tag="x" * 20, client_order_id="c" * 36), SBIN, TODAY)


@pytest.mark.parametrize("price", ["0", "-1", "NaN", "Infinity", "1e99", "1e-99"])
@pytest.mark.parametrize("price_type", [PriceType.LIMIT, PriceType.SL, PriceType.SL_M])
def test_impossible_prices(price: str, price_type: PriceType) -> None:
    assert denied(ticket(price_type=price_type, price=D(price), trigger_price=D(price)))


def test_a_price_off_the_tick_names_its_neighbours() -> None:
    text = denied(ticket(price=D("100.03")))
    assert "100.03 is not a multiple of the tick size 0.05 of SBIN. Use 100.00 or 100.05." in text
    assert "Use 0.05 or 0.10." in denied(ticket(price=D("0.03")))


@pytest.mark.parametrize(
    ("action", "trigger", "says"), [(Action.BUY, "100.05", "at or below"), (Action.SELL, "99.95", "at or above")]
)
def test_a_trigger_on_the_wrong_side(action: Action, trigger: str, says: str) -> None:
    assert says in denied(ticket(action=action, price_type=PriceType.SL, trigger_price=D(trigger)))


TICKS = st.sampled_from([0.0025, 0.01, 0.05, 0.1, 1.0, 0.25, 5.0])


@given(steps=st.integers(1, 1_000_000), tick=TICKS, zeros=st.integers(0, 6))
def test_a_price_on_the_grid_passes(steps: int, tick: float, zeros: int) -> None:
    price = steps * D(str(tick)) * D("1." + "0" * zeros)
    instrument = msgspec.structs.replace(SBIN, tick_size=tick)
    assert check(ticket(price=price), instrument, TODAY).price == price


@given(
    steps=st.integers(0, 1_000_000),
    tick=TICKS,
    off=st.decimals("0.0001", "0.9999", places=4),
    name=st.sampled_from(["price", "trigger_price"]),
)
def test_a_price_off_the_grid_never_does(steps: int, tick: float, off: Decimal, name: str) -> None:
    price = (steps + off) * D(str(tick))
    instrument = msgspec.structs.replace(SBIN, tick_size=tick)
    kind = PriceType.LIMIT if name == "price" else PriceType.SL_M
    fields: dict[str, Any] = {"price_type": kind, name: price}
    assert "tick size" in denied(ticket(**fields), instrument)


@pytest.mark.parametrize(("wait_ms", "good"), [(None, True), (0, True), (60_000, True), (-1, False), (60_001, False)])
def test_how_long_an_order_may_wait(wait_ms: int | None, good: bool) -> None:
    if good:
        assert check(ticket(wait_ms=wait_ms), SBIN, TODAY)
    else:
        assert "wait_ms" in denied(ticket(wait_ms=wait_ms))


# --- changes ----------------------------------------------------------------------------------------------------------

ORDER = Order(
    id="L-0000000001",
    account="u-toy",
    user="u",
    broker="toy",
    mode=TradingMode.LIVE,
    symbol="SBIN",
    exchange=Exchange.NSE,
    action=Action.SELL,
    quantity=10,
    price_type=PriceType.LIMIT,
    product=Product.CNC,
    price=D(100),
    filled_quantity=4,
)


def test_a_change_keeps_the_same_rules() -> None:
    good = Change(quantity=5, price_type=PriceType.LIMIT, price=D("101.05"), trigger_price=D("3.33"))
    assert check_change(ORDER, good, SBIN, TODAY).trigger_price == 0
    for bad, says in (
        (Change(quantity=5, price_type=PriceType.LIMIT, price=D("101.03")), "tick size"),
        (Change(quantity=5, price_type=PriceType.SL, price=D(101), trigger_price=D(100)), "at or above"),
        (Change(quantity=4, price_type=PriceType.LIMIT, price=D(101)), "4 of SBIN are filled"),
    ):
        with pytest.raises(Denied, match=says):
            check_change(ORDER, bad, SBIN, TODAY)


# --- GTT --------------------------------------------------------------------------------------------------------------


def leg(**fields: Any) -> GttLeg:
    base: dict[str, Any] = {"trigger": D(90), "action": Action.SELL, "quantity": 1, "price": D("89.95")}
    return GttLeg(**{**base, **fields})


def test_gtts() -> None:
    check_gtt(SBIN, [leg()])
    check_gtt(SBIN, [leg(), leg(trigger=D(110), price=D(110))])
    check_gtt(SBIN, [leg(price_type=PriceType.MARKET, price=D(0))])
    for legs, says in (
        ([], "one leg"),
        ([leg(), leg(), leg()], "one leg"),
        ([leg(product=Product.MIS)], "Use CNC"),
        ([leg(price_type=PriceType.SL)], "LIMIT or MARKET"),
        ([leg(trigger=D("90.01"))], "tick size"),
        ([leg(price=D("90.01"))], "tick size"),
        ([leg(quantity=0)], "positive"),
        ([leg(), leg(trigger=D(90))], "below its target"),
    ):
        with pytest.raises(Denied, match=says):
            check_gtt(SBIN, legs)
    with pytest.raises(Denied, match="expired"):
        check_gtt(NIFTY, [leg(product=Product.NRML, quantity=75)], date(2026, 2, 1))


def test_the_orders_that_a_gtt_may_release() -> None:
    legs = [leg(quantity=3), leg(trigger=D(110), price=D(0), price_type=PriceType.MARKET, product=Product.CNC)]
    found = [(one.symbol, one.quantity, one.price, one.product) for one in tickets_of(SBIN, legs)]
    assert found == [("SBIN", 3, D("89.95"), Product.CNC), ("SBIN", 1, D(110), Product.CNC)]
