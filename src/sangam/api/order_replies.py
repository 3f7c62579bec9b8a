"""Orders, books and funds as clients of the known API read them (specs: REST contract, 3 and 4), with our own keys
behind the known ones. Numbers are numbers; times are IST texts; money of funds is a text with two decimals."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from sangam.model.books import Funds, Gtt, Holding, Margin, Position, Trade
from sangam.model.clock import ist_from_ms
from sangam.model.enums import Action, OrderStatus
from sangam.model.instrument import Instrument
from sangam.model.order import Order


def when(ms: int) -> str:
    return ist_from_ms(ms).strftime("%Y-%m-%d %H:%M:%S") if ms else ""


def order_id(order: Order) -> str:
    """What the order is called outside: its id where it is executed, ours until that is known."""
    return order.order_id or order.id


def order_row(order: Order) -> dict[str, Any]:
    """The known status in `order_status`, the exact one in `state`; `conversion` says what really went out."""
    return {
        "action": order.action,
        "symbol": order.symbol,
        "exchange": order.exchange,
        "orderid": order_id(order),
        "product": order.product,
        "quantity": order.quantity,
        "price": float(order.price),
        "pricetype": order.price_type,
        "order_status": order.state.outward,
        "trigger_price": float(order.trigger_price),
        "timestamp": when(order.created_at or order.updated_at),
        "average_price": order.average_price,
        "filled_quantity": order.filled_quantity,
        "pending_quantity": order.pending_quantity,
        "rejection_reason": order.reason if order.state.outward is OrderStatus.REJECTED else "",
        "strategy": order.strategy,
        "state": order.state,
        "reason": order.reason,
        "error_code": order.code,
        "id": order.id,
        "client_order_id": order.client_order_id,
        "tag": order.tag,
        "validity": order.validity,
        "conversion": order.conversion,
        "price_type": order.price_type,
    }


def statistics(orders: Sequence[Order]) -> dict[str, int]:
    statuses = [order.state.outward for order in orders]
    buys = sum(order.action is Action.BUY for order in orders)
    return {
        "total_buy_orders": buys,
        "total_sell_orders": len(orders) - buys,
        "total_completed_orders": statuses.count(OrderStatus.COMPLETE),
        "total_open_orders": statuses.count(OrderStatus.OPEN),
        "total_rejected_orders": statuses.count(OrderStatus.REJECTED),
        "total_trigger_pending_orders": statuses.count(OrderStatus.TRIGGER_PENDING),
    }


def trade_row(instrument: Instrument, trade: Trade, strategy: str) -> dict[str, Any]:
    return {
        "action": trade.action,
        "symbol": instrument.symbol,
        "exchange": instrument.exchange,
        "orderid": trade.order_id,
        "product": trade.product,
        "quantity": trade.quantity,
        "average_price": trade.price,
        "timestamp": when(trade.timestamp),
        "trade_value": round(trade.quantity * trade.price, 2),
        "tradeid": trade.trade_id,
        "price": trade.price,
        "strategy": strategy,
    }


def position_row(instrument: Instrument, position: Position) -> dict[str, Any]:
    invested = abs(position.quantity) * position.average_price * position.multiplier
    open_pnl = position.pnl - position.realised
    return {
        "symbol": instrument.symbol,
        "exchange": instrument.exchange,
        "product": position.product,
        "quantity": position.quantity,
        "average_price": position.average_price,
        "ltp": position.ltp,
        "pnl": round(position.pnl, 2),
        "pnlpercent": _percent(open_pnl, invested),
        "unrealized_pnl": round(open_pnl, 2),
        "today_realized_pnl": round(position.realised, 2),
        "total_pnl_today": round(position.pnl, 2),
        "lot_size": instrument.lot_size,
    }


def position_totals(positions: Iterable[Position]) -> dict[str, float]:
    rows = list(positions)
    total, realised = sum(row.pnl for row in rows), sum(row.realised for row in rows)
    return {
        "total_pnl": round(total, 2),
        "total_unrealized_pnl": round(total - realised, 2),
        "total_today_realized_pnl": round(realised, 2),
        "total_pnl_today": round(total, 2),
    }


def symbol_rows(positions: Iterable[tuple[Instrument, Position]]) -> list[dict[str, Any]]:
    """The day's result of each symbol, its products summed."""
    sums: dict[tuple[str, str], list[float]] = {}
    for instrument, position in positions:
        figures = sums.setdefault((instrument.symbol, instrument.exchange), [0.0, 0.0, 0.0])
        for number, value in enumerate((position.quantity, position.realised, position.pnl)):
            figures[number] += value
    return [
        {
            "symbol": symbol,
            "exchange": exchange,
            "quantity": int(quantity),
            "realized_pnl": round(realised, 2),
            "unrealized_pnl": round(total - realised, 2),
            "total_pnl": round(total, 2),
        }
        for (symbol, exchange), (quantity, realised, total) in sums.items()
    ]


