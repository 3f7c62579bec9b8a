"""An order as brokers tell it, in the book, by push and by webhook."""

from collections.abc import Callable
from typing import Any, TypeVar

import msgspec

from sangam.model.enums import OrderStatus, PriceType
from sangam.model.errors import DecodeError
from sangam.model.order import OrderUpdate, Validity

from .rows import shaped

Row = TypeVar("Row", bound=msgspec.Struct)

_TEXTS = ("price_type", "rejection_reason", "tag")
_PRICES = ("price", "trigger_price", "average_price")
_QUANTITIES = ("disclosed_quantity", "filled_quantity", "pending_quantity")


def unified(row: msgspec.Struct, status: OrderStatus, **more: Any) -> OrderUpdate:
    """A broker's row in the house's form: the fields that bear our names (its struct renames them), where null and what
    it does not tell are nothing; `more` says what it words otherwise. Ids may be numbers, and whole quantities
    floats (1.0 for 1)."""
    names = row.__struct_fields__
    plain: dict[str, Any] = {name: getattr(row, name) or "" for name in _TEXTS if name in names}
    plain |= {name: getattr(row, name) or 0.0 for name in _PRICES if name in names}
    plain |= {name: int(getattr(row, name) or 0) for name in ("quantity", *_QUANTITIES) if name in names}
    validity = Validity.IOC if getattr(row, "validity", None) == Validity.IOC else Validity.DAY
    plain |= {"order_id": str(getattr(row, "order_id", "")), "status": status.value, "validity": validity.value}
    return shaped(OrderUpdate, row, **{**plain, **more})


def standing(price_type: str | None, filled: float | None, *, opened: bool = False) -> OrderStatus:
    """What an order is that is neither over nor said to wait: open, unless it is a stop of which nothing is filled. A
    status on the way to another does not say that a stop was triggered; `opened` says that this one does."""
    waits = not (opened or filled) and price_type in (PriceType.SL, PriceType.SL_M)
    return OrderStatus.TRIGGER_PENDING if waits else OrderStatus.OPEN


def reader(
    row: type[Row],
    update: Callable[[Row], OrderUpdate],
    *,
    strict: bool = True,
    plain: Callable[[Any], Any] = lambda data: data,
) -> Callable[[bytes | str | msgspec.Raw], OrderUpdate]:
    """Reads one order as JSON; anything else is damaged (DecodeError). Without `strict`, numbers may be text; `plain`
    makes a row readable where the broker has odd ways of writing it."""

    def read(text: bytes | str | msgspec.Raw) -> OrderUpdate:
        try:
            return update(msgspec.convert(plain(msgspec.json.decode(text)), row, strict=strict))
        except (msgspec.DecodeError, UnicodeError, RecursionError) as error:
            raise DecodeError(f"unreadable order news: {error}") from error

    return read
