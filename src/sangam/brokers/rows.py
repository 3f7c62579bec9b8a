"""Reading what brokers tell: rows as they should be, quantities that are whole, India's wall clock."""

from collections.abc import Container, Iterable
from datetime import date, datetime
from functools import lru_cache
from typing import Annotated, Any, Protocol, TypeVar

import msgspec

from sangam.model.clock import IST
from sangam.model.errors import Unknown
from sangam.model.market import DepthLevel

T = TypeVar("T")
Form = TypeVar("Form", bound=msgspec.Struct)

Number = Annotated[float, msgspec.Meta(ge=-1e15, le=1e15)]
"""For rows whose numbers may be text: "nan" and "inf" would be read as floats."""


Units = Annotated[float, msgspec.Meta(multiple_of=1, gt=-(2**53), lt=2**53)]
"""A quantity of whole units, told as 1 or 1.0: a part of a share is damage, and so is what a float cannot count."""


def read(data: Any, kind: type[T], title: str, what: str, *, strict: bool = True) -> T:
    """`data` as it should be. One damaged row spoils a whole book: what is not complete proves nothing (Unknown).
    Without `strict`, numbers may be told as text."""
    try:
        return msgspec.convert(data, kind, strict=strict)
    except msgspec.ValidationError as error:
        raise Unknown(f"{title}: {what} came in an unknown form: {error}") from error


def plain(row: Any) -> Any:
    """A row without what it does not tell (empty texts, null, ``NaN``), and its numbers without commas between the
    thousands. Anything else is as it was."""
    if not isinstance(row, dict):
        return row
    return {name: _plain(value) for name, value in row.items() if value not in ("", "NaN", None)}


def _plain(value: Any) -> Any:
    bare = value.replace(",", "") if isinstance(value, str) else ""
    return bare if bare.lstrip("-").replace(".", "", 1).isdecimal() else value


def known(products: Iterable[str], table: Container[str], title: str, what: str) -> None:
    """A book with products that nobody knows is no book (Unknown): what is left out is money that nobody watches."""
    if strange := {product for product in products if product not in table}:
        raise Unknown(f"{title}: products that are not known in {what}: {', '.join(sorted(strange))}")


def number(told: int | str, title: str, what: str) -> str:
    """What the broker calls the thing that it took; without that it is not taken (Unknown)."""
    if not told:
        raise Unknown(f"{title}: {what} was answered without its number.")
    return str(told)


def shaped(form: type[Form], row: msgspec.Struct, **more: Any) -> Form:
    """A broker's row in a form of the house: the fields that bear the same name (the row's struct renames them), and
    `more`."""
    same = {name: getattr(row, name) for name in form.__struct_fields__ if name in row.__struct_fields__}
    return form(**{**same, **more})


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


def filled(rows: Iterable[DepthLevel]) -> list[DepthLevel]:
    """The same of rows that are made already."""
    return [row for row in rows if row.quantity or row.price or row.orders]


# --- times ------------------------------------------------------------------------------------------------------------


def milliseconds(text: str | None) -> int:
    """``2022-03-03 09:24:25`` on India's wall clock (unless it names its zone, as ``...T14:19:51Z`` does) as epoch
    milliseconds; 0 for what cannot be read: news is worth more than its time."""
    try:
        told = datetime.fromisoformat(text or "")
        return int(told.replace(tzinfo=told.tzinfo or IST).timestamp() * 1000)
    except (ValueError, OverflowError):
        return 0


def moment(text: str | None, form: str) -> int:
    """The same for a time in another form (``%d-%b-%Y %H:%M:%S``)."""
    try:
        return int(datetime.strptime(text or "", form).replace(tzinfo=IST).timestamp() * 1000)
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
