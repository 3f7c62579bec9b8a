"""The detailed file: rows of every segment, refusals, other files."""

import csv
import io
from collections.abc import Mapping
from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sangam.brokers.contract import Ctx, Reply, Request, RowRefused, Session
from sangam.brokers.dhan import SPEC
from sangam.brokers.families.dhan.instruments import COLUMNS
from sangam.model.enums import Exchange, InstrumentType
from sangam.model.errors import DecodeError, Unknown
from sangam.model.instrument import Instrument

HEADER = (*COLUMNS[:3], "ISIN", *COLUMNS[3:], "MTF_LEVERAGE")
SHARE = {
    "EXCH_ID": "NSE", "SEGMENT": "E", "SECURITY_ID": "2885", "INSTRUMENT": "EQUITY", "UNDERLYING_SYMBOL": "RELIANCE",
    "SYMBOL_NAME": "RELIANCE INDUSTRIES LTD", "DISPLAY_NAME": "Reliance Industries", "SERIES": "EQ",
    "LOT_SIZE": "1.0", "TICK_SIZE": "10.0000",
}  # fmt: skip
OPTION = {
    "EXCH_ID": "NSE", "SEGMENT": "D", "SECURITY_ID": "35024", "INSTRUMENT": "OPTIDX", "UNDERLYING_SYMBOL": "NIFTY",
    "SYMBOL_NAME": "NIFTY-Feb2025-29200-CE", "DISPLAY_NAME": "NIFTY 27 FEB 29200 CALL", "SERIES": "NA",
    "LOT_SIZE": "75.0", "SM_EXPIRY_DATE": "2025-02-27", "STRIKE_PRICE": "29200.00000", "OPTION_TYPE": "CE",
    "TICK_SIZE": "5.0000",
}  # fmt: skip
FUTURE = OPTION | {
    "INSTRUMENT": "FUTIDX", "SYMBOL_NAME": "NIFTY-Feb2025-FUT", "DISPLAY_NAME": "NIFTY  FEB FUT",
    "STRIKE_PRICE": "-0.01000", "OPTION_TYPE": "XX", "SECURITY_ID": "35001",
}  # fmt: skip
INDEX = {
    "EXCH_ID": "NSE", "SEGMENT": "I", "SECURITY_ID": "25", "INSTRUMENT": "INDEX", "UNDERLYING_SYMBOL": "BANKNIFTY",
    "DISPLAY_NAME": "Nifty Bank", "TICK_SIZE": "0.05", "LOT_SIZE": "1", "SM_EXPIRY_DATE": "0001-01-01",
}  # fmt: skip


def content(*rows: Mapping[str, str]) -> bytes:
    text = io.StringIO()
    writer = csv.DictWriter(text, HEADER, restval="")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue().encode()


def parsed(*rows: Mapping[str, str]) -> list[Instrument | RowRefused]:
    return list(SPEC.instruments.parse([content(*rows)]))


def test_rows_become_instruments() -> None:
    assert parsed(SHARE, OPTION, FUTURE, INDEX) == [
        Instrument(
            symbol="RELIANCE", exchange=Exchange.NSE, brsymbol="RELIANCE", brexchange="NSE_EQ", token="2885",
            name="Reliance Industries", tick_size=0.1,
        ),
        Instrument(
            symbol="NIFTY27FEB2529200CE", exchange=Exchange.NFO, brsymbol="NIFTY 27 FEB 29200 CALL",
            brexchange="NSE_FNO", token="35024", name="NIFTY", instrument_type=InstrumentType.CE,
            expiry=date(2025, 2, 27), strike=29200.0, lot_size=75,
        ),
        Instrument(
            symbol="NIFTY27FEB25FUT", exchange=Exchange.NFO, brsymbol="NIFTY FEB FUT", brexchange="NSE_FNO",
            token="35001", name="NIFTY", instrument_type=InstrumentType.FUT, expiry=date(2025, 2, 27), lot_size=75,
        ),
        Instrument(
            symbol="BANKNIFTY", exchange=Exchange.NSE_INDEX, brsymbol="BANKNIFTY", brexchange="IDX_I", token="25",
            name="Nifty Bank", instrument_type=InstrumentType.INDEX,
        ),
    ]  # fmt: skip


def test_ticks_are_paise_and_currencies_keep_four_decimals() -> None:
    (pair,) = parsed(
        OPTION | {"SEGMENT": "C", "INSTRUMENT": "OPTCUR", "UNDERLYING_SYMBOL": "USDINR", "TICK_SIZE": "0.2500"}
    )
    assert isinstance(pair, Instrument)
    assert (pair.exchange, pair.tick_size, pair.decimals) == (Exchange.CDS, 0.0025, 4)


