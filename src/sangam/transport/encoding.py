"""Between an operation's requests and the bytes of HTTP: pure, and usable by any driver."""

from collections.abc import Mapping
from typing import Any
from urllib.parse import urlencode

import msgspec

from sangam.brokers.contract import BrokerSpec, Ctx, Reply, Request, Session, WireRequest
from sangam.model.errors import NotSent, Unknown


def base_url(spec: BrokerSpec, session: Session, host: str) -> str:
    """A row of the host table, as the session overrides it; a whole URL stands for itself."""
    if "://" in host:
        return host
    return session.host(host, spec.hosts)


def encode(spec: BrokerSpec, session: Session, request: Request, ctx: Ctx) -> WireRequest:
    """The request as it will be sent, with the headers that `authorize` made from exactly these bytes.

    Raises NotSent where a header cannot be written: a credential that was pasted with a line break, for example."""
    url = base_url(spec, session, request.host).rstrip("/") + request.path
    if request.query:
        url += "?" + urlencode(request.query, doseq=True)
    headers = dict(request.headers)
    content = b""
    if request.json is not None:
        content = msgspec.json.encode(request.json)
        headers.setdefault("Content-Type", "application/json")
    elif request.form is not None:
        content = urlencode(request.form).encode()
        headers.setdefault("Content-Type", "application/x-www-form-urlencoded")
    elif request.content is not None:
        content = request.content
    wire = WireRequest(request.method, url, headers, content)
    if request.auth == "none":
        return wire
    headers |= spec.authorize(session, request, wire, ctx)
    for name, value in headers.items():
        if not (value.isascii() and value.isprintable() and value == value.strip()):
            raise NotSent(f"{spec.title}: the header {name} has characters that HTTP cannot carry. Log in again.")
    return msgspec.structs.replace(wire, headers=headers)


def decode(request: Request, status: int, headers: Mapping[str, str], content: bytes) -> Reply:
    """The reply as the request asked for it. A good status with an unreadable body is Unknown, never a success; an
    error that is no JSON comes as text, since some brokers refuse in plain words."""
    payload: Any
    if request.reply == "file":
        payload = content
    elif request.reply == "text":
        payload = content.decode("utf-8", "replace")
    else:
        try:
            payload = msgspec.json.decode(content)
        except (msgspec.DecodeError, UnicodeError, RecursionError) as error:
            if status < 400:
                raise Unknown(f"{request.method} {request.path}: unreadable reply ({error})") from error
            payload = content.decode("utf-8", "replace")
    return Reply(status, headers, payload)
