"""Order actions of one client, side by side: each is a task of its own and is answered when it is done.

A client that goes away cancels nothing: its tasks run to their end, and nobody hears the answers."""

from __future__ import annotations

import asyncio
import logging

from sangam.model.errors import SangamError
from sangam.model.identity import Identity
from sangam.orders.actions import CANCELS, WRITES
from sangam.orders.failure import puzzled, told, unserved
from sangam.orders.ports import Actions

from . import protocol
from .hub import Hub
from .outbox import Outbox
from .protocol import Fields, Reject
from .settings import GatewaySettings

log = logging.getLogger("sangam.gateway")


class Errands:
    def __init__(self, hub: Hub, outbox: Outbox, settings: GatewaySettings) -> None:
        self._hub = hub
        self._outbox = outbox
        self._settings = settings
        self._running = 0

    def start(self, orders: Actions | None, identity: Identity, action: str, fields: Fields) -> None:
        """Raises `Reject` where there is no room; nothing was begun then."""
        if orders is None:
            raise unserved()
        room = self._settings.max_actions + (self._settings.reserved_cancels if action in CANCELS else 0)
        if self._running >= room:
            raise Reject("RATE_LIMITED", f"{room} order actions of this client are under way: this one was not begun")
        self._running += 1
        self._hub.keep(asyncio.get_running_loop().create_task(self._run(orders, identity, action, fields)))

    async def _run(self, orders: Actions, identity: Identity, action: str, fields: Fields) -> None:
        try:
            reply = await orders.act(identity, action, fields)
            message = protocol.message(action, fields, **{"status": "success", **reply})
        except SangamError as error:
            message = protocol.message(action, fields, status="error", **told(error))
        except Exception:  # a defect of ours must cost this request only; of a write it leaves the outcome open
            log.exception("The action %s of a client failed", action)
            failure = puzzled() if action in WRITES else protocol.internal_error()
            message = protocol.message(action, fields, status="error", **told(failure))
        finally:
            self._running -= 1
        self._hub.send(self._outbox, message)
