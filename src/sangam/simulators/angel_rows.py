"""Angel One's rows of orders, trades, positions, holdings and funds, from the exchange's side.

Written from SmartAPI's documentation (orders, portfolio, user, websocket order status) and its published samples:
amounts of orders are numbers and their quantities text, positions are all text."""

import uuid
from typing import Any

from sangam.model.clock import ist_from_ms
from sangam.model.enums import OrderStatus, PriceType, Product

from .angel_wire import exchange_name, moment, tradingsymbol
from .listing import Contract
from .market import Market
from .orders import Order, Trade
from .portfolio import Funds, Holding, Position

Row = dict[str, Any]

PRODUCT_TYPES = {Product.CNC: "DELIVERY", Product.NRML: "CARRYFORWARD", Product.MIS: "INTRADAY"}
ORDER_TYPES = {
    PriceType.MARKET: "MARKET",
    PriceType.LIMIT: "LIMIT",
    PriceType.SL: "STOPLOSS_LIMIT",
    PriceType.SL_M: "STOPLOSS_MARKET",
}
CODES = {
    OrderStatus.OPEN: "AB01",
    OrderStatus.CANCELLED: "AB02",
    OrderStatus.REJECTED: "AB03",
    OrderStatus.COMPLETE: "AB05",
    OrderStatus.TRIGGER_PENDING: "AB10",
}
"""What the order socket calls a state; AB00 is its greeting, AB04 an order that was modified."""


def unique_id(order_id: str) -> str:
    return str(uuid.uuid5(uuid.NAMESPACE_OID, order_id))


def variety(order: Order) -> str:
    return order.variety or ("STOPLOSS" if order.price_type.has_trigger else "NORMAL")


def order_row(order: Order, contract: Contract, token: str) -> Row:
    unseen = order.held or order.status is OrderStatus.REJECTED
    status = "after market order req received" if order.held else order.status.value
    cancelled = order.quantity - order.filled_quantity if order.status is OrderStatus.CANCELLED else 0
    exchange_time = "" if unseen else moment(order.updated)
    return {
        "variety": variety(order),
        "ordertype": ORDER_TYPES[order.price_type],
        "ordertag": order.tag,
        "producttype": PRODUCT_TYPES[order.product],
        "price": order.price,
        "triggerprice": order.trigger_price,
        "quantity": str(order.quantity),
        "disclosedquantity": str(order.terms.get("disclosedquantity", 0)),
        "duration": order.validity.value,
        "squareoff": 0,
        "stoploss": 0,
        "trailingstoploss": 0,
        "tradingsymbol": tradingsymbol(contract),
        "transactiontype": order.action.value,
        "exchange": exchange_name(contract),
        "symboltoken": token,
        "instrumenttype": "",
        "strikeprice": contract.strike or -1,
        "optiontype": "",
        "expirydate": "",
        "lotsize": str(contract.lot_size),
        "cancelsize": str(cancelled),
        "averageprice": order.average_price,
        "filledshares": str(order.filled_quantity),
        "unfilledshares": str(order.quantity - order.filled_quantity),
        "orderid": order.order_id,
        "text": order.reason,
        "status": status,
        "orderstatus": status,
        "updatetime": moment(order.updated),
        "exchtime": exchange_time,
        "exchorderupdatetime": exchange_time,
        "fillid": "",
        "filltime": "",
        "parentorderid": "",
        "uniqueorderid": unique_id(order.order_id),
        "exchangeorderid": "" if unseen else f"1{order.order_id}",
    }


def news(client: str, code: str, row: Row) -> Row:
    """A message of the order socket."""
    return {"user-id": client, "status-code": "200", "order-status": code, "error-message": "", "orderData": row}


def code(order: Order) -> str:
    if order.held:
        return "AB06"
    changed = order.status is OrderStatus.OPEN and order.modifications > 0 and not order.filled_quantity
    return "AB04" if changed else CODES[order.status]


GREETING: Row = {
    "variety": "",
    "ordertype": "",
    "ordertag": "",
    "price": 0,
    "quantity": "0",
    "filledshares": "",
    "unfilledshares": "",
    "orderid": "",
    "status": "",
    "orderstatus": "",
}


