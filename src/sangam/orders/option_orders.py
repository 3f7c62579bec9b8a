"""Option orders by their distance from the money (specs: contract-rest.md, 3.9 and 3.10)."""

from collections.abc import Sequence
from datetime import date
from typing import NamedTuple

import msgspec

from sangam.instruments.master import Master
from sangam.instruments.options import Underlying, find_expiry, find_ladder, find_option, find_underlying
from sangam.model.enums import Exchange, InstrumentType
from sangam.model.errors import SangamError
from sangam.model.instrument import Instrument
from sangam.model.order import Order, Ticket

from .composites import Composites
from .legs import Slice, leg_id, sliced
from .ports import Caller, Desk
from .settling import reading


class OptionLeg(msgspec.Struct, frozen=True, kw_only=True):
    """`ticket` has everything but the symbol. Without `expiry_date` the request's holds; `split` 0 is one order."""

    offset: str
    right: InstrumentType
    ticket: Ticket
    expiry_date: str | None = None
    split: int = 0


class Seen(NamedTuple):
    """An underlying at its price."""

    underlying: Underlying
    price: float


class LegOutcome(NamedTuple):
    """`option` is None where the leg was not found: then there is one outcome, why."""

    option: Instrument | None
    slices: list[Slice]


class OptionOrders:
    def __init__(self, desk: Desk, composites: Composites) -> None:
        self._desk = desk
        self._composites = composites

    async def look(self, caller: Caller, master: Master, underlying: str, exchange: Exchange, today: date) -> Seen:
        """Raises SymbolNotFound, and BrokerError where there is no price."""
        of = find_underlying(master, underlying, exchange, today)
        with reading():
            return Seen(of, await self._desk.price(caller, of.quoted))

    def choose(
        self, seen: Seen, master: Master, expiry: str | None, step: int | None, leg: OptionLeg, today: date
    ) -> Instrument:
        """The option that a leg means. Raises InvalidInput, NotListed."""
        day = find_expiry(master, seen.underlying, leg.expiry_date or expiry, today)
        ladder = find_ladder(master, seen.underlying, day, seen.price, step)
        return find_option(master, seen.underlying, day, ladder, leg.offset, leg.right)

    async def one(self, caller: Caller, option: Instrument, leg: OptionLeg) -> Order | list[Slice]:
        ticket = _of(option, leg)
        if leg.split:
            return await self._composites.split(caller, ticket, leg.split)
        return await self._desk.place(caller, ticket, group=self._composites.group(ticket.client_order_id))

    async def many(
        self,
        caller: Caller,
        master: Master,
        seen: Seen,
        legs: Sequence[OptionLeg],
        *,
        expiry: str | None,
        step: int | None,
        today: date,
        client_order_id: str = "",
    ) -> list[LegOutcome]:
        """BUY legs first, outcomes in the order of the legs. A leg without its option costs only itself."""
        found: list[Instrument | SangamError] = []
        tickets: list[list[Ticket]] = []
        for number, leg in enumerate(legs, 1):
            name = leg_id(client_order_id, number)
            try:
                option = self.choose(seen, master, expiry, step, leg, today)
                ticket = msgspec.structs.replace(_of(option, leg), client_order_id=name)
                parts = sliced(ticket, leg.split) if leg.split else [ticket]
            except SangamError as error:
                found.append(error)
                tickets.append([])
            else:
                found.append(option)
                tickets.append(parts)
        every = [ticket for parts in tickets for ticket in parts]
        outcomes = iter(await self._composites.buys_first(caller, every, self._composites.group(client_order_id)))
        told = []
        for option_or_error, parts in zip(found, tickets, strict=True):
            if isinstance(option_or_error, SangamError):
                told.append(LegOutcome(None, [Slice(0, option_or_error)]))
            else:
                told.append(LegOutcome(option_or_error, [Slice(one.quantity, next(outcomes)) for one in parts]))
        return told


def _of(option: Instrument, leg: OptionLeg) -> Ticket:
    return msgspec.structs.replace(leg.ticket, symbol=option.symbol, exchange=option.exchange)
