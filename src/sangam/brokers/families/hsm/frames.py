"""Requests and their answers."""

import struct
from collections.abc import Sequence

from sangam.model.errors import DecodeError

AUTH, ACK, SUBSCRIBE, UNSUBSCRIBE, DATA, MODE, CUSTOM = 1, 3, 4, 5, 6, 12, 51
PING = b"\x00\x01\x0b"
OK = b"K"

_FIELD = struct.Struct(">BH")


def request(kind: int, *values: bytes, length: int | None = None) -> bytes:
    """Fields are numbered from 1. Some clients count the length only in some kinds, and servers take what they send in
    the others."""
    body = bytes((kind, len(values)))
    for number, value in enumerate(values, 1):
        body += _FIELD.pack(number, len(value)) + value
    return struct.pack(">H", len(body) if length is None else length) + body


def listed(topics: Sequence[str]) -> bytes:
    """The value of a field that names topics."""
    names = [topic.encode() for topic in topics]
    return struct.pack(">H", len(names)) + b"".join(bytes((len(name),)) + name for name in names)


def fields(frame: bytes) -> dict[int, bytes]:
    """The fields of an answer by their ids."""
    found, at = {}, 4
    for _ in range(frame[3]):
        number, size = _FIELD.unpack_from(frame, at)
        found[number] = frame[at + 3 : at + 3 + size]
        at += 3 + size
    if at > len(frame):
        raise DecodeError("an answer is cut")
    return found


def text(frame: bytes, at: int) -> tuple[str, int]:
    """A text after its length, and where it ends."""
    end = at + 1 + frame[at]
    if end > len(frame):
        raise DecodeError("a text is cut")
    return frame[at + 1 : end].decode("utf-8", "replace"), end
