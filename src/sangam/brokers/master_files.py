"""Master files, CSV and JSON: rows of a known form, numbers that are what they should be, refusals that are counted."""

import csv
import gzip
import io
import math
import zipfile
import zlib
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import date
from typing import TypeVar

import msgspec

from sangam.model.enums import InstrumentType
from sangam.model.errors import DecodeError
from sangam.model.instrument import Instrument, future_symbol, option_symbol

from .data import RowRefused

Row = TypeVar("Row", bound=msgspec.Struct)

MAX_LOT = 1_000_000_000
MAX_UNPACKED = 512 << 20
"""Bytes of an archive's files together."""

SERIES = ("-EQ", "-BE", "-MF", "-SG")
"""Suffixes of a share's trading symbol that are not part of the unified one (specs: symbols.md, 2)."""

_GZIP = b"\x1f\x8b"


class RowError(Exception):
    """Why a row is not taken; the text is counted."""


def gunzipped(content: bytes, title: str) -> bytes:
    """A file that is packed, unless the way here has unpacked it. Raises DecodeError."""
    if not content.startswith(_GZIP):
        return content
    try:
        return gzip.decompress(content)
    except (OSError, EOFError, zlib.error) as error:
        raise DecodeError(f"{title}'s instruments file is damaged: {error}") from error


def archived(content: bytes, title: str) -> dict[str, bytes]:
    """The files of a ZIP archive by their names. Raises DecodeError where it is none, or a damaged one."""
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            listed = archive.infolist()
            if (size := sum(entry.file_size for entry in listed)) > MAX_UNPACKED:
                raise DecodeError(f"{title}'s instruments file unpacks to {size} bytes: that is too much.")
            return {entry.filename: archive.read(entry) for entry in listed}
    except (zipfile.BadZipFile, zlib.error, ValueError, EOFError, OSError, RuntimeError) as error:
        raise DecodeError(f"{title}'s instruments file is damaged: {error}") from error


def rows(text: str, columns: Sequence[str], title: str, *, header: bool = True) -> Iterator[list[str]]:
    """The rows under the header that is expected, or of a file that has none and as many columns. Raises DecodeError
    where another file came, or a damaged one."""
    reader = csv.reader(io.StringIO(text, newline=""))
    try:
        first = next(reader, [])
        if first != list(columns) if header else len(first) != len(columns):
            raise DecodeError(f"{title}'s instruments file does not begin with the known columns.")
        if not header:
            yield first
        yield from (row for row in reader if row)
    except csv.Error as error:
        raise DecodeError(f"{title}'s instruments file is damaged at line {reader.line_num}: {error}") from error


def taken(
    found: Iterable[list[str]], columns: Sequence[str], make: Callable[[list[str]], Instrument]
) -> Iterator[Instrument | RowRefused]:
    """Each row as an instrument, or as a refusal where `make` raised RowError."""
    for row in found:
        try:
            if len(row) != len(columns):
                raise RowError("wrong number of columns")
            yield make(row)
        except RowError as error:
            yield RowRefused(str(error), ",".join(row))


def named(
    text: str,
    columns: Sequence[str],
    make: Callable[[list[str]], Instrument],
    title: str,
    *,
    optional: Sequence[str] = (),
    spelled: Callable[[str], str] = str,
) -> Iterator[Instrument | RowRefused]:
    """The same for files whose header has these columns, among others and in any order: `make` gets theirs alone, and
    then the `optional` ones, empty where the file has them not; a row may end before those. `spelled` makes a name of
    the header one of ours. Raises DecodeError where a column is missing."""
    reader = csv.reader(io.StringIO(text, newline=""))
    try:
        header = _unended([spelled(name) for name in next(reader, [])])
        if missing := [name for name in columns if name not in header]:
            raise DecodeError(f"{title}'s instruments file has no column {missing[0]}.")
        at = [header.index(name) if name in header else len(header) for name in (*columns, *optional)]
        least = max(at[: len(columns)]) + 1 if optional else len(header)
        for row in reader:
            if not row:
                continue
            try:
                if not least <= len(_unended(row) if len(row) > len(header) else row) <= len(header):
                    raise RowError("wrong number of columns")
                cells = row[: len(header)]
                padded = [*cells, *[""] * (len(header) + 1 - len(cells))]
                yield make([padded[place] for place in at])
            except RowError as error:
                yield RowRefused(str(error), ",".join(row))
    except csv.Error as error:
        raise DecodeError(f"{title}'s instruments file is damaged at line {reader.line_num}: {error}") from error


def _unended(cells: list[str]) -> list[str]:
    """A line may end with a comma, which is no empty column."""
    return cells[:-1] if cells and not cells[-1] else cells


def objects(
    content: bytes, row: type[Row], make: Callable[[Row], Instrument], title: str
) -> Iterator[Instrument | RowRefused]:
    """Each object of a JSON array as an instrument, or as a refusal where it is no `row` or `make` raised RowError.
    Raises DecodeError where the file is no array."""
    try:
        found = msgspec.json.decode(content, type=list[msgspec.Raw])
    except (msgspec.DecodeError, UnicodeError, RecursionError) as error:
        raise DecodeError(f"{title}'s instruments file is damaged: {error}") from error
    decode = msgspec.json.Decoder(row).decode
    for each in found:
        try:
            yield make(decode(each))
        except RowError as error:
            yield RowRefused(str(error), bytes(each).decode("utf-8", "replace"))
        except (msgspec.DecodeError, UnicodeError, RecursionError):
            yield RowRefused("unreadable row", bytes(each).decode("utf-8", "replace"))


def plain_name(symbol: str) -> str:
    """A share's trading symbol without its series."""
    return symbol[:-3] if symbol.endswith(SERIES) else symbol


def told_apart(found: Iterable[Instrument | RowRefused]) -> Iterator[Instrument | RowRefused]:
    """The same rows, where those of shares that bear one name keep their series but for the main one: SBIN is SBIN-EQ
    beside SBIN-BE."""
    every = list(found)
    bearers = Counter((row.exchange, row.symbol) for row in every if isinstance(row, Instrument))
    for row in every:
        if (
            isinstance(row, Instrument)
            and bearers[row.exchange, row.symbol] > 1
            and row.instrument_type is InstrumentType.EQ
            and not row.brsymbol.endswith("-EQ")
        ):
            yield msgspec.structs.replace(row, symbol=row.brsymbol)
        else:
            yield row


def derivative(base: str, expiry: date, kind: InstrumentType, strike: float) -> str:
    """The unified symbol of a future or option."""
    return future_symbol(base, expiry) if kind is InstrumentType.FUT else option_symbol(base, expiry, strike, kind)


def positive(text: str | float, what: str) -> float:
    """A number above zero. Raises RowError."""
    try:
        value = float(text)
    except ValueError:
        raise RowError(f"unreadable {what}") from None
    if not (value > 0 and math.isfinite(value)):
        raise RowError(f"no {what}")
    return value


def lot_size(text: str | float) -> int:
    """Raises RowError."""
    value = positive(text, "lot size")
    if value != int(value) or value > MAX_LOT:
        raise RowError("unreadable lot size")
    return int(value)
