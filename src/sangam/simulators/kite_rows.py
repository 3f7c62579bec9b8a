"""Kite's rows of orders, trades, positions, holdings, funds and margins, from the exchange's side.

Written from the documentation (Kite Connect 3: orders, portfolio, user, margins, postbacks) and its published samples,
and judged by the official SDK; they share nothing with the reader in the broker's room."""

import hashlib
from collections.abc import Iterator
from typing import Any

from sangam.model.enums import OrderStatus

from .kite_wire import instrument_token, kite_exchange, moment, tradingsymbol
from .listing import Contract
from .market import Market
from .orders import Entry, Kind, Order, Trade
from .portfolio import Funds, Holding, Position

Row = dict[str, Any]

APP_ID = 1234

_BEFORE = {
    Kind.PLACED: ("PUT ORDER REQ RECEIVED", "VALIDATION PENDING", "OPEN PENDING"),
    Kind.REJECTED: ("PUT ORDER REQ RECEIVED", "VALIDATION PENDING"),
    Kind.MODIFIED: ("MODIFY VALIDATION PENDING", "MODIFY PENDING", "MODIFIED"),
    Kind.CANCELLED: ("CANCEL PENDING",),
    Kind.RELEASED: ("OPEN PENDING",),
}
"""States that an order passes on its way to the one that stays."""


def status(order: Order) -> str:
    if order.held and not order.status.is_final:
        return "MODIFY AMO REQ RECEIVED" if order.modifications else "AMO REQ RECEIVED"
    if order.variety == "amo" and order.status is OrderStatus.CANCELLED and order.held:
        return "CANCELLED AMO"
    return order.status.value.upper()


def order_row(order: Order, contract: Contract, token: int) -> Row:
    """A row of `GET /orders`; `token` is the exchange's number of the contract."""
    updated = moment(order.updated)
    unseen = order.held or order.status is OrderStatus.REJECTED
    cancelled = order.quantity - order.filled_quantity if order.status is OrderStatus.CANCELLED else 0
    row: Row = {
        "account_id": order.owner,
        "placed_by": order.owner,
        "order_id": order.order_id,
        "exchange_order_id": None if unseen else f"1{order.order_id}",
        "parent_order_id": None,
        "status": status(order),
        "status_message": order.reason or None,
        "status_message_raw": order.reason or None,
        "order_timestamp": moment(order.placed),
        "exchange_update_timestamp": None if unseen else updated,
        "exchange_timestamp": None if unseen else updated,
        "variety": order.variety or "regular",
        "modified": order.modifications > 0,
        "exchange": kite_exchange(contract),
        "tradingsymbol": tradingsymbol(contract),
        "instrument_token": instrument_token(contract, token),
        "order_type": order.price_type.value,
        "transaction_type": order.action.value,
        "validity": order.validity.value,
        "validity_ttl": 0,
        "product": order.product.value,
        "quantity": order.quantity,
        "disclosed_quantity": order.terms.get("disclosed_quantity", 0),
        "price": order.price,
        "trigger_price": order.trigger_price,
        "average_price": order.average_price,
        "filled_quantity": order.filled_quantity,
        "pending_quantity": order.pending_quantity,
        "cancelled_quantity": cancelled,
        "market_protection": order.terms.get("market_protection", 0),
        "meta": _meta(order),
        "tag": order.tag or None,
        "guid": None,
    }
    marks = [order.tag] if order.tag else []
    for name, mark in (("slice_of", "autoslice"), ("protection", "mktp")):
        if name in order.terms:
            marks += [mark, f"{mark}:{order.terms[name]}"]
    return row | {"tags": marks} if marks else row


def _meta(order: Order) -> Row:
    legs = order.terms.get("iceberg_legs")
    if not isinstance(legs, int):
        return {}
    told = {"leg": 1, "legs": legs, "leg_quantity": order.terms["iceberg_quantity"]}
    left = order.quantity - order.filled_quantity
    return {"iceberg": told | {"total_quantity": order.quantity, "remaining_quantity": left}}


def history(entries: list[Entry], contract: Contract, token: int) -> Iterator[Row]:
    """The states of `GET /orders/{order_id}`, oldest first, those that last a moment included."""
    for entry in entries:
        row = order_row(entry.order, contract, token)
        if not entry.order.held:
            for passed in _BEFORE.get(entry.kind, ()):
                yield row | {"status": passed, "status_message": None, "status_message_raw": None}
        yield row


def postback(order: Order, contract: Contract, token: int, api_secret: str) -> Row:
    """An order as the ticker's text frames and the webhook tell it."""
    row = order_row(order, contract, token)
    if order.status is OrderStatus.OPEN and (order.filled_quantity or order.modifications) and not order.held:
        row["status"] = "UPDATE"
    del row["account_id"], row["modified"]
    signed = f"{order.order_id}{row['order_timestamp']}{api_secret}"
    return row | {
        "user_id": order.owner,
        "unfilled_quantity": order.quantity - order.filled_quantity,
        "app_id": APP_ID,
        "checksum": hashlib.sha256(signed.encode()).hexdigest(),
    }


