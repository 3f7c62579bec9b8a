"""What an answer means: result, an empty book, refusal by evidence, or unknown (documents: Response structure)."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

from sangam.brokers import rows
from sangam.brokers.contract import EMPTY, Reply, Request
from sangam.brokers.evidence import json_object
from sangam.model.errors import RateLimited, Refused, SessionExpired, Unknown

from .tables import DEAD, DEAD_TEXTS, EVIDENCE, FOUND, NOTHING, NOTHING_TEXT, THERE_ALREADY, TOO_MANY

T = TypeVar("T")


SHORT = 4096
"""Bytes: masters are longer, and what is told in their place is shorter."""


@dataclass(frozen=True)
class Wire:
    """One of the places where the wire is spoken."""

    title: str

    def check(self, request: Request, reply: Reply) -> Any:
        """The `result` of a success, whose code may begin with ``e-``; errors come with HTTP 400, and with 200, too.
        Some installations put the whole into a list."""
        is_file = reply.status == 200 and request.reply == "file"
        told = reply.payload[0] if isinstance(reply.payload, list) and reply.payload else reply.payload
        envelope = {} if is_file and len(told) > SHORT else json_object(told)
        if is_file and envelope.get("type") != "error":
            return reply.payload
        kind, text = str(envelope.get("code") or ""), _told(envelope)
        words = text.casefold()
        succeeded = envelope.get("type") == "success" or (request.host == "lookup" and FOUND in words)
        if reply.status < 300 and succeeded:
            return envelope.get("result")
        failure = EVIDENCE.failure(self.title, reply.status, kind, text)
        if reply.status not in EVIDENCE.statuses or reply.status == 429:
            raise failure
        if THERE_ALREADY in words and request.lane == "subscriptions":
            return EMPTY
        if request.effect == "read" and NOTHING.get(request.path) == kind and NOTHING_TEXT in words:
            return EMPTY
        if kind == TOO_MANY:
            raise RateLimited(str(failure), kind)
        if kind in DEAD or reply.status == 401 or any(phrase in words for phrase in DEAD_TEXTS):
            raise SessionExpired(f"{failure}. Log in to {self.title} again.", kind)
        if request.lane == "login" and envelope.get("type") == "error":
            # A login makes a session or none: what an envelope tells instead is no reason to doubt.
            raise Refused(str(failure), "AUTHENTICATION_ERROR", kind)
        raise failure

    def read(self, data: Any, kind: type[T], what: str) -> T:
        """`data` as it should be; numbers may be text. Raises Unknown."""
        return rows.read(data, kind, self.title, what, strict=False)

    def book(self, data: Any, row: type[T], what: str) -> list[T]:
        """The rows of a book, which may be empty by an error. Raises Unknown."""
        if data is EMPTY:
            return []
        if not isinstance(data, list):
            raise Unknown(f"{self.title}: {what} came in an unknown form.")
        return self.read([rows.plain(each) for each in data], list[row], what)  # type: ignore[valid-type]


def _told(envelope: Mapping[str, Any]) -> str:
    """The description, and what was wrong with the fields."""
    text, result = str(envelope.get("description") or ""), envelope.get("result")
    errors = result.get("errors") if isinstance(result, dict) else None
    return f"{text}: {errors}" if errors else text
