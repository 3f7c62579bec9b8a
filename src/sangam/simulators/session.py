"""One client's socket at a simulated broker."""

import os
import socket
import struct
from typing import TYPE_CHECKING, Any, NamedTuple

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


class Session(WSListener):
    """One client's socket. Brokers add what they say in `received`, `moved` and `heartbeat`."""

    def __init__(self, simulator: "Simulator") -> None:
        self.simulator = simulator
        self._transport: WSTransport | None = None
        self._frozen = False
        self._last = b""
        self.subscriptions: dict[Market, Any] = {}
        """Each market with the broker's terms of the subscription."""

    # --- for the brokers ----------------------------------------------------------------------------------------------

    def received(self, text: bytes) -> None:
        """A text message of the client."""

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
        self._send(WSMsgType.TEXT, payload)

    def send_binary(self, payload: bytes) -> None:
        self._send(WSMsgType.BINARY, payload)

    @property
    def congested(self) -> bool:
        transport = self._transport
        return transport is not None and transport.underlying_transport.get_write_buffer_size() > MAX_UNSENT

    # --- faults -------------------------------------------------------------------------------------------------------

    def close(self, code: WSCloseCode = WSCloseCode.GOING_AWAY) -> None:
        if self._transport is not None:
            self._transport.send_close(code)
            self._transport.disconnect()

    def reset(self) -> None:
        if self._transport is not None:
            raw = self._transport.underlying_transport
            raw.get_extra_info("socket").setsockopt(
                socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("hh" if os.name == "nt" else "ii", 1, 0)
            )
            raw.abort()

    def reset_mid_frame(self) -> None:
        if self._transport is not None:
            self._transport.underlying_transport.write(b"\x82\x7e\x10\x00" + b"\x00" * 100)
            self.reset()

    def send_damaged(self, payload: bytes) -> None:
        if self._transport is not None:
            self._transport.send(WSMsgType.BINARY, payload)

    def last_frame(self) -> bytes:
        return self._last

    def freeze(self) -> None:
        if self._transport is not None:
            self._frozen = True
            self._transport.underlying_transport.pause_reading()

    # --- the socket ---------------------------------------------------------------------------------------------------

    def on_ws_connected(self, transport: WSTransport) -> None:
        self._transport = transport
        self.simulator.sessions.append(self)

    def on_ws_frame(self, transport: WSTransport, frame: WSFrame) -> None:
        if frame.msg_type is WSMsgType.TEXT:
            self.received(frame.get_payload_as_bytes())
        elif frame.msg_type is WSMsgType.CLOSE:
            transport.send_close(frame.get_close_code())
            transport.disconnect()

    def on_ws_disconnected(self, transport: WSTransport) -> None:
        self._transport = None
        if self in self.simulator.sessions:
            self.simulator.sessions.remove(self)
        for market in list(self.subscriptions):
            self.unsubscribe(market)

    def _send(self, kind: WSMsgType, payload: bytes) -> None:
        if self._transport is None or self._frozen or self.simulator.faults.mute:
            return
        if len(payload) > 1:
            self._last = payload
        self._transport.send(kind, payload)
