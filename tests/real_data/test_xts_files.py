"""Real masters of XTS as somebody put them into tables, and a recorded socket of market data (the data's INDEX.md)."""

import re
import zipfile
from collections import Counter
from collections.abc import Iterator
from datetime import date
from xml.etree import ElementTree as Xml

import msgspec
import pytest
from tests.support import shared_data

from sangam.brokers import rmoney
from sangam.brokers.contract import Ctx, LoggedIn, RowRefused, Session
from sangam.brokers.families.xts.stream import FULL, UNASKED, FeedCodec
from sangam.brokers.wire import SocketIOEvent
from sangam.model.enums import Exchange, InstrumentType, Mode
from sangam.model.instrument import Instrument, Level, parse_symbol
from sangam.model.market import Key, Patch
from sangam.transport.framing import make_framing
from sangam.transport.framing.base import Framed

SHEET = "{http://schemas.openxmlformats.org/spreadsheetml/2006/main}"
NO_INDICES = b'{"type":"success","result":{"indexList":[]}}'
EQ, INDEX, FUT = InstrumentType.EQ, InstrumentType.INDEX, InstrumentType.FUT


def table(name: str) -> Iterator[list[str]]:
    """The rows of a sheet without their first cell, which only counts them, and without the header."""
    with zipfile.ZipFile(shared_data("xts", name)) as book:
        texts = Xml.fromstring(book.read("xl/sharedStrings.xml"))  # noqa: S314 - a file of ours
        shared = ["".join(part.text or "" for part in each.iter(f"{SHEET}t")) for each in texts]
        sheet = next(part for part in book.namelist() if part.startswith("xl/worksheets/sheet"))
        rows = list(Xml.fromstring(book.read(sheet)).iter(f"{SHEET}row"))  # noqa: S314
    width = max(map(_column, rows[0]))
    for row in rows[1:]:
        cells = [""] * width
        for cell in row:
            value = cell.findtext(f"{SHEET}v") or ""
            cells[_column(cell) - 1] = shared[int(value)] if cell.get("t") == "s" and value else value
        yield [_plain(cell) for cell in cells[1:]]


def _column(cell: Xml.Element) -> int:
    """A is 1, and AB 28."""
    number = 0
    for letter in re.sub(r"\d", "", cell.get("r", "A")):
        number = number * 26 + ord(letter) - 64
    return number


def _plain(cell: str) -> str:
    """The spreadsheet wrote 0.05 as 0.05 and 26503.4 as 26503.400000000001."""
    return f"{float(cell):.10g}" if re.fullmatch(r"-?\d+\.\d{6,}", cell) else cell


def read(name: str) -> tuple[list[list[str]], list[Instrument], Counter[str]]:
    """The rows of a master, the instruments they became, and the others by their reasons: none is lost."""
    rows = list(table(name))
    content = msgspec.json.encode({"type": "success", "result": "\n".join("|".join(row) for row in rows)})
    found = list(rmoney.SPEC.instruments.parse([content, NO_INDICES]))
    assert len(found) == len(rows)
    kept = [row for row in found if isinstance(row, Instrument)]
    return rows, kept, Counter(row.reason for row in found if isinstance(row, RowRefused))


@pytest.mark.parametrize(
    ("name", "count", "kinds"),
    [
        ("nse_cm_master.xlsx", 7475, {(Exchange.NSE, EQ): 7475}),
        ("bse_cm_master.xlsx", 11980, {(Exchange.BSE, EQ): 11917, (Exchange.BSE_INDEX, INDEX): 63}),
        ("nse_future_master.xlsx", 686, {(Exchange.NFO, FUT): 686}),
        ("bse_future_master.xlsx", 15, {(Exchange.BFO, FUT): 15}),
    ],
)
def test_every_row_becomes_an_instrument(
    name: str, count: int, kinds: dict[tuple[Exchange, InstrumentType], int]
) -> None:
    rows, found, refused = read(name)
    assert (len(rows), refused) == (count, {})
    assert Counter((row.exchange, row.instrument_type) for row in found) == kinds
    assert len({(row.symbol, row.exchange) for row in found}) == count, "no name twice"
    for row, instrument in zip(rows, found, strict=True):
        assert (instrument.brexchange, instrument.token, instrument.brsymbol) == (row[0], row[1], row[4])
        if not instrument.exchange.is_index:
            assert (instrument.tick_size, instrument.lot_size) == (float(row[11]), int(row[12]))
        if instrument.expiry is not None:
            assert instrument.expiry == date.fromisoformat(row[16][:10])


def test_options_say_what_their_symbol_says() -> None:
    rows, found, refused = read("bse_options_master.xlsx")
    assert (len(rows), refused) == (3326, {})
    for row, option in zip(rows, found, strict=True):
        parsed = parse_symbol(option.symbol)
        assert parsed is not None
        assert (parsed.base, parsed.expiry, parsed.strike, parsed.kind) == (
            row[3], date.fromisoformat(row[16][:10]), float(row[17]), {"3": "CE", "4": "PE"}[row[18]],
        )  # fmt: skip


