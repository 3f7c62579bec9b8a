"""Upstox' rows of orders, trades, positions, holdings and funds, from the exchange's side.

Written from the documentation (orders, portfolio, user, portfolio stream feed) and its samples, and judged by the
official SDK; they share nothing with the reader in the broker's room."""

from collections.abc import Iterator
from typing import Any

from sangam.model.clock import ist_from_ms
from sangam.model.enums import OrderStatus, Product

from .listing import Contract
from .market import Market
from .orders import Entry, Kind, Order, Trade
from .portfolio import Funds, Holding, Position
from .upstox_wire import exchange_of, instrument_key, isin, moment, order_symbol

Row = dict[str, Any]

_BEFORE = {
    Kind.PLACED: ("put order req received", "validation pending", "open pending"),
    Kind.REJECTED: ("put order req received", "validation pending"),
    Kind.MODIFIED: ("modify validation pending", "modify pending", "modified"),
    Kind.CANCELLED: ("cancel pending",),
}
"""States that an order passes on its way to the one that stays."""


def product_code(product: Product) -> str:
    return "I" if product is Product.MIS else "D"


def status(order: Order) -> str:
    if order.held and not order.status.is_final:
        return "modify after market order req received" if order.modifications else "after market order req received"
    if order.held and order.status is OrderStatus.CANCELLED:
        return "cancelled after market order"
    return order.status.value


def order_row(order: Order, contract: Contract, token: int) -> Row:
    """A row of the order book; `token` is the exchange's number of the contract."""
    unseen = order.held or order.status is OrderStatus.REJECTED
    updated, symbol = moment(order.updated), order_symbol(contract)
    return {
        "exchange": exchange_of(contract),
        "product": product_code(order.product),
        "price": order.price,
        "quantity": order.quantity,
        "status": status(order),
        "guid": None,
        "tag": order.tag or None,
        "instrument_token": instrument_key(contract, token),
        "placed_by": order.owner,
        "tradingsymbol": symbol,
        "trading_symbol": symbol,
        "order_type": order.price_type.value,
        "validity": order.validity.value,
        "trigger_price": order.trigger_price,
        "disclosed_quantity": order.terms.get("disclosed_quantity", 0),
        "transaction_type": order.action.value,
        "average_price": order.average_price,
        "filled_quantity": order.filled_quantity,
        "pending_quantity": order.pending_quantity,
        "status_message": order.reason or None,
        "status_message_raw": order.reason or None,
        "exchange_order_id": None if unseen else f"1{order.order_id}",
        "parent_order_id": None,
        "order_id": order.order_id,
        "variety": "AMO" if order.held else "SIMPLE",
        "order_timestamp": updated,
        "exchange_timestamp": None if unseen else updated,
        "is_amo": order.held,
        "order_request_id": str(order.modifications + 1),
        "order_ref_id": f"udapi-{order.order_id}",
    }


def history(entries: list[Entry], contract: Contract, token: int) -> Iterator[Row]:
    """The states of an order, oldest first, those that last a moment included."""
    for entry in entries:
        row = order_row(entry.order, contract, token)
        for passed in _BEFORE.get(entry.kind, ()):
            yield row | {"status": passed, "status_message": None, "status_message_raw": None}
        yield row


def order_news(row: Row, user_id: str) -> Row:
    """An order as the portfolio stream and the webhook tell it: fields without a value are left out there."""
    told = {name: value for name, value in row.items() if value is not None}
    return {"update_type": "order", "user_id": user_id, "instrument_key": row["instrument_token"], **told}


