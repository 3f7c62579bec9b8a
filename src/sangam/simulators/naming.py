"""A broker's own names of today's contracts, and packets that are made once per update."""

from collections.abc import Callable, Hashable
from typing import Any, Generic, TypeVar

from .exchange import Exchange
from .listing import Contract, Id
from .market import Market

Name = TypeVar("Name", bound=Hashable)
Packet = TypeVar("Packet")


class Names(Generic[Name]):
    """What a broker calls the contracts of the day: `name` gets a contract and the exchange's number of it, and may
    answer None for what the broker does not list. They follow the exchange's edition."""

    def __init__(self, exchange: Exchange, name: Callable[[Contract, int], Name | None]) -> None:
        self._exchange = exchange
        self._name = name
        self._edition = 0
        self._ids: dict[Name, Id] = {}
        self._names: dict[Id, Name] = {}

    def find(self, name: Name) -> Market | None:
        found = self.all().get(name)
        return None if found is None else self._exchange.market(*found)

    def of(self, contract: Contract) -> Name:
        """Raises KeyError for what the broker does not list."""
        self.all()
        return self._names[contract.id]

    def all(self) -> dict[Name, Id]:
        """Today's names with the contracts they mean."""
        if self._edition != self._exchange.edition:
            self._edition = self._exchange.edition
            self._names = {
                row.id: name
                for row in self._exchange.contracts
                if (name := self._name(row, self._exchange.token(row))) is not None
            }
            self._ids = {name: key for key, name in self._names.items()}
        return self._ids


class Packets(Generic[Packet]):
    """Payloads of markets that are made once per update, however many sockets want them."""

    def __init__(self, make: Callable[[Market, Any], Packet]) -> None:
        self._make = make
        self._made: dict[tuple[Id, Any], tuple[int, Packet]] = {}

    def get(self, market: Market, terms: Hashable) -> Packet:
        """The payload of a market under the terms of a subscription."""
        key = (market.contract.id, terms)
        known = self._made.get(key)
        if known is None or known[0] != market.updates:
            known = self._made[key] = (market.updates, self._make(market, terms))
        return known[1]
