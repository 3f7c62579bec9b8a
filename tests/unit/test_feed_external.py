"""The account of prices that other programs publish, beside the brokers' feeds."""

from datetime import datetime

from tests.bus_support import ACCOUNT, PlainFeed
from tests.feed_rig import Ears

from sangam.feed.external import EXTERNAL, External, WithExternal
from sangam.feed.port import Granted, Refused
from sangam.model.clock import IST, ManualClock
from sangam.model.enums import AccountState, Mode
from sangam.model.instrument import Level

LTP = Level(Mode.LTP)


class Both:
    def __init__(self) -> None:
        self.clock = ManualClock(datetime(2026, 8, 3, 10, 0, tzinfo=IST))
        self.ears = Ears()
        self.external = External(self.clock)
        self.external.attach(self.ears)
        self.feed = PlainFeed()
        self.served = WithExternal(self.feed, self.external)

    def want(self, account: str, level: Level = LTP) -> int:
        answer = self.served.want(account, "SBIN", "NSE", level)
        assert isinstance(answer, Granted)
        assert isinstance(self.served.answered(answer.want), Granted)
        return answer.want


def test_each_want_is_served_by_its_own_feed() -> None:
    both = Both()
    ours, theirs = both.want(EXTERNAL), both.want(ACCOUNT)
    assert ours != theirs
    both.external.hear("SBIN", "NSE", {"ltp": 600.0}, None)
    both.feed.tick(theirs)
    both.external.refresh()
    assert both.ears.prices(ours) == [600.0]
    assert (both.served.sequence(ours), both.served.sequence(theirs)) == (1, 1)
    assert both.served.snapshot(theirs) == both.feed.payloads[theirs]
    assert b"600.0" in (both.served.snapshot(ours) or b"")
    assert [health.account for health in both.served.all_health()] == [ACCOUNT, EXTERNAL]
    for want in (ours, theirs):
        both.served.release(want)
    assert both.served.health(EXTERNAL).wants == 0
    assert not sum(both.feed.held.values())
    both.external.hear("SBIN", "NSE", {"ltp": 601.0}, None)
    assert both.ears.prices(ours) == [600.0]


def test_equal_wants_are_one_and_end_with_the_last() -> None:
    both = Both()
    first, second, deep = both.want(EXTERNAL), both.want(EXTERNAL), both.want(EXTERNAL, Level(Mode.DEPTH, 20))
    assert first == second != deep
    both.served.release(first)
    both.external.hear("SBIN", "NSE", {"ltp": 600.0}, None)
    assert both.ears.prices(first) == [600.0]


def test_an_unknown_exchange_is_refused() -> None:
    assert isinstance(Both().served.want(EXTERNAL, "SBIN", "NOWHERE", LTP), Refused)


def test_silence_is_said_and_its_prices_are_not_shown() -> None:
    both = Both()
    want = both.want(EXTERNAL)
    both.external.refresh()
    assert both.served.health(EXTERNAL).state is AccountState.CONNECTING
    both.external.hear("SBIN", "NSE", {"ltp": 600.0}, None)
    both.external.refresh()
    assert both.served.snapshot(want) is not None
    both.clock.advance(16)
    both.external.refresh()
    assert both.served.snapshot(want) is None
    both.external.hear("SBIN", "NSE", {"ltp": 601.0}, None)
    both.external.refresh()
    assert [health.state for health in both.ears.states] == [AccountState.LIVE, AccountState.STALE, AccountState.LIVE]
    assert both.ears.prices(want) == [600.0, 601.0]
