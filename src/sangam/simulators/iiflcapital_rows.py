"""IIFL Capital's rows of orders, trades, positions, holdings and funds, in rupees; and its feed's news of orders."""

from datetime import date
from typing import Any

from sangam.model.clock import ist_from_ms
from sangam.model.enums import OrderStatus, PriceType, Product

from .iiflcapital_wire import moment, tradingsymbol
from .listing import Contract
from .market import Market
from .orders import Order, Trade
from .portfolio import Funds, Holding, Position

Row = dict[str, Any]

ORDER_TYPES = {PriceType.MARKET: "MARKET", PriceType.LIMIT: "LIMIT", PriceType.SL: "SL", PriceType.SL_M: "SLM"}
PRODUCTS = {Product.CNC: "DELIVERY", Product.NRML: "NORMAL", Product.MIS: "INTRADAY"}

_FIRST_DAY = date(1899, 12, 30)
"""Of the calendar of spreadsheets, which trades on the feed are dated by."""


def order_row(order: Order, contract: Contract, name: tuple[str, str], user: str) -> Row:
    unseen = order.status is OrderStatus.REJECTED
    segment, token = name
    return {
        "clientId": user,
        "placedBy": user,
        "brokerOrderId": order.order_id,
        "exchangeOrderId": "" if unseen else f"1{order.order_id}",
        "orderStatus": order.status.value,
        "formattedInstrumentName": contract.name,
        "tradingSymbol": tradingsymbol(contract),
        "instrumentId": token,
        "exchange": segment,
        "transactionType": order.action.value,
        "quantity": str(order.quantity),
        "product": PRODUCTS[order.product],
        "orderComplexity": "REGULAR",
        "orderType": ORDER_TYPES[order.price_type],
        "price": str(order.price),
        "averageTradedPrice": str(order.average_price),
        "slTriggerPrice": str(order.trigger_price),
        "validity": order.validity.value,
        "disclosedQty": str(order.terms.get("disclosedQuantity", 0)),
        "marketProtectionPercent": "0.0",
        "exchangeTimestamp": "" if unseen else moment(order.updated),
        "exchangeUpdateTime": "" if unseen else moment(order.updated),
        "rejectionReason": order.reason,
        "mainLegOrderId": "NA",
        "pendingQuantity": str(order.pending_quantity),
        "filledQuantity": str(order.filled_quantity),
        "appKey": "NA",
        "apiOrderSource": "API",
        "algoId": "",
        "source": "API",
        "orderTag": order.tag or "NA",
        "brokerUpdateTime": moment(order.updated),
    }


_NOT_IN_NEWS = ("exchange", "orderTag", "disclosedQty", "formattedInstrumentName", "appKey", "apiOrderSource")


def order_news(row: Row, order: Order) -> Row:
    """What the feed tells of an order: neither its exchange nor its tag."""
    cancelled = order.quantity - order.filled_quantity if order.status is OrderStatus.CANCELLED else 0
    told = {name: value for name, value in row.items() if name not in _NOT_IN_NEWS}
    more = {"disclosedQuantity": row["disclosedQty"], "cancelledQuantity": str(cancelled), "comments": ""}
    return told | more | {"validityDate": str(serial(order.updated)[0])}


def serial(ms: int) -> tuple[int, float]:
    """A moment as spreadsheets write it: days, and the part of a day."""
    when = ist_from_ms(ms)
    return (when.date() - _FIRST_DAY).days, (when.hour * 3600 + when.minute * 60 + when.second) / 86_400


def trade_row(trade: Trade, order: Order, contract: Contract, name: tuple[str, str], user: str) -> Row:
    return _trade(trade, order, contract, name, user) | {
        "formattedInstrumentName": contract.name,
        "validity": order.validity.value,
        "fillTimestamp": moment(trade.time),
        "orderTag": order.tag or "NA",
    }


def trade_news(trade: Trade, order: Order, contract: Contract, name: tuple[str, str], user: str) -> Row:
    day, part = serial(trade.time)
    return _trade(trade, order, contract, name, user) | {"fillDate": str(day), "fillTime": f"{part:.15f}"}


