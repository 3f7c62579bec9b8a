"""What an owner of orders has at the broker: money, positions and holdings, derived from the exchange's ledger.

Margins are simple on purpose: delivery pays in full, a bought option its premium, everything else a fifth of its value.
Charges are not deducted."""

from datetime import date
from typing import NamedTuple

import msgspec

from sangam.model.enums import Action, Exchange, InstrumentType, Product

from .exchange import Exchange as Floor
from .listing import Contract, Id
from .market import Market
from .orders import Order, Trade

MARGIN = 0.2
"""The share of a contract's value that is blocked for it."""

_UNITS = {"CRUDEOIL": 100, "NATURALGAS": 1250, "GOLDM": 10, "SILVER": 30, "GOLD": 100}
_CURRENCY_UNITS = 1000

Key = tuple[str, Exchange, Product]


def multiplier(contract: Contract) -> int:
    """How many times its price one unit of quantity is worth: commodities and currencies are counted in lots."""
    if contract.exchange in (Exchange.CDS, Exchange.BCD):
        return _CURRENCY_UNITS
    return _UNITS.get(contract.name, 1) if contract.exchange in (Exchange.MCX, Exchange.NCO) else 1


class Position(msgspec.Struct, kw_only=True):
    """One contract under one product: what came over from yesterday (at `overnight_price`, the close) and today's
    trades. Values are quantity x price x multiplier."""

    market: Market
    product: Product
    multiplier: int
    overnight_quantity: int = 0
    overnight_price: float = 0.0
    buy_quantity: int = 0
    buy_value: float = 0.0
    sell_quantity: int = 0
    sell_value: float = 0.0

    @property
    def contract(self) -> Contract:
        return self.market.contract

    @property
    def quantity(self) -> int:
        return self.overnight_quantity + self.buy_quantity - self.sell_quantity

    @property
    def bought(self) -> tuple[int, float]:
        """Quantity and value of all that was bought, yesterday's included."""
        more = max(self.overnight_quantity, 0)
        return self.buy_quantity + more, self.buy_value + more * self.overnight_price * self.multiplier

    @property
    def sold(self) -> tuple[int, float]:
        more = max(-self.overnight_quantity, 0)
        return self.sell_quantity + more, self.sell_value + more * self.overnight_price * self.multiplier

    @property
    def average_price(self) -> float:
        """What the open quantity was bought or sold at, on average; 0 when flat."""
        if not self.quantity:
            return 0.0
        quantity, value = self.bought if self.quantity > 0 else self.sold
        return value / quantity / self.multiplier

    def profit(self, price: float) -> float:
        """Realised and unrealised, at a price."""
        return self.sold[1] - self.bought[1] + self.quantity * price * self.multiplier

    @property
    def realised(self) -> float:
        """What the closed part made."""
        (bought, paid), (sold, got) = self.bought, self.sold
        closed = min(bought, sold)
        return closed * (got / sold - paid / bought) if closed else 0.0

    @property
    def margin(self) -> float:
        share = _share(self.contract, self.product, self.quantity > 0)
        return abs(self.quantity) * self.average_price * self.multiplier * share


class Holding(msgspec.Struct):
    """Shares in the demat account. `fresh` ones were bought yesterday and arrive tomorrow (T+1)."""

    contract: Contract
    quantity: int
    average_price: float
    fresh: int = 0


class Funds(NamedTuple):
    """Rupees: what the day began with, what its trades made, what is blocked, and what is left."""

    opening: float
    realised: float
    unrealised: float
    blocked: float
    premium: float
    delivery: float

    @property
    def available(self) -> float:
        return self.opening + self.realised - self.used

    @property
    def used(self) -> float:
        return self.blocked + self.premium + self.delivery


