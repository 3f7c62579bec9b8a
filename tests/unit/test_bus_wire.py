import contextlib
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sangam.bus import wire
from sangam.feed.port import AccountHealth, Dialect, StreamUse
from sangam.model.enums import AccountState, Mode, Scope
from sangam.model.errors import DecodeError
from sangam.model.histogram import STAGE_BOUNDS, Histogram
from sangam.model.identity import AccountInfo, Identity
from sangam.model.order import OrderNews

ids = st.integers(0, 2**63 - 1)
texts = st.text(max_size=20)
codes = st.sampled_from(list(Mode))
accounts = st.builds(AccountInfo, texts, texts, texts, texts)
identities = st.builds(
    Identity,
    user=texts,
    key_id=texts,
    scopes=st.frozensets(st.sampled_from(list(Scope))),
    accounts=st.tuples(accounts),
    data_account=st.none() | accounts,
    interval_ms=st.none() | ids,
)
health = st.builds(
    AccountHealth,
    account=texts,
    broker=texts,
    state=st.sampled_from(list(AccountState)),
    since=ids,
    streams=st.tuples(st.builds(StreamUse, texts, ids, ids, ids, ids)),
    modes=st.dictionaries(texts, st.dictionaries(texts, st.tuples(ids))),
)
times = st.builds(Histogram, st.just(STAGE_BOUNDS), st.lists(ids, min_size=14, max_size=14), st.floats(allow_nan=False))
news = st.builds(OrderNews, ids, texts, st.binary(), st.binary())
requests = st.one_of(
    st.builds(wire.Ask, ids, texts, texts, texts, codes, ids, st.sampled_from(list(Dialect))),
    st.builds(wire.Drop, ids),
    st.just(wire.Resync()),
    st.builds(wire.Beat, ids, st.dictionaries(texts, st.floats(allow_nan=False)), times),
    st.builds(wire.Used, texts),
    st.builds(wire.Act, ids, texts, texts, st.binary(), ids),
    st.builds(wire.Since, ids, texts, ids),
    st.builds(wire.Behind, ids),
)
answers = st.one_of(
    st.builds(wire.Welcome, ids, texts, st.lists(texts)),
    st.builds(wire.Served, ids, ids, codes, ids, ids, st.none() | st.binary(), texts),
    st.builds(wire.Newest, ids, ids, st.binary()),
    st.builds(wire.Refusal, ids, texts, texts, st.booleans()),
    st.builds(wire.Lapsed, ids, ids),
    st.builds(wire.States, st.lists(health)),
    st.builds(wire.Order, news),
    st.builds(wire.Acted, ids, st.binary()),
    st.builds(wire.Failed, ids, st.binary()),
    st.builds(wire.Replayed, ids, ids, st.lists(news, max_size=3)),
    st.builds(wire.Missed, st.lists(news, max_size=3), st.booleans()),
    st.builds(wire.Keys, st.binary(), st.dictionaries(st.binary(), identities)),
)
upward = st.builds(wire.Upward, texts, ids, st.lists(requests, max_size=4), texts)
downward = st.builds(wire.Downward, ids, st.lists(answers, max_size=4))


@given(upward)
def test_what_a_gateway_says_arrives(batch: wire.Upward) -> None:
    assert wire.decode_upward(wire.encode(batch)) == batch


@given(downward)
def test_what_a_feed_says_arrives(batch: wire.Downward) -> None:
    assert wire.decode_downward(wire.encode(batch)) == batch


@given(ids, ids, ids, ids, st.binary())
def test_an_update_arrives(number: int, start: int, want: int, seq: int, payload: bytes) -> None:
    told = wire.decode_update(wire.encode_update(number, start, want, seq, payload))
    assert told == (number, start, want, seq, payload)


@given(st.one_of(upward, downward), st.data())
def test_damage_is_a_decode_error_and_nothing_else(batch: msgspec.Struct, data: st.DataObject) -> None:
    whole = wire.encode(batch)
    at = data.draw(st.integers(0, len(whole) - 1))
    flipped = whole[:at] + bytes([whole[at] ^ data.draw(st.integers(1, 255))]) + whole[at + 1 :]
    decoders: tuple[Any, ...] = (wire.decode_upward, wire.decode_downward, wire.decode_update)
    for damaged in (whole[:at], flipped, whole + b"\x00", data.draw(st.binary())):
        for decode in decoders:
            with contextlib.suppress(DecodeError):
                decode(damaged)


def test_what_is_too_short_or_unknown_is_refused() -> None:
    for decode in (wire.decode_upward, wire.decode_downward):
        for data in (b"", b"\x93", wire.encode(["gateway", 1, [["nonsense"]]]), b"\x91" * 100_000):
            with pytest.raises(DecodeError):
                decode(data)
    with pytest.raises(DecodeError):
        wire.decode_update(bytes(31))
