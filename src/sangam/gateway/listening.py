"""What one client hears of orders: live, or first everything since the last event that it saw.

While it is told what it missed, live news wait (`Outbox.held`). Whatever was told before the journal is asked is in the
journal's answer, whatever comes later is held: so each event comes exactly once, in order, without a gap."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterable, Sequence
from functools import partial

from sangam.model.errors import SangamError
from sangam.model.identity import AccountInfo, Identity
from sangam.model.order import OrderNews
from sangam.orders.failure import told, unserved
from sangam.orders.ports import Actions

from . import protocol
from .hub import Hub
from .outbox import Outbox
from .protocol import Fields

log = logging.getLogger("sangam.gateway")

EVENTS, UPDATES, HELD = "events", "orders", "held"
"""What an outbox can follow: ``ORDER_...`` messages, ``order_update`` messages, or to have them held."""

SLICE = 200
"""Events told at once; then the client must have room for more."""
_LATEST = 2**63 - 1
_LOOK_SECONDS = 0.02


class OrderListening:
    """Of one session. `kind` is how its client wants to hear of orders."""

    def __init__(self, hub: Hub, outbox: Outbox) -> None:
        self.kind = UPDATES
        self._hub = hub
        self._outbox = outbox
        self._following = ""
        self._accounts: tuple[AccountInfo, ...] = ()
        self._fields: Fields = {}
        self._replay: asyncio.Task[None] | None = None

    def subscribe(self, orders: Actions | None, identity: Identity, fields: Fields) -> None:
        """Raises `Reject`, and SangamError where there are no numbered events here."""
        since = protocol.parse_since(fields)
        if orders is None and since is not None:
            raise unserved()
        self._break_off("another subscribe_orders came")
        if orders is None:
            self._follow(self.kind, identity.accounts)
            self._acknowledge(fields, None)
            return
        self._follow(HELD, identity.accounts)
        self._fields = fields
        self._replay = asyncio.get_running_loop().create_task(self._catch_up(orders, identity, fields, since))
        self._hub.keep(self._replay)

    def renew(self, accounts: tuple[AccountInfo, ...]) -> None:
        """The user's accounts, or the kind, have changed."""
        if self._following:
            self._follow(HELD if self._following == HELD else self.kind, accounts)

    def stop(self, why: str = "") -> None:
        """Hear nothing of orders any more; `why` is told to a client that still waits for the answer."""
        self._break_off(why)
        self._follow("", ())

    def _follow(self, kind: str, accounts: tuple[AccountInfo, ...]) -> None:
        for account in self._accounts:
            self._hub.unfollow(self._outbox, self._following, account.id)
        self._following, self._accounts = kind, accounts if kind else ()
        for account in self._accounts:
            self._hub.follow(self._outbox, kind, account.id)

    def _break_off(self, why: str) -> None:
        if self._replay is not None:
            self._replay.cancel()
            self._replay = None
            self._outbox.held.clear()
            if why:
                self._fail(self._fields, {"code": "SUBSCRIPTION_ERROR", "message": f"Given up: {why}"})

    async def _catch_up(self, orders: Actions, identity: Identity, fields: Fields, since: int | None) -> None:
        """Page by page; the last page is short enough to be told in the same turn as what was held meanwhile."""
        tell = partial(self._tell, seen=set())
        heard = _LATEST if since is None else since
        acknowledged = False
        try:
            while True:
                await self._room()
                self._outbox.held.clear()
                missed, newest = await orders.since(identity, heard)
                if not acknowledged:
                    resumes = since is not None or self.kind == EVENTS
                    self._acknowledge(fields, newest if resumes else None)
                    acknowledged = True
                for at in range(0, len(missed), SLICE):
                    if at:
                        await self._room()
                    tell(missed[at : at + SLICE])
                heard = missed[-1].seq if missed else heard
                if len(missed) <= SLICE:
                    break
        except SangamError as error:
            self._abandon(fields, dict(told(error)))
            return
        except Exception:  # a defect of ours must cost this request only
            log.exception("A replay of order events failed")
            self._abandon(fields, dict(told(protocol.internal_error())))
            return
        tell([news for news in self._outbox.held if since is None or news.seq > heard])
        self._outbox.held.clear()
        self._replay = None
        self._follow(self.kind, self._accounts)

    def _abandon(self, fields: Fields, failure: dict[str, object]) -> None:
        self._replay = None
        self.stop()
        self._fail(fields, failure)

    async def _room(self) -> None:
        """Wait until the client reads: what it missed may be more than a slow client's backlog takes."""
        while True:
            if self._outbox.paused_at is None and self._outbox.backlog is None:
                return
            await asyncio.sleep(_LOOK_SECONDS)

    def _tell(self, events: Sequence[OrderNews], seen: set[tuple[str, str, int]]) -> None:
        for message in self._messages(events, seen):
            self._hub.send(self._outbox, message)

    def _messages(self, events: Iterable[OrderNews], seen: set[tuple[str, str, int]]) -> Iterable[bytes]:
        """`seen` are the order updates told in this replay: a repeat is told once."""
        for news in events:
            if self.kind == EVENTS:
                if news.event:
                    yield news.event
                continue
            identity = protocol.order_identity(news.update)
            if news.update and (identity is None or identity not in seen):
                if identity is not None:
                    seen.add(identity)
                yield news.update

    def _acknowledge(self, fields: Fields, last: int | None) -> None:
        more = {} if last is None else {"last_event": last}
        done = {"status": "success", "message": "Subscribed to order updates", **more}
        self._hub.send(self._outbox, protocol.message("subscribe_orders", fields, **done))

    def _fail(self, fields: Fields, failure: dict[str, object]) -> None:
        self._hub.send(self._outbox, protocol.message("subscribe_orders", fields, status="error", **failure))
