"""Books, funds and margin over REST, key by key."""

from decimal import Decimal
from typing import Any

import pytest
from tests.served import Served

from sangam.model.books import Funds, Holding, MarginLeg, Position, Trade
from sangam.model.enums import Action, PriceType, Product
from sangam.model.errors import Refused, SessionExpired, Unknown, Unsupported
from sangam.model.order import OrderState, TradingMode

AT = 1_785_731_400_000
ORDER = {"symbol": "SBIN", "exchange": "NSE", "action": "BUY", "quantity": 5}
SBIN: dict[str, Any] = {"brsymbol": "SBIN-EQ", "brexchange": "NSE"}


async def test_the_order_book(served: Served) -> None:
    empty = (await served.order("orderbook")).json()
    assert empty["data"]["orders"] == []
    for number, state in enumerate(
        (OrderState.COMPLETE, OrderState.OPEN, OrderState.UNKNOWN, OrderState.TRIGGER_PENDING, OrderState.DENIED)
    ):
        served.desk.fills = state
        await served.order("placeorder", **{**ORDER, "action": "SELL" if number else "BUY"})
    told = (await served.order("orderbook")).json()
    assert list(told) == ["status", "data", "mode"]
    orders = told["data"]["orders"]
    assert [(row["order_status"], row["state"]) for row in orders] == [
        ("rejected", "denied"),
        ("trigger pending", "trigger pending"),
        ("open", "unknown"),
        ("open", "open"),
        ("complete", "complete"),
    ]
    assert list(orders[0])[:11] == [
        "action", "symbol", "exchange", "orderid", "product", "quantity", "price", "pricetype", "order_status",
        "trigger_price", "timestamp",
    ]  # fmt: skip
    assert told["data"]["statistics"] == {
        "total_buy_orders": 1,
        "total_sell_orders": 4,
        "total_completed_orders": 1,
        "total_open_orders": 2,
        "total_rejected_orders": 1,
        "total_trigger_pending_orders": 1,
    }


async def test_many_orders_are_told_whole(served: Served) -> None:
    await served.order("placeorder", **ORDER)
    served.desk.book *= 1234
    reply = await served.order("orderbook")
    assert len(reply.json()["data"]["orders"]) == 1234
    assert b": " not in reply.content.replace(b"00:00 ", b"")


async def test_the_trade_book(served: Served) -> None:
    await served.order("placeorder", **ORDER, strategy="S")
    instrument = served.master.lookup("SBIN", "NSE")
    trade = Trade(
        trade_id="T1", order_id="260803000001", action=Action.BUY, product=Product.MIS, quantity=5, price=1033.55,
        timestamp=AT, **SBIN,
    )  # fmt: skip
    served.desk.trades_done = [(instrument, trade), (instrument, Trade(**{**_fields(trade), "order_id": "9"}))]
    told = (await served.order("tradebook")).json()
    assert told["data"][0] == {
        "action": "BUY",
        "symbol": "SBIN",
        "exchange": "NSE",
        "orderid": "260803000001",
        "product": "MIS",
        "quantity": 5,
        "average_price": 1033.55,
        "timestamp": "2026-08-03 10:00:00",
        "trade_value": 5167.75,
        "tradeid": "T1",
        "price": 1033.55,
        "strategy": "S",
    }
    assert told["data"][1]["strategy"] == ""


def _fields(row: Any) -> dict[str, Any]:
    return {name: getattr(row, name) for name in row.__struct_fields__}


async def test_positions(served: Served) -> None:
    instrument = served.master.lookup("SBIN", "NSE")
    row = Position(product=Product.MIS, quantity=-5, average_price=100.0, ltp=98.0, pnl=13.0, realised=3.0, **SBIN)
    flat = Position(product=Product.CNC, quantity=0, pnl=-1.01, realised=-1.01, **SBIN)
    served.desk.positions_held = [(instrument, row), (instrument, flat)]
    told = (await served.order("positionbook")).json()
    assert list(told) == ["status", "data", "mode"]
    assert told["data"][0] == {
        "symbol": "SBIN",
        "exchange": "NSE",
        "product": "MIS",
        "quantity": -5,
        "average_price": 100.0,
        "ltp": 98.0,
        "pnl": 13.0,
        "pnlpercent": 2.0,
        "unrealized_pnl": 10.0,
        "today_realized_pnl": 3.0,
        "total_pnl_today": 13.0,
        "lot_size": 1,
    }
    assert (told["data"][1]["quantity"], told["data"][1]["pnlpercent"]) == (0, 0.0)
    assert (await served.order("openposition", symbol="SBIN", exchange="NSE", product="MIS")).json() == {
        "status": "success",
        "quantity": -5,
        "mode": "live",
    }
    told = (await served.order("openposition", symbol="SBIN", exchange="NSE", product="NRML")).json()
    assert told["quantity"] == 0
    reply = await served.order("openposition", symbol="NOPE", exchange="NSE", product="MIS")
    assert reply.status_code == 400
    served.desk.mode = TradingMode.PAPER
    told = (await served.order("positionbook")).json()
    assert {name: told[name] for name in told if name.startswith("total")} == {
        "total_pnl": 11.99,
        "total_unrealized_pnl": 10.0,
        "total_today_realized_pnl": 1.99,
        "total_pnl_today": 11.99,
    }
    assert told["mode"] == "analyze"


