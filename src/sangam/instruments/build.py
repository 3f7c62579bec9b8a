"""The child process that reads a broker's files and writes a master: ``python -m sangam.instruments.build``.

A job comes as JSON on stdin, its result goes as JSON to stdout. Reading 270,000 rows takes seconds of pure Python,
which nobody's event loop should feel."""

import contextlib
import gc
import importlib
import os
import sqlite3
import sys
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path

import msgspec

from sangam.brokers.contract import RowRefused
from sangam.model.errors import DecodeError, MasterRejected
from sangam.model.instrument import Instrument

from .job import Built, Job
from .schema import CREATE, FORMAT, INDEXES, INSERT, Row, to_row

Parse = Callable[[Sequence[bytes]], Iterable[Instrument | RowRefused]]


def build(parse: Parse, files: Sequence[bytes], target: Path) -> Built:
    """Write a master. Raises MasterRejected when it is empty or mostly refused, DecodeError when it is another file."""
    refused: Counter[str] = Counter()
    examples: dict[str, str] = {}
    with contextlib.closing(sqlite3.connect(target, isolation_level=None)) as db:
        # Nobody sees the file before it is finished and synced, so a torn one is merely thrown away.
        db.executescript(f"PRAGMA journal_mode=OFF; PRAGMA synchronous=OFF; PRAGMA user_version={FORMAT}; {CREATE}")
        db.execute("BEGIN")
        db.executemany(INSERT, _valid(parse(files), refused, examples))
        for index in INDEXES:
            db.execute(index)
        db.execute("COMMIT")
        (rows,) = db.execute("SELECT count(*) FROM symtoken").fetchone()
    if rows <= refused.total():
        raise MasterRejected(f"{refused.total()} of {rows + refused.total()} rows were refused: {_summary(refused)}.")
    with target.open("rb+") as file:
        os.fsync(file.fileno())
    return Built(rows, dict(refused.most_common()), examples)


def _valid(items: Iterable[Instrument | RowRefused], refused: Counter[str], examples: dict[str, str]) -> Iterator[Row]:
    """The rows to store: each symbol, broker symbol and token names one instrument of its exchange."""
    symbols: set[tuple[str, str]] = set()
    brsymbols: set[tuple[str, str]] = set()
    tokens: set[tuple[str, str]] = set()
    for item in items:
        if isinstance(item, RowRefused):
            reason, text = item.reason, item.row
        else:
            row = to_row(item)
            symbol, brsymbol, _, exchange, brexchange, token, *_ = row
            reason, text = "", ",".join(map(str, row))
            if not (symbol and brsymbol and token):
                reason = "no symbol or token"
            elif (symbol, exchange) in symbols:
                reason = "duplicate symbol"
            elif (brsymbol, brexchange) in brsymbols:
                reason = "duplicate broker symbol"
            elif (token, exchange) in tokens:
                reason = "duplicate token"
            else:
                symbols.add((symbol, exchange))
                brsymbols.add((brsymbol, brexchange))
                tokens.add((token, exchange))
                yield row
                continue
        refused[reason] += 1
        examples.setdefault(reason, text)


def _summary(refused: Counter[str]) -> str:
    return ", ".join(f"{reason} ({count})" for reason, count in refused.most_common(3)) or "there was none"


def main() -> None:
    if hasattr(os, "nice"):
        os.nice(10)
    gc.disable()  # everything lives until the end anyway
    job = msgspec.json.decode(sys.stdin.buffer.read(), type=Job)
    parse: Parse = getattr(importlib.import_module(job.module), job.function)
    try:
        built = build(parse, [Path(file).read_bytes() for file in job.files], Path(job.target))
    except (DecodeError, MasterRejected) as error:
        built = Built(error=str(error))
    sys.stdout.buffer.write(msgspec.json.encode(built))


if __name__ == "__main__":
    main()
