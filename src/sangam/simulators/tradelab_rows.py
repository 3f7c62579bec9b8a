"""Tradelab's rows of orders, trades, positions, holdings and funds, from the exchange's side (documents: Order book;
Portfolio; Funds). `Variant` is what differs between the brokers that run the platform."""

from typing import Any, NamedTuple

from sangam.model.enums import Exchange, OrderStatus, PriceType

from .listing import Contract
from .market import Market
from .orders import Order, Trade
from .portfolio import Funds, Holding, Position
from .tradelab_wire import EXCHANGE_CODES, exchange_name, trading_symbol

Row = dict[str, Any]

ORDER_TYPES = {PriceType.MARKET: "MARKET", PriceType.LIMIT: "LIMIT", PriceType.SL: "SL", PriceType.SL_M: "SLM"}

CONFIRMED = {
    OrderStatus.OPEN: "NEW_CONFIRMED",
    OrderStatus.TRIGGER_PENDING: "TRIGGER_PENDING",
    OrderStatus.COMPLETE: "COMPLETE",
    OrderStatus.REJECTED: "REJECTED",
    OrderStatus.CANCELLED: "CANCEL_CONFIRMED",
}
SPOKEN = {status: status.value for status in OrderStatus}


LISTED = frozenset(
    {Exchange.NSE, Exchange.BSE, Exchange.NFO, Exchange.BFO, Exchange.MCX, Exchange.NSE_INDEX, Exchange.BSE_INDEX}
)


class Variant(NamedTuple):
    """`statuses` are the words of states; `text` says that prices and tokens of the order book are text, and that a
    change is answered with a list; `repeats` what a change must repeat of the order book; `apart` that the contract
    file has a list for each exchange; `funds` is the version of that call, with its labels of what is left, in use and
    pledged; `channel` says that the channel login is offered; `closes` that a holding's average stands beside the
    close."""

    statuses: dict[OrderStatus, str]
    funds: tuple[str, str, str, str]
    text: bool = False
    repeats: tuple[str, ...] = ()
    apart: bool = False
    channel: bool = False
    closes: bool = False
    exchanges: frozenset[Exchange] = LISTED


def status(order: Order, variant: Variant) -> str:
    spoken = variant.statuses is SPOKEN
    if order.held and not order.status.is_final:
        return "after market order req received" if spoken else "AMO_SUBMITTED"
    if order.status is not OrderStatus.OPEN or spoken:
        return variant.statuses[order.status]
    if order.price_type.has_trigger:
        return "OPEN"
    return "MODIFY_CONFIRMED" if order.modifications else variant.statuses[order.status]


def order_row(order: Order, contract: Contract, token: int, variant: Variant) -> Row:
    unseen = order.held or order.status is OrderStatus.REJECTED

    def price(value: float, digits: int = 2) -> float | str:
        return f"{value:.{digits}f}" if variant.text else value

    nothing = "--" if variant.text else ""
    return {
        "mode": "NEW",
        "exchange": exchange_name(contract),
        "segment": "",
        "login_id": order.owner,
        "deposit": 0,
        "order_status": status(order, variant),
        "product": order.product.value,
        "order_type": ORDER_TYPES[order.price_type],
        "rejection_reason": order.reason or nothing,
        "order_side": order.action.value,
        "instrument_token": str(token) if variant.text else token,
        "exchange_time": 0 if unseen else order.updated // 1000,
        "nnf_id": 333333333333100,
        "quantity": order.quantity,
        "trading_symbol": trading_symbol(contract),
        "client_id": order.owner,
        "average_trade_price": price(order.average_price, 4),
        "underlying_token": None,
        "oms_order_id": order.order_id,
        "lot_size": contract.lot_size,
        "disclosed_quantity": order.terms.get("disclosed_quantity", 0),
        "execution_type": "AMO" if order.held else "REGULAR",
        "device": "WEB",
        "exchange_order_id": "" if unseen else f"1{order.order_id}",
        "validity": order.validity.value,
        "leg_order_indicator": None,
        "trade_price": 0,
        "filled_quantity": order.filled_quantity,
        "order_tag": "",
        "order_entry_time": order.placed // 1000,
        "last_activity_reference": 0 if unseen else order.updated * 1_000_000 + order.changes,
        "trigger_price": price(order.trigger_price),
        "rejection_code": 0,
        "average_price": price(order.average_price, 4),
        "price": price(order.price),
        "user_order_id": order.tag or None,
        "pro_cli": "CLIENT",
        "remaining_quantity": order.quantity - order.filled_quantity,
        "target_price_type": "absolute",
    }


