"""Lanes: frames, and windows with a leading and a trailing edge."""

import itertools
import json

from hypothesis import given
from hypothesis import strategies as st
from tests.gateway_support import ManualLoop, make_lane, unframe

from sangam.feed.port import Dialect
from sangam.gateway.lanes import Lane, Windows


class Sent:
    """Windows of one interval on a hand-driven loop, recording (time, payload)."""

    def __init__(self, interval: int = 50) -> None:
        self.loop = ManualLoop()
        self.log: list[tuple[int, bytes]] = []
        self.windows = Windows(interval, self._note, self.loop.clock, self.loop, 0.003)

    def _note(self, lane: Lane, payload: bytes) -> None:
        self.log.append((round(self.loop.clock.monotonic() * 1000), payload))


def test_frame_is_the_envelope_with_the_payload_spliced_in() -> None:
    (payload,) = unframe(make_lane().frame(b'{"ltp":1.5}'))
    assert payload == (
        b'{"type":"market_data","symbol":"TCS:20","exchange":"NSE","mode":3,"broker":"alpha","data":{"ltp":1.5}}'
    )


def test_odd_symbols_stay_json() -> None:
    (payload,) = unframe(make_lane(symbol='M&M "x" €').frame(b"{}"))
    assert json.loads(payload)["symbol"] == 'M&M "x" €'


def test_flat_payloads_are_whole_messages() -> None:
    assert unframe(make_lane(dialect=Dialect.FLAT).frame(b'{"ltp":1.5}')) == [b'{"ltp":1.5}']


def test_first_at_once_newest_at_the_end_of_the_window() -> None:
    sent, one = Sent(), make_lane()
    for payload in (b"a", b"b", b"c"):
        sent.windows.offer(one, payload)
    assert sent.log == [(0, b"a")]
    sent.loop.advance(0.2)
    assert sent.log == [(0, b"a"), (50, b"c")]


def test_after_a_quiet_window_the_next_goes_at_once() -> None:
    sent, one = Sent(), make_lane()
    sent.windows.offer(one, b"a")
    sent.loop.advance(0.06)
    sent.windows.offer(one, b"b")
    assert sent.log == [(0, b"a"), (60, b"b")]


def test_the_trailing_edge_opens_a_window_of_its_own() -> None:
    sent, one = Sent(), make_lane()
    sent.windows.offer(one, b"a")
    sent.loop.advance(0.04)
    sent.windows.offer(one, b"b")
    sent.loop.advance(0.02)
    sent.windows.offer(one, b"c")
    sent.loop.advance(0.1)
    assert sent.log == [(0, b"a"), (50, b"b"), (100, b"c")]


def test_ends_close_together_share_a_wake_up() -> None:
    sent, first, second = Sent(), make_lane(), make_lane()
    sent.windows.offer(first, b"a1")
    sent.loop.advance(0.001)
    sent.windows.offer(second, b"b1")
    sent.windows.offer(first, b"a2")
    sent.windows.offer(second, b"b2")
    sent.loop.advance(0.1)
    assert sent.log[2:] == [(50, b"a2"), (53, b"b2")]


@given(
    st.sampled_from([50, 100, 250]),
    st.lists(st.tuples(st.integers(0, 2), st.integers(0, 40)), min_size=1, max_size=60),
)
def test_never_too_often_never_too_late_and_the_last_arrives(interval: int, offers: list[tuple[int, int]]) -> None:
    """Spacing of a lane's messages is at least the interval; each value sent is the newest; the last is sent."""
    sent = Sent(interval)
    lanes = [make_lane(interval) for _ in range(3)]
    newest: dict[int, bytes] = {}
    for number, (which, pause) in enumerate(offers):
        payload = b"%d:%d" % (which, number)
        sent.windows.offer(lanes[which], payload)
        newest[which] = payload
        sent.loop.advance(pause / 1000)
    sent.loop.advance(2 * interval / 1000 + 0.1)
    for which, payload in newest.items():
        mine = [(at, p) for at, p in sent.log if p.startswith(b"%d:" % which)]
        assert mine[-1][1] == payload
        assert [p for _, p in mine] == sorted({p for _, p in mine}, key=lambda p: int(p.split(b":")[1]))
        assert all(later - earlier >= interval for (earlier, _), (later, _) in itertools.pairwise(mine))
