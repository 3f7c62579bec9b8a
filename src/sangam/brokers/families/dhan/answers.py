"""What an answer means: payload, an empty book, refusal by evidence, or unknown (documents: annexure)."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

from sangam.brokers import rows
from sangam.brokers.contract import EMPTY, Reply, Request
from sangam.brokers.evidence import json_object
from sangam.model.errors import RateLimited, Refused, SessionExpired

from .tables import DEAD, DEAD_TEXT, EVIDENCE, NOTHING, TOO_MANY

T = TypeVar("T")


@dataclass(frozen=True)
class Wire:
    """One of the places where the wire is spoken. `behind` is how many milliseconds the clock of its rows lags India's:
    the sandbox writes UTC. `baskets` says that margins of several orders are told together."""

    title: str
    behind: int = 0
    baskets: bool = True

    def check(self, request: Request, reply: Reply) -> Any:
        """The answer as it is: there is no envelope of success. An error says so by its fields, with any status."""
        if 200 <= reply.status < 300 and request.reply != "json":
            return reply.payload
        told = json_object(reply.payload)
        kind, text = _fault(told)
        if 200 <= reply.status < 300 and not (kind or text):
            return reply.payload
        if request.effect == "read" and request.path.startswith(NOTHING.get(kind, ())):
            return EMPTY
        failure = EVIDENCE.failure(self.title, reply.status, kind, text)
        if request.host == "auth" and reply.status < 500:
            # A login makes a token or none: what is told instead of one is no reason to doubt.
            raise (
                RateLimited(str(failure), kind)
                if reply.status == 429 or "once every" in text
                else Refused(str(failure), "INVALID_INPUT", kind)
            )
        if 400 <= reply.status < 500 and kind in TOO_MANY:
            raise RateLimited(str(failure), kind)
        wordless = reply.status == 401 and not kind and request.auth != "none"
        dead = kind in DEAD or DEAD_TEXT in text.casefold() or wordless
        if 400 <= reply.status < 500 and reply.status != 429 and dead:
            raise SessionExpired(f"{failure}. Log in to {self.title} again.", kind)
        raise failure

    def read(self, data: Any, kind: type[T], what: str) -> T:
        """`data` as it should be; the sandbox may tell numbers as text. Raises Unknown."""
        return rows.read(data, kind, self.title, what, strict=False)

    def rows(self, data: Any, kind: type[T], what: str) -> list[T]:
        """A book, which may be empty by an error."""
        return [] if data is EMPTY else self.read(data, list[kind], what)  # type: ignore[valid-type]

    def moment(self, text: str | None) -> int:
        """A time of a row as epoch milliseconds; ``0001-01-01`` stands for none."""
        found = rows.milliseconds(text)
        return found + self.behind if found > 0 else 0


def _fault(told: Mapping[str, Any]) -> tuple[str, str]:
    """Code and text of an error: ``errorCode`` and ``errorMessage``, or of the data APIs and the login
    ``{"data": {"805": "..."}, "status": "failed"}`` and ``{"message": "...", "status": "error"}``."""
    kind, text = told.get("errorCode") or told.get("errorType"), told.get("errorMessage")
    status = str(told.get("status") or "").casefold()
    if not kind and status in ("failed", "failure", "error"):
        data = told.get("data") or told.get("remarks")
        kind, text = next(iter(data.items()), ("", "")) if isinstance(data, dict) else ("", data)
        text = text or told.get("message") or status
    return str(kind or ""), str(text or "")
