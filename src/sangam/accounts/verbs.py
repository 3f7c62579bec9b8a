"""Actions by name, with plain arguments and plain answers: what the command line and the admin API call."""

from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import msgspec

from sangam.model.errors import InvalidInput

Verb = Callable[[Any], dict[str, Any] | Awaitable[dict[str, Any]]]


class Verbs:
    """`call` runs a verb with arguments of its kind; all errors are SangamErrors."""

    def __init__(self, verbs: Mapping[str, tuple[type[msgspec.Struct], Verb]]) -> None:
        self._verbs = verbs

    def __contains__(self, verb: str) -> bool:
        return verb in self._verbs

    async def call(self, verb: str, arguments: Mapping[str, Any]) -> dict[str, Any]:
        if verb not in self._verbs:
            raise InvalidInput(f"No such action '{verb}'. Known: {', '.join(self._verbs)}.")
        kind, run = self._verbs[verb]
        try:
            parsed = msgspec.convert(arguments, kind)
        except msgspec.ValidationError as error:
            raise InvalidInput(f"{verb}: {error}") from None
        answer = run(parsed)
        return await answer if isinstance(answer, Awaitable) else answer
