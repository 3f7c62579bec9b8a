"""A reader of protobuf messages without their schema: enough for wires of a few messages (protobuf docs: Encoding)."""

import math
import struct
from collections.abc import Iterator
from typing import Any

from sangam.model.errors import DecodeError


def read(data: bytes) -> dict[int, list[Any]]:
    """Values by field number, in order: varints as int, 64-bit as double, the rest as bytes."""
    fields: dict[int, list[Any]] = {}
    for number, value in _fields(data):
        fields.setdefault(number, []).append(value)
    return fields


def one(message: dict[int, list[Any]], number: int, kind: type = bytes) -> Any:
    """The last value of a field, or its type's zero; a value of another type is damage."""
    value = message.get(number, (kind(),))[-1]
    if not isinstance(value, kind):
        raise DecodeError(f"protobuf field {number} is {type(value).__name__}, not {kind.__name__}")
    return value


def text(data: Any) -> str:
    try:
        return bytes(data).decode()
    except (TypeError, ValueError):
        raise DecodeError("protobuf text is damaged") from None


def _fields(data: bytes) -> Iterator[tuple[int, Any]]:
    if not isinstance(data, bytes):
        raise DecodeError("protobuf sub-message expected")
    at = 0
    while at < len(data):
        value: Any
        key, at = _varint(data, at)
        wire = key & 7
        if wire == 0:
            value, at = _varint(data, at)
            yield key >> 3, value
            continue
        size, at = _varint(data, at) if wire == 2 else ({1: 8, 5: 4}.get(wire, 0), at)
        if not (wire == 2 or size) or at + size > len(data):
            raise DecodeError("protobuf field is cut or of an unknown kind")
        chunk, at = data[at : at + size], at + size
        value = struct.unpack("<d", chunk)[0] if wire == 1 else chunk
        if wire == 1 and not math.isfinite(value):
            raise DecodeError("protobuf number is not finite")
        yield key >> 3, value


def _varint(data: bytes, at: int) -> tuple[int, int]:
    value = 0
    for shift in range(0, 70, 7):
        if at >= len(data):
            raise DecodeError("protobuf number is cut")
        value |= (data[at] & 0x7F) << shift
        at += 1
        if data[at - 1] < 0x80:
            return value, at
    raise DecodeError("protobuf number is too long")
