"""The contract's own helpers: differences, batches, granted levels, and reprs that keep secrets."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sangam.brokers.contract import BaseCodec, Call, Carries, Ctx, Endpoint, Refusal, Session, batches, done
from sangam.model.enums import Exchange, Mode
from sangam.model.errors import Unknown
from sangam.model.instrument import Instrument, Level
from sangam.model.market import Key

levels = st.builds(Level, st.sampled_from(Mode), st.sampled_from([5, 20]))
keys: st.SearchStrategy[Key] = st.integers(0, 9)
wanted = st.dictionaries(keys, levels)


@given(wanted, wanted)
def test_changes_lead_from_the_old_set_to_the_new(old: dict[Key, Level], new: dict[Key, Level]) -> None:
    codec = BaseCodec()
    codec.changes(old)
    added, changed, removed = codec.changes(new)
    assert set(added) == new.keys() - old.keys()
    assert set(removed) == old.keys() - new.keys()
    assert set(changed) == {key for key in old.keys() & new.keys() if old[key] != new[key]}
    assert codec.sent == new
    assert codec.changes(new) == ([], [], [])


@given(st.lists(st.integers()), st.integers(1, 7))
def test_batches_keep_order_and_size(items: list[int], size: int) -> None:
    parts = list(batches(items, size))
    assert [item for part in parts for item in part] == items
    assert all(0 < len(part) <= size for part in parts)


@pytest.mark.parametrize(("asked", "granted"), [(5, 5), (6, 20), (20, 20), (30, 50), (200, 50)])
def test_the_nearest_depth_is_granted(asked: int, granted: int) -> None:
    carries = Carries(modes={Mode.QUOTE: (), Mode.DEPTH: (50, 5, 20)})
    assert carries.granted(Level(Mode.DEPTH, asked)) == Level(Mode.DEPTH, granted)
    assert carries.granted(Level(Mode.QUOTE, asked)) == Level(Mode.QUOTE)


def test_carries_serves_its_modes_on_its_exchanges() -> None:
    carries = Carries(modes={Mode.LTP: ()}, exchanges=frozenset({Exchange.NSE}))
    share = Instrument(symbol="SBIN", exchange=Exchange.NSE, brsymbol="SBIN", brexchange="NSE", token="1")
    assert carries.serves(share, Level(Mode.LTP))
    assert not carries.serves(share, Level(Mode.QUOTE))
    assert not Carries(modes={Mode.LTP: ()}).serves(share, Level(Mode.LTP))


def test_base_codec_answers() -> None:
    codec = BaseCodec()
    call = Call(done(None), keys=(1, 2))
    assert list(codec.failed(call, Unknown("gone"))) == [Refusal(1, "gone"), Refusal(2, "gone")]
    assert list(codec.replied(call, None)) == list(codec.heartbeat()) == []
    assert len(list(codec.opened())) == 1


def test_done_asks_nothing() -> None:
    with pytest.raises(StopIteration) as stop:
        next(done(7))
    assert stop.value.value == 7


def test_reprs_keep_secrets() -> None:
    session = Session(account="a", broker="b", generation=1, secrets={"access_token": "hush"})
    endpoint = Endpoint(url="wss://x/y?token=hush", headers={"Authorization": "hush"}, facts={"token": "hush"})
    for value in (session, endpoint, Ctx(0, bytes)):
        assert "hush" not in repr(value) + str(value) + f"{value}"
