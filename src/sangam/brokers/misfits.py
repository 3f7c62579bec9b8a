"""What does not fit a msgspec struct: where it stands, and what to say of it to whoever wrote it."""

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import msgspec
from msgspec.structs import fields

from .toml_lines import Step

_PLACE = re.compile(r" - at `(?:key` in `)?\$")
_STEP = re.compile(r"\.([\w-]+)|\[(\d+)\]|\[(\.\.\.)\]")
_QUOTED = re.compile(r"[`']([\w-]+)[`']")
_WORD = re.compile(r"[\w-]+")
_UNKNOWN, _LACKS = "Object contains unknown field", "Object missing required field"


def misfit(kind: type[Any], said: Mapping[str, Any], error: msgspec.ValidationError) -> tuple[tuple[Step, ...], str]:
    """The way to what `error` says of `said`, which was to become a `kind`; and that in words."""
    what, *where = _PLACE.split(str(error))
    steps = about(_steps(kind, said, "".join(where), str(error)), what, said)
    quoted = _QUOTED.search(what)
    if what.startswith(_UNKNOWN):
        may = ", ".join(field.encode_name for field in fields(kind)) if len(steps) == 1 else ""
        return steps, f"'{steps[-1]}' is not known" + (f". There may be: {may}" if may else "")
    if what.startswith(_LACKS) and quoted is not None:
        return steps, f"'{quoted[1]}' is missing"
    return steps, told(steps, what)


def about(steps: tuple[Step, ...], what: str, said: Mapping[str, Any]) -> tuple[Step, ...]:
    """Where `what` names a key of the place that `steps` lead to, in quotes or without, it is about that."""
    here = _at(said, steps)
    words = (*_QUOTED.findall(what), *_WORD.findall(what)) if isinstance(here, Mapping) else ()
    return (*steps, *[word for word in words if word in here][:1])


def told(steps: Sequence[Step], what: str) -> str:
    plain = what.replace("`", "")
    return f"'{shown(steps)}': {plain[:1].lower()}{plain[1:]}" if steps else plain


def shown(steps: Sequence[Step]) -> str:
    """``limits[1].count``."""
    return "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in steps).removeprefix(".")


def leaves(said: Any, steps: tuple[Step, ...] = ()) -> Iterator[tuple[tuple[Step, ...], Any]]:
    """Every value that holds no others, and the way to it."""
    if not isinstance(said, Mapping | list):
        yield steps, said
        return
    for step, value in said.items() if isinstance(said, Mapping) else enumerate(said):
        yield from leaves(value, (*steps, step))


def _steps(kind: type[Any], said: Mapping[str, Any], where: str, complaint: str) -> tuple[Step, ...]:
    """The way that msgspec tells as ``.limits[1][...]``; ``...`` is the entry that alone makes it complain the same."""
    steps: tuple[Step, ...] = ()
    for key, row, _ in _STEP.findall(where):
        if key or row:
            steps = (*steps, key or int(row))
            continue
        entries: Mapping[str, Any] = _at(said, steps)
        steps = (
            *steps,
            next(name for name in entries if _complains(kind, said, steps, {name: entries[name]}, complaint)),
        )
    return steps


def _complains(kind: type[Any], said: Mapping[str, Any], steps: tuple[Step, ...], entry: Any, complaint: str) -> bool:
    try:
        msgspec.convert(_with(said, steps, entry), kind)
    except msgspec.ValidationError as error:
        return str(error) == complaint
    return False


def _at(said: Any, steps: Sequence[Step]) -> Any:
    for step in steps:
        said = said[step]
    return said


def _with(said: Any, steps: Sequence[Step], value: Any) -> Any:
    """The same, but for what stands there."""
    if not steps:
        return value
    first, *rest = steps
    changed: Any = {**said} if isinstance(said, Mapping) else [*said]
    changed[first] = _with(said[first], rest, value)
    return changed
