"""Long work in slices."""

from collections.abc import Iterator

import pytest
from tests.gateway_support import ManualLoop

from sangam.gateway.chores import Chores


def steps(name: str, count: int, done: list[str]) -> Iterator[None]:
    for step in range(count):
        done.append(f"{name}{step}")
        yield


def test_one_slice_per_turn_round_robin() -> None:
    loop, done = ManualLoop(), list[str]()
    chores = Chores(loop, loop.clock)
    chores.add(steps("a", 3, done))
    chores.add(steps("b", 1, done))
    loop.turn()
    assert done == ["a0"]
    loop.turn()
    assert done == ["a0", "b0"]
    loop.settle()
    assert done == ["a0", "b0", "a1", "a2"]
    chores.add(steps("c", 1, done))
    loop.settle()
    assert done[-1] == "c0"


def test_a_broken_chore_stops_alone(caplog: pytest.LogCaptureFixture) -> None:
    def broken() -> Iterator[None]:
        yield
        raise RuntimeError("defect")

    loop, done = ManualLoop(), list[str]()
    chores = Chores(loop, loop.clock)
    chores.add(broken())
    chores.add(steps("a", 2, done))
    loop.settle()
    assert done == ["a0", "a1"]
    assert "A gateway chore failed" in caplog.text


def test_finish_runs_everything_now() -> None:
    loop, done = ManualLoop(), list[str]()
    chores = Chores(loop, loop.clock)
    chores.add(steps("a", 5, done))
    chores.finish()
    assert len(done) == 5
    loop.settle()
