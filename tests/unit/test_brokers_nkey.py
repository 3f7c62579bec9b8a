"""NATS keys against the vectors of the Groww sheet (7) and NATS' own public example."""

import base64

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from hypothesis import given
from hypothesis import strategies as st

from sangam.brokers import nkey

SEED = "SUAAAAICAMCAKBQHBAEQUCYMBUHA6EARCIJRIFIWC4MBSGQ3DQOR4H776Y"
PUBLIC = "UAB2CB576PHBBPQ5ODORRZ2LYCMWPZGWGCN2KDK7DXOIMZASKUY3RLKK"
SIGNATURE = "Aj/HcjDZwFlZktcyYu97JAgWYctxzcaFc0SikCYG0tfchHcFVhub4zZnHvakWWBUcdmRZEtv5hiISSzXSYZ5BA=="


def test_vectors() -> None:
    assert nkey.encode_seed(bytes(range(32))) == SEED
    assert nkey.public_key(SEED) == PUBLIC
    assert base64.b64encode(nkey.sign(SEED, b"nonce-1")).decode() == SIGNATURE
    assert (
        nkey.public_key("SUACSSL3UAHUDXKFSNVUZRF5UHPMWZ6BFDTJ7M6USDXIEDNPPQYYYCU3VY")
        == "UDXU4RCSJNZOIQHZNWXHXORDPRTGNJAHAHFRGZNEEJCPQTT2M7NLCNF4"
    )


@given(st.binary(min_size=32, max_size=32), st.binary())
def test_any_seed_signs_for_its_public_key(raw: bytes, data: bytes) -> None:
    seed = nkey.encode_seed(raw)
    public = nkey.public_key(seed)
    assert (len(seed), seed[:2], len(public), public[0]) == (58, "SU", 56, "U")
    Ed25519PublicKey.from_public_bytes(base64.b32decode(public)[1:33]).verify(nkey.sign(seed, data), data)


@pytest.mark.parametrize("seed", ["", "SU", "!", SEED[:-1], SEED[:-1] + "A", PUBLIC, SEED.lower(), "é" * 58])
def test_damaged_seeds(seed: str) -> None:
    with pytest.raises(ValueError, match="not a user seed"):
        nkey.public_key(seed)


def test_a_seed_has_32_bytes() -> None:
    with pytest.raises(ValueError, match="32 bytes, not 31"):
        nkey.encode_seed(bytes(31))