def test_a_name_that_several_shares_bear_is_the_main_ones() -> None:
    debenture = SHARE | {"SECURITY_ID": "1", "SERIES": "N1"}
    warrant = SHARE | {"SECURITY_ID": "2", "SERIES": "W1"}
    found = parsed(debenture, SHARE, warrant)
    assert [each.symbol for each in found if isinstance(each, Instrument)] == ["RELIANCE-N1", "RELIANCE", "RELIANCE-W1"]
    (alone,) = parsed(debenture)
    assert isinstance(alone, Instrument)
    assert alone.symbol == "RELIANCE"


@pytest.mark.parametrize(
    ("market", "name", "exchange", "symbol"),
    [
        ("NSE", "NIFTY MID100 FREE", Exchange.NSE_INDEX, "NIFTYMIDCAP100"),
        ("NSE", "NIFTY100 LOW VOLATILITY 30", Exchange.NSE_INDEX, "NIFTY100LOWVOL30"),
        ("NSE", "INDIA VIX", Exchange.NSE_INDEX, "INDIAVIX"),
        ("NSE", "GIFTNIFTY", Exchange.GLOBAL_INDEX, "GIFTNIFTY"),
        ("BSE", "SENSEX", Exchange.BSE_INDEX, "SENSEX"),
        ("MCX", "MCXBULLDEX", Exchange.MCX_INDEX, "MCXBULLDEX"),
    ],
)
def test_indices_bear_our_names(market: str, name: str, exchange: Exchange, symbol: str) -> None:
    (found,) = parsed(INDEX | {"EXCH_ID": market, "UNDERLYING_SYMBOL": name})
    assert isinstance(found, Instrument)
    assert (found.exchange, found.symbol, found.brexchange) == (exchange, symbol, "IDX_I")


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        (SHARE | {"SECURITY_ID": ""}, "unreadable security id"),
        (SHARE | {"SEGMENT": "M"}, "segment M of exchange NSE is not known"),
        (SHARE | {"UNDERLYING_SYMBOL": ""}, "no underlying symbol"),
        (SHARE | {"INSTRUMENT": "BASKET"}, "instrument BASKET of segment E is not known"),
        (SHARE | {"TICK_SIZE": ""}, "unreadable tick size"),
        (SHARE | {"TICK_SIZE": "0"}, "no tick size"),
        (SHARE | {"LOT_SIZE": "0.5"}, "unreadable lot size"),
        (OPTION | {"SM_EXPIRY_DATE": ""}, "no expiry"),
        (OPTION | {"SM_EXPIRY_DATE": "27-02-2025"}, "unreadable expiry"),
        (OPTION | {"OPTION_TYPE": "XX"}, "option type XX is not known"),
        (OPTION | {"STRIKE_PRICE": "-0.01"}, "no strike"),
        (INDEX | {"SEGMENT": "C"}, "instrument INDEX of segment C is not known"),
    ],
)
def test_rows_that_do_not_fit_are_refused(row: dict[str, str], reason: str) -> None:
    (found,) = parsed(row)
    assert isinstance(found, RowRefused)
    assert found.reason == reason


def test_a_row_of_another_length_is_refused_and_a_comma_at_its_end_is_none() -> None:
    text = content(SHARE).decode().splitlines()
    found = list(SPEC.instruments.parse(["\n".join([text[0], text[1] + ",", text[1] + ",x", "NSE,E"]).encode()]))
    assert [type(each) for each in found] == [Instrument, RowRefused, RowRefused]


@pytest.mark.parametrize("other", [b"", b"<html>", b"a,b\n1,2\n", content(SHARE)[10:]])
def test_another_file_is_damaged(other: bytes) -> None:
    with pytest.raises(DecodeError):
        list(SPEC.instruments.parse([other]))


@given(st.data())
def test_damaged_files_give_rows_refusals_or_a_decode_error(data: st.DataObject) -> None:
    whole = bytearray(content(SHARE, OPTION, FUTURE, INDEX))
    for _ in range(data.draw(st.integers(0, 6))):
        whole[data.draw(st.integers(0, len(whole) - 1))] = data.draw(st.integers(0, 255))
    try:
        list(SPEC.instruments.parse([bytes(whole)]))
    except DecodeError:
        return


def test_the_file_is_public() -> None:
    session = Session(account="a1", broker="dhan", generation=1)
    operation = SPEC.instruments.download(session, Ctx(0, bytes))
    request = next(operation)
    assert isinstance(request, Request)
    assert (request.host, request.path) == ("files", "/api-data/api-scrip-master-detailed.csv")
    assert (request.auth, request.reply) == ("none", "file")
    with pytest.raises(Unknown) as withheld:  # and says nothing of the session that it was asked without
        SPEC.check(request, Reply(401, {}, b"<Error>AccessDenied</Error>"))
    assert type(withheld.value) is Unknown
    with pytest.raises(StopIteration) as stop:
        operation.send(b"content")
    assert stop.value.value == [b"content"]
