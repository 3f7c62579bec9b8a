"""Payloads to the letter (contract-ws.md 3.8 and 9)."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.toy_broker import toy_instrument

from sangam.feed.port import Dialect
from sangam.feed.publisher import Tally, patcher, payload
from sangam.feed.wants import Line, Want, WantKey
from sangam.model.enums import Exchange, Mode
from sangam.model.instrument import Level
from sangam.model.market import Depth, DepthLevel, Fields, Patch

NOW = 1_705_294_800_000  # 2024-01-15 10:30:00 IST
QUOTE: Fields = {
    "ltp": 625.5,
    "ltt": NOW - 1000,
    "timestamp": NOW,
    "open": 620.0,
    "high": 630.0,
    "low": 618.05,
    "close": 621.0,
    "volume": 1_234_567,
    "oi": 0,
    "last_trade_quantity": 25,
    "avg_trade_price": 624.33,
    "total_buy_quantity": 1000,
    "total_sell_quantity": 2000,
}


def book(levels: int) -> Depth:
    return Depth(
        [DepthLevel(round(625.45 - place / 20, 2), 10 + place, place) for place in range(levels)],
        [DepthLevel(round(625.55 + place / 20, 2), 20 + place, place) for place in range(levels)],
    )


class Bench:
    """One instrument with wants, and what they were told."""

    def __init__(self, tick: float = 0.05, symbol: str = "SBIN", exchange: Exchange = Exchange.NSE) -> None:
        self.line = Line(toy_instrument(symbol, "1", exchange, tick), 77)
        self.told: list[tuple[int, bytes]] = []
        self.patched = patcher(
            {"1": self.line}, lambda: NOW + 5, lambda want, body: self.told.append((want, body)), Tally()
        )

    def want(self, mode: Mode, depth: int = 5, symbol: str = "SBIN", dialect: Dialect = Dialect.CANONICAL) -> Want:
        level = Level(mode, depth) if mode is Mode.DEPTH else Level(mode)
        key = WantKey(symbol, self.line.instrument.exchange.value, level, dialect)
        want = Want(len(self.line.wants) + 1, key)
        want.count = 1
        self.line.add(want)
        return want

    def tick(self, fields: Fields, depth: Depth | None = None, key: str = "1", full: bool = False) -> None:
        self.patched(Patch(key, fields.copy(), depth, full))

    def last(self) -> Any:
        return json.loads(self.told[-1][1])


def test_ltp_is_slim_compact_and_names_the_symbol_first() -> None:
    bench = Bench()
    bench.want(Mode.LTP)
    bench.tick(QUOTE, book(5))
    assert bench.told == [
        (
            1,
            b'{"symbol":"SBIN","exchange":"NSE","mode":1,"epoch":77,"seq":1,'
            b'"ltp":625.5,"timestamp":1705294800000,"ltt":1705294799000}',
        )
    ]


def test_a_quote_is_the_canonical_superset_without_the_book() -> None:
    bench = Bench()
    bench.want(Mode.QUOTE)
    bench.tick(QUOTE, book(5))
    assert bench.last() == {
        "symbol": "SBIN",
        "exchange": "NSE",
        "mode": 2,
        "epoch": 77,
        "seq": 1,
        **QUOTE,
        "last_quantity": 25,
        "average_price": 624.33,
        "change": 4.5,
        "change_percent": 0.72,
        "bid_price": 625.45,
        "bid_size": 10,
        "ask_price": 625.55,
        "ask_size": 20,
    }
    text = bench.told[-1][1].decode()
    assert " " not in text
    assert text.index('"symbol":"') < text.index('"ltp":')


def test_depth_adds_the_book_best_first() -> None:
    bench = Bench()
    bench.want(Mode.DEPTH)
    bench.tick(QUOTE, book(2))
    told = bench.last()
    assert told["mode"] == 3
    assert told["depth"] == {
        "buy": [{"price": 625.45, "quantity": 10, "orders": 0}, {"price": 625.4, "quantity": 11, "orders": 1}],
        "sell": [{"price": 625.55, "quantity": 20, "orders": 0}, {"price": 625.6, "quantity": 21, "orders": 1}],
    }
    assert told["volume"] == 1_234_567


def test_numbers_keep_their_type() -> None:
    bench = Bench()
    bench.want(Mode.DEPTH)
    bench.tick({**QUOTE, "ltp": 600.0, "close": 500.0}, Depth([DepthLevel(600.0, 5, 1)], []))
    text = bench.told[-1][1].decode()
    for part in ('"ltp":600.0,', '"change":100.0,', '"volume":1234567,', '"oi":0,', '"timestamp":1705294800000,'):
        assert part in text
    assert '"depth":{"buy":[{"price":600.0,"quantity":5,"orders":1}],"sell":[]}}' in text
    assert '"ask_price":0.0,"ask_size":0' in text


def test_unknown_fields_are_absent_never_zero() -> None:
    bench = Bench()
    bench.want(Mode.LTP)
    bench.want(Mode.QUOTE)
    bench.tick({"ltp": 5.0, "open": 1.0, "high": 6.0, "low": 1.0, "close": 0.0})
    ltp, quote = (json.loads(body) for _, body in bench.told)
    assert set(ltp) == {"symbol", "exchange", "mode", "epoch", "seq", "ltp", "timestamp"}
    assert ltp["timestamp"] == NOW + 5
    assert set(quote) == {*ltp, "open", "high", "low", "close"}


@pytest.mark.parametrize(
    ("tick", "ltp", "close", "change", "percent"),
    [
        (0.05, 100.05, 100.0, 0.05, 0.05),
        (0.05, 99.95, 100.0, -0.05, -0.05),
        (0.05, 621.0, 621.0, 0.0, 0.0),
        (0.05, 0.1, 1000.0, -999.9, -99.99),
        (0.01, 1.01, 1.02, -0.01, -0.98),
        (0.0025, 83.2525, 83.25, 0.0025, 0.0),
        (0.0025, 83.0, 83.2525, -0.2525, -0.3),
        (1.0, 72001.0, 71000.0, 1001.0, 1.41),
    ],
)
def test_change_is_rounded_to_the_instruments_decimals_and_percent_to_two(
    tick: float, ltp: float, close: float, change: float, percent: float
) -> None:
    bench = Bench(tick)
    bench.want(Mode.QUOTE)
    bench.tick({**QUOTE, "ltp": ltp, "close": close})
    assert (bench.last()["change"], bench.last()["change_percent"]) == (change, percent)


@given(st.integers(1, 10_000_000), st.integers(1, 10_000_000))
def test_change_is_exact_in_ticks(ltp: int, close: int) -> None:
    bench = Bench()
    bench.want(Mode.QUOTE)
    bench.tick({**QUOTE, "ltp": ltp / 100, "close": close / 100})
    assert bench.last()["change"] == (ltp - close) / 100
    assert bench.last()["change_percent"] == pytest.approx((ltp - close) / close * 100, abs=0.00501)


@pytest.mark.parametrize(("ltp", "close"), [(1e308, 100.0), (100.0, 5e-324), (1e308, 1e-300)])
def test_between_what_are_no_prices_no_change_is_told(ltp: float, close: float) -> None:
    bench = Bench()
    want = bench.want(Mode.QUOTE)
    bench.tick(QUOTE)
    bench.tick({"ltp": ltp, "close": close})
    assert bench.last()["ltp"] == ltp
    assert not bench.last().keys() & {"change", "change_percent"}
    assert payload(want, bench.line) == bench.told[-1][1]
    bench.tick(QUOTE)
    assert bench.last()["change"] == 4.5


def test_both_names_follow_a_partial_update() -> None:
    bench = Bench()
    bench.want(Mode.QUOTE)
    bench.tick(QUOTE)
    bench.tick({"ltp": 630.0, "last_trade_quantity": 50, "avg_trade_price": 625.0, "timestamp": NOW + 1})
    told = bench.last()
    assert (told["last_trade_quantity"], told["last_quantity"]) == (50, 50)
    assert (told["avg_trade_price"], told["average_price"]) == (625.0, 625.0)
    assert (told["change"], told["volume"]) == (9.0, 1_234_567)


def test_a_want_hears_its_own_depth_while_the_line_is_deeper() -> None:
    bench = Bench()
    bench.want(Mode.DEPTH, 5)
    bench.want(Mode.DEPTH, 20, "SBIN:20")
    bench.tick(QUOTE, book(20))
    shallow, deep = (json.loads(body) for _, body in bench.told)
    assert [len(shallow["depth"][side]) for side in ("buy", "sell")] == [5, 5]
    assert [len(deep["depth"][side]) for side in ("buy", "sell")] == [20, 20]
    assert deep["symbol"] == "SBIN:20"
    assert shallow["depth"]["buy"] == deep["depth"]["buy"][:5]
    assert len(bench.line.last.depth.buy if bench.line.last.depth else ()) == 20


def test_one_message_per_wanted_mode_each_with_its_own_seq() -> None:
    bench = Bench()
    bench.want(Mode.LTP)
    bench.tick(QUOTE, book(5))
    bench.want(Mode.QUOTE)
    bench.tick(QUOTE, book(5))
    told = [(want, json.loads(body)["mode"], json.loads(body)["seq"]) for want, body in bench.told]
    assert told == [(1, 1, 1), (1, 1, 2), (2, 2, 1)]


def test_the_last_price_is_not_told_by_a_frame_without_one() -> None:
    bench = Bench()
    bench.want(Mode.LTP)
    bench.want(Mode.DEPTH)
    bench.tick(QUOTE, book(5))
    bench.tick({"timestamp": NOW + 1}, book(4))
    assert [want for want, _ in bench.told] == [1, 2, 2]
    assert len(bench.last()["depth"]["buy"]) == 4


def test_a_mode_is_silent_until_all_of_it_is_known() -> None:
    bench = Bench()
    bench.want(Mode.QUOTE)
    bench.want(Mode.DEPTH)
    bench.tick({"ltp": 5.0})
    assert bench.told == []
    bench.tick(QUOTE)
    assert [want for want, _ in bench.told] == [1]
    bench.tick(QUOTE, book(1))
    assert [want for want, _ in bench.told] == [1, 1, 2]


def test_a_lingering_want_is_not_told_and_not_counted() -> None:
    bench = Bench()
    want = bench.want(Mode.LTP)
    want.count = 0
    bench.line.relist()
    bench.tick(QUOTE)
    assert bench.told == []
    assert want.seq == 0
    assert bench.line.last.fields["ltp"] == 625.5


def test_a_frame_of_an_unknown_instrument_is_dropped() -> None:
    bench = Bench()
    bench.want(Mode.LTP)
    bench.tick(QUOTE, key="2")
    assert bench.told == []


def test_a_new_epoch_forgets_the_old_price_and_seq_keeps_rising() -> None:
    bench = Bench()
    want = bench.want(Mode.QUOTE)
    bench.tick(QUOTE)
    bench.line.discontinue(78)
    bench.tick({"ltp": 5.0})
    assert len(bench.told) == 1
    bench.tick({**QUOTE, "ltp": 6.0})
    assert (bench.last()["epoch"], bench.last()["seq"], bench.last()["ltp"]) == (78, 2, 6.0)
    assert want.seq == 2


def test_a_snapshot_is_the_newest_update_again() -> None:
    bench = Bench()
    want, flat = bench.want(Mode.DEPTH), bench.want(Mode.DEPTH, dialect=Dialect.FLAT)
    bench.tick(QUOTE, book(5))
    assert [payload(want, bench.line), payload(flat, bench.line)] == [body for _, body in bench.told]
    assert want.seq == 1


@pytest.mark.parametrize("symbol", ["M&M", "NIFTY 50", 'A"B', "सोना"])
def test_odd_symbols_are_escaped(symbol: str) -> None:
    bench = Bench(symbol=symbol)
    bench.want(Mode.LTP, symbol=symbol)
    bench.tick(QUOTE)
    assert bench.last()["symbol"] == symbol


def test_the_flat_dialect_to_the_letter() -> None:
    bench = Bench()
    for mode in Mode:
        bench.want(mode, dialect=Dialect.FLAT)
    bench.tick(QUOTE, book(1))
    assert [body for _, body in bench.told] == [
        b'{"symbol":"SBIN","exchange":"NSE","ltp":625.5,"timestamp":"2024-01-15T10:30:00+05:30"}',
        b'{"symbol":"SBIN","exchange":"NSE","ltp":625.5,"open":620.0,"high":630.0,"low":618.05,"close":621.0,'
        b'"volume":1234567,"timestamp":"2024-01-15T10:30:00+05:30"}',
        b'{"symbol":"SBIN","exchange":"NSE","ltp":625.5,"depth":{"buy":[{"price":625.45,"quantity":10,"orders":0}],'
        b'"sell":[{"price":625.55,"quantity":20,"orders":0}]},"timestamp":"2024-01-15T10:30:00+05:30"}',
    ]


@pytest.mark.parametrize("moment", [-1, 253_402_300_800_000, 2**63 - 1])
def test_what_is_no_time_is_told_flat_as_when_it_was_heard(moment: int) -> None:
    bench = Bench()
    bench.want(Mode.LTP, dialect=Dialect.FLAT)
    bench.tick({"ltp": 625.5, "timestamp": moment})
    assert bench.last()["timestamp"] == "2024-01-15T10:30:00.005000+05:30"


def test_flat_wants_count_their_updates_too() -> None:
    bench = Bench()
    want = bench.want(Mode.LTP, dialect=Dialect.FLAT)
    bench.tick(QUOTE)
    bench.tick(QUOTE)
    assert want.seq == 2
