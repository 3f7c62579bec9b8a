"""What an answer means: payload, refusal by evidence, or unknown (documentation: Request & Response Structure)."""

from collections.abc import Mapping
from typing import Any, Literal, TypeVar

import msgspec

from sangam.brokers import rows
from sangam.brokers.contract import Operation, Reply, Request
from sangam.brokers.evidence import json_object
from sangam.model.errors import RateLimited, SessionExpired, Unknown

from .tables import DEAD_CREDENTIALS, EVIDENCE, IN_TRANSIT, TITLE, TOO_MANY

T = TypeVar("T")


def check(request: Request, reply: Reply) -> Any:
    """The whole envelope of a success, since each answer has a key of its own beside `s`, `code` and `message`.

    `s` decides, not the code: a change was seen to be answered with the code of a placement. Candles that do not exist
    are answered ``no_data``."""
    if reply.status == 200 and request.reply != "json":
        return reply.payload
    envelope = json_object(reply.payload)
    state, code, text = (str(envelope.get(name) or "") for name in ("s", "code", "message"))
    if reply.status == 200 and code == IN_TRANSIT:
        raise Unknown(f"{TITLE}: the request was made and is not yet acknowledged: {text}")
    if reply.status == 200 and (state == "ok" or (state == "no_data" and request.effect == "read")):
        return envelope
    failure = EVIDENCE.failure(TITLE, reply.status, code, text)
    if code == TOO_MANY and reply.status < 500:
        raise RateLimited(str(failure), code)
    if (code in DEAD_CREDENTIALS and reply.status < 500) or (reply.status == 401 and code not in EVIDENCE.kinds):
        raise SessionExpired(f"{failure}. Log in to Fyers again.", code)
    raise failure


class _Taken(msgspec.Struct):
    id: str


def write(method: Literal["POST", "PATCH", "DELETE"], path: str, body: Mapping[str, Any]) -> Operation[str]:
    """Change an order or a trigger; its number. Raises Unknown where none is told."""
    taken = yield Request(method=method, host="api", path=path, json=body, effect="write", lane="orders")
    return rows.number(read(taken, _Taken, "the answer to an order").id, TITLE, "an order")


def read(data: Any, kind: type[T], what: str) -> T:
    """`data` as it should be. Raises Unknown."""
    return rows.read(data, kind, TITLE, what)
