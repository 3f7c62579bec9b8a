"""Noren's wire, from the market's side: names, master rows, frames of the socket, quotes.

Written from the brokers' documentation of the Noren API (symbol master, websocket, GetQuotes) and judged by Kambala's
own clients; it shares nothing with the decoder of the broker's room."""

import io
import zipfile
from collections.abc import Iterable
from typing import Any

from sangam.model.clock import ist_from_ms
from sangam.model.enums import Exchange, InstrumentType
from sangam.model.instrument import expiry_text, strike_text

from .book import Row
from .listing import Contract, derivative_kind
from .market import Market
from .portfolio import multiplier

Frame = dict[str, str]

_NO_ROW = Row(0, 0, 0)
_INDEX_NAMES = {
    "NIFTY": ("Nifty 50", "NIFTY INDEX"),
    "BANKNIFTY": ("Nifty Bank", "NIFTY BANK"),
    "INDIAVIX": ("INDIAVIX", "INDIA VIX"),
}
"""Symbol and trading symbol in NSE's file."""
_OFFICIAL = {"INDIAVIX": "India VIX"}
"""Where the list of indices has another name."""
_BUCKETS = {"SENSEX": "BSX", "BANKEX": "BKX"}

_HEADS = {
    Exchange.NSE: "Exchange,Token,LotSize,Symbol,TradingSymbol,Instrument,TickSize,",
    Exchange.NFO: ("Exchange,Token,LotSize,Symbol,TradingSymbol,Expiry,Instrument,OptionType,{strike},TickSize,"),
    Exchange.CDS: (
        "Exchange,Token,LotSize,Precision,Multiplier,Symbol,TradingSymbol,Expiry,Instrument,OptionType,StrikePrice,"
        "TickSize,"
    ),
    Exchange.MCX: (
        "Exchange,Token,LotSize,GNGD,Symbol,TradingSymbol,Expiry,Instrument,OptionType,StrikePrice,TickSize,"
    ),
}
_HEADS |= {Exchange.BSE: _HEADS[Exchange.NSE], Exchange.BFO: _HEADS[Exchange.NFO], Exchange.NCDEX: _HEADS[Exchange.MCX]}
FILES = {f"{'NCX' if exchange is Exchange.NCDEX else exchange.value}_symbols.txt.zip": exchange for exchange in _HEADS}

FLATTRADE_HEAD = "Exchange,Token,Lotsize,Symbol,Tradingsymbol,Instrument,Expiry,Strike,Optiontype"


# --- names ------------------------------------------------------------------------------------------------------------


def code(contract: Contract) -> str:
    return contract.exchange.value.removesuffix("_INDEX")


def index_name(contract: Contract) -> str:
    """As the list of indices and the days' candles have it."""
    first = _INDEX_NAMES.get(contract.symbol, (contract.symbol, ""))[0]
    return _OFFICIAL.get(contract.symbol, first)


def tradingsymbol(contract: Contract) -> str:
    if contract.instrument_type is InstrumentType.INDEX:
        return _INDEX_NAMES.get(contract.symbol, (contract.symbol, contract.symbol))[1]
    day = contract.expiry
    if day is None:
        return f"{contract.symbol}-EQ" if contract.exchange is Exchange.NSE else contract.symbol
    kind, when = contract.instrument_type, expiry_text(day)
    if contract.exchange is Exchange.BFO:
        coded = when[5:] + (when[2:5] if contract.monthly else f"{'123456789OND'[day.month - 1]}{day.day:02d}")
        tail = "FUT" if kind is InstrumentType.FUT else strike_text(contract.strike) + kind.value
        return contract.name + coded + tail
    if kind is InstrumentType.FUT:
        return contract.name + when + ("" if contract.exchange is Exchange.MCX else "F")
    return f"{contract.name}{when}{kind.value[0]}{strike_text(contract.strike)}"


def _instrument(contract: Contract) -> str:
    if contract.expiry is None:
        return "INDEX" if contract.instrument_type is InstrumentType.INDEX else "EQ"
    return derivative_kind(contract)


def _symbol(contract: Contract) -> str:
    if contract.exchange is Exchange.BFO:
        kind = "FUT" if contract.instrument_type is InstrumentType.FUT else "OPT"
        return _BUCKETS.get(contract.name, contract.name[:4]) + kind
    return contract.symbol if contract.expiry is None else contract.name


# --- master files -----------------------------------------------------------------------------------------------------


def zipped(exchange: Exchange, rows: Iterable[tuple[Contract, int]], strike: str) -> bytes:
    """``NSE_symbols.txt`` in an archive of its own. Lines end with a comma, those of CDS's contracts do not."""
    lines = [_HEADS[exchange].format(strike=strike)]
    lines += [_master_row(contract, number) for contract, number in rows]
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(f"{exchange.value}_symbols.txt", "\n".join(lines) + "\n")
    return packed.getvalue()


