import msgspec
from hypothesis import given
from hypothesis import strategies as st

from sangam.model.histogram import STAGE_BOUNDS, Histogram


def test_a_time_is_counted_under_the_first_bound_it_does_not_pass() -> None:
    histogram = Histogram((0.1, 1.0))
    for seconds in (0.1, 0.1001, 1.0, 7.0):
        histogram.add(seconds)
    assert histogram.counts == [1, 2, 1]
    assert histogram.buckets() == [("0.1", 1.0), ("1.0", 3.0), ("+Inf", 4.0)]


def test_histograms_share_nothing() -> None:
    first, second = Histogram((1.0,)), Histogram((1.0,))
    first.add(0.5)
    assert second.counts == [0, 0]


@given(st.lists(st.floats(0, 10)), st.lists(st.floats(0, 10)))
def test_merged_ones_count_as_one(mine: list[float], theirs: list[float]) -> None:
    one, other, both = Histogram(STAGE_BOUNDS), Histogram(STAGE_BOUNDS), Histogram(STAGE_BOUNDS)
    for seconds in mine:
        one.add(seconds)
        both.add(seconds)
    for seconds in theirs:
        other.add(seconds)
        both.add(seconds)
    one.merge(msgspec.msgpack.decode(msgspec.msgpack.encode(other), type=Histogram))
    assert one.counts == both.counts
    assert abs(one.seconds - both.seconds) < 1e-6
    counts = [count for _, count in one.buckets()]
    assert counts == sorted(counts)
    assert counts[-1] == len(mine) + len(theirs)
