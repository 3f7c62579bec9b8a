"""Who else hears of an instrument's patches: a trace, and rooms of the house that act on prices."""

from collections.abc import Callable

import msgspec

from sangam.model.market import Patch

Tell = Callable[[Callable[[], str]], None]
"""Hears of something to tell; asks for its text at once, or never where there is too much to tell."""

Merge = Callable[[Patch, int], None]


Watch = Callable[[], object]
"""Called when an instrument's price may have changed; must not block or raise."""


def watched(merge: Merge, watch: Watch) -> Merge:
    """Tell after each merge."""

    def merged(patch: Patch, now_ms: int) -> None:
        merge(patch, now_ms)
        watch()

    return merged


def traced(merge: Merge, tell: Tell, account: str) -> Merge:
    """Tell each patch before it is merged."""

    def told(patch: Patch, now_ms: int) -> None:
        tell(lambda: f"in {account}{' (full)' if patch.full else ''}: {_text(patch)}")
        merge(patch, now_ms)

    return told


def _text(patch: Patch) -> str:
    known = patch.fields if patch.depth is None else {**patch.fields, "depth": patch.depth}
    return msgspec.json.encode(known).decode()
