"""Option orders by their distance from the money (specs: contract-rest.md, 3.9 and 3.10)."""

from collections.abc import Sequence
from datetime import date
from typing import NamedTuple

import msgspec

from sangam.instruments.master import Master
from sangam.instruments.options import Underlying, find_expiry, find_ladder, find_option, find_underlying
from sangam.model.enums import Action, Exchange, InstrumentType
from sangam.model.errors import Denied, InDoubt, OrderError, SangamError
from sangam.model.instrument import Instrument
from sangam.model.order import Order, OrderState, Ticket

from .checks import check
from .closing import known
from .composites import Composites
from .legs import Outcome, Slice, leg_id, patient, sliced
from .outcome import answer
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


class _Planned(NamedTuple):
    """A leg with its orders, or with why it has none."""

    option: Instrument | None
    tickets: list[Ticket]
    failed: list[Slice]


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
        """Outcomes in the order of the legs. All legs are found and checked before anything is sent, and BUY legs go
        first. Where one of them failed, or nobody knows what became of it, no SELL leg goes: it would stand naked."""
        planned = [
            self._plan(caller, master, seen, leg, expiry, step, today, leg_id(client_order_id, number))
            for number, leg in enumerate(legs, 1)
        ]
        numbers = [number for number, one in enumerate(planned) for _ in one.tickets]
        tickets = patient(ticket for one in planned for ticket in one.tickets)
        group = self._composites.group(client_order_id)
        buys = [row for row, one in enumerate(tickets) if one.action is Action.BUY]
        sells = [row for row, one in enumerate(tickets) if one.action is Action.SELL]
        outcomes = await self._confirmed(caller, await self._place(caller, tickets, buys, group))
        for number, leg in enumerate(legs):
            if leg.ticket.action is not Action.BUY:
                continue
            told = [one for _, one in planned[number].failed]
            told += [outcome for row, outcome in outcomes.items() if numbers[row] == number]
            if (why := _naked(number, told)) is not None:
                outcomes |= dict.fromkeys(sells, why)
                sells = [row for row in sells if known(self._desk, caller, tickets[row].client_order_id) is not None]
                break
        outcomes |= await self._place(caller, tickets, sells, group)
        slices: list[list[Slice]] = [list(one.failed) for one in planned]
        for row, number in enumerate(numbers):
            slices[number].append(Slice(tickets[row].quantity, outcomes[row]))
        return [LegOutcome(one.option, parts) for one, parts in zip(planned, slices, strict=True)]

    async def _place(
        self, caller: Caller, tickets: Sequence[Ticket], rows: Sequence[int], group: str
    ) -> dict[int, Outcome]:
        if not rows:
            return {}
        told = await self._desk.place_all(caller, [tickets[row] for row in rows], group=group)
        return dict(zip(rows, told, strict=True))

    async def _confirmed(self, caller: Caller, outcomes: dict[int, Outcome]) -> dict[int, Outcome]:
        """With what the broker said of them since they were taken."""
        taken = {row: outcome for row, outcome in outcomes.items() if isinstance(outcome, Order)}
        now = await self._composites.settling.confirmed(caller, list(taken.values()))
        return outcomes | {row: _answered(order) for row, order in zip(taken, now, strict=True)}

    def _plan(
        self,
        caller: Caller,
        master: Master,
        seen: Seen,
        leg: OptionLeg,
        expiry: str | None,
        step: int | None,
        today: date,
        name: str,
    ) -> _Planned:
        option: Instrument | None = None
        try:
            option = self.choose(seen, master, expiry, step, leg, today)
            ticket = msgspec.structs.replace(_of(option, leg), client_order_id=name)
            parts = sliced(ticket, leg.split) if leg.split else [ticket]
            freeze = self._desk.freeze_quantity(caller, option)
            for part in parts:
                check(part, option, today, freeze=freeze)
        except SangamError as error:
            return _Planned(option, [], [Slice(leg.ticket.quantity if option else 0, error)])
        return _Planned(option, parts, [])


def _answered(order: Order) -> Outcome:
    try:
        return answer(order)
    except OrderError as error:
        return error


def _naked(number: int, outcomes: Sequence[Outcome]) -> Denied | None:
    """Why no SELL leg may go, as far as a BUY leg says."""
    for outcome in outcomes:
        if isinstance(outcome, InDoubt):
            return Denied(f"not sent: leg {number + 1} is in doubt", "ORDER_ERROR")
        if not isinstance(outcome, Order) or outcome.state in (OrderState.CANCELLED, OrderState.EXPIRED):
            return Denied(f"not sent: leg {number + 1} failed", "ORDER_ERROR")
    return None


def _of(option: Instrument, leg: OptionLeg) -> Ticket:
    return msgspec.structs.replace(leg.ticket, symbol=option.symbol, exchange=option.exchange)
