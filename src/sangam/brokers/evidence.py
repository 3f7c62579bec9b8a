"""What proves that a broker did not do what it was asked (promise 2: nothing is called refused without evidence)."""

from collections.abc import Container, Mapping
from typing import Any, NamedTuple

import msgspec

from sangam.model.errors import BrokerError, RateLimited, Refused, Unknown


class Evidence(NamedTuple):
    """A broker's table of proofs, each with our code of the refusal.

    `kinds` are error types or codes that prove of themselves that nothing was done, `texts` words (in lower case) that
    prove it whatever the type. `doubts` are words that undo any proof: the text of a time-out is never a refusal.
    `statuses` are the HTTP statuses that can carry a proof: client errors, and 200 where the broker refuses by that."""

    kinds: Mapping[str, str] = {}
    texts: Mapping[str, str] = {}
    doubts: tuple[str, ...] = ("timed out", "time out", "timeout", "timed-out")
    statuses: Container[int] = range(400, 500)

    def code(self, kind: str, text: str) -> str | None:
        """Our code of what is provably refused, None where it is not."""
        words = text.casefold()
        if any(doubt in words for doubt in self.doubts):
            return None
        return next((code for phrase, code in self.texts.items() if phrase in words), self.kinds.get(kind))

    def failure(self, title: str, status: int, kind: str, text: str) -> BrokerError:
        """What an answer means that is no success: a refusal needs a status that can carry a proof, and the
        proof."""
        message = f"{title}: {text or 'no reason given'} (HTTP {status} {kind})".replace(" )", ")")
        if status == 429:
            return RateLimited(message, kind)
        if status in self.statuses and (code := self.code(kind, text)):
            return Refused(message, code, kind)
        return Unknown(message)


def json_object(payload: Any) -> Mapping[str, Any]:
    """The envelope of an answer. Errors come as JSON even where a text or a file was asked for; what is no object is an
    empty one."""
    if isinstance(payload, (str, bytes)):
        try:
            payload = msgspec.json.decode(payload)
        except (msgspec.DecodeError, UnicodeError, RecursionError):
            return {}
    return payload if isinstance(payload, dict) else {}
