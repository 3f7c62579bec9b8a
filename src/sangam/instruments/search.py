"""Search over a master: the words of a query are and-ed, each found in a symbol or a name, or as an option's strike.

The few thousand lines of `listing` are read in whole; options are reached through the group they belong to, so that the
quarter of a million of them costs nothing. Ranked: the exact symbol (ours or the broker's), an underlying of that name,
a symbol that begins so, a name with a line that does, the rest; the nearest expiry first; options after all else."""

import re
import sqlite3
from collections.abc import Sequence
from itertools import chain
from typing import Any

from .schema import NAMES, Row

MOST_WORDS = 8
"""Those behind are ignored: nobody types so many, and each costs."""

_STRIKE_AND_RIGHT = re.compile(r"(\d+(?:\.\d+)?)(CE|PE)")
_NUMBER = re.compile(r"\d+(?:\.\d+)?", re.ASCII)
_AFTER_DIGITS = ":"
"""Sorts behind every digit and the point: the end of a range of texts that begin with a number."""
_BEGINNING = 3
"""Digits from which on a number may be the beginning of a longer strike."""

_ROW = ", ".join(f"s.{name}" for name in NAMES)
_CLASS = """CASE WHEN l.underlying = :first THEN 0
    WHEN substr(l.words, 1, length(:first)) = :first THEN 1
    WHEN instr(l.words, char(10) || :first) THEN 2 ELSE 3 END"""
_ORDER = "l.expiry, length(l.underlying), l.underlying, l.exchange, l.kind"

_EXACT = f"""SELECT {_ROW} FROM symtoken s WHERE (s.symbol = :first OR s.brsymbol = :first) {{where}}
    ORDER BY s.id LIMIT :limit"""  # noqa: S608
_BEGINS = f"""SELECT {_ROW} FROM symtoken s WHERE s.symbol > :first AND s.symbol < :first || char(1114111) {{where}}
    ORDER BY s.symbol LIMIT :limit"""  # noqa: S608
_SINGLES = f"""SELECT {_ROW} FROM listing l CROSS JOIN symtoken s ON s.id = l.instrument
    WHERE l.instrument IS NOT NULL {{where}} ORDER BY {_CLASS}, {_ORDER} LIMIT :limit"""  # noqa: S608
_STRIKES = f"""SELECT {_ROW} FROM listing l
    CROSS JOIN strike o ON o.listing = l.id AND o.strike >= :strike AND o.strike < :beyond
    CROSS JOIN symtoken s ON s.id = o.instrument
    WHERE l.instrument IS NULL {{where}}
    ORDER BY {_CLASS}, o.strike <> :strike, {_ORDER}, s.strike LIMIT :limit"""  # noqa: S608
_GROUPS = f"""SELECT l.id FROM listing l WHERE l.instrument IS NULL {{where}}
    ORDER BY {_CLASS}, {_ORDER} LIMIT :limit"""  # noqa: S608
_OPTIONS = f"""SELECT {_ROW} FROM strike o CROSS JOIN symtoken s ON s.id = o.instrument WHERE o.listing = ?
    ORDER BY s.strike LIMIT ?"""  # noqa: S608


def search(db: sqlite3.Connection, query: str, exchange: str | None, limit: int) -> list[Row]:
    """At most `limit` rows of symtoken, the likeliest first."""
    words = list(chain.from_iterable(_parts(word) for word in query.upper().split()))[:MOST_WORDS]
    if not words:
        return []
    found: dict[Row, None] = {}

    def ask(sql: str, contained: Sequence[str], table: str, **values: str) -> None:
        if len(found) < limit:
            rows = _ask(db, sql, contained, table, exchange, limit, {"first": words[0], **values})
            found.update(dict.fromkeys(rows))

    # Of an option CE is the right, not a part of RELIANCE: a whole line of its words.
    of_options = [f"\n{word}\n" if word in ("CE", "PE") else word for word in words]
    if len(words) == 1:
        ask(_EXACT, (), "s")
    ask(_SINGLES, words, "l")
    for number in words:
        if _NUMBER.fullmatch(number):
            others = [word for word in of_options if word is not number]
            begun = _AFTER_DIGITS if len(number) >= _BEGINNING else "."
            ask(_STRIKES, others, "l", strike=number, beyond=number + begun)
    for (group,) in _ask(db, _GROUPS, of_options, "l", exchange, limit, {"first": words[0]}):
        if len(found) >= limit:
            break
        found.update(dict.fromkeys(db.execute(_OPTIONS, (group, limit)).fetchall()))
    if not found and len(words) == 1:
        ask(_BEGINS, (), "s")
    return list(found)[:limit]


def _parts(word: str) -> Sequence[str]:
    """``24000CE`` is two words."""
    match = _STRIKE_AND_RIGHT.fullmatch(word)
    return match.groups() if match else (word,)


def _ask(
    db: sqlite3.Connection,
    sql: str,
    contained: Sequence[str],
    table: str,
    exchange: str | None,
    limit: int,
    values: dict[str, str],
) -> list[Any]:
    where = [f"instr(l.words, :word{number})" for number in range(len(contained))]
    where += [f"{table}.exchange = :exchange"] if exchange else []
    given = {f"word{number}": word for number, word in enumerate(contained)}
    text = sql.format(where="".join(f" AND {one}" for one in where))
    return db.execute(text, {**values, **given, "exchange": exchange, "limit": limit}).fetchall()
