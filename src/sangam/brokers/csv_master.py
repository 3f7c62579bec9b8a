"""Master files that are CSV: rows under known columns, numbers that are what they should be, refusals that are
counted."""

import csv
import io
import math
from collections.abc import Callable, Iterable, Iterator, Sequence

from sangam.model.errors import DecodeError
from sangam.model.instrument import Instrument

from .data import RowRefused

MAX_LOT = 1_000_000_000


class RowError(Exception):
    """Why a row is not taken; the text is counted."""


def rows(text: str, columns: Sequence[str], title: str) -> Iterator[list[str]]:
    """The rows under the header that is expected. Raises DecodeError where another file came, or a damaged one."""
    reader = csv.reader(io.StringIO(text, newline=""))
    try:
        if next(reader, None) != list(columns):
            raise DecodeError(f"{title}'s instruments file does not begin with the known columns.")
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


def positive(text: str, what: str) -> float:
    """A number above zero. Raises RowError."""
    try:
        value = float(text)
    except ValueError:
        raise RowError(f"unreadable {what}") from None
    if not (value > 0 and math.isfinite(value)):
        raise RowError(f"no {what}")
    return value


def lot_size(text: str) -> int:
    """Raises RowError."""
    value = positive(text, "lot size")
    if value != int(value) or value > MAX_LOT:
        raise RowError("unreadable lot size")
    return int(value)
