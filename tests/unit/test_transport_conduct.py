"""How an account behaves towards its broker after what it was told."""

from dataclasses import replace
from datetime import datetime

import msgspec
import pytest
from tests.http_server import get, session_for
from tests.toy_broker import toy_spec

from sangam.brokers.contract import Limit, Request
from sangam.model.clock import IST, ManualClock
from sangam.model.errors import BrokerError, NotSent, RateLimited, Refused, SessionExpired, Unknown
from sangam.transport.breaker import THRESHOLD
from sangam.transport.conduct import LONGEST_PAUSE, Conduct, retry_after
from sangam.transport.exchange import Unreachable
from sangam.transport.trace import Trace, Waits

SESSION = session_for(1)
HOST = "api.toy.example"


class Bench:
    def __init__(self, *limits: Limit) -> None:
        self.clock = ManualClock(datetime(2026, 1, 5, 10, 0, tzinfo=IST))
        self.trace = Trace()
        self.conduct = Conduct(replace(toy_spec(), limits=limits), self.clock, self.trace)
        self.session = SESSION

    async def admit(self, request: Request | None = None, host: str = HOST, *, urgent: bool = False) -> None:
        await self.conduct.admit(self.session, request or get(), host, 0.0, urgent)
        self.conduct.left(request or get())

    def settle(
        self,
        error: BrokerError | None = None,
        status: int | None = 200,
        request: Request | None = None,
        host: str = HOST,
        **headers: str,
    ) -> None:
        told = {name.replace("_", "-"): value for name, value in headers.items()}
        self.conduct.settle(self.session, request or get(), host, status=status, headers=told, error=error)


@pytest.fixture
def bench() -> Bench:
    return Bench()


# --- a dead credential ------------------------------------------------------------------------------------------------


async def test_a_refused_session_is_never_tried_again(bench: Bench) -> None:
    bench.settle(SessionExpired("no"), 403)
    for _ in range(3):
        with pytest.raises(SessionExpired, match="Log in again") as told:
            await bench.admit()
        assert not told.value.sent
    with pytest.raises(SessionExpired):
        await bench.admit(urgent=True)


async def test_a_credential_of_its_own_ends_alone_and_with_the_session(bench: Bench) -> None:
    bench.settle(SessionExpired("no"), 400, get(auth="market"))
    await bench.admit()
    with pytest.raises(SessionExpired):
        await bench.admit(get(auth="market"))
    bench.settle(SessionExpired("no"), 403)
    with pytest.raises(SessionExpired):
        await bench.admit(get(auth="other"))


async def test_a_new_login_starts_anew(bench: Bench) -> None:
    bench.settle(SessionExpired("no"), 403)
    bench.session = msgspec.structs.replace(SESSION, generation=2)
    await bench.admit()


async def test_a_login_that_is_refused_may_be_tried_again_and_changes_nothing(bench: Bench) -> None:
    bench.settle(SessionExpired("no"), 403)
    bench.session = msgspec.structs.replace(SESSION, generation=0)
    for _ in range(3):
        await bench.admit()
        bench.settle(SessionExpired("wrong code"), 403)
    bench.session = SESSION
    with pytest.raises(SessionExpired):
        await bench.admit()


async def test_what_needs_no_session_goes_on_and_ends_none(bench: Bench) -> None:
    bench.settle(SessionExpired("wrong code"), 401, get(auth="none"))
    await bench.admit()
    bench.settle(SessionExpired("no"), 403)
    await bench.admit(get(auth="none"))


# --- too many ---------------------------------------------------------------------------------------------------------


async def test_lanes_keep_their_own_rows_and_count_what_they_refuse() -> None:
    bench = Bench(Limit("quote", 1, 1.0), Limit("orders", 2, 1.0, reserve=1))
    await bench.admit(get(lane="quote"))
    await bench.admit(get(lane="orders"))
    await bench.admit(get(lane="other"))
    for lane in ("quote", "orders"):
        with pytest.raises(RateLimited, match=f"Toy Broker {lane}"):
            await bench.admit(get(lane=lane))
    await bench.admit(get(lane="orders"), urgent=True)
    assert bench.trace.waits == {("toy", "quote"): Waits(refused=1), ("toy", "orders"): Waits(refused=1)}
    bench.clock.advance(1.1)
    await bench.admit(get(lane="quote"))