def trade_row(trade: Trade, order: Order, contract: Contract, token: int) -> Row:
    """Times are written in another way than those of orders."""
    when, symbol = f"{ist_from_ms(trade.time):%d-%b-%Y %H:%M:%S}", order_symbol(contract)
    return {
        "exchange": exchange_of(contract),
        "product": product_code(order.product),
        "tradingsymbol": symbol,
        "trading_symbol": symbol,
        "instrument_token": instrument_key(contract, token),
        "order_type": order.price_type.value,
        "transaction_type": order.action.value,
        "quantity": trade.quantity,
        "exchange_order_id": f"1{order.order_id}",
        "order_id": order.order_id,
        "exchange_timestamp": when,
        "average_price": trade.price,
        "trade_id": trade.trade_id,
        "order_ref_id": f"udapi-{order.order_id}",
        "order_timestamp": when,
    }


def position_row(row: Position, market: Market, token: int) -> Row:
    """`average_price` is null where all was opened today, as the broker sends it."""
    (bought, paid), (sold, got), unit = row.bought, row.sold, row.multiplier
    last, carried = market.rupees(market.ltp), row.overnight_quantity
    profit, symbol = row.profit(last), order_symbol(row.contract)
    return {
        "exchange": exchange_of(row.contract),
        "multiplier": float(unit),
        "value": round(paid - got, 4),
        "pnl": round(profit, 4),
        "product": product_code(row.product),
        "instrument_token": instrument_key(row.contract, token),
        "average_price": round(row.average_price, 4) if carried else None,
        "buy_value": round(paid, 4),
        "overnight_quantity": carried,
        "day_buy_value": round(row.buy_value, 4),
        "day_buy_price": _average(row.buy_value, row.buy_quantity, unit),
        "overnight_buy_amount": max(carried, 0) * row.overnight_price,
        "overnight_buy_quantity": max(carried, 0),
        "day_buy_quantity": row.buy_quantity,
        "day_sell_value": round(row.sell_value, 4),
        "day_sell_price": _average(row.sell_value, row.sell_quantity, unit),
        "overnight_sell_amount": max(-carried, 0) * row.overnight_price,
        "overnight_sell_quantity": max(-carried, 0),
        "day_sell_quantity": row.sell_quantity,
        "quantity": row.quantity,
        "last_price": last,
        "unrealised": round(profit - row.realised, 4),
        "realised": round(row.realised, 4),
        "sell_value": round(got, 4),
        "tradingsymbol": symbol,
        "trading_symbol": symbol,
        "close_price": market.rupees(market.close),
        "buy_price": _average(paid, bought, unit),
        "sell_price": _average(got, sold, unit),
    }


def _average(value: float, quantity: int, unit: int) -> float:
    return round(value / quantity / unit, 4) if quantity else 0.0


def holding_row(held: Holding, market: Market, token: int, used: int) -> Row:
    """`used` of the shares are sold today; `quantity` is the total."""
    last, close = market.rupees(market.ltp), market.rupees(market.close)
    return {
        "isin": isin(held.contract),
        "cnc_used_quantity": used,
        "collateral_type": "WC",
        "company_name": held.contract.name,
        "haircut": 0.2,
        "product": "D",
        "quantity": held.quantity,
        "tradingsymbol": held.contract.symbol,
        "trading_symbol": held.contract.symbol,
        "last_price": last,
        "close_price": close,
        "pnl": round((last - held.average_price) * held.quantity, 4),
        "day_change": round(last - close, 4),
        "day_change_percentage": round((last - close) * 100 / close, 4),
        "instrument_token": instrument_key(held.contract, token),
        "average_price": round(held.average_price, 4),
        "collateral_quantity": 0,
        "collateral_update_quantity": 0,
        "t1_quantity": held.fresh,
        "exchange": exchange_of(held.contract),
    }


def funds_row(funds: Funds) -> Row:
    """One segment of the funds."""
    return {
        "used_margin": round(funds.used, 4),
        "payin_amount": 0.0,
        "span_margin": round(funds.blocked, 4),
        "adhoc_margin": 0.0,
        "notional_cash": 0.0,
        "available_margin": round(funds.available, 4),
        "exposure_margin": 0.0,
    }