def test_spreads_are_refused_by_name() -> None:
    rows, found, refused = read("nse_fut_spread_master.xlsx")
    assert (found, refused) == ([], {"a spread is no single contract": len(rows)})
    assert len(rows) == 435


def test_names_of_shares_and_indices() -> None:
    _, shares, _ = read("nse_cm_master.xlsx")
    names = {row.brsymbol: row.symbol for row in shares}
    assert (names["SUZLON-EQ"], names["BAJAJ-AUTO-EQ"], names["MKPL-BE"]) == ("SUZLON", "BAJAJ-AUTO", "MKPL")
    _, found, _ = read("bse_cm_master.xlsx")
    indices = {row.symbol: row.token for row in found if row.exchange is Exchange.BSE_INDEX}
    assert (indices["SENSEX"], indices["BANKEX"], indices["SENSEX50"]) == ("26065", "26118", "26067")


def test_rows_of_2026() -> None:
    lines = shared_data("xts", "master_pipe.transcribed_sample.txt").read_text().splitlines()
    content = msgspec.json.encode({"type": "success", "result": "\n".join(lines)})
    found = list(rmoney.SPEC.instruments.parse([content, NO_INDICES]))
    assert [row.symbol for row in found if isinstance(row, Instrument)] == [
        "RELIANCE", "NIFTY30JUN26FUT", "SENSEX25JUN26FUT",
    ]  # fmt: skip


# --- the recorded socket ----------------------------------------------------------------------------------------------

NIFTY, RELIANCE = (1, 26000), (1, 2885)


def packets() -> Iterator[tuple[str, str]]:
    """Each packet as it came over the wire, with the name of its event."""
    text = shared_data("xts", "socketio_marketdata_2025-01-06_1116.log").read_text(encoding="utf-8")
    for line in text.splitlines():
        packet = "4" + line.partition(" MESSAGE data ")[2]
        yield packet, packet[4 : packet.index('"', 4)]


def replayed(level: Level) -> tuple[Counter[str], list[tuple[str, Patch]]]:
    """All events by name, and what was told of two instruments subscribed at a level."""
    framing = make_framing("socketio", {"eio": 3})
    session = Session(account="a1", broker="rmoney", generation=1)
    codec = rmoney.SPEC.streams[0].codec(session, None, Ctx(0, bytes))  # type: ignore[arg-type]
    assert isinstance(codec, FeedCodec)
    codec.update({NIFTY: level, RELIANCE: level})
    events, told = Counter[str](), list[tuple[str, Patch]]()
    for packet, name in packets():
        (event,) = framing.feed(packet)
        results = list(codec.received(_event(event)))
        assert all(isinstance(result, Patch) for result in results)
        events[name] += 1
        told += [(name, result) for result in results if isinstance(result, Patch)]
    return events, told


def _event(piece: Framed) -> SocketIOEvent:
    assert isinstance(piece, SocketIOEvent)
    return piece


@pytest.mark.parametrize(
    ("mode", "event"),
    [(Mode.LTP, "1512-json-full"), (Mode.QUOTE, "1501-json-full"), (Mode.DEPTH, "1502-json-full")],
)
def test_every_packet_is_told_or_is_not_for_us(mode: Mode, event: str) -> None:
    """All four codes were subscribed when this was recorded: each level takes its own, and the rest is the same again,
    or bands of contracts that nobody asked for."""
    events, told = replayed(Level(mode))
    assert events.keys() <= FULL.keys() | set(UNASKED)
    assert events.total() == 2300
    assert Counter(name for name, _ in told) == {event: events[event]}
    for _, patch in told:
        fields = patch.fields
        low, high = (23_700, 24_100) if patch.key == NIFTY else (1_220, 1_265)
        assert low < fields["ltp"] < high
        assert 1_736_142_300_000 < fields["timestamp"] < 1_736_142_500_000, "2025-01-06, about 11:16 IST"
        assert (patch.depth is not None) == (mode is Mode.DEPTH)
        if mode is not Mode.LTP:
            assert fields["low"] <= fields["ltp"] <= fields["high"]


def test_books_of_the_record_are_whole_and_ordered() -> None:
    _, told = replayed(Level(Mode.DEPTH))
    seen: set[Key] = set()
    for _, patch in told:
        assert patch.depth is not None
        bids, asks = patch.depth.buy, patch.depth.sell
        if patch.key == NIFTY:
            assert (bids, asks) == ([], [])
            continue
        seen.add(patch.key)
        assert (len(bids), len(asks)) == (5, 5)
        assert [row.price for row in bids] == sorted((row.price for row in bids), reverse=True)
        assert [row.price for row in asks] == sorted(row.price for row in asks)
        assert bids[0].price < asks[0].price
    assert seen == {RELIANCE}


def test_the_join_of_the_live_socket() -> None:
    framing = make_framing("socketio", {"eio": 3})
    joined = r'42["joined","{\"type\":\"success\",\"code\":\"s-socket-0001\",\"description\":\"Socket joined!\"}"]'
    codec = rmoney.SPEC.streams[0].codec(Session(account="a", broker="b", generation=1), None, Ctx(0, bytes))  # type: ignore[arg-type]
    (event,) = framing.feed(joined)
    assert list(codec.received(_event(event))) == [LoggedIn()]
