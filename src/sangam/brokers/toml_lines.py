"""Where something stands in a TOML file: `tomllib` tells values and no lines.

A file's beginning is read as a file of its own, with what is open at its end closed: what stands on a line is there
from that line on."""

import tomllib
from bisect import bisect_left
from collections.abc import Mapping, Sequence
from itertools import product
from typing import Any

Step = str | int
"""A key of a table, or the place of a row in an array."""

_DEEPEST = 4
_ENDS = ("", '"""', "'''", *("".join(ends) for deep in range(1, _DEEPEST + 1) for ends in product("]}", repeat=deep)))


def line_of(text: str, steps: Sequence[Step]) -> int:
    """The line, counted from 1, of the key or row that `steps` lead to; where the file has it not, of the nearest above
    it, and 1 where there is none. `text` must be TOML."""
    lines = text.replace("\r\n", "\n").split("\n")
    whole = tomllib.loads(text)
    reached = next(steps[:length] for length in range(len(steps), -1, -1) if _has(whole, steps[:length]))
    if not reached:
        return 1
    return 1 + bisect_left(range(1, len(lines) + 1), True, key=lambda number: _has(_beginning(lines, number), reached))


def _beginning(lines: Sequence[str], number: int) -> Mapping[str, Any]:
    """What the first lines say: so many, or a few more where something is torn there that cannot be closed."""
    for until in range(number, len(lines)):
        begun = "\n".join(lines[:until])
        for end in _ENDS:
            try:
                return tomllib.loads(f"{begun}\n{end}")
            except tomllib.TOMLDecodeError:
                continue
    return tomllib.loads("\n".join(lines))


def _has(said: Any, steps: Sequence[Step]) -> bool:
    for step in steps:
        if isinstance(step, int):
            if not isinstance(said, list) or step >= len(said):
                return False
        elif not isinstance(said, Mapping) or step not in said:
            return False
        said = said[step]
    return True
