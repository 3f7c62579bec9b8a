"""The rules of the house and of each account, as the user set them."""

from typing import TypeVar

import msgspec
from sqlalchemy import delete, insert, select

from sangam.model.errors import InvalidInput
from sangam.model.rules import Rules
from sangam.store import tables
from sangam.store.database import Database

T = TypeVar("T", int, float)

HOUSE = "*"
"""Stands for all accounts."""


class RuleBook:
    def __init__(self, database: Database) -> None:
        self._database = database
        with database.begin() as connection:
            rows = connection.execute(select(tables.rules)).all()
        self._rules = {row.account: msgspec.convert(row.rules, Rules) for row in rows}

    def __getitem__(self, account: str) -> Rules:
        """The rules set for one account, or for `HOUSE`."""
        return self._rules.get(account, Rules())

    def binding(self, account: str) -> Rules:
        """What an order of the account must keep: the tighter figure of account and house; the account's own lists
        replace those of the house."""
        house, own = self[HOUSE], self[account]
        return Rules(
            killed=house.killed or own.killed,
            max_quantity=_tighter(house.max_quantity, own.max_quantity),
            max_value=_tighter(house.max_value, own.max_value),
            max_orders_per_day=_tighter(house.max_orders_per_day, own.max_orders_per_day),
            symbols=own.symbols or house.symbols,
            products=own.products or house.products,
            price_band=_tighter(house.price_band, own.price_band),
        )

    def set(self, account: str, rules: Rules) -> Rules:
        """Replace them. Raises InvalidInput for figures that would forbid everything by mistake."""
        for name in ("max_quantity", "max_value", "max_orders_per_day", "price_band"):
            value = getattr(rules, name)
            if value is not None and value <= 0:
                raise InvalidInput(f"{name} must be more than 0; to stop all orders use the kill switch.")
        with self._database.begin() as connection:
            connection.execute(delete(tables.rules).where(tables.rules.c.account == account))
            if rules != Rules():
                connection.execute(insert(tables.rules).values(account=account, rules=msgspec.to_builtins(rules)))
        self._rules[account] = rules
        return rules


def _tighter(one: T | None, other: T | None) -> T | None:
    return min((value for value in (one, other) if value is not None), default=None)
