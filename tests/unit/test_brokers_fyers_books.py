"""The books on the documentation's samples (fyers.md, 4), empty ones, and damaged ones."""

from decimal import Decimal
from typing import Any

import pytest
from tests.canned import conduct, result

from sangam.brokers.contract import Ctx, Session
from sangam.brokers.fyers import SPEC
from sangam.model.books import Funds, Holding, Margin, MarginLeg, Position, Trade
from sangam.model.enums import Action, Exchange, PriceType, Product
from sangam.model.errors import Refused, Unknown
from sangam.model.instrument import Instrument
from sangam.model.order import OrderUpdate

CTX = Ctx(0, bytes)
SESSION = Session(account="a1", broker="fyers", generation=1, secrets={"api_key": "X-100", "access_token": "tok"})
assert SPEC.trading is not None
TRADING = SPEC.trading

ORDER = {
    "clientId": "X******", "id": "23030900015105", "exchOrdId": "1100000001089341", "qty": 1, "remainingQuantity": 0,
    "filledQty": 1, "discloseQty": 0, "limitPrice": 6.95, "stopPrice": 0, "tradedPrice": 6.95, "type": 1,
    "fyToken": "101000000014366", "exchange": 10, "segment": 10, "symbol": "NSE:IDEA-EQ", "instrument": 0,
    "message": "", "offlineOrder": False, "orderDateTime": "09-Mar-2023 09:34:38", "orderValidity": "DAY", "pan": "",
    "productType": "CNC", "side": -1, "status": 2, "source": "W", "ex_sym": "IDEA", "slNo": 1, "dqQtyRem": 0,
    "disclosedQty": 0, "orderTag": "1:Ordertag", "takeProfit": 0, "stopLoss": 0,
}  # fmt: skip
TRADE = {
    "clientId": "FXXXXX", "orderDateTime": "07-Aug-2020 13:51:12", "orderNumber": "120080789075",
    "exchangeOrderNo": "1200000009204725", "exchange": 10, "side": 1, "segment": 10, "orderType": 2,
    "fyToken": "101000000010666", "productType": "CNC", "tradedQty": 10, "tradePrice": 32.7, "tradeValue": 327.0,
    "tradeNumber": "52605023", "row": 52605023, "symbol": "NSE:PNB-EQ", "orderTag": "1:Ordertag",
}  # fmt: skip
POSITION = {
    "netQty": 1, "qty": 1, "avgPrice": 72256.0, "netAvg": 71856.0, "side": 1, "productType": "MARGIN",
    "realized_profit": 400.0, "unrealized_profit": 461.0, "pl": 861.0, "ltp": 72717.0, "buyQty": 2, "buyAvg": 72256.0,
    "buyVal": 144512.0, "sellQty": 1, "sellAvg": 72656.0, "sellVal": 72656.0, "slNo": 0,
    "fyToken": "1120200831217406",
    "crossCurrency": "N", "rbiRefRate": 1.0, "qtyMulti_com": 1.0, "segment": 20, "symbol": "MCX:SILVERMIC20AUGFUT",
    "id": "MCX:SILVERMIC20AUGFUT-MARGIN", "cfBuyQty": 0, "cfSellQty": 0, "dayBuyQty": 0, "daySellQty": 1,
    "exchange": 10,
}  # fmt: skip
HOLDING = {
    "holdingType": "HLD", "quantity": 1, "costPrice": 192.6, "marketVal": 149.70, "remainingQuantity": 1, "pl": -42.9,
    "ltp": 149.7, "id": 2, "fyToken": 10100000003812, "exchange": 10, "symbol": "NSE:ZEEL-EQ", "segment": 10,
    "isin": "INE669E01016", "qty_t1": 1, "remainingPledgeQuantity": -1, "collateralQuantity": 0,
}  # fmt: skip
FUNDS = [
    {"id": 1, "title": "Total Balance", "equityAmount": 58.15, "commodityAmount": 0},
    {"id": 2, "title": "Utilized Amount", "equityAmount": 0.3, "commodityAmount": 1.5},
    {"id": 3, "title": "Clear Balance", "equityAmount": 58.15, "commodityAmount": 0},
    {"id": 4, "title": "Realized Profit and Loss", "equityAmount": -0.3, "commodityAmount": 0},
    {"id": 5, "title": "Collaterals", "equityAmount": 7, "commodityAmount": 0},
    {"id": 6, "title": "Fund Transfer"},
    {"id": 10, "title": "Available Balance", "equityAmount": 58.15, "commodityAmount": 10},
]