def holding_row(instrument: Instrument, holding: Holding) -> dict[str, Any]:
    return {
        "symbol": instrument.symbol,
        "exchange": instrument.exchange,
        "product": holding.product,
        "quantity": holding.quantity,
        "pnl": round(holding.pnl, 2),
        "pnlpercent": round(holding.pnl_percent, 2),
        "average_price": holding.average_price,
        "ltp": holding.ltp,
        "current_value": round(holding.quantity * holding.ltp, 2),
    }


def holding_totals(holdings: Iterable[Holding]) -> dict[str, float]:
    rows = list(holdings)
    invested = sum(row.quantity * row.average_price for row in rows)
    pnl = sum(row.pnl for row in rows)
    return {
        "totalholdingvalue": round(sum(row.quantity * row.ltp for row in rows), 2),
        "totalinvvalue": round(invested, 2),
        "totalprofitandloss": round(pnl, 2),
        "totalpnlpercentage": _percent(pnl, invested),
    }


def funds_data(funds: Funds, paper: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """`paper` joins what only a paper account has; its `last_reset` comes in epoch milliseconds."""
    data: dict[str, Any] = {
        "availablecash": f"{funds.available_cash:.2f}",
        "collateral": f"{funds.collateral:.2f}",
        "m2mrealized": f"{funds.m2m_realised:.2f}",
        "m2munrealized": f"{funds.m2m_unrealised:.2f}",
        "utiliseddebits": f"{funds.utilised:.2f}",
    }
    if paper is not None:
        data |= {
            "total_realized_pnl": paper.get("total_realized_pnl", 0.0),
            "today_realized_pnl": round(funds.m2m_realised, 2),
            "grossexposure": round(funds.utilised, 2),
            "totalpnl": round(funds.m2m_realised + funds.m2m_unrealised, 2),
            "last_reset": when(paper.get("last_reset", 0)),
            "reset_count": paper.get("reset_count", 0),
        }
    return data


def margin_data(margin: Margin) -> dict[str, float]:
    data = {"total_margin_required": margin.total, "span_margin": margin.span, "exposure_margin": margin.exposure}
    if margin.benefit is not None:
        data["margin_benefit"] = margin.benefit
    return {name: round(value, 2) for name, value in data.items()}


def gtt_row(instrument: Instrument, gtt: Gtt) -> dict[str, Any]:
    return {
        "trigger_id": gtt.trigger_id,
        "trigger_type": "two-leg" if len(gtt.legs) > 1 else "single",
        "status": gtt.status,
        "symbol": instrument.symbol,
        "exchange": instrument.exchange,
        "trigger_prices": [float(leg.trigger) for leg in gtt.legs],
        "last_price": gtt.last_price,
        "legs": [
            {
                "action": leg.action,
                "quantity": leg.quantity,
                "price": float(leg.price),
                "pricetype": leg.price_type,
                "product": leg.product,
            }
            for leg in gtt.legs
        ],
        "created_at": when(gtt.created_at),
        "updated_at": when(gtt.updated_at),
        "expires_at": when(gtt.expires_at),
    }


def _percent(part: float, whole: float) -> float:
    return round(part / whole * 100, 2) if whole else 0.0
