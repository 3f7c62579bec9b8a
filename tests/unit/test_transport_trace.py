"""What calls leave behind."""

import logging

import pytest
from tests.http_server import SECRET, get, post, session_for

from sangam.model.errors import BrokerError, NotSent, Refused, SessionExpired
from sangam.transport.trace import BUCKETS, Trace, Waits

SESSION = session_for(1)


def test_calls_are_counted_by_broker_and_code_and_timed_by_effect() -> None:
    trace = Trace()
    ends: list[tuple[int | None, BrokerError | None]] = [
        (200, None),
        (200, None),
        (403, SessionExpired("no")),
        (400, Refused("no", "INSUFFICIENT_FUNDS", "MarginException")),
        (None, NotSent("down")),
    ]
    for number, (status, error) in enumerate(ends):
        trace.called(SESSION, get(), number, status=status, error=error, seconds=0.2)
    trace.called(SESSION, post(effect="write"), 9, status=200, error=None, seconds=31.0)
    assert trace.calls == {
        ("toy", "ok"): 3,
        ("toy", "INVALID_TOKEN"): 1,
        ("toy", "INSUFFICIENT_FUNDS"): 1,
        ("toy", "NETWORK_ERROR"): 1,
    }
    reads, writes = trace.latency["toy", "read"], trace.latency["toy", "write"]
    assert reads.counts[BUCKETS.index(0.25)] == sum(reads.counts) == 5
    assert reads.seconds == pytest.approx(1.0)
    assert (writes.counts[-1], writes.seconds) == (1, 31.0)


def test_waits() -> None:
    trace = Trace()
    trace.waited(SESSION, get(lane="quote"), 0.5)
    trace.waited(SESSION, get(lane="quote"), 0.25)
    trace.refused(SESSION, get(lane="quote"))
    assert trace.waits == {("toy", "quote"): Waits(2, 0.75, 1)}


def test_a_line_per_call(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG, "sangam")
    trace = Trace()
    request = post("/orders", query={"token": SECRET}, form={"token": SECRET}, headers={"X-Token": SECRET})
    trace.called(SESSION, request, 17, status=200, error=None, seconds=0.0342)
    trace.called(SESSION, request, 17, status=400, error=Refused(SECRET, broker_code="InputException"), seconds=0.1)
    trace.called(SESSION, get(), 18, status=None, error=NotSent(SECRET), seconds=5.0)
    trace.called(SESSION, post(effect="write"), 19, status=200, error=None, seconds=0.05)
    assert [(record.levelname, record.getMessage()) for record in caplog.records] == [
        ("DEBUG", "u-toy POST /orders: 200 ok, 34 ms (call 17)"),
        ("INFO", "u-toy POST /orders: 400 BROKER_ERROR InputException, 100 ms (call 17)"),
        ("INFO", "u-toy GET /x: - NETWORK_ERROR, 5000 ms (call 18)"),
        ("INFO", "u-toy POST /x: 200 ok, 50 ms (call 19)"),
    ]
