"""A paper book as rows: what changed becomes statements, and rows become the book again."""

import logging
from collections import defaultdict
from collections.abc import Callable, Mapping
from typing import Any

import msgspec
from sqlalchemy import Connection, select, text

from sangam.store.database import Database
from sangam.store.paper_tables import paper_records
from sangam.store.writer import Statement

from . import gtt
from .book import PaperBook
from .config import Config
from .state import Balance, DayResult, PaperGtt, PaperHolding, PaperOrder, PaperPosition, PaperTrade

log = logging.getLogger("sangam.paper")

KINDS: Mapping[str, type[msgspec.Struct]] = {
    "config": Config,
    "balance": Balance,
    "order": PaperOrder,
    "trade": PaperTrade,
    "position": PaperPosition,
    "holding": PaperHolding,
    "gtt": PaperGtt,
    "day": DayResult,
}

_encode = msgspec.json.Encoder().encode
_decoders: Mapping[str, Callable[[str], Any]] = {
    kind: msgspec.json.Decoder(form).decode for kind, form in KINDS.items()
}
_order = msgspec.json.Decoder(PaperOrder).decode

_PUT = text(  # SQLite and PostgreSQL word it alike
    "INSERT INTO paper_records (owner, kind, id, day, body) VALUES (:owner, :kind, :id, :day, :body) "
    "ON CONFLICT (owner, kind, id) DO UPDATE SET day = excluded.day, body = excluded.body"
)
_DROP = text("DELETE FROM paper_records WHERE owner = :owner AND kind = :kind AND id = :id")
_WIPE = text("DELETE FROM paper_records WHERE owner = :owner AND kind = :kind")


def statements(book: PaperBook) -> list[Statement]:
    """What must be stored of a book's changes, which are none afterwards."""
    wiped = [{"owner": book.user, "kind": kind} for kind in sorted(book.wiped)]
    rows, gone = [], []
    for (kind, id), record in book.dirty.items():
        row = {"owner": book.user, "kind": kind, "id": id}
        if record is None:
            gone.append(row)
        else:
            rows.append({**row, "day": _day(record), "body": _encode(record).decode()})
    book.dirty.clear()
    book.wiped.clear()
    given: list[Statement] = [(_WIPE, wiped), (_DROP, gone), (_PUT, rows)]
    return [(statement, values) for statement, values in given if values]


def load(
    database: Database, make: Callable[[str, Config, Balance], PaperBook]
) -> tuple[dict[str, PaperBook], set[str]]:
    """All books as they were stored, with the orders and trades of their last session, and the users whose book cannot
    be read."""
    books: dict[str, PaperBook] = {}
    damaged: set[str] = set()
    owner = paper_records.c.owner
    with database.begin() as connection:
        for (user,) in connection.execute(select(owner).distinct()).all():
            try:
                books[user] = _load(connection, user, make)
            except (msgspec.DecodeError, KeyError) as error:
                log.error("the paper book of %s cannot be read: %s", user, error)
                damaged.add(user)
    return books, damaged


def _load(connection: Connection, user: str, make: Callable[[str, Config, Balance], PaperBook]) -> PaperBook:
    table = paper_records
    lasting = select(table.c.kind, table.c.id, table.c.body).where(table.c.owner == user, table.c.day == "")
    records: dict[str, dict[str, Any]] = defaultdict(dict)
    for kind, id, body in connection.execute(lasting):
        records[kind][id] = _decoders[kind](body)
    balance: Balance = records["balance"][""]
    book = make(user, records["config"].get("", Config()), balance)
    daily = select(table.c.kind, table.c.body).where(table.c.owner == user, table.c.day == balance.session)
    _restore(book, records, [_decoders[kind](body) for kind, body in connection.execute(daily)])
    return book


def find(database: Database, user: str, order_id: str) -> PaperOrder | None:
    """An order of any day."""
    table = paper_records
    query = select(table.c.body).where(table.c.owner == user, table.c.kind == "order", table.c.id == order_id)
    with database.begin() as connection:
        body = connection.execute(query).scalar()
    return _order(body) if body else None


def _restore(book: PaperBook, records: Mapping[str, Mapping[str, Any]], daily: list[Any]) -> None:
    for position in records["position"].values():
        book.ledger.positions[position.key] = position
        book.ledger.used += position.margin
    for holding in records["holding"].values():
        book.ledger.holdings[holding.key] = holding
    for armed in records["gtt"].values():
        book.gtts[armed.id] = armed
        if armed.status == gtt.ACTIVE:
            gtt.arm(book, armed)
    book.days.update(records["day"])
    for order in sorted((one for one in daily if isinstance(one, PaperOrder)), key=lambda one: one.created_at):
        book.restore(order)
    book.trades += sorted((one for one in daily if isinstance(one, PaperTrade)), key=lambda one: one.trade_id)


def _day(record: msgspec.Struct) -> str:
    return record.day if isinstance(record, PaperOrder | PaperTrade) else ""
