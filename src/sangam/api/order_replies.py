"""Orders, books and funds as clients of the known API read them (specs: REST contract, 3 and 4), with our own keys
behind the known ones. Numbers are numbers; times are IST texts; money of funds is a text with two decimals."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from sangam.model.books import Funds, Gtt, Holding, Margin, Position, Trade
from sangam.model.clock import ist_from_ms
from sangam.model.instrument import Instrument
from sangam.model.order import Order
from sangam.orders import rows


def when(ms: int) -> str:
    return ist_from_ms(ms).strftime("%Y-%m-%d %H:%M:%S") if ms else ""


def order_row(order: Order) -> dict[str, Any]:
    """The known status in `order_status`, the exact one in `state`; `timestamp` is of the placing."""
    row = rows.terms_row(order)
    row["timestamp"] = when(order.created_at or order.updated_at)
    row["error_code"] = order.code
    row["price_type"] = row["pricetype"]
    return row


def statistics(orders: Sequence[Order]) -> dict[str, int]:
    """The known counts have none of cancelled orders."""
    counted = rows.Statistics()
    for order in orders:
        counted.add(order)
    return {name: count for name, count in counted.row().items() if name != "total_cancelled_orders"}


def trade_row(instrument: Instrument, trade: Trade, strategy: str) -> dict[str, Any]:
    row = rows.trade_row(instrument, trade)
    return row | {"timestamp": when(trade.timestamp), "price": trade.price, "strategy": strategy}


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
        "pnlpercent": rows.percent(open_pnl, invested),
        "unrealized_pnl": round(open_pnl, 2),
        "today_realized_pnl": round(position.realised, 2),
        "total_pnl_today": round(position.pnl, 2),
        "lot_size": instrument.lot_size,
    }


def position_totals(positions: Iterable[Position]) -> dict[str, float]:
    held = list(positions)
    total, realised = sum(row.pnl for row in held), sum(row.realised for row in held)
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
    return rows.holding_row(instrument, holding) | {
        "pnl": round(holding.pnl, 2),
        "pnlpercent": round(holding.pnl_percent, 2),
        "current_value": round(holding.quantity * holding.ltp, 2),
    }


def funds_data(funds: Funds, paper: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """`paper` joins what only a paper account has; its `last_reset` comes in epoch milliseconds."""
    data = rows.funds_row(funds)
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
    times = {"created_at": gtt.created_at, "updated_at": gtt.updated_at, "expires_at": gtt.expires_at}
    return rows.gtt_row(instrument, gtt) | {name: when(ms) for name, ms in times.items()}
