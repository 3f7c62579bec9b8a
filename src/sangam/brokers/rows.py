"""Reading what brokers tell: rows as they should be, quantities that are whole, India's wall clock."""

from collections.abc import Iterable
from datetime import date, datetime
from functools import lru_cache
from typing import Any, Protocol, TypeVar

import msgspec

from sangam.model.clock import IST
from sangam.model.errors import Unknown
from sangam.model.market import DepthLevel

T = TypeVar("T")
Form = TypeVar("Form", bound=msgspec.Struct)


def read(data: Any, kind: type[T], title: str, what: str) -> T:
    """`data` as it should be. One damaged row spoils a whole book: what is not complete proves nothing (Unknown)."""
    try:
        return msgspec.convert(data, kind)
    except msgspec.ValidationError as error:
        raise Unknown(f"{title}: {what} came in an unknown form: {error}") from error


def shaped(form: type[Form], row: msgspec.Struct, **more: Any) -> Form:
    """A broker's row in a form of the house: the fields that bear the same name (the row's struct renames them), and
    `more`."""
    same = {name: getattr(row, name) for name in form.__struct_fields__ if name in row.__struct_fields__}
    return form(**{**same, **more})


def whole(*quantities: float | None) -> None:
    """A part of a share is damage, and so is what a float cannot count any more: ValueError."""
    if any(each is not None and not (each.is_integer() and abs(each) < 2**53) for each in quantities):
        raise ValueError("a quantity is not whole")


class Level(Protocol):
    @property
    def price(self) -> float: ...
    @property
    def quantity(self) -> int: ...
    @property
    def orders(self) -> int: ...


def levels(rows: Iterable[Level]) -> list[DepthLevel]:
    """One side of a book; empty rows are all zero and left out."""
    return [DepthLevel(row.price, row.quantity, row.orders) for row in rows if row.price or row.quantity or row.orders]


# --- times ------------------------------------------------------------------------------------------------------------


def milliseconds(text: str | None) -> int:
    """``2022-03-03 09:24:25`` on India's wall clock as epoch milliseconds; 0 for what cannot be read: news is worth
    more than its time."""
    try:
        return int(datetime.fromisoformat(text or "").replace(tzinfo=IST).timestamp() * 1000)
    except (ValueError, OverflowError):
        return 0


def bar_start(text: str, *, daily: bool) -> int:
    """``2017-12-15T09:15:00+0530`` as the epoch second of a candle's start; a daily one starts at 00:00 UTC of its IST
    date. Raises ValueError."""
    return _date(text[:10]) + (0 if daily else _clock(text[10:]))


# A long history has thousands of candles but few dates and few times of day: each is read once.


@lru_cache(maxsize=4096)
def _date(text: str) -> int:
    return (date.fromisoformat(text) - date(1970, 1, 1)).days * 86_400


@lru_cache(maxsize=2048)
def _clock(text: str) -> int:
    return int(datetime.fromisoformat(f"1970-01-02{text}").timestamp()) - 86_400
