"""The brokers of the house as adapters: the feed, transport and codecs of the server, on a loop of their own."""

import threading
from typing import Any, ClassVar

import msgspec

from sangam.accounts.forms import Secrets, check_hosts
from sangam.brokers.contract import BrokerSpec, Session
from sangam.logs import redactor
from sangam.model.enums import Mode
from sangam.model.errors import InvalidInput

from . import stored
from .base import BaseBrokerWebSocketAdapter
from .life import Kind
from .line import Line


def kind(spec: BrokerSpec) -> Kind:
    """The adapter class of a broker."""
    prices = next(stream for stream in spec.streams if stream.carries.modes)
    depths = {depth for stream in spec.streams for depth in stream.carries.modes.get(Mode.DEPTH, ())}
    return type(
        f"{spec.name.capitalize()}WebSocketAdapter",
        (BrokerAdapter,),
        {
            "__doc__": f"{spec.title}, without the server.",
            "spec": spec,
            "MAX_SYMBOLS": prices.limits.symbols_per_socket,
            "DEPTH_LEVELS": tuple(sorted(depths)),
            "LOGIN_FIELDS": tuple(field.name for field in spec.login.fields),
        },
    )


class BrokerAdapter(BaseBrokerWebSocketAdapter):
    """`connect` returns at once. What was subscribed before it, or before it is up, starts as soon as it can, and again
    after each reconnect; new credentials given to `initialize` take effect without one.

    Assign the callbacks, or override them. They run one after the other on a thread of their own: `on_open(ws)` when it
    is up, `on_data(ws, data)` with each price as ``data`` of the server's messages (the newest of an instrument where
    the callback is slower than the market), `on_close(ws, code, reason)` when it is down, `on_error(ws, error)`; `ws`
    is the adapter."""

    spec: ClassVar[BrokerSpec]

    def __init__(self) -> None:
        self._session: Session | None = None
        self._line: Line | None = None
        self._gate = threading.Lock()

    def initialize(self, broker_name: str, user_id: str, auth_data: dict[str, Any] | None = None) -> None:
        """`auth_data` has the broker's login fields by their names; ``auth_token`` stands for the (first) one that a
        login gives, ``hosts`` replaces rows of the host table, ``client_id`` and ``egress`` are those of an account.
        Without it the session is the one that the home folder keeps of `user_id`. Raises ValueError."""
        generation = self._session.generation + 1 if self._session is not None else 1
        session = stored.session(self.spec, user_id) if auth_data is None else self._given(user_id, dict(auth_data))
        self.broker_name, self.user_id = self.spec.name, user_id
        with self._gate:
            self._session = msgspec.structs.replace(session, account=f"adapter-{user_id}", generation=generation)
            if self._line is not None:
                self._line.use(self._session)

    def _given(self, user_id: str, auth: dict[str, Any]) -> Session:
        login = self.spec.login
        hosts, egress, client_id = auth.pop("hosts", {}), auth.pop("egress", ""), auth.get("client_id", "")
        names = [field.name for field in login.fields]
        if login.daily and "auth_token" not in names and "auth_token" in auth:
            auth.setdefault(login.daily[0].name, auth.pop("auth_token"))
        if "client_id" not in names:
            auth.pop("client_id", None)
        unknown = sorted(set(auth) - set(names))
        missing = [field.name for field in login.daily if field.required and not auth.get(field.name)]
        if unknown or missing:
            fault = f"has no '{unknown[0]}'" if unknown else f"needs '{missing[0]}'"
            raise ValueError(f"auth_data of {self.spec.title} {fault}. Its fields: {', '.join(names)}.")
        try:
            check_hosts(self.spec, hosts)
        except InvalidInput as error:
            raise ValueError(str(error)) from None
        secrets = {name: str(value) for name, value in auth.items() if value is not None}
        redactor.add(*secrets.values())
        return Session(
            account="",
            broker=self.spec.name,
            generation=1,
            client_id=client_id,
            secrets=Secrets(self.spec.title, secrets),
            hosts=dict(hosts),
            egress=egress,
        )

    # --- life ---------------------------------------------------------------------------------------------------------

    def connect(self) -> dict[str, Any]:
        with self._gate:
            if self._session is None:
                raise RuntimeError("Call initialize() before connect().")
            if self._line is None:
                self.zmq_socket  # noqa: B018 - made here, where a wrong setting is told to the caller
                line = Line(self, self.spec, self._session)
                with self.lock:
                    self._line = line
                    for held in self.subscriptions.values():
                        line.want(**held)
        return {"status": "connecting"}

    def disconnect(self) -> None:
        """Nothing is left afterwards; `subscriptions` stay for the next `connect`."""
        with self._gate:
            with self.lock:
                line, self._line = self._line, None
            if line is not None:
                line.close()
            super().disconnect()
        was, self.connected = self.connected, False
        if line is not None:
            if was:
                line.tell(lambda: self.on_close(self, 1000, "closed by us"))
            line.calls.stop()

    # --- subscriptions ------------------------------------------------------------------------------------------------

    def subscribe(self, symbol: str, exchange: str, mode: int = 2, depth_level: int = 5) -> dict[str, Any]:
        if (fault := _fault(symbol, exchange, mode, depth_level)) is not None:
            return fault
        key = symbol, exchange, int(min(mode, Mode.DEPTH))
        with self.lock:
            told = self._line.want(*key, depth_level) if self._line is not None else None
            if told is not None:
                return _error(told.code, told.reason)
            self.subscriptions[key] = {
                "symbol": symbol,
                "exchange": exchange,
                "mode": key[2],
                "depth_level": depth_level,
            }
        return {"status": "success", "symbol": symbol, "exchange": exchange, "mode": key[2]}

    def unsubscribe(self, symbol: str, exchange: str, mode: int = 2) -> dict[str, Any]:
        if (fault := _fault(symbol, exchange, mode)) is not None:
            return fault
        key = symbol, exchange, int(min(mode, Mode.DEPTH))
        with self.lock:
            if key not in self.subscriptions:
                return _error("NOT_SUBSCRIBED", f"{exchange}:{symbol} is not subscribed in mode {mode}.")
            self.subscriptions.discard(key)
            if self._line is not None:
                self._line.release(key)
        return {"status": "success", "symbol": symbol, "exchange": exchange, "mode": key[2]}

    # --- callbacks ----------------------------------------------------------------------------------------------------

    def on_open(self, ws: Any = None) -> None:
        self.logger.info("%s: connected", self.spec.title)

    def on_data(self, ws: Any, data: Any) -> None:
        """To be overridden: the price was published on ZeroMQ already."""

    def on_close(self, ws: Any = None, code: Any = None, reason: Any = None) -> None:
        self.logger.info("%s: not connected: %s", self.spec.title, reason)


def _fault(symbol: object, exchange: object, mode: object, depth_level: object = 5) -> dict[str, Any] | None:
    """What is none of these would be a want that stops all others."""
    if not (isinstance(symbol, str) and symbol and isinstance(exchange, str) and exchange):
        return _error("INVALID_PARAMETERS", f"symbol and exchange must be texts, not {symbol!r} and {exchange!r}.")
    if not isinstance(mode, int) or mode < Mode.LTP:
        return _error("INVALID_MODE", f"mode must be 1 (LTP), 2 (quote) or 3 (depth), not {mode!r}.")
    if not isinstance(depth_level, int) or depth_level < 1:
        return _error("INVALID_PARAMETERS", f"depth_level must be a number of rows, not {depth_level!r}.")
    return None


def _error(code: str, message: str) -> dict[str, Any]:
    return {"status": "error", "code": code, "message": message}
