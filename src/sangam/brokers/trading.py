"""What a broker can do for an account: orders, books, margins, GTTs.

Each is an operation. One that writes yields exactly one request with ``effect="write"``; what it reads before counts as
not sent. Its result is an outcome: a return is the broker's acceptance, `Refused` (from `check`) its refusal by
evidence, and whatever else goes wrong after the write is `Unknown`."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple

from sangam.model.books import Funds, Gtt, GttLeg, Holding, Margin, MarginLeg, Position, Trade
from sangam.model.enums import Exchange, PriceType, Product
from sangam.model.errors import Refused
from sangam.model.instrument import Instrument
from sangam.model.order import Accepted, Change, Order, OrderUpdate

from .operation import Ctx, Operation, Session


class Tag(NamedTuple):
    """The field of an order that the broker echoes: what fits into it. `length` is in characters or digits; `in_news`
    says that streams echo it, too, and not only the book."""

    kind: Literal["text", "int", "none"] = "none"
    length: int = 0
    in_news: bool = True

    def text(self, order: Order) -> str:
        """Our tag, and as many letters and digits of the caller's behind it as fit; a number is ours alone."""
        if self.kind == "int":
            return order.our_tag
        own = "".join(letter for letter in order.tag if letter.isascii() and letter.isalnum())
        return (order.our_tag + own)[: self.length]


NO_TAG = Tag()

_PROTECTED: Mapping[str, frozenset[PriceType]] = {
    "native": frozenset(),
    "limit stops": frozenset({PriceType.SL_M}),
    "limit": frozenset({PriceType.MARKET, PriceType.SL_M}),
}


@dataclass(frozen=True, kw_only=True)
class GttDesk:
    """Good-till-triggered orders. `place` and `modify` get one leg (single) or two (OCO, the lower trigger first) and
    the instrument's last price, and answer with the trigger's id; `modify` replaces the whole trigger. `oco` says
    whether two legs are offered, `price_types` what a leg may be."""

    place: Callable[[Instrument, Sequence[GttLeg], float, Session, Ctx], Operation[str]]
    modify: Callable[[str, Instrument, Sequence[GttLeg], float, Session, Ctx], Operation[str]]
    cancel: Callable[[str, Session, Ctx], Operation[str]]
    list: Callable[[Session, Ctx], Operation[list[Gtt]]]
    oco: bool = True
    price_types: frozenset[PriceType] = frozenset({PriceType.LIMIT})


@dataclass(frozen=True, kw_only=True)
class Postback:
    """Order news that the broker posts to an address of ours. `read` turns a body into the update; `verified` says
    whether its signature is right (without that it only makes us read the book): `unsigned` where there is none."""

    read: Callable[[bytes, Mapping[str, str]], OrderUpdate]
    verified: Callable[[bytes, Mapping[str, str], Session], bool]


def carried_over(title: str, what: str, today: int, carried: int, asked: int) -> bool:
    """Whether the part of a position that is to be converted (all three are signed) was carried over rather than
    bought today, for brokers that convert the two by different calls. Raises Refused where it is in neither alone."""
    for over, held in ((False, today), (True, carried)):
        if held * asked > 0 and abs(held) >= abs(asked):
            return over
    raise Refused(
        f"{title}: the position of {what} is {today:+d} of today and {carried:+d} carried over: {asked:+d} cannot be "
        "converted by one call. Convert a part of it.",
        "INVALID_INPUT",
    ).unsent()


def unsigned(body: bytes, headers: Mapping[str, str], session: Session) -> bool:
    """`Postback.verified` of a broker that signs nothing: anybody could have posted that."""
    return False


@dataclass(frozen=True, kw_only=True)
class Trading:
    """Orders and books of a broker.

    `place` sends `order.our_tag` (and the caller's `tag` behind it, as far as it fits) where `tag` has a field.
    `modify` and `cancel` get the `Order` with its `native` facts. `order` reads one order, None where the broker does
    not know it; `find` looks orders up by their whole tag, as `place` sent it, where the broker can. `market` tells
    what becomes of MARKET and SL-M: sent as they are ("native"), only SL-M turned into SL by us with a protected price
    ("limit stops"), or MARKET into LIMIT, too ("limit"). `products` are those of each exchange,
    `no_ioc` the exchanges that take no IOC. `modifications` is how often one order may be changed. `polls` is how many
    seconds pass between reads of the book where no stream tells of orders."""

    place: Callable[[Order, Instrument, Session, Ctx], Operation[Accepted]]
    modify: Callable[[Order, Change, Instrument, Session, Ctx], Operation[Accepted]]
    cancel: Callable[[Order, Session, Ctx], Operation[Accepted]]
    orders: Callable[[Session, Ctx], Operation[list[OrderUpdate]]]
    trades: Callable[[Session, Ctx], Operation[list[Trade]]]
    positions: Callable[[Session, Ctx], Operation[list[Position]]]
    holdings: Callable[[Session, Ctx], Operation[list[Holding]]]
    funds: Callable[[Session, Ctx], Operation[Funds]]
    tag: Tag = NO_TAG
    order: Callable[[str, Session, Ctx], Operation[OrderUpdate | None]] | None = None
    find: Callable[[str, Session, Ctx], Operation[list[OrderUpdate]]] | None = None
    margin: Callable[[Sequence[tuple[Instrument, MarginLeg]], Session, Ctx], Operation[Margin]] | None = None
    convert: Callable[[Instrument, Product, Product, int, Session, Ctx], Operation[None]] | None = None
    """Instrument, old and new product, signed quantity of the position."""
    gtt: GttDesk | None = None
    postback: Postback | None = None
    market: Literal["native", "limit stops", "limit"] = "native"
    products: Mapping[Exchange, frozenset[Product]]
    no_ioc: frozenset[Exchange] = frozenset()
    modifications: int | None = None
    polls: float = 5.0

    def takes(self, price_type: PriceType) -> bool:
        """Whether orders of a type go out as they are."""
        return price_type not in _PROTECTED[self.market]
