"""What an answer means: payload, refusal by evidence, or unknown (Kite docs: Response structure; Exceptions)."""

from collections.abc import Mapping
from typing import Any, TypeVar

import msgspec

from sangam.brokers.contract import Reply, Request
from sangam.model.errors import RateLimited, Refused, SessionExpired, Unknown

from .tables import DOUBTS, REFUSAL_TEXTS, REFUSALS

T = TypeVar("T")


def check(request: Request, reply: Reply) -> Any:
    """The `data` of a success. A refusal needs a client error (HTTP 4xx) and evidence in its type or text; the text of
    a time-out is never one, whatever status and type it comes with."""
    if reply.status == 200 and request.reply != "json":
        return reply.payload
    envelope = _envelope(reply.payload)
    if reply.status == 200 and envelope.get("status") == "success":
        return envelope.get("data")
    kind = str(envelope.get("error_type") or "")
    text = str(envelope.get("message") or "no reason given")
    message = f"Zerodha: {text} (HTTP {reply.status} {kind})".replace(" )", ")")
    if reply.status == 429:
        raise RateLimited(message, kind)
    if 400 <= reply.status < 500:
        if kind == "TokenException":
            raise SessionExpired(f"{message}. Log in to Zerodha again.", kind)
        if code := _evidence(kind, text.casefold()):
            raise Refused(message, code, kind)
    raise Unknown(message)


def _evidence(kind: str, text: str) -> str | None:
    """Our code of what is provably refused."""
    if any(doubt in text for doubt in DOUBTS):
        return None
    return next((code for phrase, code in REFUSAL_TEXTS.items() if phrase in text), REFUSALS.get(kind))


def _envelope(payload: Any) -> Mapping[str, Any]:
    """Errors come as JSON even where a file was asked for; anything else is an empty envelope."""
    if isinstance(payload, (str, bytes)):
        try:
            payload = msgspec.json.decode(payload)
        except (msgspec.DecodeError, UnicodeError):
            return {}
    return payload if isinstance(payload, dict) else {}


def read(data: Any, kind: type[T], what: str) -> T:
    """`data` as it should be. One damaged row spoils a whole book: what is not complete proves nothing."""
    try:
        return msgspec.convert(data, kind)
    except msgspec.ValidationError as error:
        raise Unknown(f"Zerodha: {what} came in an unknown form: {error}") from error
