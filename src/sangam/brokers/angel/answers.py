"""What an answer means: payload, refusal by evidence, or unknown (SmartAPI docs: Response structure; Error codes)."""

from typing import Any, TypeVar

from sangam.brokers import rows
from sangam.brokers.contract import Reply, Request
from sangam.brokers.evidence import json_object
from sangam.model.errors import RateLimited, SessionExpired

from .tables import AUTH, DEAD, EVIDENCE, LOGIN_EVIDENCE, THROTTLED, TITLE

T = TypeVar("T")


def check(request: Request, reply: Reply) -> Any:
    """The `data` of a success; null is an empty book, but what is not there is none. The gateway before the API has an
    envelope of its own (`success`, `errorCode`), and throttles with a plain text."""
    if reply.status == 200 and request.reply == "file":
        return reply.payload
    words = reply.payload.casefold() if reply.status == 403 and isinstance(reply.payload, str) else ""
    if any(phrase in words for phrase in THROTTLED):
        raise RateLimited(f"{TITLE}: too many requests (HTTP 403).")
    envelope = json_object(reply.payload)
    fine = envelope.get("status") is True or envelope.get("success") is True
    if reply.status == 200 and fine and ("data" in envelope or request.effect == "write"):
        return envelope.get("data")
    kind, text = str(envelope.get("errorcode") or envelope.get("errorCode") or ""), str(envelope.get("message") or "")
    evidence = LOGIN_EVIDENCE if request.path.startswith(AUTH) else EVIDENCE
    failure = evidence.failure(TITLE, reply.status, kind, text)
    if kind in DEAD and reply.status in evidence.statuses and reply.status != 429:
        raise SessionExpired(f"{failure}. Log in to {TITLE} again.", kind)
    raise failure


def read(data: Any, kind: type[T], what: str) -> T:
    """`data` as it should be; numbers may be text. Raises Unknown."""
    return rows.read(data, kind, TITLE, what, strict=False)


def book(data: Any, row: type[T], what: str) -> list[T]:
    """The rows of a book; an empty one is null. Raises Unknown."""
    told = [plain(each) for each in data] if isinstance(data, list) else data
    return [] if told is None else read(told, list[row], what)  # type: ignore[valid-type]


def plain(row: Any) -> Any:
    """Negative numbers may have a blank behind the minus ("- 2235.80"); an empty text is nothing told."""
    if isinstance(row, dict):
        return {
            name: f"-{value[2:]}" if isinstance(value, str) and value[:2] == "- " else value
            for name, value in row.items()
            if value != ""
        }
    return row
