"""Protobuf as bytes, field by field (protobuf docs: Encoding)."""

import struct

_DOUBLE = struct.Struct("<d").pack


def number(field: int, value: int) -> bytes:
    """A varint field."""
    return _varint(field << 3) + _varint(value)


def integer(field: int, value: int) -> bytes:
    """The same as proto3 writes it: zero is left out."""
    return number(field, value) if value else b""


def double(field: int, value: float) -> bytes:
    """Zero is left out."""
    return _varint(field << 3 | 1) + _DOUBLE(value) if value else b""


def chunk(field: int, value: bytes) -> bytes:
    """A text or a message in a message."""
    return _varint(field << 3 | 2) + _varint(len(value)) + value


def wrapped(field: int, value: int) -> bytes:
    """A google.protobuf wrapper: one of zero is there, and empty."""
    return chunk(field, number(1, value) if value else b"")


def _varint(value: int) -> bytes:
    made = bytearray()
    while value > 0x7F:
        made.append(value & 0x7F | 0x80)
        value >>= 7
    made.append(value)
    return bytes(made)
