"""The child process that reads a broker's files and writes a master: ``python -m sangam.instruments.build``.

A job comes as JSON on stdin, its result goes as JSON to stdout. Reading 270,000 rows takes seconds of pure Python,
which nobody's event loop should feel."""

import contextlib
import gc
import os
import pickle
import sqlite3
import sys
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path

import msgspec

from sangam.brokers.contract import RowRefused
from sangam.model.errors import DecodeError, MasterRejected
from sangam.model.instrument import Instrument

from .catalogue import Catalogue
from .job import Built, Job
from .schema import CREATE, FORMAT, INDEXES, INSERT, Row, to_row

_FAST = "PRAGMA journal_mode=OFF; PRAGMA synchronous=OFF; PRAGMA temp_store=MEMORY; PRAGMA cache_size=-65536"

KEPT = 100
"""Refused rows kept of each reason."""

MOST_REASONS = 50
"""Reasons told apart; a parser that puts values into its reasons floods neither the log nor the file."""

Parse = Callable[[Sequence[bytes]], Iterable[Instrument | RowRefused]]


def build(parse: Parse, files: Sequence[bytes], target: Path) -> Built:
    """Write a master. Raises MasterRejected when it is empty or mostly refused, DecodeError when it is another file."""
    checks = Checks()
    with contextlib.closing(sqlite3.connect(target, isolation_level=None)) as db:
        # Nobody sees the file before it is finished and synced, so a torn one is merely thrown away.
        db.executescript(f"{_FAST}; PRAGMA user_version={FORMAT}; {CREATE}")
        db.execute("BEGIN")
        db.executemany(INSERT, checks.passed(parse(files)))
        checks.write(db)
        for index in INDEXES:
            db.execute(index)
        db.execute("COMMIT")
    if checks.rows <= checks.refused.total():
        total = checks.rows + checks.refused.total()
        raise MasterRejected(f"{checks.refused.total()} of {total} rows were refused: {_summary(checks.refused)}.")
    with target.open("rb+") as file:
        os.fsync(file.fileno())
    examples = {reason: rows[0] for reason, rows in checks.kept.items()}
    return Built(checks.rows, dict(checks.refused.most_common()), examples)


class Checks:
    """Lets rows pass whose symbol, broker symbol and token each name one instrument of its exchange."""

    def __init__(self) -> None:
        self.rows = 0
        self.refused: Counter[str] = Counter()
        self.kept: dict[str, list[str]] = {}
        self._catalogue = Catalogue()
        self._symbols: dict[str, set[str]] = defaultdict(set)
        self._brsymbols: dict[str, set[str]] = defaultdict(set)
        self._tokens: dict[str, set[str]] = defaultdict(set)

    def passed(self, items: Iterable[Instrument | RowRefused]) -> Iterator[tuple[int, *Row]]:
        for item in items:
            if isinstance(item, RowRefused):
                self._refuse(item.reason, item.row)
                continue
            row = to_row(item)
            if reason := self._fault(row):
                self._refuse(reason, ",".join(map(str, row)))
                continue
            self.rows += 1
            self._catalogue.add(self.rows, item, row)
            yield self.rows, *row

    def write(self, db: sqlite3.Connection) -> None:
        """What was learnt of the rows besides themselves."""
        self._catalogue.write(db, self._tokens)
        db.executemany("INSERT INTO refused VALUES (?, ?)", self.refused.items())
        kept = ((reason, row) for reason, rows in self.kept.items() for row in rows)
        db.executemany("INSERT INTO refused_row VALUES (?, ?)", kept)

    def _fault(self, row: Row) -> str:
        symbol, brsymbol, _, exchange, brexchange, token, *_ = row
        symbols, brsymbols, tokens = self._symbols[exchange], self._brsymbols[brexchange], self._tokens[exchange]
        if not (symbol and brsymbol and token):
            return "no symbol or token"
        if symbol in symbols:
            return "duplicate symbol"
        if brsymbol in brsymbols:
            return "duplicate broker symbol"
        if token in tokens:
            return "duplicate token"
        symbols.add(symbol)
        brsymbols.add(brsymbol)
        tokens.add(token)
        return ""

    def _refuse(self, reason: str, row: str) -> None:
        if reason not in self.refused and len(self.refused) >= MOST_REASONS:
            reason = "other reasons"
        self.refused[reason] += 1
        kept = self.kept.setdefault(reason, [])
        if len(kept) < KEPT:
            kept.append(row)


def _summary(refused: Counter[str]) -> str:
    return ", ".join(f"{reason} ({count})" for reason, count in refused.most_common(3)) or "there was none"


def main() -> None:
    if hasattr(os, "nice"):
        os.nice(10)
    gc.disable()  # everything lives until the end anyway
    job = msgspec.json.decode(sys.stdin.buffer.read(), type=Job)
    parse: Parse = pickle.loads(job.parse)  # noqa: S301 - what our own parent wrote
    try:
        built = build(parse, [Path(file).read_bytes() for file in job.files], Path(job.target))
    except (DecodeError, MasterRejected) as error:
        built = Built(error=str(error))
    sys.stdout.buffer.write(msgspec.json.encode(built))


if __name__ == "__main__":
    main()
