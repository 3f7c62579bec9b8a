"""The money side of a paper book: cash, blocked margin, positions, holdings.

Equity is cash plus what open positions gained plus what holdings are worth: a fill at the market price leaves it as it
is, so it changes by price moves and charges only."""

from decimal import Decimal

from sangam.model.enums import Product
from sangam.model.instrument import Instrument

from . import margin
from .state import ZERO, Balance, HoldingKey, PaperHolding, PaperOrder, PaperPosition, PositionKey


class Ledger:
    """`used` is what all orders and positions block, kept as a running sum."""

    def __init__(self, balance: Balance) -> None:
        self.balance = balance
        self.positions: dict[PositionKey, PaperPosition] = {}
        self.holdings: dict[HoldingKey, PaperHolding] = {}
        self.used = ZERO

    @property
    def available(self) -> Decimal:
        return self.balance.cash - self.used

    @property
    def unrealised(self) -> Decimal:
        return sum((position.unrealised() for position in self.positions.values()), ZERO)

    @property
    def equity(self) -> Decimal:
        held = sum((holding.quantity * holding.ltp or holding.cost for holding in self.holdings.values()), ZERO)
        return self.balance.cash + self.unrealised + held

    def quantity(self, key: PositionKey) -> int:
        """Of a net position, signed."""
        position = self.positions.get(key)
        return position.quantity if position else 0

    def held(self, at: HoldingKey) -> bool:
        """Whether a position is open in an instrument."""
        return any(self.quantity((*at, product)) for product in Product)

    # --- margin of orders ---------------------------------------------------------------------------------------------

    def block(self, order: PaperOrder, units: int, unit: Decimal) -> None:
        """Hold margin for the opening part of an order instead of what it held before."""
        self.used -= order.blocked
        order.opening, order.unit, order.blocked = units, unit, margin.amount(units, unit)
        self.used += order.blocked

    def unblock(self, order: PaperOrder) -> None:
        self.block(order, 0, order.unit)

    def lacks(self, order: PaperOrder, quantity: int) -> bool:
        """Whether a fill would open more than was blocked for, and the money for that is not there."""
        extra = self._opening(order, quantity) - order.opening
        return extra > 0 and margin.amount(extra, order.unit) > max(ZERO, self.available)

    def _opening(self, order: PaperOrder, quantity: int) -> int:
        against = max(0, -order.sign * self.quantity(order.key))
        return quantity - min(quantity, against)

    # --- fills --------------------------------------------------------------------------------------------------------

    def fill(
        self, order: PaperOrder, quantity: int, price: Decimal, multiplier: Decimal, now_ms: int
    ) -> tuple[PaperPosition, Decimal]:
        """Book a fill: close against the position first, open the rest at the price. Answers what it realised.

        Margin that was blocked for the order moves to the position; the order's `filled` is the caller's."""
        position = self.positions.get(order.key)
        if position is None:
            position = PaperPosition(
                account=order.account, instrument=order.instrument, product=order.product, multiplier=multiplier
            )
            self.positions[order.key] = position
        opened = self._opening(order, quantity)
        realised = self._close(position, order.sign * (quantity - opened), price)
        if opened:
            if not position.quantity:
                position.opened_at, position.account = now_ms, order.account
                position.instrument, position.multiplier = order.instrument, multiplier
            moved = self._take(order, opened)
            position.quantity += order.sign * opened
            position.cost += order.sign * opened * price * position.multiplier
            position.margin += moved
        left = order.remaining - quantity
        if order.opening > left:
            self.block(order, left, order.unit)
        position.ltp, position.updated_at = price, now_ms
        return position, realised

    def _take(self, order: PaperOrder, opened: int) -> Decimal:
        """The margin for opened units: out of what the order holds, the rest out of free money."""
        held = min(opened, order.opening)
        moved = margin.share(order.blocked, held, order.opening) if held else ZERO
        order.blocked -= moved
        order.opening -= held
        extra = margin.amount(opened - held, order.unit)
        self.used += extra
        return moved + extra

    def _close(self, position: PaperPosition, signed: int, price: Decimal) -> Decimal:
        if not signed:
            return ZERO
        of = abs(position.quantity)
        cost = margin.share(position.cost, abs(signed), of)
        freed = margin.share(position.margin, abs(signed), of)
        realised = -signed * price * position.multiplier - cost
        position.quantity += signed
        position.cost -= cost
        position.margin -= freed
        position.realised += realised
        self.used -= freed
        self._earn(realised)
        return realised

    def _earn(self, realised: Decimal) -> None:
        balance = self.balance
        balance.cash += realised
        balance.realised_today += realised
        balance.realised_total += realised

    def charge(self, amount: Decimal) -> None:
        balance = self.balance
        balance.cash -= amount
        balance.charges_today += amount
        balance.charges_total += amount

    # --- delivery and conversion --------------------------------------------------------------------------------------

    def deliver(self, position: PaperPosition, day: str) -> PaperHolding | None:
        """T+1 of a delivery position: bought shares become a holding that is paid, sold ones leave it and bring their
        price. None where no holding is left."""
        quantity, cost = position.quantity, position.cost
        holding = self.holdings.get((position.instrument.symbol, position.instrument.exchange))
        if quantity > 0 and holding is None:
            holding = PaperHolding(
                account=position.account, instrument=position.instrument, quantity=0, cost=ZERO, settled=day
            )
            self.holdings[holding.key] = holding
        if holding is not None:
            if quantity > 0:
                holding.cost += cost
                self.balance.cash -= cost
            elif quantity < 0:
                left = margin.share(holding.cost, -quantity, holding.quantity)
                holding.cost -= left
                self.balance.cash += left
                position.realised -= cost + left
                self._earn(-cost - left)
            holding.quantity += quantity
            holding.settled, holding.ltp = day, position.ltp
        self.used -= position.margin
        position.quantity, position.cost, position.margin = 0, ZERO, ZERO
        if holding is not None and holding.quantity == 0:
            del self.holdings[holding.key]
            return None
        return holding

    def convert(self, old: PaperPosition, new: PaperPosition, quantity: int, unit: Decimal, now_ms: int) -> None:
        """Move units of a position to another product at their cost; their margin is `unit` each from now on."""
        of, sign = abs(old.quantity), 1 if old.quantity > 0 else -1
        cost, freed = margin.share(old.cost, quantity, of), margin.share(old.margin, quantity, of)
        old.quantity -= sign * quantity
        old.cost -= cost
        old.margin -= freed
        held = margin.amount(quantity, unit)
        new.opened_at = new.opened_at if new.quantity else now_ms
        new.quantity += sign * quantity
        new.cost += cost
        new.margin += held
        new.ltp = old.ltp
        self.used += held - freed
        old.updated_at = new.updated_at = now_ms

    def position(self, account: str, instrument: Instrument, key: PositionKey, multiplier: Decimal) -> PaperPosition:
        """The row of a product, flat where there was none."""
        if key not in self.positions:
            self.positions[key] = PaperPosition(
                account=account, instrument=instrument, product=key[2], multiplier=multiplier
            )
        return self.positions[key]
