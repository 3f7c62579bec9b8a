"""Rows of Dhan's books: orders, trades, positions, holdings, funds, forever orders, and news of orders."""

from typing import Any

from sangam.model.enums import Action, OrderStatus, PriceType, Product

from .dhan_wire import PLACES, display_name, isin, moment
from .listing import Contract
from .market import Market
from .orders import Order, Trade
from .portfolio import Funds, Holding, Position

Json = dict[str, Any]

PRODUCTS = {Product.CNC: "CNC", Product.MIS: "INTRADAY", Product.NRML: "MARGIN"}
PRICE_TYPES = {
    PriceType.MARKET: "MARKET",
    PriceType.LIMIT: "LIMIT",
    PriceType.SL: "STOP_LOSS",
    PriceType.SL_M: "STOP_LOSS_MARKET",
}
STATUSES = {
    OrderStatus.COMPLETE: "TRADED",
    OrderStatus.REJECTED: "REJECTED",
    OrderStatus.CANCELLED: "CANCELLED",
}
_SHORT_TYPES = {PriceType.MARKET: "MKT", PriceType.LIMIT: "LMT", PriceType.SL: "SL", PriceType.SL_M: "SLM"}
_NO_TIME = "0001-01-01 00:00:00"
_NO_CONTRACT = {"drvExpiryDate": None, "drvOptionType": None, "drvStrikePrice": 0.0}


def status(order: Order) -> str:
    if order.status is OrderStatus.OPEN and order.filled_quantity:
        return "PART_TRADED"
    return STATUSES.get(order.status, "PENDING")


def order_row(order: Order, contract: Contract, security_id: str, *, utc: bool = False) -> Json:
    """`tradingSymbol` is empty, as it mostly is; the text of a healthy order is CONFIRMED."""
    rejected = order.status is OrderStatus.REJECTED
    reason = f"RMS:{order.order_id}:{order.reason}" if order.reason.startswith("Insufficient") else order.reason
    return {
        "dhanClientId": order.owner,
        "orderId": order.order_id,
        "exchangeOrderId": "0" if rejected else f"15{order.order_id}",
        "correlationId": order.tag,
        "orderStatus": status(order),
        "transactionType": order.action.value,
        "exchangeSegment": PLACES[contract.exchange].segment,
        "productType": PRODUCTS[order.product],
        "orderType": PRICE_TYPES[order.price_type],
        "validity": order.validity.value,
        "tradingSymbol": "",
        "securityId": security_id,
        "quantity": order.quantity,
        "disclosedQuantity": order.terms.get("disclosed_quantity", 0),
        "price": order.price,
        "triggerPrice": order.trigger_price,
        "afterMarketOrder": order.held,
        "boProfitValue": 0.0,
        "boStopLossValue": 0.0,
        "legName": "NA",
        "createTime": moment(order.placed, utc=utc),
        "updateTime": moment(order.updated, utc=utc),
        "exchangeTime": _NO_TIME if rejected else moment(order.placed, utc=utc),
        **_NO_CONTRACT,
        "omsErrorCode": "0",
        "omsErrorDescription": reason or "CONFIRMED",
        "algoId": "0",
        "remainingQuantity": order.pending_quantity,
        "averageTradedPrice": order.average_price,
        "filledQty": order.filled_quantity,
    }


def postback(row: Json) -> Json:
    """The same as it is posted to an address."""
    told = {name: value for name, value in row.items() if name not in ("filledQty", "remainingQuantity")}
    return told | {"filled_qty": row["filledQty"]}


def news(order: Order, contract: Contract, security_id: str) -> Json:
    """As the socket of order news tells it: other names, short words, camel case."""
    place = PLACES[contract.exchange]
    return {
        "exchange": place.market,
        "segment": place.letter,
        "source": "P",
        "securityId": security_id,
        "clientId": order.owner,
        "exchOrderNo": f"15{order.order_id}",
        "orderNo": order.order_id,
        "product": PRODUCTS[order.product][0],
        "txnType": "B" if order.action is Action.BUY else "S",
        "orderType": _SHORT_TYPES[order.price_type],
        "validity": order.validity.value,
        "discQuantity": order.terms.get("disclosed_quantity", 0),
        "discQtyRem": order.terms.get("disclosed_quantity", 0),
        "remainingQuantity": order.pending_quantity,
        "quantity": order.quantity,
        "tradedQty": order.filled_quantity,
        "price": order.price,
        "triggerPrice": order.trigger_price,
        "tradedPrice": order.average_price,
        "avgTradedPrice": order.average_price,
        "offMktFlag": "1" if order.held else "0",
        "orderDateTime": moment(order.placed),
        "exchOrderTime": moment(order.placed),
        "lastUpdatedTime": moment(order.updated),
        "remarks": "NR",
        "mktType": "NL",
        "reasonDescription": order.reason or "CONFIRMED",
        "legNo": 1,
        "instrument": "EQUITY",
        "symbol": contract.symbol,
        "productName": PRODUCTS[order.product],
        "status": status(order).title(),
        "lotSize": contract.lot_size,
        "strikePrice": "",
        "expiryDate": _NO_TIME,
        "optType": "XX",
        "displayName": display_name(contract),
        "isin": isin(int(security_id)),
        "series": "EQ",
        "goodTillDaysDate": moment(order.updated)[:10],
        "refLtp": order.price,
        "tickSize": contract.tick_size,
        "algoId": "0",
        "multiplier": 1,
        "correlationId": order.tag,
    }


