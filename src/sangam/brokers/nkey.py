"""NATS keys ("nkeys"): Ed25519 key pairs in NATS' own text form (NATS docs: NKeys; nkeys specification).

Text is base32 without padding of prefix + 32 bytes + CRC-16/XMODEM, the checksum low byte first. Only the kind
"user" is needed here: seeds begin with ``SU``, public keys with ``U``."""

import base64
import binascii

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

_SEED_PREFIX = b"\x95\x00"
_PUBLIC_PREFIX = b"\xa0"
SEED_BYTES = 32


def _encode(payload: bytes) -> str:
    checksum = binascii.crc_hqx(payload, 0).to_bytes(2, "little")
    return base64.b32encode(payload + checksum).decode().rstrip("=")


def encode_seed(raw: bytes) -> str:
    """The seed text of 32 random bytes."""
    if len(raw) != SEED_BYTES:
        raise ValueError(f"a seed has {SEED_BYTES} bytes, not {len(raw)}")
    return _encode(_SEED_PREFIX + raw)


def _private_key(seed: str) -> Ed25519PrivateKey:
    try:
        data = base64.b32decode(seed + "=" * (-len(seed) % 8))
    except ValueError:
        data = b""
    payload, checksum = data[:-2], data[-2:]
    whole = len(payload) == len(_SEED_PREFIX) + SEED_BYTES and payload.startswith(_SEED_PREFIX)
    if not whole or binascii.crc_hqx(payload, 0) != int.from_bytes(checksum, "little"):
        raise ValueError("not a user seed: it begins with SU and has 58 characters")
    return Ed25519PrivateKey.from_private_bytes(payload[len(_SEED_PREFIX) :])


def public_key(seed: str) -> str:
    """The public text (``U...``) that belongs to a seed. ValueError when the seed is damaged."""
    return _encode(_PUBLIC_PREFIX + _private_key(seed).public_key().public_bytes_raw())


def sign(seed: str, data: bytes) -> bytes:
    """The 64-byte Ed25519 signature. ValueError when the seed is damaged."""
    return _private_key(seed).sign(data)
