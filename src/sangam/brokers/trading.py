"""What a broker can do for an account: orders, books, margins, GTTs.

Each is an operation. One that writes yields exactly one request with ``effect="write"``; what it reads before counts as
not sent. Its result is an outcome: a return is the broker's acceptance, `Refused` (from `check`) its refusal by
evidence, and whatever else goes wrong after the write is `Unknown`."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple

from sangam.model.books import Funds, Gtt, GttLeg, Holding, Margin, MarginLeg, Position, Trade
from sangam.model.enums import Exchange, PriceType, Product
from sangam.model.instrument import Instrument
from sangam.model.order import Accepted, Change, Order, OrderUpdate

from .operation import Ctx, Operation, Session


class Tag(NamedTuple):
    """The field of an order that the broker echoes: what fits into it. `length` is in characters or digits."""

    kind: Literal["text", "int", "none"] = "none"
    length: int = 0

    def text(self, order: Order) -> str:
        """Our tag, and as many letters and digits of the caller's behind it as fit."""
        own = "".join(letter for letter in order.tag if letter.isascii() and letter.isalnum())
        return (order.our_tag + own)[: self.length]


NO_TAG = Tag()


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
    whether its signature is right (without that it only makes us read the book)."""

    read: Callable[[bytes, Mapping[str, str]], OrderUpdate]
    verified: Callable[[bytes, Mapping[str, str], Session], bool]


@dataclass(frozen=True, kw_only=True)
class Trading:
    """Orders and books of a broker.

    `place` sends `order.our_tag` (and the caller's `tag` behind it, as far as it fits) where `tag` has a field.
    `modify` and `cancel` get the `Order` with its `native` facts. `order` reads one order, None where the broker does
    not know it; `find` looks orders up by our tag where the broker can. `market` tells what becomes of MARKET and SL-M:
    sent as they are, or turned into LIMIT and SL by us with a protected price. `products` are those of each exchange,
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
    market: Literal["native", "limit"] = "native"
    products: Mapping[Exchange, frozenset[Product]]
    no_ioc: frozenset[Exchange] = frozenset()
    modifications: int | None = None
    polls: float = 5.0