def trade_row(trade: Trade, order: Order, contract: Contract, security_id: str, *, utc: bool = False) -> Json:
    when = moment(trade.time, utc=utc)
    return {
        "dhanClientId": order.owner,
        "orderId": order.order_id,
        "exchangeOrderId": f"15{order.order_id}",
        "exchangeTradeId": trade.trade_id,
        "transactionType": order.action.value,
        "exchangeSegment": PLACES[contract.exchange].segment,
        "productType": PRODUCTS[order.product],
        "orderType": PRICE_TYPES[order.price_type],
        "tradingSymbol": contract.symbol,
        "customSymbol": display_name(contract),
        "securityId": security_id,
        "tradedQuantity": trade.quantity,
        "tradedPrice": trade.price,
        "createTime": when,
        "updateTime": when,
        "exchangeTime": when,
        **_NO_CONTRACT,
    }


def position_row(row: Position, market: Market, security_id: str, owner: str) -> Json:
    """Without a last price. `costPrice` is the average of what is open."""
    (bought, paid), (sold, got) = row.bought, row.sold
    unit, ltp = row.multiplier, market.rupees(market.ltp)
    quantity = row.quantity
    realised = row.realised
    return {
        "dhanClientId": owner,
        "tradingSymbol": row.contract.symbol,
        "securityId": security_id,
        "positionType": "LONG" if quantity > 0 else "SHORT" if quantity < 0 else "CLOSED",
        "exchangeSegment": PLACES[row.contract.exchange].segment,
        "productType": PRODUCTS[row.product],
        "buyAvg": _average(paid, bought, unit),
        "costPrice": round(row.average_price, 4),
        "buyQty": bought,
        "sellAvg": _average(got, sold, unit),
        "sellQty": sold,
        "netQty": quantity,
        "realizedProfit": round(realised, 4),
        "unrealizedProfit": round(row.profit(ltp) - realised, 4),
        "rbiReferenceRate": 1.0,
        "multiplier": unit,
        "carryForwardBuyQty": max(row.overnight_quantity, 0),
        "carryForwardSellQty": max(-row.overnight_quantity, 0),
        "carryForwardBuyValue": 0.0,
        "carryForwardSellValue": 0.0,
        "dayBuyQty": row.buy_quantity,
        "daySellQty": row.sell_quantity,
        "dayBuyValue": round(row.buy_value, 4),
        "daySellValue": round(row.sell_value, 4),
        "drvExpiryDate": "0001-01-01",
        "drvOptionType": None,
        "drvStrikePrice": 0.0,
        "crossCurrency": False,
    }


def _average(value: float, quantity: int, unit: int) -> float:
    return round(value / quantity / unit, 4) if quantity else 0.0


def holding_row(held: Holding, market: Market, security_id: str, used: int) -> Json:
    """`used` of the shares are sold today."""
    return {
        "exchange": "ALL",
        "tradingSymbol": held.contract.symbol,
        "securityId": security_id,
        "isin": isin(int(security_id)),
        "totalQty": held.quantity,
        "dpQty": held.quantity - held.fresh,
        "t1Qty": held.fresh,
        "availableQty": held.quantity - used,
        "collateralQty": 0,
        "avgCostPrice": round(held.average_price, 4),
        "lastTradedPrice": market.rupees(market.ltp),
    }


def funds_row(funds: Funds, owner: str) -> Json:
    """The first name is misspelt at Dhan."""
    return {
        "dhanClientId": owner,
        "availabelBalance": round(funds.available, 4),
        "sodLimit": round(funds.opening, 4),
        "collateralAmount": 0.0,
        "receiveableAmount": 0.0,
        "utilizedAmount": round(funds.used, 4),
        "blockedPayoutAmount": 0.0,
        "withdrawableBalance": round(funds.available, 4),
    }
