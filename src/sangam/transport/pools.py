"""The pools of connections: per broker and egress one for reads and one for writes, made when first needed.

A broker that hangs fills its own pool and nobody else's. Writes speak HTTP/1.1 only and trust a connection no longer
than the broker's `idle_reuse`, since a request on one that just died may or may not have arrived."""

from functools import cache
from http.cookiejar import CookieJar, DefaultCookiePolicy
from ssl import SSLContext

import httpx

from sangam.brokers.contract import BrokerSpec, Session
from sangam.model.errors import InvalidInput, NotSent

from .egress import parse_egress

MAX_CONNECTIONS = 100
MAX_IDLE = 20
READ_IDLE = 30.0
"""Seconds that an idle connection is kept for reads; one that died meanwhile costs a repetition."""


@cache
def tls(writes: bool) -> SSLContext:
    """One context per kind: the connections of a context share the protocols it offers. One for the process: reading
    all certificate authorities takes tens of milliseconds, which the first order must not wait for."""
    return httpx.create_ssl_context(trust_env=False)


class Pools:
    def __init__(self) -> None:
        self._clients: dict[tuple[str, str, bool], httpx.AsyncClient] = {}
        self._tls = {writes: tls(writes) for writes in (False, True)}

    def client(self, spec: BrokerSpec, session: Session, *, writes: bool) -> httpx.AsyncClient:
        """Raises NotSent where the session's egress cannot be used."""
        key = (spec.name, session.egress, writes)
        if key not in self._clients:
            self._clients[key] = self._open(spec, session, writes)
        return self._clients[key]

    async def close(self) -> None:
        for client in self._clients.values():
            await client.aclose()
        self._clients.clear()

    def _open(self, spec: BrokerSpec, session: Session, writes: bool) -> httpx.AsyncClient:
        try:
            egress = parse_egress(session.egress)
        except InvalidInput as error:
            raise NotSent(f"{session.account}: {error}") from None
        transport = httpx.AsyncHTTPTransport(
            verify=self._tls[writes],
            http2=not writes,
            limits=httpx.Limits(
                max_connections=MAX_CONNECTIONS,
                max_keepalive_connections=MAX_IDLE,
                keepalive_expiry=spec.idle_reuse if writes else READ_IDLE,
            ),
            trust_env=False,
            proxy=egress.proxy,
            local_address=egress.address,
        )
        return httpx.AsyncClient(
            transport=transport,
            follow_redirects=False,
            trust_env=False,
            cookies=CookieJar(DefaultCookiePolicy(allowed_domains=())),  # accounts share a pool, never a cookie
        )