def ok(**payload: Any) -> tuple[int, dict[str, Any]]:
    return 200, {"s": "ok", "code": 200, "message": "", **payload}


def test_orders() -> None:
    (request,), found = conduct(SPEC, TRADING.orders(SESSION, CTX), ok(orderBook=[ORDER]))
    assert (request.path, request.query) == ("/api/v3/orders", None)
    assert found == [
        OrderUpdate(
            order_id="23030900015105", brsymbol="NSE:IDEA-EQ", brexchange="nse_cm", action="SELL", quantity=1,
            status="complete", product="CNC", price_type="LIMIT", price=6.95, filled_quantity=1, average_price=6.95,
            tag="Ordertag", timestamp=1_678_334_678_000,
        )
    ]  # fmt: skip


def test_one_order() -> None:
    assert TRADING.order is not None
    (request,), found = conduct(SPEC, TRADING.order("23030900015105", SESSION, CTX), ok(orderBook=[ORDER]))
    assert (request.query, found.order_id) == ({"id": "23030900015105"}, "23030900015105")
    assert result(SPEC, TRADING.order("404", SESSION, CTX), ok(orderBook=[])) is None
    assert result(SPEC, TRADING.order("404", SESSION, CTX), ok(orderBook=[ORDER])) is None
    strange = (400, {"s": "error", "code": -51, "message": "no such order"})
    assert result(SPEC, TRADING.order("404", SESSION, CTX), strange) is None
    with pytest.raises(Refused):
        result(SPEC, TRADING.order("404", SESSION, CTX), (400, {"s": "error", "code": -50, "message": "Invalid input"}))


def test_orders_by_tag() -> None:
    assert TRADING.find is not None
    (request,), found = conduct(SPEC, TRADING.find("ABCDEFGHJKmine", SESSION, CTX), ok(orderBook=[ORDER]))
    assert (request.query, len(found)) == ({"order_tag": "1:ABCDEFGHJKmine"}, 1)


def test_trades() -> None:
    assert result(SPEC, TRADING.trades(SESSION, CTX), ok(tradeBook=[TRADE])) == [
        Trade(
            trade_id="52605023", order_id="120080789075", brsymbol="NSE:PNB-EQ", brexchange="nse_cm", action=Action.BUY,
            product=Product.CNC, quantity=10, price=32.7, timestamp=1_596_788_472_000,
        )
    ]  # fmt: skip
    for strange in ({"productType": "NEW"}, {"side": 0}):
        with pytest.raises(Unknown, match="52605023"):
            result(SPEC, TRADING.trades(SESSION, CTX), ok(tradeBook=[TRADE | strange]))


def test_positions() -> None:
    assert result(SPEC, TRADING.positions(SESSION, CTX), ok(netPositions=[POSITION], overall={})) == [
        Position(
            brsymbol="MCX:SILVERMIC20AUGFUT", brexchange="mcx_fo", product=Product.NRML, quantity=1,
            average_price=72256.0, ltp=72717.0, pnl=861.0, realised=400.0, multiplier=1.0,
        )
    ]  # fmt: skip
    short, closed = POSITION | {"netQty": -1}, POSITION | {"netQty": 0}
    rows = result(
        SPEC, TRADING.positions(SESSION, CTX), ok(netPositions=[short, closed, POSITION | {"productType": "BO"}])
    )
    assert [(row.quantity, row.average_price) for row in rows] == [(-1, 72656.0), (0, 0.0)]