def trade_row(trade: Trade, order: Order, contract: Contract) -> Row:
    return {
        "exchange": exchange_name(contract),
        "producttype": PRODUCT_TYPES[order.product],
        "tradingsymbol": tradingsymbol(contract),
        "instrumenttype": "",
        "symbolgroup": "EQ" if contract.expiry is None else "XX",
        "strikeprice": str(contract.strike or -1),
        "optiontype": "",
        "expirydate": "",
        "marketlot": str(contract.lot_size),
        "precision": str(contract.decimals),
        "multiplier": "-1",
        "tradevalue": f"{trade.price * trade.quantity:.2f}",
        "transactiontype": order.action.value,
        "fillprice": f"{trade.price:.{contract.decimals}f}",
        "fillsize": str(trade.quantity),
        "orderid": order.order_id,
        "fillid": trade.trade_id,
        "filltime": f"{ist_from_ms(trade.time):%H:%M:%S}",
    }


def position_row(row: Position, market: Market, token: str) -> Row:
    """All text, with a blank behind the minus of what is negative; what a lot is worth stands in `gennum`."""
    contract = row.contract
    ltp, unit = market.rupees(market.ltp), row.multiplier
    (bought, paid), (sold, got) = row.bought, row.sold
    return {
        "exchange": exchange_name(contract),
        "symboltoken": token,
        "producttype": PRODUCT_TYPES[row.product],
        "tradingsymbol": tradingsymbol(contract),
        "symbolname": contract.name,
        "instrumenttype": "",
        "priceden": "1",
        "pricenum": "1",
        "genden": "1",
        "gennum": str(unit),
        "precision": str(contract.decimals),
        "multiplier": "-1",
        "boardlotsize": str(contract.lot_size),
        "buyqty": str(row.buy_quantity),
        "sellqty": str(row.sell_quantity),
        "buyamount": _amount(row.buy_value),
        "sellamount": _amount(row.sell_value),
        "symbolgroup": "EQ",
        "strikeprice": str(contract.strike or -1),
        "optiontype": "",
        "expirydate": "",
        "lotsize": str(contract.lot_size),
        "cfbuyqty": str(max(row.overnight_quantity, 0)),
        "cfsellqty": str(max(-row.overnight_quantity, 0)),
        "buyavgprice": _amount(paid / bought / unit if bought else 0),
        "sellavgprice": _amount(got / sold / unit if sold else 0),
        "avgnetprice": _amount(row.average_price),
        "netprice": _amount(row.average_price),
        "netqty": str(row.quantity),
        "netvalue": _amount(got - paid),
        "totalbuyvalue": _amount(paid),
        "totalsellvalue": _amount(got),
        "ltp": str(ltp),
        "close": str(market.rupees(market.close)),
        "realised": _amount(row.realised),
        "unrealised": _amount(row.profit(ltp) - row.realised),
        "pnl": _amount(row.profit(ltp)),
    }


def _amount(value: float) -> str:
    return f"- {-value:.2f}" if round(value, 2) < 0 else f"{value:.2f}"


def holding_row(held: Holding, market: Market, token: str, used: int) -> Row:
    """`used` of the shares are sold today. Profit is told in whole rupees."""
    ltp, quantity = market.rupees(market.ltp), held.quantity - used
    gained = (ltp - held.average_price) * quantity
    cost = held.average_price * quantity
    return {
        "tradingsymbol": tradingsymbol(held.contract),
        "exchange": exchange_name(held.contract),
        "isin": f"INE{int(token):06d}010"[:12],
        "t1quantity": held.fresh,
        "realisedquantity": quantity - held.fresh,
        "quantity": quantity,
        "authorisedquantity": 0,
        "product": "DELIVERY",
        "collateralquantity": None,
        "collateraltype": None,
        "haircut": 0,
        "averageprice": round(held.average_price, 2),
        "ltp": ltp,
        "symboltoken": token,
        "close": market.rupees(market.close),
        "profitandloss": round(gained),
        "pnlpercentage": round(gained / cost * 100, 2) if cost else 0,
    }


def funds_row(funds: Funds) -> Row:
    """All text, some null."""
    left = f"{funds.available:.4f}"
    return {
        "net": left,
        "availablecash": left,
        "availableintradaypayin": "0.0000",
        "availablelimitmargin": "0.0000",
        "collateral": "0.0000",
        "m2munrealized": f"{funds.unrealised:.4f}",
        "m2mrealized": f"{funds.realised:.4f}",
        "utiliseddebits": f"{funds.used:.4f}",
        "utilisedspan": None,
        "utilisedoptionpremium": None,
        "utilisedholdingsales": None,
        "utilisedexposure": None,
        "utilisedturnover": None,
        "utilisedpayout": "0.0000",
    }