class Portfolio:
    """One owner's books; they follow the ledger event by event."""

    def __init__(self, floor: Floor, owner: str, cash: float) -> None:
        self._floor = floor
        self.owner = owner
        self.opening = cash
        self.positions: dict[Key, Position] = {}
        self.holdings: dict[Id, Holding] = {}
        self._day = floor.day
        self._trades = self._entries = 0
        self._blocked: dict[str, float] = {}
        self._offered: dict[str, tuple[Id, int]] = {}
        """Shares that waiting delivery orders want to sell."""
        floor.on_order(lambda order: self.read())

    def hold(self, symbol: str, exchange: Exchange, quantity: int, average_price: float) -> None:
        """Put shares into the demat account. Raises SymbolNotFound."""
        contract = self._floor.market(symbol, exchange).contract
        self.holdings[contract.id] = Holding(contract, quantity, average_price)

    def read(self) -> None:
        """Take in what happened since."""
        self._turn_to(self._floor.day)
        ledger = self._floor.ledger
        trades, self._trades = ledger.trades[self._trades :], len(ledger.trades)
        for trade in trades:
            order = ledger.orders[trade.order_id]
            if order.owner == self.owner:
                self._book(order, trade)
        entries, self._entries = ledger.entries[self._entries :], len(ledger.entries)
        for order_id in {entry.order.order_id for entry in entries if entry.order.owner == self.owner}:
            self._block(ledger.orders[order_id])

    def funds(self) -> Funds:
        self.read()
        realised = unrealised = blocked = premium = delivery = 0.0
        for row in self.positions.values():
            price = self.price(row.contract)
            realised += row.realised
            unrealised += row.profit(price) - row.realised
            if row.product is Product.CNC:
                delivery += row.margin if row.quantity > 0 else 0.0
            elif is_option(row.contract) and row.quantity > 0:
                premium += row.margin
            else:
                blocked += row.margin
        return Funds(self.opening, realised, unrealised, blocked + sum(self._blocked.values()), premium, delivery)

    def shortage(self, market: Market, order: "Wish") -> tuple[float, float] | None:
        """Required and available margin where an order wants more money than there is."""
        required = self.required(market, order)
        if not required:
            return None
        available = self.funds().available
        return (required, available) if required > available else None

    def lacks_shares(self, market: Market, order: "Wish") -> int | None:
        """How many shares can be sold for delivery, where an order wants to sell more."""
        if order.product is not Product.CNC or order.action is not Action.SELL:
            return None
        self.read()
        free = self.sellable(market.contract)
        return free if order.quantity > free else None

    def sellable(self, contract: Contract) -> int:
        """Shares held, bought today for delivery and not yet offered."""
        held, bought = self.holdings.get(contract.id), self.positions.get((*contract.id, Product.CNC))
        offered = sum(quantity for found, quantity in self._offered.values() if found == contract.id)
        return (held.quantity if held else 0) + (bought.quantity if bought else 0) - offered

    def required(self, market: Market, order: "Wish") -> float:
        """Margin that an order needs for what it opens; closing a position needs none."""
        self.read()
        return self._needed(market.contract, order)

    def convert(self, contract: Contract, old: Product, new: Product, quantity: int) -> bool:
        """Carry an open quantity over to another product; whether so much was there. `quantity` is unsigned."""
        self.read()
        position = self.positions.get((*contract.id, old))
        if position is None or not 0 < quantity <= abs(position.quantity) or old is new:
            return False
        price, target = position.average_price, self._position(position.market, new)
        for row, buys in ((position, position.quantity < 0), (target, position.quantity > 0)):
            self._add(row, buys, quantity, price)
        return True

    def price(self, contract: Contract) -> float:
        market = self._floor.market(*contract.id)
        return market.rupees(market.ltp)

    # --- reading the ledger -------------------------------------------------------------------------------------------

    def _book(self, order: Order, trade: Trade) -> None:
        row = self._position(self._floor.market(order.symbol, order.exchange), order.product)
        self._add(row, order.action is Action.BUY, trade.quantity, trade.price)

    def _position(self, market: Market, product: Product) -> Position:
        key = (*market.contract.id, product)
        if key not in self.positions:
            self.positions[key] = Position(market=market, product=product, multiplier=multiplier(market.contract))
        return self.positions[key]

    @staticmethod
    def _add(row: Position, buy: bool, quantity: int, price: float) -> None:
        value = quantity * price * row.multiplier
        if buy:
            row.buy_quantity += quantity
            row.buy_value += value
        else:
            row.sell_quantity += quantity
            row.sell_value += value

    def _block(self, order: Order) -> None:
        """What a waiting order keeps from others."""
        self._blocked.pop(order.order_id, None)
        self._offered.pop(order.order_id, None)
        if order.status.is_final:
            return
        contract = self._floor.market(order.symbol, order.exchange).contract
        if order.product is Product.CNC and order.action is Action.SELL:
            self._offered[order.order_id] = (contract.id, order.pending_quantity)
        elif need := self._needed(
            contract, Wish(order.action, order.pending_quantity, order.product, asked_price(order))
        ):
            self._blocked[order.order_id] = need

    def _needed(self, contract: Contract, order: "Wish") -> float:
        buy = order.action is Action.BUY
        position = self.positions.get((*contract.id, order.product))
        against = (-position.quantity if buy else position.quantity) if position else 0
        opens = order.quantity - min(max(against, 0), order.quantity)
        return _margin(contract, order.product, buy, opens, order.price or self.price(contract))

    def _turn_to(self, day: date) -> None:
        """Intraday positions were squared off, delivery went to the holdings, contracts that expired were settled."""
        if day == self._day:
            return
        self._day = day
        listed = {contract.id for contract in self._floor.contracts}
        for holding in self.holdings.values():
            holding.fresh = 0
        for key, row in list(self.positions.items()):
            carried = row.product is Product.NRML and row.contract.id in listed
            close = row.market.rupees(row.market.close if row.contract.id in listed else row.market.ltp)
            del self.positions[key]
            if row.product is Product.CNC:
                self._deliver(row)
                continue
            self.opening += row.profit(close)
            if carried and row.quantity:
                overnight = self._position(row.market, row.product)
                overnight.overnight_quantity, overnight.overnight_price = row.quantity, close

    def _deliver(self, row: Position) -> None:
        """Shares that came or went; money moves with them."""
        self.opening += row.sell_value - row.buy_value
        held = self.holdings.setdefault(row.contract.id, Holding(row.contract, 0, 0.0))
        if row.quantity > 0:
            cost = held.average_price * held.quantity + row.average_price * row.quantity
            held.average_price = cost / (held.quantity + row.quantity)
            held.fresh = row.quantity
        held.quantity += row.quantity
        if not held.quantity:
            del self.holdings[row.contract.id]


class Wish(NamedTuple):
    """The part of an order that margins are about; a `price` of 0 means the last one."""

    action: Action
    quantity: int
    product: Product
    price: float = 0.0


def asked_price(order: Order) -> float:
    return order.price if order.price_type.has_price else order.trigger_price


def is_option(contract: Contract) -> bool:
    return contract.instrument_type in (InstrumentType.CE, InstrumentType.PE)


def _share(contract: Contract, product: Product, buy: bool) -> float:
    return 1.0 if product is Product.CNC or (buy and is_option(contract)) else MARGIN


def _margin(contract: Contract, product: Product, buy: bool, quantity: int, price: float) -> float:
    if product is Product.CNC and not buy:
        return 0.0
    if is_option(contract) and not buy:
        price = contract.strike
    return round(quantity * price * multiplier(contract) * _share(contract, product, buy), 2)