def test_a_position_of_a_product_that_is_not_known_is_money_that_nobody_watches() -> None:
    with pytest.raises(Unknown, match="NEW"):
        result(SPEC, TRADING.positions(SESSION, CTX), ok(netPositions=[POSITION, POSITION | {"productType": "NEW"}]))


def test_holdings() -> None:
    (row,) = result(SPEC, TRADING.holdings(SESSION, CTX), ok(holdings=[HOLDING]))
    assert row == Holding(
        brsymbol="NSE:ZEEL-EQ", brexchange="nse_cm", quantity=1, average_price=192.6, ltp=149.7, pnl=-42.9,
        pnl_percent=-42.9 / 192.6 * 100,
    )  # fmt: skip


def test_shares_bought_yesterday_join_their_holding() -> None:
    fresh = HOLDING | {"holdingType": "T1", "quantity": 3, "costPrice": 150.0, "pl": -0.9}
    (row,) = result(SPEC, TRADING.holdings(SESSION, CTX), ok(holdings=[HOLDING, fresh]))
    assert (row.quantity, row.average_price, row.pnl) == (4, pytest.approx(160.65), pytest.approx(-43.8))
    (gone,) = result(SPEC, TRADING.holdings(SESSION, CTX), ok(holdings=[HOLDING | {"quantity": 0, "pl": 0}]))
    assert (gone.quantity, gone.pnl_percent) == (0, 0.0)


def test_funds() -> None:
    assert result(SPEC, TRADING.funds(SESSION, CTX), ok(fund_limit=FUNDS)) == Funds(
        available_cash=68.15, collateral=7.0, m2m_realised=-0.3, utilised=1.8
    )
    for untold in ([], [{"id": 10, "title": "Available Balance"}]):
        with pytest.raises(Unknown, match="amount 10"):
            result(SPEC, TRADING.funds(SESSION, CTX), ok(fund_limit=FUNDS[:-1] + untold))


def test_margins() -> None:
    assert TRADING.margin is not None
    share = Instrument(symbol="SBIN", exchange=Exchange.NSE, brsymbol="NSE:SBIN-EQ", brexchange="nse_cm", token="1")
    leg = MarginLeg(action=Action.SELL, quantity=2, product=Product.MIS, price_type=PriceType.LIMIT, price=Decimal(800))
    told = {"margin_avail": 1999.9, "margin_total": 147738.06, "margin_new_order": 150000.0}
    (request,), margin = conduct(SPEC, TRADING.margin([(share, leg)], SESSION, CTX), ok(data=told))
    assert (request.method, request.path, request.effect) == ("POST", "/api/v3/multiorder/margin", "read")
    assert request.json == {
        "data": [
            {
                "symbol": "NSE:SBIN-EQ", "qty": 2, "side": -1, "type": 1, "productType": "INTRADAY",
                "limitPrice": 800.0, "stopPrice": 0.0, "stopLoss": 0.0, "takeProfit": 0.0,
            }
        ]
    }  # fmt: skip
    assert margin == Margin(total=147738.06)


@pytest.mark.parametrize("name", ["orders", "trades", "positions", "holdings", "funds"])
def test_a_book_that_is_not_whole_is_none(name: str) -> None:
    """Missing is not empty, and one damaged row spoils it all."""
    keys = {"orders": "orderBook", "trades": "tradeBook", "positions": "netPositions", "holdings": "holdings"}
    rows: dict[str, Any] = {"orders": ORDER, "trades": TRADE, "positions": POSITION, "holdings": HOLDING}
    read = getattr(TRADING, name)
    key = keys.get(name, "fund_limit")
    wrong: list[dict[str, Any]] = [{}, {key: None}, {key: {}}, {key: [rows.get(name, FUNDS[0]), {}]}, {key: [7]}]
    for damaged in wrong:
        with pytest.raises(Unknown):
            result(SPEC, read(SESSION, CTX), ok(**damaged))
    if name != "funds":
        assert result(SPEC, read(SESSION, CTX), ok(**{key: []})) == []
