"""``POST /postback/{broker}/{account}``: what brokers post about orders.

A body whose signature is right is news; any other only makes us read the book, at most once a second for an account.
The answer is always 200 and empty: nobody learns which accounts there are."""

import logging
from collections.abc import Callable
from typing import NamedTuple

from fastapi import APIRouter, Request
from fastapi.responses import Response

from sangam.brokers.contract import Postback, Session
from sangam.model.clock import Clock
from sangam.model.errors import DecodeError
from sangam.model.order import OrderUpdate

from .limits import RateLimit

log = logging.getLogger("sangam.api")

MAX_BODY = 64 * 1024


class Addressee(NamedTuple):
    """An account that is logged in at a broker; `postback` is None where the broker posts nothing we can read."""

    broker: str
    session: Session
    postback: Postback | None


def make_postback_router(
    addressee: Callable[[str], Addressee | None],
    heard: Callable[[str, OrderUpdate], object],
    read: Callable[[str], object],
    clock: Clock,
) -> APIRouter:
    """`addressee(account)` is None for unknown accounts and those without a session; `heard` takes news of an account,
    `read` asks for its books."""
    router = APIRouter(include_in_schema=False)
    reads = RateLimit(1, clock)

    @router.post("/postback/{broker}/{account}")
    async def posted(broker: str, account: str, request: Request) -> Response:
        to = addressee(account)
        body = await _body(request)
        if to is None or to.broker != broker or body is None:
            return Response()
        try:
            update = _signed(to, body, dict(request.headers))
            if update is not None:
                heard(account, update)
            elif reads.allows(account):
                read(account)
        except Exception:
            log.exception("%s: a posted order was not taken", account)
        return Response()

    return router


def _signed(to: Addressee, body: bytes, headers: dict[str, str]) -> OrderUpdate | None:
    """The news of a body with a right signature."""
    if to.postback is None:
        return None
    try:
        return to.postback.read(body, headers) if to.postback.verified(body, headers, to.session) else None
    except DecodeError:
        return None


async def _body(request: Request) -> bytes | None:
    """At most `MAX_BODY` bytes; what is longer is no order."""
    parts: list[bytes] = []
    size = 0
    async for part in request.stream():
        size += len(part)
        if size > MAX_BODY:
            return None
        parts.append(part)
    return b"".join(parts)