def trade_row(trade: Trade, order: Order, contract: Contract, token: int) -> Row:
    when = moment(trade.time)
    return {
        "trade_id": trade.trade_id,
        "order_id": trade.order_id,
        "exchange": kite_exchange(contract),
        "tradingsymbol": tradingsymbol(contract),
        "instrument_token": instrument_token(contract, token),
        "product": order.product.value,
        "average_price": trade.price,
        "quantity": trade.quantity,
        "exchange_order_id": f"1{trade.order_id}",
        "transaction_type": order.action.value,
        "fill_timestamp": when,
        "order_timestamp": when[11:],
        "exchange_timestamp": when,
    }


def position_row(row: Position, market: Market, token: int, *, day: bool = False) -> Row:
    """A row of `net`, or of `day`: that one knows nothing of yesterday."""
    ltp, close = market.rupees(market.ltp), market.rupees(market.close)
    overnight = 0 if day else row.overnight_quantity
    quantity = row.buy_quantity - row.sell_quantity + overnight
    (bought, paid), (sold, got) = (
        ((row.buy_quantity, row.buy_value), (row.sell_quantity, row.sell_value)) if day else (row.bought, row.sold)
    )
    unit = row.multiplier
    open_side = (bought, paid) if quantity > 0 else (sold, got)
    average = open_side[1] / open_side[0] / unit if quantity and open_side[0] else 0.0
    pnl = got - paid + quantity * ltp * unit
    return {
        "tradingsymbol": tradingsymbol(row.contract),
        "exchange": kite_exchange(row.contract),
        "instrument_token": instrument_token(row.contract, token),
        "product": row.product.value,
        "quantity": quantity,
        "overnight_quantity": overnight,
        "multiplier": unit,
        "average_price": round(average, 4),
        "close_price": close if overnight else 0,
        "last_price": ltp,
        "value": round(got - paid, 4),
        "pnl": round(pnl, 4),
        "m2m": round(pnl, 4),
        "unrealised": round(pnl, 4),
        "realised": 0,
        "buy_quantity": bought,
        "buy_price": _average(paid, bought, unit),
        "buy_value": round(paid, 4),
        "buy_m2m": round(paid, 4),
        "sell_quantity": sold,
        "sell_price": _average(got, sold, unit),
        "sell_value": round(got, 4),
        "sell_m2m": round(got, 4),
        "day_buy_quantity": row.buy_quantity,
        "day_buy_price": _average(row.buy_value, row.buy_quantity, unit),
        "day_buy_value": round(row.buy_value, 4),
        "day_sell_quantity": row.sell_quantity,
        "day_sell_price": _average(row.sell_value, row.sell_quantity, unit),
        "day_sell_value": round(row.sell_value, 4),
    }


def _average(value: float, quantity: int, unit: int) -> float:
    return round(value / quantity / unit, 4) if quantity else 0


def holding_row(held: Holding, market: Market, token: int, used: int) -> Row:
    """`used` of the shares are sold today."""
    ltp, close = market.rupees(market.ltp), market.rupees(market.close)
    return {
        "tradingsymbol": tradingsymbol(held.contract),
        "exchange": kite_exchange(held.contract),
        "instrument_token": instrument_token(held.contract, token),
        "isin": f"INE{token:06d}01{token % 10}"[:12],
        "product": "CNC",
        "price": 0,
        "quantity": held.quantity - held.fresh - used,
        "used_quantity": used,
        "t1_quantity": held.fresh,
        "realised_quantity": held.quantity - held.fresh,
        "authorised_quantity": 0,
        "authorised_date": f"{moment(market.updated)[:10]} 00:00:00",
        "authorisation": {},
        "opening_quantity": held.quantity - held.fresh,
        "short_quantity": 0,
        "collateral_quantity": 0,
        "collateral_type": "",
        "discrepancy": False,
        "average_price": round(held.average_price, 4),
        "last_price": ltp,
        "close_price": close,
        "pnl": round((ltp - held.average_price) * held.quantity, 4),
        "day_change": ltp - close,
        "day_change_percentage": (ltp - close) * 100 / close,
        "mtf": {"quantity": 0, "used_quantity": 0, "average_price": 0, "value": 0, "initial_margin": 0},
    }


def funds_row(funds: Funds) -> Row:
    """One segment of `GET /user/margins`."""
    left = round(funds.available, 4)
    return {
        "enabled": True,
        "net": left,
        "available": {
            "adhoc_margin": 0,
            "cash": funds.opening,
            "opening_balance": funds.opening,
            "live_balance": left,
            "collateral": 0,
            "intraday_payin": 0,
        },
        "utilised": {
            "debits": round(funds.used - funds.realised, 4),
            "exposure": 0,
            "m2m_realised": round(funds.realised, 4),
            "m2m_unrealised": round(funds.unrealised, 4),
            "option_premium": round(funds.premium, 4),
            "payout": 0,
            "span": round(funds.blocked, 4),
            "holding_sales": 0,
            "turnover": 0,
            "liquid_collateral": 0,
            "stock_collateral": 0,
            "delivery": round(funds.delivery, 4),
        },
    }
