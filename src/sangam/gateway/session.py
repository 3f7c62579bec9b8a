"""One client's conversation: who it is, what it asks, what it is answered. It does no I/O: it is handed messages and
answers through the hub. A client's messages are handled strictly in order, long ones in slices; only order actions are
begun as they come and answered when they are done."""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass, field
from typing import Protocol

from sangam.feed.port import Dialect, FeedPort
from sangam.feed.trace import Tell
from sangam.model.clock import Clock
from sangam.model.enums import Scope
from sangam.model.errors import AuthError, SangamError
from sangam.model.identity import AccountInfo, Identity
from sangam.orders.actions import SCOPES
from sangam.orders.failure import ActionFailed, told
from sangam.orders.ports import Actions

from . import about, protocol
from .errands import Errands
from .hub import Hub
from .lanes import Lane
from .listening import EVENTS, UPDATES, OrderListening
from .outbox import Outbox
from .protocol import Credentials, Fields, Reject
from .settings import Close, GatewaySettings
from .subscriptions import Subscriptions
from .throttle import Throttle, Verdict
from .trace import tell_received, traced_write

log = logging.getLogger("sangam.gateway")

_DONE = object()
_AUTHENTICATES = b'"auth'
_GLANCE = 64 << 10
"""Bytes of a message that is read although it came too fast, if it may be an order."""


class Wire(Protocol):
    """The connection under a session."""

    peer: str

    def write(self, data: bytes, /) -> object: ...

    def close(self, code: int, reason: str) -> None: ...

    def close_later(self, delay: float, code: int, reason: str) -> None: ...

    def unsent(self) -> int:
        """Bytes that wait for the socket."""
        ...


@dataclass(slots=True)
class Services:
    """What all sessions share. `authenticate` raises `AuthError`; `traced` are the keys whose clients are traced;
    `orders` is None while orders are not served (yet)."""

    feed: FeedPort
    hub: Hub
    authenticate: Callable[[str], Identity]
    brokers: list[str]
    settings: GatewaySettings
    clock: Clock
    traced: dict[str, Tell] = field(default_factory=dict)
    orders: Actions | None = None


