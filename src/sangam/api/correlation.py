"""Each request has an id: in the header ``X-Request-ID`` of request and reply, and in every log line it causes."""

import logging
import re
import secrets

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from sangam.logs import correlated

log = logging.getLogger("sangam.api")

HEADER = "X-Request-ID"
_SANE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")


class Correlated:
    """Around the whole application, so that its failures are logged inside. A client's own id is taken if it is short
    and plain."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        given = Headers(scope=scope).get(HEADER, "")
        name = given if _SANE.fullmatch(given) else secrets.token_hex(6)

        async def named(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message)[HEADER] = name
            await send(message)

        with correlated(name):
            try:
                await self._app(scope, receive, named)
            except Exception:  # the application has answered; the server above would log it without the id
                log.exception("%s %s failed", scope["method"], scope["path"])
