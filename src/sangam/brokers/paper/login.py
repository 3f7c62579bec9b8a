"""One bearer token, and the envelope of every answer: ``{"status": "success", "data": ...}`` or a `message`."""

from collections.abc import Mapping
from typing import Any

from sangam.brokers.contract import Ctx, Login, LoginField, Operation, Reply, Request, Session, WireRequest
from sangam.model.errors import RateLimited, Refused, SessionExpired, Unknown


def authorize(session: Session, request: Request, wire: WireRequest, ctx: Ctx) -> Mapping[str, str]:
    return {"Authorization": f"Bearer {session.secrets['access_token']}"}


def check(request: Request, reply: Reply) -> Any:
    payload = reply.payload
    if reply.status == 401:
        raise SessionExpired("Sangam Paper: the access token is wrong or has died. Log in again.", "401")
    if reply.status == 200 and request.reply != "json":
        return payload
    if reply.status == 200 and isinstance(payload, dict) and payload.get("status") == "success":
        return payload.get("data")
    message = payload.get("message") if isinstance(payload, dict) else None
    text = f"Sangam Paper: {message or 'no reason given'} (HTTP {reply.status})"
    if reply.status == 429:
        raise RateLimited(text, "429")
    if reply.status == 400:
        raise Refused(text, "INVALID_INPUT", "400")
    raise Unknown(text)


def _client_id(session: Session, ctx: Ctx) -> Operation[str]:
    data = yield Request(method="GET", host="api", path="/session")
    if not isinstance(data, dict) or not data.get("client_id"):
        raise Unknown("Sangam Paper: the session came without a client_id.")
    return str(data["client_id"])


LOGIN = Login(fields=(LoginField("access_token", "Access token", daily=True),), check=_client_id)