class Session:
    """The state of one client. `receive` takes each message; `end` releases everything, once."""

    def __init__(self, services: Services, wire: Wire, dialect: Dialect = Dialect.CANONICAL) -> None:
        self.identity: Identity | None = None
        self.outbox = Outbox(wire.write, self)
        self._services = services
        self._hub = services.hub
        self._wire = wire
        self._dialect = dialect
        self._features: frozenset[str] = frozenset()
        self._former_defaults: dict[str, None] = {}
        self._deaf = False
        self._tell: Tell | None = None
        self._inbox: deque[bytes | Callable[[], None]] = deque()
        self._waiting = 0
        self._pump: Generator[None, None, None] | None = None
        self._throttle = Throttle(services.settings, services.clock.monotonic())
        self._changing = 0
        self._hub.enter(self.outbox)
        self._errands = Errands(self._hub, self.outbox, services.settings)
        self._listening = OrderListening(self._hub, self.outbox)
        self._subscriptions = Subscriptions(services.feed, self._hub, self.outbox, services.settings.max_subscriptions)

    def receive(self, data: bytes) -> None:
        """One whole text or binary message."""
        if self._deaf:
            return
        if self._tell is not None:
            tell_received(self._tell, self._wire.peer, data)
        settings = self._services.settings
        verdict = self._throttle.judge(self._services.clock.monotonic(), self.identity is not None)
        if verdict is Verdict.TAKE and self._waiting <= settings.max_waiting:
            if not self._overtakes(data):
                self._waiting += len(data)
                self._changing += _AUTHENTICATES in data
                self._enqueue(data)
        elif verdict is Verdict.REFUSE:
            self._refuse(data)
        else:
            log.warning("Client %s closed: too many messages", self._wire.peer)
            self._wire.close(Close.FLOOD if self.identity else Close.AUTH, "too many messages")

    def renew(self, identity: Identity) -> None:
        """The key's user has other accounts, or other defaults. What is subscribed stays; the next request follows."""
        former = self.identity
        if former is None:
            return
        for account in former.accounts:
            if account.id not in {each.id for each in identity.accounts}:
                self._hub.unfollow(self.outbox, "state", account.id)
        self._change(identity)
        self._follow(identity)

    def refused(self, lane: Lane, code: str, reason: str) -> None:
        """The feed cannot serve a lane after all. Told in its turn, so behind the ack of a subscribe in progress."""
        self._enqueue(lambda: self._tell_refusal(lane, code, reason))

    def trace(self) -> None:
        """Tell every message from and to this client, or no longer, as the services say of its key."""
        tell = self._services.traced.get(self.identity.key_id) if self.identity is not None else None
        if tell is not self._tell:
            self._tell = tell
            write = self._wire.write
            self.outbox.reroute(write if tell is None else traced_write(write, tell, self._wire.peer))

    def cut(self, reason: str) -> None:
        """The client does not read."""
        log.warning("Client %s cut: slow consumer, %s, %d bytes unsent", self._wire.peer, reason, self._queued())
        self._wire.close(Close.SLOW_CONSUMER, "slow consumer")

    def end(self, flush: bool) -> None:
        """The client is gone, or is about to be closed (`flush`: what is due to it is written first)."""
        self._deaf = True
        self._inbox.clear()
        self._listening.stop()
        self._subscriptions.end(flush)
        if self._pump is not None:
            self._pump.close()

    def _refuse(self, data: bytes) -> None:
        """Too fast. Of an order action whoever sent it hears that this very one was not begun."""
        text = f"More than {self._services.settings.message_rate} messages per second: this one was not"
        order = protocol.order_action(data) if len(data) <= _GLANCE else None
        if order is None:
            self._send(protocol.error("RATE_LIMITED", f"{text} read"))
        else:
            failure = {"status": "error", "code": "RATE_LIMITED", "message": f"{text} begun"}
            self._send(protocol.message(order.action, order.fields, **failure))

    def _overtakes(self, data: bytes) -> bool:
        """Order actions wait for nothing but an `authenticate` that came before them."""
        if self.identity is None or self._changing:
            return False
        message = protocol.order_action(data)
        if message is None:
            return False
        self._act(message.action, message.fields)
        return True

    def _enqueue(self, item: bytes | Callable[[], None]) -> None:
        self._inbox.append(item)
        if self._pump is None:
            pump = self._pump = self._handle_all()
            if next(pump, _DONE) is not _DONE:
                self._hub.chores.add(pump)

    def _handle_all(self) -> Generator[None, None, None]:
        while self._inbox:
            if self.identity is not None and self._hub.chores.time_is_up():
                yield
            item = self._inbox.popleft()
            if callable(item):
                item()
            else:
                self._waiting -= len(item)
                yield from self._handle(item)
                self._changing -= _AUTHENTICATES in item
        self._pump = None

    def _handle(self, data: bytes) -> Iterator[None]:
        try:
            yield from self._obey(data)
        except Exception:  # a defect of ours must cost this request, not the connection or the server
            log.exception("A request of client %s failed", self._wire.peer)
            self._send(protocol.error("SERVER_ERROR", "Internal error; the server's log has the details"))

    def _obey(self, data: bytes) -> Iterator[None]:
        fields: Fields = {}
        try:
            message = protocol.decode(data)
            if message is None or message.action == "pong":
                return
            fields = message.fields
            if message.action in SCOPES:
                self._act(message.action, fields)
                return
            handler = _HANDLERS.get(message.action)
            if handler is None:
                raise protocol.invalid_action(message.action)
            if self.identity is None and message.action not in _OPEN_ACTIONS:
                raise Reject("NOT_AUTHENTICATED", "You must authenticate first")
            work = handler(self, fields)
            if work is not None:
                yield from work
        except Reject as error:
            self._send(protocol.error(error.code, str(error), fields))

    def _send(self, message: bytes) -> None:
        self._hub.send(self.outbox, message)

    def _queued(self) -> int:
        backlog = self.outbox.backlog
        return self._wire.unsent() + (backlog.size if backlog is not None else 0)

    # Who

    def _authenticate(self, fields: Fields) -> Iterator[None] | None:
        credentials = protocol.parse_credentials(fields)
        try:
            identity = self._services.authenticate(credentials.api_key)
        except AuthError:
            log.info("Client %s gave an unknown API key", self._wire.peer)
            self._deaf = True
            failure = {"status": "error", "code": AuthError.code, "message": "Invalid API key"}
            self._send(protocol.message("auth", fields, **failure))
            self._wire.close_later(self._services.settings.bad_key_delay, Close.AUTH, "invalid API key")
            return None
        return self._become(identity, credentials, fields)

    def _become(self, identity: Identity, credentials: Credentials, fields: Fields) -> Iterator[None]:
        """A key of another user, or one without the scope, ends what the former one held."""
        former = self.identity
        if former is not None:
            same_user = former.user == identity.user
            if not same_user or not identity.may(Scope.DATA):
                yield from self._subscriptions.drop_all()
                self._former_defaults.clear()
            for account in former.accounts:
                self._hub.unfollow(self.outbox, "state", account.id)
            if not same_user or not identity.may(Scope.ORDERS_READ):
                self._listening.stop("another API key took this socket")
        self._change(identity)
        self._features = credentials.features
        self._listening.kind = EVENTS if "order_events" in self._features else UPDATES
        self._dialect = credentials.dialect or self._dialect
        self.outbox.announces = "conflated" in self._features
        self._follow(identity)
        if self._dialect is Dialect.FLAT:
            self._send(protocol.flat(fields, status="authenticated", message="Connected"))
            return
        served = self._features if "features" in fields else None
        self._send(protocol.message("auth", fields, **about.welcome(identity, served)))
        if "feed_state" in self._features:
            for account in identity.accounts:
                self._send(protocol.feed_state(self._services.feed.health(account.id)))

    def _change(self, identity: Identity) -> None:
        """What was subscribed under another default account must be found again by an unsubscribe that names none."""
        former = self.identity.data_account if self.identity is not None else None
        if former is not None and former != identity.data_account:
            self._former_defaults[former.id] = None
        self.identity = identity
        self.trace()

    def _follow(self, identity: Identity) -> None:
        for account in identity.accounts:
            if "feed_state" in self._features:
                self._hub.follow(self.outbox, "state", account.id)
        self._listening.renew(identity.accounts)

    def _require(self, scope: Scope) -> Identity:
        if self.identity is None:
            raise Reject("NOT_AUTHENTICATED", "You must authenticate first")
        if not self.identity.may(scope):
            raise Reject("INSUFFICIENT_PERMISSION", f"This API key lacks the scope '{scope}'")
        return self.identity

    def _account(self, fields: Fields) -> AccountInfo:
        """The account whose data a request is about."""
        identity = self._require(Scope.DATA)
        name = protocol.parse_account(fields)
        account = identity.account(name)
        if account is not None:
            return account
        if not identity.accounts:
            raise Reject("BROKER_ERROR", "No broker configuration found for user; add a broker account first")
        known = ", ".join(f"{account.id} ({account.broker})" for account in identity.accounts)
        if name:
            raise Reject("INVALID_PARAMETERS", f"No account '{name}' among yours: {known}")
        raise Reject("BROKER_ERROR", f"This API key has no data account; name one of yours as account: {known}")

    # What it hears

    def _subscribe(self, fields: Fields) -> Iterator[None]:
        account = self._account(fields)
        entries = protocol.parse_subscribe(fields)
        interval = self.identity.interval_ms if self.identity is not None else None
        if interval is None:
            interval = self._services.settings.interval_ms
        return self._subscriptions.subscribe(fields, entries, account, interval, self._dialect)

    def _unsubscribe(self, fields: Fields) -> Iterator[None]:
        if fields.get("unsubscribe_all") is True:
            return self._unsubscribe_all(fields)
        account = self._account(fields)
        places = [account.id] if protocol.parse_account(fields) else [account.id, *self._former_defaults]
        entries = protocol.parse_unsubscribe(fields)
        return self._subscriptions.unsubscribe(fields, entries, account, places, self._dialect)

    def _unsubscribe_all(self, fields: Fields) -> Iterator[None]:
        account = self._require(Scope.DATA).data_account
        return self._subscriptions.unsubscribe_all(fields, account.broker if account else "", self._dialect)

    def _tell_refusal(self, lane: Lane, code: str, reason: str) -> None:
        if not self._subscriptions.holds(lane):
            return
        self._subscriptions.give_up(lane)
        account, symbol, exchange, mode = lane.key
        subject = {"symbol": symbol, "exchange": exchange, "mode": int(mode), "account": account, "broker": lane.broker}
        if "refusals" in self._features:
            self._send(protocol.message("subscription_refused", None, code=code, message=reason, **subject))
        else:
            self._send(protocol.error(code, f"{exchange}:{symbol}: {reason}", None, **subject))

    # Orders

    def _act(self, action: str, fields: Fields) -> None:
        """Not in the order of the requests: whatever is asked of orders is begun at once."""
        try:
            self._errands.start(self._services.orders, self._require(SCOPES[action]), action, fields)
        except SangamError as error:
            self._send(protocol.message(action, fields, status="error", **told(error)))

    def _subscribe_orders(self, fields: Fields) -> None:
        identity = self._require(Scope.ORDERS_READ)
        try:
            self._listening.subscribe(self._services.orders, identity, fields)
        except ActionFailed as error:
            self._send(protocol.message("subscribe_orders", fields, status="error", **error.fields))

    def _unsubscribe_orders(self, fields: Fields) -> None:
        self._require(Scope.ORDERS_READ)
        self._listening.stop("unsubscribe_orders came")
        done = {"status": "success", "message": "Unsubscribed from order updates"}
        self._send(protocol.message("unsubscribe_orders", fields, **done))

    # What it may know

    def _broker_info(self, fields: Fields) -> None:
        accounts = self.identity.accounts if self.identity is not None else ()
        states = [self._services.feed.health(account.id) for account in accounts]
        reply = about.broker_info(self.identity, states, self._services.settings, self.outbox)
        self._send(protocol.message("broker_info", fields, **reply))

    def _supported_brokers(self, fields: Fields) -> None:
        brokers = self._services.brokers
        self._send(protocol.message("supported_brokers", fields, status="success", brokers=brokers, count=len(brokers)))

    def _stats(self, fields: Fields) -> None:
        reply = about.stats(self.outbox, self._subscriptions.stats(), self._queued(), self._services.clock.monotonic())
        self._send(protocol.message("stats", fields, **reply))

    def _ping(self, fields: Fields) -> None:
        self._send(protocol.message("pong", fields, **about.pong(fields, self._services.clock.now_ms())))


_HANDLERS: dict[str, Callable[[Session, Fields], Iterator[None] | None]] = {
    "authenticate": Session._authenticate,
    "subscribe": Session._subscribe,
    "unsubscribe": Session._unsubscribe,
    "unsubscribe_all": Session._unsubscribe_all,
    "subscribe_orders": Session._subscribe_orders,
    "unsubscribe_orders": Session._unsubscribe_orders,
    "get_broker_info": Session._broker_info,
    "get_supported_brokers": Session._supported_brokers,
    "get_stats": Session._stats,
    "ping": Session._ping,
}
_OPEN_ACTIONS = frozenset({"authenticate", "get_supported_brokers", "ping"})
