"""How the journal's rows are written and read."""

import logging
from array import array
from bisect import bisect_left
from collections.abc import Callable, Collection, Iterable, Iterator
from typing import Any, TypeVar

import msgspec
from sqlalchemy import Executable, RowMapping, Select, Table, bindparam, delete, func, insert, or_, select
from sqlalchemy.dialects import postgresql, sqlite

from sangam.model.errors import StoreError

from .database import Database
from .journal_tables import order_acts, order_events, orders

log = logging.getLogger("sangam.store")

T = TypeVar("T")

_PAGE = 1000


class Statements:
    """The writes, each made once: the writer joins equal ones. Those of facts bear being tried again."""

    def __init__(self, database: Database) -> None:
        upsert: Callable[[Table], Any] = sqlite.insert
        if database.engine.dialect.name == "postgresql":
            upsert = postgresql.insert
        self.add_order: Executable = insert(orders)
        self.save_order = _or_update(upsert(orders), orders)
        self.add_event: Executable = upsert(order_events).on_conflict_do_nothing(index_elements=["seq"])
        self.save_act = _or_update(upsert(order_acts), order_acts)
        self.withdraw_order: Executable = delete(orders).where(
            orders.c.id == bindparam("gone"),
            orders.c.state == bindparam("was"),
            orders.c.created_at == bindparam("made"),
        )
        self.withdraw_event: Executable = delete(order_events).where(order_events.c.seq == bindparam("number"))


class Rows:
    """The reads. Each is a transaction of its own; raises StoreError."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def standing_orders(self, settled: Collection[str], since_ms: int) -> list[RowMapping]:
        """Those that are not settled, and all that changed since; oldest first."""
        wanted = or_(orders.c.state.not_in(settled), orders.c.updated_at >= since_ms)
        return self._all(select(orders).where(wanted).order_by(orders.c.created_at, orders.c.id))

    def standing_acts(self, open_states: Collection[str], since_ms: int) -> list[RowMapping]:
        wanted = or_(order_acts.c.state.in_(open_states), order_acts.c.updated_at >= since_ms)
        return self._all(select(order_acts).where(wanted).order_by(order_acts.c.created_at, order_acts.c.id))

    def newest(self) -> int:
        rows = self._all(select(func.max(order_events.c.seq).label("seq")))
        return rows[0]["seq"] or 0

    def order_of_client(self, account: str, client_order_id: str) -> RowMapping | None:
        return self._of_client(orders, account, client_order_id)

    def act_of_client(self, account: str, client_order_id: str) -> RowMapping | None:
        """The newest: acts may share one."""
        return self._of_client(order_acts, account, client_order_id)

    def _of_client(self, table: Table, account: str, client_order_id: str) -> RowMapping | None:
        wanted = (table.c.account == account) & (table.c.client_order_id == client_order_id)
        rows = self._all(select(table).where(wanted).order_by(table.c.created_at.desc()).limit(1))
        return rows[0] if rows else None

    def client_ids(self) -> Iterator[tuple[str, str]]:
        """Every (account, client order id) that an order or an act ever had."""
        for table in (orders, order_acts):
            wanted = select(table.c.account, table.c.client_order_id).where(table.c.client_order_id.is_not(None))
            with self._database.begin() as connection:
                for row in connection.execute(wanted, execution_options={"yield_per": _PAGE}):
                    yield row[0], row[1]

    def told(self, accounts: Collection[str], after: int, until: int, limit: int) -> list[RowMapping]:
        """Events that clients heard, with numbers after one and up to another."""
        events = order_events.c
        wanted = (events.account.in_(accounts), events.seq > after, events.seq <= until, events.event.is_not(None))
        asked = select(events.seq, events.account, events.event, events.update).where(*wanted)
        return self._all(asked.order_by(events.seq).limit(limit))

    def events(self, account: str | None, since_ms: int, until_ms: int) -> Iterator[RowMapping]:
        """Oldest first, read in pages so that no transaction stays open meanwhile."""
        asked = select(order_events).where(order_events.c.at >= since_ms, order_events.c.at < until_ms)
        if account is not None:
            asked = asked.where(order_events.c.account == account)
        after = -1
        while page := self._all(asked.where(order_events.c.seq > after).order_by(order_events.c.seq).limit(_PAGE)):
            yield from page
            after = page[-1]["seq"]

    def acts(self, account: str | None, since_ms: int, until_ms: int) -> Iterator[RowMapping]:
        made, id = order_acts.c.created_at, order_acts.c.id
        asked = select(order_acts).where(made >= since_ms, made < until_ms).order_by(made, id).limit(_PAGE)
        if account is not None:
            asked = asked.where(order_acts.c.account == account)
        page = self._all(asked)
        while page:
            yield from page
            last = page[-1]
            after = or_(made > last["created_at"], (made == last["created_at"]) & (id > last["id"]))
            page = self._all(asked.where(after))

    def _all(self, asked: Select[Any]) -> list[RowMapping]:
        with self._database.begin() as connection:
            return list(connection.execute(asked).mappings())


def decoded(row: RowMapping, kind: type[T]) -> T | None:
    """What a row's body holds. None where it is damaged, and that is logged: the others must be served all the same."""
    try:
        return msgspec.json.decode(row["body"], type=kind)
    except msgspec.MsgspecError as error:
        log.error("the journal's row %s cannot be read, and is left out: %s", row["id"], error)
        return None


def readable(row: RowMapping, kind: type[T]) -> T:
    """The same for a row whose client asks for it again. Raises StoreError: what it stands for may have been sent."""
    found = decoded(row, kind)
    if found is None:
        raise StoreError(
            f"The journal has {row['client_order_id']} already, but its row {row['id']} is damaged. Nothing was sent: "
            "look into the order book, and choose a new client_order_id for what you still want."
        )
    return found


class Known:
    """Which (account, client order id) ever were, in eight bytes each; says yes wrongly once in ages, never no."""

    def __init__(self, pairs: Iterable[tuple[str, str]]) -> None:
        self._old = array("q", sorted(map(hash, pairs)))
        self._new: set[int] = set()

    def add(self, account: str, client_order_id: str) -> None:
        self._new.add(hash((account, client_order_id)))

    def __contains__(self, pair: tuple[str, str]) -> bool:
        wanted = hash(pair)
        at = bisect_left(self._old, wanted)
        return wanted in self._new or (at < len(self._old) and self._old[at] == wanted)


def _or_update(statement: Any, table: Table) -> Executable:
    fields = {column.name: statement.excluded[column.name] for column in table.columns if not column.primary_key}
    made: Executable = statement.on_conflict_do_update(index_elements=["id"], set_=fields)
    return made
