"""Sliding windows of a broker's limits."""

from sangam.simulators.quota import Quota


def test_each_lane_counts_for_itself_and_the_refused_do_not_count() -> None:
    now = [0.0]
    quota = Quota({"orders": ((2, 1.0), (3, 60.0)), "quotes": ((1, 1.0),)}, lambda: now[0])
    assert [quota.exceeded("orders") for _ in range(3)] == [False, False, True]
    assert [quota.exceeded("quotes") for _ in range(2)] == [False, True]
    now[0] = 1.0
    assert [quota.exceeded("orders") for _ in range(2)] == [False, True]  # three in a minute
    now[0] = 61.0
    assert not quota.exceeded("orders")
