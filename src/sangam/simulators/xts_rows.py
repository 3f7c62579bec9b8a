"""XTS's rows of orders, trades, positions and holdings."""

from typing import Any

from sangam.model.clock import ist_from_ms
from sangam.model.enums import OrderStatus, PriceType

from .listing import Contract
from .market import Market
from .orders import Order, Trade
from .portfolio import Funds, Holding, Position
from .xts_wire import display, isin, segment

Row = dict[str, Any]

ORDER_TYPES = {
    PriceType.MARKET: "Market",
    PriceType.LIMIT: "Limit",
    PriceType.SL: "StopLimit",
    PriceType.SL_M: "StopMarket",
}
_STATUSES = {OrderStatus.COMPLETE: "Filled", OrderStatus.CANCELLED: "Cancelled", OrderStatus.REJECTED: "Rejected"}


def moment(ms: int, iso: bool) -> str:
    """Newer hosts write ISO."""
    when = ist_from_ms(ms)
    return f"{when:%Y-%m-%dT%H:%M:%S}.{when.microsecond:06d}" if iso else f"{when:%d-%m-%Y %H:%M:%S}"


def status(order: Order) -> str:
    if order.status in _STATUSES:
        return _STATUSES[order.status]
    return "PartiallyFilled" if order.filled_quantity else "Replaced" if order.modifications else "New"


def order_row(order: Order, contract: Contract, number: int, iso: bool) -> Row:
    changed, placed = moment(order.updated, iso), moment(order.placed, iso)
    return {
        "LoginID": order.owner,
        "ClientID": order.owner,
        "AppOrderID": int(order.order_id),
        "OrderReferenceID": "",
        "GeneratedBy": "TWSAPI",
        "ExchangeOrderID": "" if order.status is OrderStatus.REJECTED else f"1{order.order_id}",
        "OrderCategoryType": "NORMAL",
        "ExchangeSegment": segment(contract),
        "ExchangeInstrumentID": number,
        "OrderSide": order.action.value,
        "OrderType": ORDER_TYPES[order.price_type],
        "ProductType": order.product.value,
        "TimeInForce": order.validity.value,
        "OrderPrice": order.price,
        "OrderQuantity": order.quantity,
        "OrderStopPrice": order.trigger_price,
        "OrderStatus": status(order),
        "OrderAverageTradedPrice": f"{order.average_price:.4f}" if order.filled_quantity else "",
        "LeavesQuantity": order.pending_quantity,
        "CumulativeQuantity": order.filled_quantity,
        "OrderDisclosedQuantity": order.terms.get("disclosed", 0),
        "OrderGeneratedDateTime": placed,
        "ExchangeTransactTime": changed,
        "LastUpdateDateTime": changed,
        "OrderExpiryDate": "01-01-1980 00:00:00",
        "CancelRejectReason": order.reason,
        "OrderUniqueIdentifier": order.tag,
        "OrderLegStatus": "SingleOrderLeg",
        "BoLegDetails": 0,
        "IsSpread": False,
        "BoEntryOrderId": "",
        "TradingSymbol": display(contract),
        "MessageCode": 9004,
        "MessageVersion": 4,
        "TokenID": 0,
        "ApplicationType": 0,
        "SequenceNumber": 0,
    }


def news_row(row: Row) -> Row:
    """What the socket adds."""
    side = {"OrderSideAPI": row["OrderSide"], "OrderSide": row["OrderSide"].capitalize()}
    return row | side | {"OrderAverageTradedPriceAPI": row["OrderAverageTradedPrice"] or "NaN", "AlgoID": ""}


def trade_row(trade: Trade, row: Row, iso: bool) -> Row:
    made = {"LastTradedPrice": trade.price, "LastTradedQuantity": trade.quantity, "ExecutionID": trade.trade_id}
    return row | made | {"LastExecutionTransactTime": moment(trade.time, iso), "ExecutionReportIndex": "1"}


def _amount(value: float, digits: int = 2) -> str:
    """Amounts have commas between the thousands."""
    return f"{value + 0.0:,.{digits}f}"


def position_row(row: Position, market: Market, number: int, owner: str) -> Row:
    contract, unit = row.contract, row.multiplier
    ltp, digits = market.rupees(market.ltp), contract.decimals
    (bought, paid), (sold, got) = row.bought, row.sold
    return {
        "AccountID": owner,
        "TradingSymbol": display(contract),
        "ExchangeSegment": segment(contract),
        "ExchangeInstrumentId": str(number),
        "ProductType": row.product.value,
        "Marketlot": str(contract.lot_size),
        "Multiplier": str(unit),
        "BuyAveragePrice": _amount(paid / bought / unit if bought else 0.0, digits),
        "SellAveragePrice": _amount(got / sold / unit if sold else 0.0, digits),
        "OpenBuyQuantity": str(bought),
        "OpenSellQuantity": str(sold),
        "Quantity": str(row.quantity),
        "BuyAmount": _amount(paid),
        "SellAmount": _amount(got),
        "NetAmount": _amount(got - paid),
        "UnrealizedMTM": _amount(row.profit(ltp) - row.realised),
        "RealizedMTM": _amount(row.realised),
        "MTM": _amount(row.profit(ltp)),
        "BEP": "0.00",
        "SumOfTradedQuantityAndPriceBuy": _amount(paid),
        "SumOfTradedQuantityAndPriceSell": _amount(got),
        "MessageCode": 9002,
        "MessageVersion": 1,
        "TokenID": 0,
        "ApplicationType": 0,
        "SequenceNumber": 0,
    }


def holding_row(held: Holding, number: int, used: int, owner: str) -> Row:
    return {
        "ISIN": isin(number),
        "RMSHoldingId": 1,
        "ClientId": owner,
        "ExchangeNSEInstrumentId": number,
        "ExchangeBSEInstrumentId": 0,
        "ExchangeMSEIInstrumentId": 0,
        "HoldingType": 1,
        "HoldingQuantity": held.quantity - used,
        "CollateralValuationType": 0,
        "Haircut": 0,
        "CollateralQuantity": 0,
        "CreatedBy": "SYSTEM",
        "UsedQuantity": 0,
        "IsCollateralHolding": False,
        "BuyAvgPrice": round(held.average_price, 2),
        "IsBuyAvgPriceProvided": True,
        "AuthorizeQuantity": 0,
    }


def balance(funds: Funds, owner: str) -> Row:
    """All text. The entry that counts is that of everything."""
    limits = {
        "cashAvailable": f"{funds.opening:.2f}",
        "collateral": "0",
        "marginUtilized": f"{funds.used:.2f}",
        "netMarginAvailable": f"{funds.available:.2f}",
        "MTM": f"{funds.realised + funds.unrealised:.2f}",
        "UnrealizedMTM": f"{funds.unrealised:.2f}",
        "RealizedMTM": f"{funds.realised:.2f}",
    }
    each = {"marginAvailable": {"CashMarginAvailable": "NaN"}, "marginUtilized": {}, "limitsAssigned": {}}
    part = {"limitHeader": "CASH|ALL|ALL", "limitObject": {"RMSSubLimits": {"netMarginAvailable": "NaN"}}}
    whole = {"limitHeader": "ALL|ALL|ALL", "limitObject": {"RMSSubLimits": limits, **each, "AccountID": owner}}
    return {"BalanceList": [part, whole]}
