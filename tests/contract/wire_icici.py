"""ICICI: every call, GET included, carries a JSON body, and a checksum over exactly its bytes."""

import hashlib
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from tests.contract.driver import make_spec

from sangam.brokers.contract import EMPTY, Ctx, Operation, Reply, Request, Session, WireRequest
from sangam.model.errors import Refused, SessionExpired, Unknown

HOSTS = {"api": "https://api.icicidirect.com/breezeapi/api/v1"}
DEAD_SESSION = ("Invalid session.", "Resource not available.", "Public Key does not exist.")


def authorize(session: Session, request: Request, wire: WireRequest, ctx: Ctx) -> Mapping[str, str]:
    moment = datetime.fromtimestamp(ctx.now_ms // 1000, UTC).strftime("%Y-%m-%dT%H:%M:%S.000Z")
    signed = moment.encode() + wire.content + session.secrets["secret_key"].encode()
    return {
        "X-Checksum": f"token {hashlib.sha256(signed).hexdigest()}",
        "X-Timestamp": moment,
        "X-AppKey": session.secrets["api_key"],
        "X-SessionToken": session.secrets["session_token"],
    }


def check(request: Request, reply: Reply) -> Any:
    """`Status` inside the body is the truth, not the HTTP code."""
    envelope = reply.payload if isinstance(reply.payload, dict) else {}
    status, reason = envelope.get("Status"), envelope.get("Error")
    if status == 200 and reason is None:
        return envelope["Success"] if envelope.get("Success") is not None else EMPTY
    if reason in DEAD_SESSION:
        raise SessionExpired(reason)
    if isinstance(reason, str) and "no data" in reason.lower():
        return EMPTY
    if status == 400 and request.effect == "read":
        raise Refused(str(reason), "INVALID_INPUT", "400")
    raise Unknown(f"ICICI: HTTP {reply.status}, Status {status}, {reason}")


def limits(exchange: str) -> Operation[float]:
    """The money that is allocated to an exchange, in rupees."""
    margin = yield Request(method="GET", host="api", path="/margin", json={"exchange_code": exchange})
    return 0.0 if margin is EMPTY else float(margin["cash_limit"])


def positions() -> Operation[list[Any]]:
    rows = yield Request(method="GET", host="api", path="/portfoliopositions", json={})
    return [] if rows is EMPTY else list(rows)


def place(body: Mapping[str, str]) -> Operation[str]:
    reply = yield Request(method="POST", host="api", path="/order", json=body, effect="write", lane="orders")
    return str(reply["order_id"])


SPEC = make_spec("icici", HOSTS, authorize, check)
