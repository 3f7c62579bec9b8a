"""Fair prices: walks, options, recordings."""

import gzip
import random
import statistics
from pathlib import Path

import pytest
from tests.support import shared_data

from sangam.model.errors import ConfigError
from sangam.simulators.paths import RandomWalk, Recorded, option_price, replay


def test_a_walk_stays_near_its_start_for_weeks() -> None:
    walk = RandomWalk(1000.0, 0.25, random.Random(1))
    prices = [walk.at(60.0 * n) for n in range(60_000)]
    assert 800 < min(prices) < 1000 < max(prices) < 1200
    assert len(set(prices)) > 59_000


def test_one_long_step_is_distributed_as_many_short_ones() -> None:
    def spread(step: float) -> float:
        moves = []
        for seed in range(400):
            walk = RandomWalk(1.0, 0.25, random.Random(seed))
            begin = walk.at(0.0)
            for n in range(1, round(3600 / step) + 1):
                end = walk.at(n * step)
            moves.append(end / begin - 1)
        return statistics.pstdev(moves)

    assert spread(3600.0) == pytest.approx(spread(60.0), rel=0.15)


def test_options_keep_put_call_parity_and_end_at_their_inner_value() -> None:
    call = option_price(100.0, 95.0, 0.1, 0.2, call=True)
    put = option_price(100.0, 95.0, 0.1, 0.2, call=False)
    assert call - put == pytest.approx(100.0 - 95.0 * 2.718281828 ** (-0.065 * 0.1), abs=1e-6)
    assert option_price(100.0, 95.0, 0.0, 0.2, call=True) == 5.0
    assert option_price(100.0, 95.0, 0.0, 0.2, call=False) == 0.0


def test_recorded_points() -> None:
    smooth = Recorded([0.0, 10.0], [100.0, 110.0], smooth=True)
    assert [smooth.at(t) for t in (0.0, 5.0, 10.0, 99.0)] == [100.0, 105.0, 110.0, 110.0]
    steps = Recorded([0.0, 10.0], [100.0, 110.0], smooth=False)
    assert [steps.at(t) for t in (0.0, 9.9, 10.0)] == [100.0, 100.0, 110.0]


def test_bars_visit_their_extremes(tmp_path: Path) -> None:
    file = tmp_path / "ABC.csv.gz"
    rows = "date,open,high,low,close,volume\n2024-01-01 15:25:00+05:30,10,14,9,12,5\n"
    rows += "2024-01-01 15:30:00+05:30,12,13,8,9,5\n2024-01-02 09:15:00+05:30,11,11,11,11,5\n"
    file.write_bytes(gzip.compress(rows.encode()))
    path = replay(file)["ABC"]
    assert path.start == 10
    assert [path.at(t) for t in (0, 90, 180, 270, 300, 390, 480, 570, 600)] == [10, 9, 14, 12, 12, 13, 8, 9, 11]


@pytest.mark.parametrize("text", ["", "a,b\n1,2\n", "date,open,high,low,close\n2024-01-01,x,1,1,1\n", "\xff"])
def test_a_file_that_is_no_recording_is_refused_by_name(tmp_path: Path, text: str) -> None:
    file = tmp_path / "bad.csv"
    file.write_text(text, encoding="latin-1")
    with pytest.raises(ConfigError, match=r"bad\.csv"):
        replay(file)


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="Cannot replay"):
        replay(tmp_path / "none.csv.gz")


def test_real_bars_and_real_ticks() -> None:
    bars = replay(shared_data("intraday", "5min_2023-07_2024-06", "RELIANCE.csv.gz"))
    assert bars["RELIANCE"].start == 2438.35
    assert bars["RELIANCE"].at(270.0) == 2442.25
    ticks = replay(shared_data("intraday", "futures_ticks_2025-11-17.csv.gz"))
    assert set(ticks) == {"MCX", "RELIND", "TCS", "TRENT"}
    assert ticks["MCX"].at(0.0) == 9767.0
