"""Noren's rows of orders, trades, positions, holdings and limits, from the exchange's side.

Written from the brokers' documentation of the Noren API (order book, trade book, position book, holdings, limits, order
update) and its published samples: all values are text."""

from typing import Any

from sangam.model.clock import ist_from_ms
from sangam.model.enums import OrderStatus, PriceType, Product

from .listing import Contract
from .market import Market
from .noren_wire import code, tradingsymbol
from .orders import Order, Trade
from .portfolio import Funds, Holding, Position, multiplier

Row = dict[str, Any]

PRODUCTS = {Product.CNC: "C", Product.NRML: "M", Product.MIS: "I"}
PRICE_TYPES = {
    PriceType.MARKET: "MKT",
    PriceType.LIMIT: "LMT",
    PriceType.SL: "SL-LMT",
    PriceType.SL_M: "SL-MKT",
}
STATUSES = {
    OrderStatus.OPEN: "OPEN",
    OrderStatus.TRIGGER_PENDING: "TRIGGER_PENDING",
    OrderStatus.COMPLETE: "COMPLETE",
    OrderStatus.CANCELLED: "CANCELED",
    OrderStatus.REJECTED: "REJECTED",
}
NONE = "01-01-1980 00:00:00"


def clock(ms: int) -> str:
    return f"{ist_from_ms(ms):%H:%M:%S %d-%m-%Y}"


def moment(ms: int) -> str:
    return f"{ist_from_ms(ms):%d-%m-%Y %H:%M:%S}"


def report(order: Order) -> str:
    """What happened last to an order."""
    if order.status is OrderStatus.REJECTED:
        return "Rejected"
    if order.status is OrderStatus.CANCELLED:
        return "Canceled"
    if order.filled_quantity:
        return "Fill"
    return "Replaced" if order.modifications else "New"


def _common(order: Order, contract: Contract, token: str, user: str) -> Row:
    told = {
        "stat": "Ok",
        "norenordno": order.order_id,
        "kidid": "1",
        "uid": user,
        "actid": user,
        "exch": code(contract),
        "tsym": tradingsymbol(contract),
        "token": token,
        "qty": str(order.quantity),
        "prc": f"{order.price:.{contract.decimals}f}",
        "trantype": order.action.value[0],
        "prctyp": PRICE_TYPES[order.price_type],
        "ret": order.validity.value,
        "dscqty": str(order.terms.get("dscqty") or "0"),
        "pp": str(contract.decimals),
        "ls": str(contract.lot_size),
        "ti": f"{contract.tick_size:g}",
        "mult": str(multiplier(contract)),
        "prcftr": "1.000000",
        "status": STATUSES[order.status],
        "remarks": order.tag,
        "ordersource": "API",
    }
    if order.price_type.has_trigger:
        told["trgprc"] = f"{order.trigger_price:.{contract.decimals}f}"
    if order.filled_quantity:
        told |= {"fillshares": str(order.filled_quantity), "avgprc": f"{order.average_price:.4f}"}
    if order.status is OrderStatus.CANCELLED:
        told["cancelqty"] = str(order.quantity - order.filled_quantity)
    if order.reason:
        told["rejreason"] = order.reason
    unseen = order.status is OrderStatus.REJECTED
    return told | {
        "exch_tm": NONE if unseen else moment(order.updated),
        "exchordid": "" if unseen else f"1{order.order_id}",
    }


