"""What an answer means: payload, refusal by evidence, or unknown (Kite docs: Response structure; Exceptions)."""

from typing import Any, TypeVar

from sangam.brokers import rows
from sangam.brokers.contract import Reply, Request
from sangam.brokers.evidence import json_object
from sangam.model.errors import SessionExpired

from .tables import EVIDENCE, TITLE

T = TypeVar("T")


def check(request: Request, reply: Reply) -> Any:
    """The `data` of a success."""
    if reply.status == 200 and request.reply != "json":
        return reply.payload
    envelope = json_object(reply.payload)
    if reply.status == 200 and envelope.get("status") == "success":
        return envelope.get("data")
    kind, text = str(envelope.get("error_type") or ""), str(envelope.get("message") or "")
    failure = EVIDENCE.failure(TITLE, reply.status, kind, text)
    if kind == "TokenException" and 400 <= reply.status < 500 and reply.status != 429:
        raise SessionExpired(f"{failure}. Log in to Zerodha again.", kind)
    raise failure


def read(data: Any, kind: type[T], what: str) -> T:
    """`data` as it should be. Raises Unknown."""
    return rows.read(data, kind, TITLE, what)
