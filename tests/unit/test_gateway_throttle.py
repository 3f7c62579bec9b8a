"""Input limits: a burst is welcome, a flood is not."""

from sangam.gateway.settings import GatewaySettings
from sangam.gateway.throttle import Throttle, Verdict

SETTINGS = GatewaySettings(message_rate=10, message_burst=30, max_refused_messages=20, max_messages_unauthenticated=3)


def verdicts(throttle: Throttle, now: float, count: int, authenticated: bool = True) -> list[Verdict]:
    return [throttle.judge(now, authenticated) for _ in range(count)]


def test_strangers_get_little() -> None:
    assert verdicts(Throttle(SETTINGS, 0), 0, 5, authenticated=False) == [Verdict.TAKE] * 3 + [Verdict.CUT] * 2


def test_a_burst_is_taken_then_refused_then_cut() -> None:
    heard = verdicts(Throttle(SETTINGS, 0), 0, 60)
    assert heard == [Verdict.TAKE] * 30 + [Verdict.REFUSE] * 20 + [Verdict.CUT] * 10


def test_the_steady_rate_is_taken_for_ever() -> None:
    throttle = Throttle(SETTINGS, 0)
    for second in range(1, 200):
        assert verdicts(throttle, second, 10) == [Verdict.TAKE] * 10


def test_a_rest_forgives() -> None:
    throttle = Throttle(SETTINGS, 0)
    verdicts(throttle, 0, 45)
    assert throttle.judge(0.05, True) is Verdict.REFUSE
    assert verdicts(throttle, 100, 45) == [Verdict.TAKE] * 30 + [Verdict.REFUSE] * 15


def test_flooding_at_twice_the_rate_ends_in_a_cut() -> None:
    throttle = Throttle(SETTINGS, 0)
    assert any(throttle.judge(step / 20, True) is Verdict.CUT for step in range(2000))
