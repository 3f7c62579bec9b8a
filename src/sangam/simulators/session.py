"""One client's socket at a simulated broker."""

import os
import socket
import struct
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple

from picows import WSCloseCode, WSFrame, WSListener, WSMsgType, WSTransport

from .market import Market

if TYPE_CHECKING:
    from .server import Simulator

MAX_UNSENT = 4 << 20
"""A client that leaves so many bytes unread misses updates, as at the brokers."""


class Refused(NamedTuple):
    """An upgrade that is not accepted."""

    status: int
    body: bytes = b""


class Moved(NamedTuple):
    """An upgrade that is sent to another address (HTTP 302)."""

    url: str


class Client:
    """One client on a line of whatever kind. Brokers add what they say in `moved` and `heartbeat`."""

    hears_of_orders = True
    """Whether news of orders go to this kind of socket."""

    def __init__(self, simulator: "Simulator") -> None:
        self.simulator = simulator
        self._frozen = False
        self._last = b""
        self.subscriptions: dict[Market, Any] = {}
        """Each market with the broker's terms of the subscription."""

    def moved(self, markets: list[Market]) -> None:
        """These markets moved: tell the client what it subscribed."""

    def heartbeat(self) -> None:
        """Called every `heartbeat` seconds."""

    def subscribe(self, market: Market, terms: Any) -> None:
        """Subscribe, or change the terms."""
        if market not in self.subscriptions:
            self.simulator.exchange.watch(market)
        self.subscriptions[market] = terms

    def unsubscribe(self, market: Market) -> None:
        if self.subscriptions.pop(market, None) is not None:
            self.simulator.exchange.unwatch(market)

    def send_text(self, payload: bytes) -> None:
        """News of orders."""
        raise NotImplementedError

    @property
    def congested(self) -> bool:
        transport = self._line
        return transport is not None and transport.get_write_buffer_size() > MAX_UNSENT

    # --- faults -------------------------------------------------------------------------------------------------------

    def close(self, code: WSCloseCode = WSCloseCode.GOING_AWAY) -> None:
        raise NotImplementedError

    def reset(self) -> None:
        if (line := self._line) is not None:
            line.get_extra_info("socket").setsockopt(
                socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("hh" if os.name == "nt" else "ii", 1, 0)
            )
            line.abort()

    def reset_mid_frame(self) -> None:
        if (line := self._line) is not None:
            line.write(self.half_a_frame)
            self.reset()

    def send_damaged(self, payload: bytes) -> None:
        raise NotImplementedError

    def last_frame(self) -> bytes:
        return self._last

    def freeze(self) -> None:
        if (line := self._line) is not None:
            self._frozen = True
            line.pause_reading()

    # --- its line -----------------------------------------------------------------------------------------------------

    half_a_frame: ClassVar[bytes]

    @property
    def _line(self) -> Any:
        """The transport below, None where there is none (asyncio's, or uvloop's)."""
        raise NotImplementedError

    @property
    def _silent(self) -> bool:
        return self._line is None or self._frozen or self.simulator.faults.mute

    def _arrived(self) -> None:
        self.simulator.sessions.append(self)

    def _left(self) -> None:
        if self in self.simulator.sessions:
            self.simulator.sessions.remove(self)
        for market in list(self.subscriptions):
            self.unsubscribe(market)


class Session(Client, WSListener):
    """One client's WebSocket. Brokers add what they hear in `received`, too."""

    half_a_frame = b"\x82\x7e\x10\x00" + b"\x00" * 100

    def __init__(self, simulator: "Simulator") -> None:
        super().__init__(simulator)
        self._transport: WSTransport | None = None

    def received(self, text: bytes) -> None:
        """A text message of the client."""

    def received_binary(self, payload: bytes) -> None:
        """A binary message of the client."""

    def send_text(self, payload: bytes) -> None:
        self._send(WSMsgType.TEXT, payload)

    def send_binary(self, payload: bytes) -> None:
        self._send(WSMsgType.BINARY, payload)

    def close(self, code: WSCloseCode = WSCloseCode.GOING_AWAY) -> None:
        if self._transport is not None:
            self._transport.send_close(code)
            self._transport.disconnect()

    def send_damaged(self, payload: bytes) -> None:
        if self._transport is not None:
            self._transport.send(WSMsgType.BINARY, payload)

    @property
    def _line(self) -> Any:
        return None if self._transport is None else self._transport.underlying_transport

    # --- the socket ---------------------------------------------------------------------------------------------------

    def on_ws_connected(self, transport: WSTransport) -> None:
        self._transport = transport
        self._arrived()

    def on_ws_frame(self, transport: WSTransport, frame: WSFrame) -> None:
        if frame.msg_type is WSMsgType.TEXT:
            self.received(frame.get_payload_as_bytes())
        elif frame.msg_type is WSMsgType.BINARY:
            self.received_binary(frame.get_payload_as_bytes())
        elif frame.msg_type is WSMsgType.CLOSE:
            transport.send_close(frame.get_close_code())
            transport.disconnect()

    def on_ws_disconnected(self, transport: WSTransport) -> None:
        self._transport = None
        self._left()

    def _send(self, kind: WSMsgType, payload: bytes) -> None:
        if self._transport is None or self._silent:
            return
        if len(payload) > 1:
            self._last = payload
        self._transport.send(kind, payload)