def trade_row(trade: Trade, order: Order, contract: Contract, token: int) -> Row:
    return {
        "client_id": order.owner,
        "exchange": exchange_name(contract),
        "exchange_order_id": f"1{order.order_id}",
        "exchange_time": trade.time // 1000,
        "fill_number": trade.trade_id,
        "filled_quantity": trade.quantity,
        "instrument_token": token,
        "oms_order_id": order.order_id,
        "order_entry_time": order.placed // 1000,
        "order_price": order.price,
        "order_side": order.action.value,
        "order_type": "MKT" if order.price_type is PriceType.MARKET else ORDER_TYPES[order.price_type],
        "product": order.product.value,
        "trade_number": trade.trade_id,
        "trade_price": trade.price,
        "trade_quantity": trade.quantity,
        "trade_time": trade.time // 1000,
        "trading_symbol": trading_symbol(contract),
    }


def position_row(row: Position, market: Market, token: int) -> Row:
    """Netwise: today's quantities, and apart from them what was carried over."""
    (bought, paid), (sold, got), unit = row.bought, row.sold, row.multiplier
    carried = row.overnight_quantity
    return {
        "average_buy_price": round(paid / bought / unit, 4) if bought else 0,
        "average_price": row.overnight_price,
        "average_sell_price": round(got / sold / unit, 4) if sold else 0,
        "buy_amount": round(row.buy_value, 2),
        "buy_quantity": row.buy_quantity,
        "cf_buy_amount": max(carried, 0) * row.overnight_price,
        "cf_buy_quantity": max(carried, 0),
        "cf_sell_amount": max(-carried, 0) * row.overnight_price,
        "cf_sell_quantity": max(-carried, 0),
        "client_id": "",
        "close_price": market.rupees(market.close),
        "exchange": exchange_name(row.contract),
        "instrument_token": token,
        "ltp": market.rupees(market.ltp),
        "multiplier": unit,
        "net_amount": round(got - paid, 2),
        "net_quantity": row.quantity,
        "previous_close": market.rupees(market.close),
        "prod_type": row.product.value,
        "product": row.product.value,
        "realized_mtm": 0,
        "segment": None,
        "sell_amount": round(row.sell_value, 2),
        "sell_quantity": row.sell_quantity,
        "symbol": row.contract.name,
        "token": token,
        "trading_symbol": trading_symbol(row.contract),
    }


def holding_row(held: Holding, market: Market, token: int, used: int, variant: Variant) -> Row:
    close, average = market.rupees(market.close), round(held.average_price, 4)
    exchange = exchange_name(held.contract)
    row: Row = {
        "buy_avg": close if variant.closes else average,
        "client_id": "",
        "collateral_quantity": "0",
        "exchange": exchange,
        "instrument_details": {
            "exchange": EXCHANGE_CODES[exchange],
            "instrument_name": "EQ",
            "instrument_token": token,
            "trading_symbol": trading_symbol(held.contract),
        },
        "isin": f"INE{token:06d}010"[:12],
        "ltp": market.rupees(market.ltp),
        "previous_close": close,
        "product": "CNC",
        "quantity": held.quantity,
        "t1_quantity": held.fresh,
        "token": token,
        "trading_symbol": trading_symbol(held.contract),
        "used_quantity": used,
    }
    return row | {"actual_buy_avg": average} if variant.closes else row


def funds_row(funds: Funds, client: str, variant: Variant) -> Row:
    """Labels and values, which are text."""
    _, left, used, pledged = variant.funds
    values = {
        left: funds.available,
        "Adhoc Margin": 0.0,
        used: funds.used,
        pledged: 0.0,
        "Span Margin": funds.blocked,
        "unrealized_mtm": funds.unrealised,
        "realized_mtm": funds.realised,
    }
    rows = [[label, f"{value:.2f}"] for label, value in values.items()]
    return {"client_id": client, "headers": ["Description", "MTM_SINGLE_LEVEL-ALL"], "values": rows}
