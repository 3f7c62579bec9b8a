"""Credentials, the signing header, and the envelope of every answer (Kite docs: User; Exceptions and errors)."""

from collections.abc import Mapping
from typing import Any

import msgspec

from sangam.brokers.contract import Ctx, FieldKind, Login, LoginField, Operation, Reply, Request, Session, WireRequest
from sangam.model.errors import RateLimited, Refused, SessionExpired, Unknown

from .tables import REFUSALS, VERSION


def authorize(session: Session, request: Request, wire: WireRequest, ctx: Ctx) -> Mapping[str, str]:
    secrets = session.secrets
    return {**VERSION, "Authorization": f"token {secrets['api_key']}:{secrets['access_token']}"}


def check(request: Request, reply: Reply) -> Any:
    """The `data` of a success. A refusal needs its error type; HTTP 400 with a "timed out" text has been seen for
    orders that were executed, so such a text is never a refusal."""
    if reply.status == 200 and request.reply != "json":
        return reply.payload
    envelope = _envelope(reply.payload)
    if reply.status == 200 and envelope.get("status") == "success":
        return envelope.get("data")
    kind = str(envelope.get("error_type") or "")
    message = f"Zerodha: {envelope.get('message') or 'no reason given'} (HTTP {reply.status} {kind})".replace(" )", ")")
    if kind == "TokenException":
        raise SessionExpired(f"{message}. Log in to Zerodha again.", kind)
    if reply.status == 429:
        raise RateLimited(message, kind)
    if kind in REFUSALS and "timed out" not in message.casefold():
        raise Refused(message, REFUSALS[kind], kind)
    raise Unknown(message)


def _envelope(payload: Any) -> Mapping[str, Any]:
    """Errors come as JSON even where a file was asked for; anything else is an empty envelope."""
    if isinstance(payload, (str, bytes)):
        try:
            payload = msgspec.json.decode(payload)
        except (msgspec.DecodeError, UnicodeError):
            return {}
    return payload if isinstance(payload, dict) else {}


def _profile(session: Session, ctx: Ctx) -> Operation[str]:
    profile = yield Request(method="GET", host="api", path="/user/profile")
    if not isinstance(profile, dict) or not profile.get("user_id"):
        raise Unknown("Zerodha: the profile came without a user_id.")
    return str(profile["user_id"])


LOGIN = Login(
    fields=(
        LoginField("api_key", "API key", FieldKind.TEXT),
        LoginField("access_token", "Access token (valid until 06:00 tomorrow)"),
    ),
    check=_profile,
)
