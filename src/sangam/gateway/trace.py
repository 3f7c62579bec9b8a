"""What traces tell of the gateway's side: the frames of a lane, the messages of a client."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from typing import TYPE_CHECKING

from sangam.feed.trace import Tell

if TYPE_CHECKING:
    from .lanes import Lane

_SHOWN = 2000
"""Characters of one message."""


def traced_frame(lane: Lane, frame: Callable[[bytes], bytes], tell: Tell) -> Callable[[bytes], bytes]:
    """Tell each payload that a lane makes a frame of, and how many clients hear it."""

    def told(payload: bytes) -> bytes:
        tell(partial(_sent, lane, payload))
        return frame(payload)

    return told


def traced_write(write: Callable[[bytes], object], tell: Tell, peer: str) -> Callable[[bytes], object]:
    """Tell each message of what is written to a client."""

    def told(data: bytes) -> None:
        for payload in payloads(data):
            tell(partial(_said, "out", peer, payload))
        write(data)

    return told


def tell_received(tell: Tell, peer: str, data: bytes) -> None:
    tell(partial(_said, "in", peer, data))


def payloads(data: bytes) -> Iterator[bytes]:
    """Of joined `protocol.text_frame`s."""
    at = 0
    while at < len(data):
        size, start = data[at + 1], at + 2
        if size > 125:
            start += 2 if size == 126 else 8
            size = int.from_bytes(data[at + 2 : start], "big")
        at = start + size
        yield data[start:at]


def _sent(lane: Lane, payload: bytes) -> str:
    slow = len(lane.backlogs)
    clients = sum(len(cohort.members) for cohort in lane.cohorts)
    pace = f"every {lane.interval} ms" if lane.interval else "at once"
    reach = f"to {clients} clients" + (f" and {slow} that wait" if slow else "")
    return f"out {lane.key.account} {lane.key.mode.label} {pace} {reach}: {_text(payload)}"


def _said(way: str, peer: str, data: bytes) -> str:
    return f"{way} {peer}: {_text(data)}"


def _text(data: bytes) -> str:
    text = data[: 4 * _SHOWN].decode("utf-8", "replace")
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]} ... ({len(data)} bytes)"