def _master_row(contract: Contract, number: int) -> str:
    name, kind = tradingsymbol(contract), _instrument(contract)
    head = f"{code(contract)},{number},{contract.lot_size}"
    if kind == "INDEX":
        return f"{head},{_INDEX_NAMES[contract.symbol][0]},{name},INDEX,0,"
    tick, day = f"{contract.tick_size:g}", contract.expiry
    if day is None:
        return f"{head},{_symbol(contract)},{name},EQ,{tick},"
    future = contract.instrument_type is InstrumentType.FUT
    right = "XX" if future else contract.instrument_type.value
    none = {Exchange.CDS: "-1e-07", Exchange.NFO: "-0.01"}.get(contract.exchange, "0")
    strike = none if future else strike_text(contract.strike)
    expiry = f"{expiry_text(day, '-')[:7]}{day.year}"
    terms = f"{_symbol(contract)},{name},{expiry},{kind},{right},{strike},{tick}"
    if contract.exchange is Exchange.CDS:
        return f"{head},4,{multiplier(contract)},{terms}"
    if contract.exchange is Exchange.MCX:
        return f"{head},{multiplier(contract)},{terms},"
    return f"{head},{terms},"


def flattrade_row(contract: Contract, number: int) -> str:
    """Flattrade's files have no ticks; a share's row stops after its instrument."""
    name, kind, day = tradingsymbol(contract), _instrument(contract), contract.expiry
    head = f"{code(contract)},{number},{contract.lot_size}"
    if kind == "INDEX":
        bse = contract.exchange is Exchange.BSE_INDEX
        return f"{head},{index_name(contract)},{name},{'UNDIND' if bse else 'INDEX'}"
    if day is None:
        return f"{head},{_symbol(contract)},{name},EQ"
    future = contract.instrument_type is InstrumentType.FUT
    strike = "" if future else f"{contract.strike:.2f}"
    right = "XX" if future else contract.instrument_type.value
    return f"{head},{_symbol(contract)},{name},{kind},{expiry_text(day, '-')[:7]}{day.year},{strike},{right}"


# --- frames of the socket ---------------------------------------------------------------------------------------------


def price(market: Market, ticks: float) -> str:
    return f"{market.rupees(ticks):.{market.contract.decimals}f}"


def frame(market: Market, token: str, task: str) -> Frame:
    """Everything that a touchline (`t`) or a book (`d`) tells; what an index has not is left out."""
    contract, book = market.contract, market.book
    told = {
        "e": code(contract),
        "tk": token,
        "ts": tradingsymbol(contract),
        "pp": str(contract.decimals),
        "ls": str(contract.lot_size),
        "ti": f"{contract.tick_size:g}",
        "lp": price(market, market.ltp),
        "pc": f"{(market.ltp - market.close) / market.close * 100:.2f}",
        **{key: price(market, getattr(market, name)) for key, name in _DAY.items()},
        "ft": str(market.updated // 1000),
    }
    if market.is_index:
        return told
    told |= {"v": str(market.volume), "ap": price(market, market.average)}
    if contract.expiry is not None:
        told["oi"] = str(market.oi)
    if task == "d":
        told |= {
            "ltt": f"{ist_from_ms(market.ltt):%H:%M:%S}",
            "ltq": str(market.ltq),
            "tbq": str(book.total_buy),
            "tsq": str(book.total_sell),
            "uc": price(market, market.upper_circuit),
            "lc": price(market, market.lower_circuit),
        }
    return told | _levels(market, 5 if task == "d" else 1)


_DAY = {"o": "open", "h": "high", "l": "low", "c": "close"}


def _levels(market: Market, count: int) -> Frame:
    told = {}
    for side, buy in (("b", True), ("s", False)):
        rows = market.book.depth(buy, count)
        for level, row in enumerate([*rows, *[_NO_ROW] * (count - len(rows))], 1):
            told[f"{side}p{level}"] = price(market, row.price)
            told[f"{side}q{level}"] = str(row.quantity)
            told[f"{side}o{level}"] = str(row.orders)
    return told


FIXED = frozenset({"ts", "pp", "ls", "ti"})
"""What a snapshot alone tells."""


def quote(market: Market, token: str) -> dict[str, Any]:
    """The answer to GetQuotes. One of its names has a capital letter, as in the documents' sample."""
    contract = market.contract
    told: dict[str, Any] = frame(market, token, "d")
    for theirs, ours in (("e", "exch"), ("tk", "token"), ("ts", "tsym"), ("ft", "lut")):
        told[ours] = told.pop(theirs)
    told |= {
        "cname": contract.name,
        "symname": contract.name,
        "instname": _instrument(contract),
        "mult": str(multiplier(contract)),
        "prcftr_d": "(1 / 1 ) * (1 / 1)",
    }
    if not market.is_index:
        told["ltd"] = f"{ist_from_ms(market.ltt):%d-%m-%Y}"
        told["So5"] = told.pop("so5")
    return told
