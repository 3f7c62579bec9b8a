"""Where clients come in: a gateway in this process, or those of other processes."""

import asyncio
import ssl
from collections.abc import Callable, Mapping
from typing import Protocol

import msgspec

from sangam.accounts.accounts import Accounts
from sangam.feed.external import EXTERNAL
from sangam.feed.port import Served, Sink
from sangam.gateway.server import Gateway
from sangam.gateway.settings import GatewaySettings
from sangam.model.clock import Clock
from sangam.model.enums import Scope
from sangam.model.errors import ConfigError
from sangam.model.histogram import Histogram
from sangam.model.identity import AccountInfo, Identity
from sangam.orders.ports import Actions
from sangam.settings import Settings


class Front(Protocol):
    """What the composition root needs of it. `sink` is told what the feed tells."""

    @property
    def sink(self) -> Sink: ...

    @property
    def clients(self) -> int: ...

    @property
    def written(self) -> Histogram: ...

    def metrics(self) -> Mapping[str, float]: ...

    def attach_orders(self, orders: Actions) -> None:
        """Who carries out what clients ask of orders. Comes before the first client."""
        ...

    async def open(self, auto_port: bool) -> int:
        """Let clients in; the WebSocket port. Raises ConfigError."""
        ...

    async def stop(self) -> None: ...


MakeFront = Callable[[Served, Accounts, list[str], Settings, Clock], Front]
"""From the feed, the accounts and the brokers' names."""


class Doors:
    """Whom a key names at the WebSocket: beside the user's accounts the house's `external` one, where it is open."""

    def __init__(self, accounts: Accounts, settings: Settings) -> None:
        self._accounts = accounts
        self._external = settings.legacy_zmq_ingress

    def authenticate(self, api_key: str) -> Identity:
        return self._with_external(self._accounts.authenticate(api_key))

    def identity(self, key_id: str) -> Identity:
        return self._with_external(self._accounts.identity(key_id))

    def _with_external(self, identity: Identity) -> Identity:
        if not self._external or not identity.may(Scope.DATA):
            return identity
        external = AccountInfo(EXTERNAL, identity.user, EXTERNAL)
        return msgspec.structs.replace(identity, accounts=(*identity.accounts, external))


class Here(Gateway):
    """A gateway in this process: the feed is a function call away."""

    def __init__(self, feed: Served, accounts: Accounts, brokers: list[str], settings: Settings, clock: Clock) -> None:
        doors = Doors(accounts, settings)
        super().__init__(feed, doors.authenticate, brokers=brokers, settings=gateway_settings(settings), clock=clock)
        self.sink = self.hub
        self._told = settings
        here = asyncio.get_running_loop()
        accounts.keys.on_revoked(lambda key: here.call_soon_threadsafe(self.revoke, key))
        accounts.on_change(lambda user: here.call_soon_threadsafe(self.renew, user, doors.identity))

    async def open(self, auto_port: bool) -> int:
        told = self._told
        return await self.start(told.websocket_host, told.websocket_port, tls(told), auto_port=auto_port)


def gateway_settings(settings: Settings) -> GatewaySettings:
    return GatewaySettings(
        interval_ms=settings.market_data_interval_ms,
        ping_interval=settings.ws_ping_interval,
        ping_timeout=settings.ws_ping_timeout,
        auth_grace=settings.ws_auth_grace_seconds,
        max_message=settings.ws_max_message_bytes,
        message_rate=settings.ws_max_messages_per_second,
        max_subscriptions=settings.ws_max_subscriptions,
    )


def tls(settings: Settings) -> ssl.SSLContext | None:
    """What `TLS_CERT` and `TLS_KEY` say; raises ConfigError."""
    if settings.tls_cert is None:
        return None
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    try:
        context.load_cert_chain(settings.tls_cert, settings.tls_key)
    except (OSError, ssl.SSLError) as error:
        raise ConfigError(f"TLS_CERT {settings.tls_cert} and TLS_KEY cannot be used: {error}.") from error
    return context
