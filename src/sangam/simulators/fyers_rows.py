"""Rows of Fyers' books (sheet: fyers.md, 4 and 8), and its words for types, products and states."""

from typing import Any

from sangam.model.enums import Action, OrderStatus, PriceType, Product

from .fyers_wire import PLACES, fy_token, moment, ticker
from .listing import Contract
from .market import Market
from .orders import Order, Trade
from .portfolio import Funds, Holding, Position

Row = dict[str, Any]

TYPES = {PriceType.LIMIT: 1, PriceType.MARKET: 2, PriceType.SL_M: 3, PriceType.SL: 4}
PRODUCTS = {Product.CNC: "CNC", Product.MIS: "INTRADAY", Product.NRML: "MARGIN"}
SIDES = {Action.BUY: 1, Action.SELL: -1}
STATUSES = {OrderStatus.CANCELLED: 1, OrderStatus.COMPLETE: 2, OrderStatus.REJECTED: 5}
PENDING = 6

RAW = {
    "clientId": "client_id", "exchOrdId": "id_exchange", "remainingQuantity": "qty_remaining",
    "filledQty": "qty_filled",
    "disclosedQty": "qty_disc", "limitPrice": "price_limit", "stopPrice": "price_stop", "tradedPrice": "price_traded",
    "type": "ord_type", "fyToken": "fy_token", "message": "oms_msg", "offlineOrder": "offline_flag",
    "orderDateTime": "time_oms", "orderValidity": "validity", "productType": "product_type", "side": "tran_side",
    "status": "org_ord_status", "source": "ord_source", "ex_sym": "symbol_exch", "description": "symbol_desc",
    "orderTag": "ordertag",
}  # fmt: skip
"""The order socket's names of the book's fields."""


def place(contract: Contract, token: int) -> Row:
    place = PLACES[contract.exchange][0]
    return {
        "fyToken": fy_token(contract, token),
        "exchange": int(place[:2]),
        "segment": int(place[2:]),
        "symbol": ticker(contract),
    }


def order_row(order: Order, contract: Contract, token: int) -> Row:
    status = STATUSES.get(order.status, PENDING)
    return place(contract, token) | {
        "clientId": order.owner,
        "id": order.order_id,
        "id_fyers": f"c6697c04-d9ab-4a7c-a6f4-{order.order_id[-12:]:0>12}",
        "exchOrdId": f"11{order.order_id}",
        "qty": order.quantity,
        "remainingQuantity": order.pending_quantity,
        "filledQty": order.filled_quantity,
        "discloseQty": int(order.terms.get("disclosedQty", 0)),
        "disclosedQty": int(order.terms.get("disclosedQty", 0)),
        "dqQtyRem": 0,
        "limitPrice": order.price,
        "stopPrice": order.trigger_price,
        "tradedPrice": order.average_price,
        "type": TYPES[order.price_type],
        "instrument": 0,
        "message": order.reason,
        "offlineOrder": False,
        "orderDateTime": moment(order.updated),
        "orderValidity": order.validity.value,
        "pan": "",
        "productType": PRODUCTS[order.product],
        "side": SIDES[order.action],
        "status": status,
        "source": "W",
        "ex_sym": contract.name,
        "description": contract.symbol,
        "ch": 0.0,
        "chp": 0.0,
        "lp": 0.0,
        "slNo": 1,
        "orderNumStatus": f"{order.order_id}:{status}",
        "orderTag": f"1:{order.tag}" if order.tag else "2:Untagged",
        "takeProfit": 0,
        "stopLoss": 0,
    }


def raw_row(row: Row) -> Row:
    """A row of the book as the order socket tells it: nothing that is zero, and an internal state beside the public."""
    told = {RAW.get(name, name): value for name, value in row.items() if value not in (0, 0.0, "")}
    return told | {"ord_status": 20, "report_type": "New Ack", "status_msg": "New Ack", "oms_flag": "K:1"}


def trade_row(trade: Trade, order: Order, contract: Contract, token: int) -> Row:
    return place(contract, token) | {
        "clientId": order.owner,
        "orderDateTime": moment(trade.time),
        "orderNumber": order.order_id,
        "exchangeOrderNo": f"11{order.order_id}",
        "side": SIDES[order.action],
        "orderType": TYPES[order.price_type],
        "productType": PRODUCTS[order.product],
        "tradedQty": trade.quantity,
        "tradePrice": trade.price,
        "tradeValue": round(trade.price * trade.quantity, 4),
        "tradeNumber": trade.trade_id,
        "row": 1,
        "orderTag": f"1:{order.tag}" if order.tag else "1:Untagged",
    }


def position_row(row: Position, market: Market, token: int) -> Row:
    (bought, paid), (sold, got) = row.bought, row.sold
    ltp, unit, product = market.rupees(market.ltp), row.multiplier, PRODUCTS[row.product]
    total = got - paid + row.quantity * ltp * unit
    over = row.overnight_quantity
    return place(row.contract, token) | {
        "id": f"{ticker(row.contract)}-{product}",
        "netQty": row.quantity,
        "qty": abs(row.quantity),
        "avgPrice": round(row.average_price, 4),
        "netAvg": round((paid - got) / row.quantity / unit, 4) if row.quantity else 0.0,
        "side": (row.quantity > 0) - (row.quantity < 0),
        "productType": product,
        "realized_profit": round(row.realised, 4),
        "unrealized_profit": round(total - row.realised, 4),
        "pl": round(total, 4),
        "ltp": ltp,
        "buyQty": bought,
        "buyAvg": round(paid / bought / unit, 4) if bought else 0.0,
        "buyVal": round(paid, 4),
        "sellQty": sold,
        "sellAvg": round(got / sold / unit, 4) if sold else 0.0,
        "sellVal": round(got, 4),
        "slNo": 0,
        "crossCurrency": "N",
        "rbiRefRate": 1.0,
        "qtyMulti_com": float(unit),
        "cfBuyQty": max(over, 0),
        "cfSellQty": max(-over, 0),
        "dayBuyQty": row.buy_quantity,
        "daySellQty": row.sell_quantity,
    }


def holding_row(held: Holding, market: Market, token: int, sold: int, number: int) -> Row:
    ltp = market.rupees(market.ltp)
    return place(held.contract, token) | {
        "fyToken": int(fy_token(held.contract, token)),
        "holdingType": "HLD",
        "quantity": held.quantity,
        "costPrice": round(held.average_price, 4),
        "marketVal": round(ltp * held.quantity, 4),
        "remainingQuantity": held.quantity - sold,
        "pl": round((ltp - held.average_price) * held.quantity, 4),
        "ltp": ltp,
        "id": number,
        "isin": f"INE{token:06d}01{token % 10}"[:12],
        "qty_t1": held.fresh,
        "remainingPledgeQuantity": -1,
        "collateralQuantity": 0,
    }


def funds_rows(funds: Funds) -> list[Row]:
    amounts = {
        "Total Balance": funds.available + funds.used,
        "Utilized Amount": funds.used - funds.realised,
        "Clear Balance": funds.opening,
        "Realized Profit and Loss": funds.realised,
        "Collaterals": 0.0,
        "Fund Transfer": 0.0,
        "Receivables": 0.0,
        "Adhoc Limit": 0.0,
        "Limit at start of the day": funds.opening,
        "Available Balance": funds.available,
    }
    return [
        {"id": number, "title": title, "equityAmount": round(amount, 4), "commodityAmount": 0}
        for number, (title, amount) in enumerate(amounts.items(), 1)
    ]