@pytest.mark.parametrize("status", [429, 200])
async def test_a_broker_that_says_too_many_is_left_alone_for_a_growing_while(bench: Bench, status: int) -> None:
    for pause in (1.1, 2.2, 4.4):
        bench.settle(RateLimited("slow down"), status)
        bench.clock.advance(pause - 0.01)
        with pytest.raises(RateLimited):
            await bench.admit()
        bench.clock.advance(0.02)
        await bench.admit()
    await bench.admit(get(lane="other"))
    bench.settle()
    bench.settle(RateLimited("slow down"), status)
    bench.clock.advance(1.11)
    await bench.admit()


async def test_the_broker_may_say_how_long(bench: Bench) -> None:
    bench.settle(Unknown("HTTP 429"), 429, retry_after="30")
    bench.clock.advance(29)
    with pytest.raises(RateLimited, match=r"1\.0 s"):
        await bench.admit()
    bench.clock.advance(1)
    await bench.admit()


async def test_no_broker_can_silence_us_for_ever(bench: Bench) -> None:
    bench.settle(RateLimited("no"), 429, retry_after="999999999999999")
    bench.clock.advance(LONGEST_PAUSE)
    await bench.admit()


def test_retry_after_as_seconds_or_date_or_nothing() -> None:
    now = int(datetime(2026, 1, 5, 10, 0, tzinfo=IST).timestamp() * 1000)
    assert retry_after({"retry-after": " 17 "}, now) == 17.0
    assert retry_after({"retry-after": "Mon, 05 Jan 2026 04:30:30 GMT"}, now) == 30.0
    assert retry_after({"retry-after": "Mon, 05 Jan 2026 10:01:00 +0530"}, now) == 60.0
    for useless in ("", "soon", "-5", "१७", "Mon, 05 Jan 2026 04:29:00 GMT", "Mon, 99 Jan 2026 04:29:00 GMT"):
        assert retry_after({"retry-after": useless}, now) is None
    assert retry_after({}, now) is None


# --- no answer --------------------------------------------------------------------------------------------------------

TROUBLES = [(Unreachable("down"), None), (Unknown("no answer"), None), (Unknown("HTTP 502"), 502)]


@pytest.mark.parametrize(("error", "status"), TROUBLES)
async def test_a_host_that_does_not_answer_is_left_alone(bench: Bench, error: BrokerError, status: int | None) -> None:
    for _ in range(THRESHOLD):
        await bench.admit()
        bench.settle(error, status)
    with pytest.raises(NotSent, match=rf"several times at {HOST}, and is left alone for 1 s. Nothing was sent") as told:
        await bench.admit()
    assert not told.value.sent
    await bench.admit(host="files.toy.example")
    await bench.admit(urgent=True)
    bench.clock.advance(1.0)
    await bench.admit()
    with pytest.raises(NotSent):
        await bench.admit()


ANSWERS = [(Refused("no margin"), 500), (Refused("no margin"), 400), (Unknown("HTTP 404"), 404), (None, 200)]


@pytest.mark.parametrize(("error", "status"), ANSWERS)
async def test_an_answer_is_an_answer_whatever_it_says(bench: Bench, error: BrokerError | None, status: int) -> None:
    for _ in range(THRESHOLD * 2):
        await bench.admit()
        bench.settle(error, status)
    await bench.admit()


async def test_what_we_could_not_write_is_not_the_brokers_failure(bench: Bench) -> None:
    for _ in range(THRESHOLD * 2):
        await bench.admit()
        bench.settle(NotSent("a header with a line break"), None)
        await bench.admit()
        bench.settle(None, None)
    await bench.admit()