def order_row(order: Order, contract: Contract, token: str, user: str) -> Row:
    """A row of the order book, or of an order's history."""
    return _common(order, contract, token, user) | {
        "prd": PRODUCTS[order.product],
        "rpt": report(order),
        "norentm": clock(order.updated),
        "ordenttm": str(order.placed // 1000),
        "snonum": "0",
        "st_intrn": STATUSES[order.status],
    }


def news(order: Order, contract: Contract, token: str, user: str, product: str) -> Row:
    """A message of the order stream."""
    told = _common(order, contract, token, user)
    del told["stat"]
    return {"t": "om", **told} | {
        product: PRODUCTS[order.product],
        "reporttype": report(order),
        "tm": str(order.updated // 1000),
        "ntm": "960322165",
        "rejreason": order.reason or " ",
    }


def webhook(row: Row, checksum: str) -> Row:
    """What Flattrade posts: a row of the book that calls the product as the socket does."""
    return {name: value for name, value in row.items() if name not in ("stat", "prd")} | {
        "pcode": row["prd"],
        "checksum": checksum,
    }


def trade_row(trade: Trade, order: Order, contract: Contract, token: str, user: str) -> Row:
    return order_row(order, contract, token, user) | {
        "flid": trade.trade_id,
        "flqty": str(trade.quantity),
        "flprc": f"{trade.price:.{contract.decimals}f}",
        "fltm": moment(trade.time),
    }


def position_row(row: Position, market: Market, token: str, user: str) -> Row:
    """The tick is told in paise here, as at the brokers."""
    contract, ltp = row.contract, market.rupees(market.ltp)
    digits = contract.decimals
    realised = round(row.realised, 2)
    over, at = row.overnight_quantity, row.overnight_price
    return {
        "stat": "Ok",
        "uid": user,
        "actid": user,
        "exch": code(contract),
        "tsym": tradingsymbol(contract),
        "token": token,
        "prd": PRODUCTS[row.product],
        "s_prdt_ali": row.product.value,
        "pp": str(digits),
        "ls": str(contract.lot_size),
        "ti": f"{contract.tick_size * 100:.2f}",
        "mult": str(row.multiplier),
        "prcftr": "1.000000",
        "daybuyqty": str(row.buy_quantity),
        "daysellqty": str(row.sell_quantity),
        "daybuyamt": f"{row.buy_value:.2f}",
        "daysellamt": f"{row.sell_value:.2f}",
        "cfbuyqty": str(max(over, 0)),
        "cfsellqty": str(max(-over, 0)),
        "cforgavgprc": f"{at:.{digits}f}",
        "netqty": str(row.quantity),
        "netavgprc": f"{row.average_price:.{digits}f}",
        "upldprc": "0.00",
        "netupldprc": f"{row.average_price:.{digits}f}",
        "lp": f"{ltp:.{digits}f}",
        "urmtom": f"{row.profit(ltp) - realised:.2f}",
        "rpnl": f"{realised:.2f}",
    }


def holding_row(held: Holding, market: Market, token: str, used: int) -> Row:
    """`used` of the shares are sold today; those that came yesterday are still on their way."""
    named = {"exch": code(held.contract), "token": token, "tsym": tradingsymbol(held.contract)}
    return {
        "stat": "Ok",
        "exch_tsym": [
            named
            | {"pp": "2", "ti": f"{held.contract.tick_size:g}", "ls": "1", "lp": f"{market.rupees(market.ltp):.2f}"}
        ],
        "holdqty": "0",
        "dpqty": str(held.quantity - held.fresh),
        "npoadqty": str(held.quantity - held.fresh),
        "colqty": "0",
        "benqty": "0",
        "unplgdqty": "0",
        "brkcolqty": "0",
        "btstqty": str(held.fresh),
        "btstcolqty": "0",
        "usedqty": str(used),
        "upldprc": f"{held.average_price:.2f}",
    }


def limits_row(funds: Funds, now_ms: int) -> Row:
    return {
        "request_time": clock(now_ms),
        "stat": "Ok",
        "prfname": "SIMULATED",
        "cash": f"{funds.opening + funds.realised:.2f}",
        "payin": "0.00",
        "payout": "0.00",
        "brkcollamt": "0.00",
        "unclearedcash": "0.00",
        "daycash": "0.00",
        "marginused": f"{funds.used:.2f}",
        "mtomcurper": "0.00",
        "turnoverlmt": "10000000000000.00",
        "pendordvallmt": "1000000000000.00",
    }