async def test_holdings(served: Served) -> None:
    instrument = served.master.lookup("SBIN", "NSE")
    row = Holding(quantity=10, average_price=100.0, ltp=110.0, pnl=100.0, pnl_percent=10.0, **SBIN)
    served.desk.holdings_held = [(instrument, row)]
    told = (await served.order("holdings")).json()["data"]
    assert told == {
        "holdings": [
            {
                "symbol": "SBIN",
                "exchange": "NSE",
                "product": "CNC",
                "quantity": 10,
                "pnl": 100.0,
                "pnlpercent": 10.0,
                "average_price": 100.0,
                "ltp": 110.0,
                "current_value": 1100.0,
            }
        ],
        "statistics": {
            "totalholdingvalue": 1100.0,
            "totalinvvalue": 1000.0,
            "totalprofitandloss": 100.0,
            "totalpnlpercentage": 10.0,
        },
    }
    served.desk.holdings_held = []
    assert (await served.order("holdings")).json()["data"]["statistics"]["totalpnlpercentage"] == 0.0


async def test_funds(served: Served) -> None:
    assert (await served.order("funds")).json() == {
        "status": "success",
        "data": {
            "availablecash": "100000.00",
            "collateral": "0.50",
            "m2mrealized": "-12.35",
            "m2munrealized": "0.00",
            "utiliseddebits": "7.00",
        },
        "mode": "live",
    }
    served.desk.mode = TradingMode.PAPER
    served.desk.told_funds = Funds(available_cash=1.0, m2m_realised=2.0, m2m_unrealised=3.0, utilised=4.0)
    told = (await served.order("funds")).json()
    assert told["mode"] == "analyze"
    assert told["data"] == {
        "availablecash": "1.00",
        "collateral": "0.00",
        "m2mrealized": "2.00",
        "m2munrealized": "3.00",
        "utiliseddebits": "4.00",
        "total_realized_pnl": 5.5,
        "today_realized_pnl": 2.0,
        "grossexposure": 4.0,
        "totalpnl": 5.0,
        "last_reset": "2026-08-01 00:00:00",
        "reset_count": 1,
    }


async def test_margin(served: Served) -> None:
    position = {
        "symbol": "SBIN", "exchange": "NSE", "action": "sell", "quantity": "5", "product": "MIS", "pricetype": "LIMIT",
        "price": "1033.5", "trigger_price": "0",
    }  # fmt: skip
    told = (await served.order("margin", positions=[position])).json()
    assert told == {
        "status": "success",
        "data": {"total_margin_required": 150.0, "span_margin": 100.0, "exposure_margin": 50.0},
        "mode": "live",
    }
    assert served.desk.asked[-1] == (
        "margin",
        (
            served.master.lookup("SBIN", "NSE"),
            MarginLeg(
                action=Action.SELL,
                quantity=5,
                product=Product.MIS,
                price_type=PriceType.LIMIT,
                price=Decimal("1033.5"),
            ),
        ),
    )
    reply = await served.order("margin", positions=[])
    assert (reply.status_code, reply.json()["message"]) == (400, "{'positions': ['Shorter than minimum length 1.']}")
    assert (await served.order("margin", positions=[position] * 51)).status_code == 400
    reply = await served.order("margin", positions=[{**position, "symbol": "NOPE"}])
    assert (reply.status_code, reply.json()["message"][:13]) == (400, "Symbol 'NOPE'")
    served.desk.faults["margin"] = Unsupported("no margin here")
    reply = await served.order("margin", positions=[position])
    assert (reply.status_code, reply.json()["error_code"]) == (501, "UNSUPPORTED")


async def test_results_by_symbol_on_paper(served: Served) -> None:
    reply = await served.order("pnl/symbols")
    assert reply.status_code == 400
    assert reply.json()["message"] == "This endpoint is only available in sandbox/analyzer mode"
    served.desk.mode = TradingMode.PAPER
    instrument = served.master.lookup("SBIN", "NSE")
    for product in (Product.MIS, Product.CNC):
        row = Position(product=product, quantity=5, pnl=10.0, realised=4.0, **SBIN)
        served.desk.positions_held.append((instrument, row))
    assert (await served.order("pnl/symbols")).json()["data"] == [
        {
            "symbol": "SBIN",
            "exchange": "NSE",
            "quantity": 10,
            "realized_pnl": 8.0,
            "unrealized_pnl": 12.0,
            "total_pnl": 20.0,
        }
    ]


@pytest.mark.parametrize(
    ("fault", "status", "code"),
    [
        (SessionExpired("log in again"), 403, "INVALID_TOKEN"),
        (Unknown("no answer"), 504, "NETWORK_ERROR"),
        (Refused("odd"), 502, "UNKNOWN_ERROR"),
    ],
)
@pytest.mark.parametrize("path", ["orderbook", "tradebook", "positionbook", "holdings", "funds"])
async def test_a_book_that_cannot_be_read_is_an_error(
    served: Served, path: str, fault: Exception, status: int, code: str
) -> None:
    name = {"orderbook": "orders", "tradebook": "trades", "positionbook": "positions"}.get(path, path)
    served.desk.faults[name] = fault
    reply = await served.order(path)
    body = reply.json()
    assert (reply.status_code, body["error_code"], body["broker"], body["mode"]) == (status, code, "example", "live")


async def test_books_tell_faults_by_field(served: Served) -> None:
    reply = await served.client.post("/api/v1/orderbook", json={})
    assert reply.json()["message"] == {"apikey": ["Missing data for required field."]}
    reply = await served.client.post("/api/v1/openposition", json={})
    assert isinstance(reply.json()["message"], str)
