"""How accounts, logins, users and keys are shown: plain values, without secrets."""

from collections.abc import Callable
from typing import Any

import msgspec

from sangam.brokers.contract import FieldKind
from sangam.model.identity import AccountInfo
from sangam.model.rules import Rules
from sangam.transport.egress import parse_egress

from .accounts import Accounts
from .callbacks import Callbacks
from .flows import Flows
from .keys import ApiKey
from .pending import Flow
from .users import User

State = Callable[[str], tuple[str, str]]


def unserved(account: str) -> tuple[str, str]:
    return "", "no server is running"


class Rows:
    """`state` tells state and detail of an account's feed."""

    def __init__(self, accounts: Accounts, flows: Flows, callbacks: Callbacks, state: State) -> None:
        self._accounts = accounts
        self._flows = flows
        self._callbacks = callbacks
        self._state = state

    def account(self, info: AccountInfo) -> dict[str, Any]:
        session = self._accounts.session(info.id)
        held = self._accounts[info.id]
        ended = self._accounts.sessions.ended(info.id)
        data, orders = self._accounts.default(info.user)
        state, detail = self._state(info.id)
        return {
            "account": info.id,
            "user": info.user,
            "broker": info.broker,
            "client_id": held.info.client_id,
            "hosts": dict(held.hosts),
            "egress": str(parse_egress(held.egress)),
            "registered_ip": held.registered_ip,
            "created_at": held.created_at,
            "session": session is not None,
            "generation": session.generation if session else None,
            "expires_at": session.expires_at if session else None,
            "ended": ended.how.value if ended else None,
            "state": state,
            "detail": detail,
            "default_data": data is not None and data.id == info.id,
            "default_orders": orders is not None and orders.id == info.id,
        }

    def login(self, flow: Flow) -> dict[str, Any]:
        """A login under way: what it asks, where the browser must go, or how it ended."""
        link = f"{self._flows.home}/{flow.session.broker}/login/{flow.account}?ticket={self._callbacks.ticket(flow)}"
        return {
            **self.account(self._accounts[flow.account].info),
            "login": flow.id,
            "way": flow.way.value,
            "asks": [
                {"name": field.name, "label": field.label, "secret": field.kind is FieldKind.SECRET}
                for field in flow.asks
            ],
            "url": flow.url,
            "link": link if flow.url else "",
            "open": flow.open,
            "error": flow.error,
        }

    def user(self, user: User) -> dict[str, Any]:
        data, orders = self._accounts.default(user.name)
        return {
            "user": user.name,
            "created_at": user.created_at,
            "password": user.password is not None,
            "accounts": len(self._accounts.list(user.name)),
            "data_account": data.id if data else None,
            "order_account": orders.id if orders else None,
            "analyzer": user.analyzer,
        }

    def rules(self, account: str, rules: Rules) -> dict[str, Any]:
        """`account` is ``*`` for the whole house."""
        values: dict[str, Any] = {"account": account, **msgspec.structs.asdict(rules)}
        return values | {"symbols": list(rules.symbols), "products": [product.value for product in rules.products]}

    def key(self, key: ApiKey) -> dict[str, Any]:
        values: dict[str, Any] = msgspec.to_builtins(key)
        return values
