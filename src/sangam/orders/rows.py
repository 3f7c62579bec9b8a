"""Orders and books as rows of JSON, in the words of the known API; prices are numbers, times epoch milliseconds."""

from collections.abc import Sequence
from typing import Any

from sangam.model.books import Funds, Gtt, Holding, Position, Trade
from sangam.model.enums import Action, OrderStatus
from sangam.model.instrument import Instrument
from sangam.model.order import Order

Row = dict[str, Any]


def reply_row(order: Order) -> Row:
    """What whoever asked for something hears of the order."""
    return {
        "order_id": order.order_id,
        "client_order_id": order.client_order_id,
        "id": order.id,
        "state": order.state.value,
        "order_status": order.state.outward.value,
        "mode": order.mode.word,
        "account": order.account,
        "broker": order.broker,
        "filled_quantity": order.filled_quantity,
        "average_price": order.average_price,
    }


def order_id(order: Order) -> str:
    """What the order is called outside: its id where it is executed, ours until that is known."""
    return order.order_id or order.id


def terms_row(order: Order) -> Row:
    """What every door tells of an order, the known columns first; `conversion` says what really went out, `timestamp`
    is of the last change."""
    status = order.state.outward
    return {
        "action": order.action.value,
        "symbol": order.symbol,
        "exchange": order.exchange.value,
        "orderid": order_id(order),
        "product": order.product.value,
        "quantity": order.quantity,
        "price": float(order.price),
        "pricetype": order.price_type.value,
        "order_status": status.value,
        "trigger_price": float(order.trigger_price),
        "timestamp": order.updated_at or order.created_at,
        "average_price": order.average_price,
        "filled_quantity": order.filled_quantity,
        "pending_quantity": order.pending_quantity,
        "rejection_reason": order.reason if status is OrderStatus.REJECTED else "",
        "strategy": order.strategy,
        "state": order.state.value,
        "reason": order.reason,
        "id": order.id,
        "client_order_id": order.client_order_id,
        "tag": order.tag,
        "validity": order.validity.value,
        "conversion": order.conversion,
    }


def order_row(order: Order) -> Row:
    row = terms_row(order)
    row["order_id"] = order.order_id
    row["disclosed_quantity"] = order.disclosed_quantity
    row["code"] = order.code
    row["mode"] = order.mode.word
    row["account"] = order.account
    row["broker"] = order.broker
    row["created_at"] = order.created_at
    return row


class Statistics:
    """Counts an order book while it is told."""

    def __init__(self) -> None:
        self._buy = self._sell = 0
        self._statuses = dict.fromkeys(OrderStatus, 0)

    def add(self, order: Order) -> None:
        if order.action is Action.BUY:
            self._buy += 1
        else:
            self._sell += 1
        self._statuses[order.state.outward] += 1

    def row(self) -> Row:
        of = self._statuses
        return {
            "total_buy_orders": self._buy,
            "total_sell_orders": self._sell,
            "total_completed_orders": of[OrderStatus.COMPLETE],
            "total_open_orders": of[OrderStatus.OPEN],
            "total_trigger_pending_orders": of[OrderStatus.TRIGGER_PENDING],
            "total_rejected_orders": of[OrderStatus.REJECTED],
            "total_cancelled_orders": of[OrderStatus.CANCELLED],
        }


def trade_row(instrument: Instrument, trade: Trade) -> Row:
    return {
        "action": trade.action.value,
        **_named(instrument),
        "orderid": trade.order_id,
        "product": trade.product.value,
        "quantity": trade.quantity,
        "average_price": trade.price,
        "timestamp": trade.timestamp,
        "trade_value": round(trade.price * trade.quantity, 2),
        "tradeid": trade.trade_id,
    }


def position_row(instrument: Instrument, position: Position) -> Row:
    return {
        **_named(instrument),
        "product": position.product.value,
        "quantity": position.quantity,
        "average_price": position.average_price,
        "ltp": position.ltp,
        "pnl": position.pnl,
    }


def holding_row(instrument: Instrument, holding: Holding) -> Row:
    return {
        **_named(instrument),
        "product": holding.product.value,
        "quantity": holding.quantity,
        "pnl": holding.pnl,
        "pnlpercent": holding.pnl_percent,
        "average_price": holding.average_price,
        "ltp": holding.ltp,
    }


def holding_totals(holdings: Sequence[Holding]) -> Row:
    invested = sum(one.quantity * one.average_price for one in holdings)
    profit = sum(one.pnl for one in holdings)
    return {
        "totalholdingvalue": round(sum(one.quantity * one.ltp for one in holdings), 2),
        "totalinvvalue": round(invested, 2),
        "totalprofitandloss": round(profit, 2),
        "totalpnlpercentage": percent(profit, invested),
    }


def percent(part: float, whole: float) -> float:
    return round(part / whole * 100, 2) if whole else 0.0


def funds_row(funds: Funds) -> Row:
    """Texts with two decimals, as the known API has them."""
    return {
        "availablecash": f"{funds.available_cash:.2f}",
        "collateral": f"{funds.collateral:.2f}",
        "m2mrealized": f"{funds.m2m_realised:.2f}",
        "m2munrealized": f"{funds.m2m_unrealised:.2f}",
        "utiliseddebits": f"{funds.utilised:.2f}",
    }


def gtt_row(instrument: Instrument, gtt: Gtt) -> Row:
    return {
        "trigger_id": gtt.trigger_id,
        "trigger_type": "two-leg" if len(gtt.legs) > 1 else "single",
        "status": gtt.status,
        **_named(instrument),
        "trigger_prices": [float(leg.trigger) for leg in gtt.legs],
        "last_price": gtt.last_price,
        "legs": [
            {
                "action": leg.action.value,
                "quantity": leg.quantity,
                "price": float(leg.price),
                "pricetype": leg.price_type.value,
                "product": leg.product.value,
            }
            for leg in gtt.legs
        ],
        "created_at": gtt.created_at,
        "updated_at": gtt.updated_at,
        "expires_at": gtt.expires_at,
    }


def _named(instrument: Instrument) -> Row:
    return {"symbol": instrument.symbol, "exchange": instrument.exchange.value}
