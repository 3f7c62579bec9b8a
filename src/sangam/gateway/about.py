"""What a client is told about itself, its accounts and the server: the fields of the replies, as plain values."""

from collections.abc import Collection, Iterable
from typing import Any

import msgspec

from sangam.feed.port import AccountHealth
from sangam.model.enums import AccountState
from sangam.model.identity import Identity

from .outbox import Outbox
from .protocol import Fields, Reject
from .settings import GatewaySettings

_CONNECTED = frozenset({AccountState.LIVE, AccountState.STALE, AccountState.CLOSED_MARKET})


def welcome(identity: Identity, features: Collection[str] | None) -> dict[str, Any]:
    """To a good key. `features` are those that are served, None for a client that named none."""
    reply: dict[str, Any] = {
        "status": "success",
        "message": "Authentication successful",
        "broker": identity.data_account.broker if identity.data_account else "",
        "user_id": identity.user,
        "supported_features": {"ltp": True, "quote": True, "depth": True},
    }
    return reply if features is None else {**reply, "features": sorted(features)}


def broker_info(
    identity: Identity | None, states: Iterable[AccountHealth], settings: GatewaySettings, outbox: Outbox
) -> dict[str, Any]:
    """`states` are those of the identity's accounts. Raises Reject where there is no account to tell of."""
    if identity is None or identity.data_account is None:
        raise Reject("BROKER_ERROR", "No broker configuration found for user; add a broker account first")
    data, states = identity.data_account, list(states)
    connected = any(state.account == data.id and state.state in _CONNECTED for state in states)
    return {
        "status": "success",
        "broker": data.broker,
        "adapter_status": "connected" if connected else "disconnected",
        "user_id": identity.user,
        "accounts": [_account_row(state) for state in states],
        "limits": {
            "subscriptions": {"max": settings.max_subscriptions, "used": len(outbox.lanes)},
            "messages_per_second": settings.message_rate,
        },
    }


def stats(outbox: Outbox, subscriptions: list[dict[str, Any]], queued: int, now: float) -> dict[str, Any]:
    """`now` is monotonic seconds."""
    paused_at = outbox.paused_at
    return {
        "status": "success",
        "subscriptions": subscriptions,
        "sent": outbox.sent,
        "conflated": outbox.conflated,
        "queued_bytes": queued,
        "lag_ms": 0 if paused_at is None else round((now - paused_at) * 1000),
    }


def pong(fields: Fields, now_ms: int) -> dict[str, Any]:
    reply: dict[str, Any] = {"status": "success", "server_timestamp": now_ms}
    if "timestamp" in fields:
        reply["client_timestamp"] = fields["timestamp"]
    if "_pingId" in fields:
        reply["_pingId"] = fields["_pingId"]
    return reply


def _account_row(health: AccountHealth) -> dict[str, Any]:
    """Health as clients see it, with the account's name under ``id``."""
    row: dict[str, Any] = msgspec.to_builtins(health)
    return {"id": row.pop("account"), **row}