def _trade(trade: Trade, order: Order, contract: Contract, name: tuple[str, str], user: str) -> Row:
    segment, token = name
    return {
        "clientId": user,
        "placedBy": user,
        "brokerOrderId": order.order_id,
        "exchangeOrderId": f"1{order.order_id}",
        "exchangeTradeId": trade.trade_id,
        "tradingSymbol": tradingsymbol(contract),
        "instrumentId": token,
        "exchange": segment,
        "transactionType": order.action.value,
        "product": PRODUCTS[order.product],
        "orderComplexity": "REGULAR",
        "orderType": ORDER_TYPES[order.price_type],
        "tradedPrice": str(trade.price),
        "filledQuantity": str(trade.quantity),
        "algoId": "",
    }


def position_row(row: Position, market: Market, name: tuple[str, str]) -> Row:
    """Numbers and texts in one row, as in the portal's sample."""
    segment, token = name
    unit = row.multiplier
    bought, sold = (
        value / quantity / unit if quantity else 0.0
        for quantity, value in ((row.buy_quantity, row.buy_value), (row.sell_quantity, row.sell_value))
    )
    return {
        "instrumentId": token,
        "tradingSymbol": tradingsymbol(row.contract),
        "formattedInstrumentName": row.contract.name,
        "exchange": segment,
        "product": PRODUCTS[row.product],
        "netQuantity": row.quantity,
        "netAveragePrice": "0",
        "overnightQuantity": row.overnight_quantity,
        "overnightPrice": str(row.overnight_price),
        "buyQuantity": row.bought[0],
        "buyPrice": round(bought, 2),
        "sellQuantity": row.sold[0],
        "sellPrice": round(sold, 2),
        "dayBuyQuantity": str(row.buy_quantity),
        "dayBuyPrice": round(bought, 2),
        "dayBuyValue": f"{row.buy_value:.2f}",
        "daySellQuantity": str(row.sell_quantity),
        "daySellPrice": f"{sold:.2f}",
        "daySellValue": f"{row.sell_value:.2f}",
        "multiplier": str(unit),
        "lotSize": str(row.contract.lot_size),
        "tickSize": str(row.contract.tick_size),
        "previousDayClose": str(market.rupees(market.close)),
        "realizedPnl": f"{row.realised:.2f}",
    }


def holding_row(held: Holding, market: Market, token: str, used: int) -> Row:
    """`used` of the shares are sold today."""
    quantity = held.quantity - used
    return {
        "isin": f"INE{int(token):06d}010"[:12],
        "nseInstrumentId": token,
        "bseInstrumentId": "",
        "nseTradingSymbol": tradingsymbol(held.contract),
        "bseTradingSymbol": "",
        "formattedInstrumentName": held.contract.name,
        "product": "DELIVERY",
        "totalQuantity": quantity,
        "dpQuantity": quantity - held.fresh,
        "collateralQuantity": 0,
        "t1Quantity": held.fresh,
        "authorizedQuantity": 0,
        "averageTradedPrice": f"{held.average_price:.2f}",
        "previousDayClose": str(market.rupees(market.close)),
    }


NO_HOLDING: Row = {
    "isin": "",
    "nseInstrumentId": "",
    "bseInstrumentId": "",
    "nseTradingSymbol": "",
    "bseTradingSymbol": "",
    "product": "",
    "totalQuantity": 0,
    "dpQuantity": 0,
    "t1Quantity": 0,
    "averageTradedPrice": "0.00",
    "previousDayClose": "0",
}
"""What an account without holdings may have in their place."""


def funds_row(funds: Funds) -> Row:
    return {
        "tradingLimit": f"{funds.available:.2f}",
        "openingCashLimit": f"{funds.opening:.2f}",
        "intradayPayin": "0.00",
        "collateralMargin": "0.00",
        "creditForSell": "0.00",
        "adhocMargin": "0.00",
        "utilizedMargin": f"{funds.used:.2f}",
        "blockedForPayout": "0.00",
        "utilizedSpanMargin": "0.00",
        "utilizedExposureMargin": "0.00",
    }
