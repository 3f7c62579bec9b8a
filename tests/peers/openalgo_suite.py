"""What a program with the official `openalgo` SDK experiences. Runs in the SDK's own environment, one check a call:

    python openalgo_suite.py CHECK '{"ws_url": …, "host": …, "key": …, "symbol": …, "other": …, "idle": seconds}'

Exit code 0 means that the check held; an AssertionError tells what did not."""

import json
import sys
import time
from collections.abc import Callable
from typing import Any

from openalgo import api  # type: ignore[import-not-found,unused-ignore]

Instrument = dict[str, str]
SETTINGS: dict[str, Any] = json.loads(sys.argv[2])
SYMBOL: Instrument = SETTINGS["symbol"]
OTHER: Instrument = SETTINGS["other"]
QUOTE_KEYS = {
    "open", "high", "low", "close", "ltp", "volume", "last_trade_quantity", "avg_trade_price", "change",
    "change_percent", "timestamp",
}  # fmt: skip


def until(condition: Callable[[], object], what: str, timeout: float = 6.0) -> None:
    deadline = time.monotonic() + timeout
    while not condition():
        assert time.monotonic() < deadline, f"after {timeout:g} s still waiting for {what}"
        time.sleep(0.01)


def client(key: str | None = None) -> Any:
    return api(api_key=key or SETTINGS["key"], host=SETTINGS["host"], ws_url=SETTINGS["ws_url"], timeout=5)


def connected() -> Any:
    feed = client()
    assert feed.connect() is True, "connect() with a good key"
    return feed


def recent(milliseconds: float) -> bool:
    """Epoch milliseconds of about now (the simulated clock may be hours off, never years)."""
    return isinstance(milliseconds, int) and abs(milliseconds - time.time() * 1000) < 10 * 86_400_000


def check_connect() -> None:
    started = time.monotonic()
    feed = connected()
    assert time.monotonic() - started < 2, "connect() took long"
    assert feed.connected
    assert feed.authenticated
    feed.disconnect()
    assert not feed.connected


def check_bad_key() -> None:
    started = time.monotonic()
    feed = client("0" * 64)
    assert feed.connect() is False
    assert time.monotonic() - started < 1, f"refused after {time.monotonic() - started:.2f} s"
    feed.disconnect()


def check_three_modes() -> None:
    """One symbol in three modes: every cache, getter and callback gets its own messages."""
    feed = connected()
    ltps: list[Any] = []
    quotes: list[Any] = []
    depths: list[Any] = []
    assert feed.subscribe_ltp([SYMBOL], on_data_received=ltps.append)
    assert feed.subscribe_quote([SYMBOL], on_data_received=quotes.append)
    assert feed.subscribe_depth([SYMBOL], on_data_received=depths.append)
    until(lambda: len(ltps) > 1 and len(quotes) > 1 and len(depths) > 1, "two updates in each mode")
    exchange, symbol = SYMBOL["exchange"], SYMBOL["symbol"]

    for mode, received in ((1, ltps), (2, quotes), (3, depths)):
        for message in received:
            assert message["type"] == "market_data"
            assert (message["mode"], message["symbol"], message["exchange"]) == (mode, symbol, exchange), message
            assert isinstance(message["data"]["ltp"], float)
            assert message["data"]["ltp"] > 0
            assert recent(message["data"]["timestamp"]), message["data"]["timestamp"]

    quote = quotes[-1]["data"]
    assert set(quote) == QUOTE_KEYS, sorted(quote)
    assert quote["low"] <= quote["ltp"] <= quote["high"], quote
    assert quote["close"] > 0
    assert quote["volume"] > 0
    assert abs(quote["change"] - (quote["ltp"] - quote["close"])) < 0.01, quote

    ltp = feed.get_ltp()["ltp"][exchange][symbol]
    assert ltp["ltp"] > 0
    assert recent(ltp["timestamp"])
    assert feed.get_quotes()["quote"][exchange][symbol]["volume"] >= quote["volume"]
    book = feed.get_depth()["depth"][exchange][symbol]
    for side in ("buyBook", "sellBook"):
        assert [int(level) for level in book[side]] == [1, 2, 3, 4, 5]
        assert all(float(row["price"]) > 0 and int(row["qty"]) > 0 for row in book[side].values()), book[side]
    assert float(book["buyBook"]["1"]["price"]) < float(book["sellBook"]["1"]["price"]), book
    feed.disconnect()


def check_unsubscribe() -> None:
    """Leaving one mode stops that mode and no other."""
    feed = connected()
    counts = {"ltp": 0, "quote": 0, "depth": 0}

    def counter(name: str) -> Callable[[Any], None]:
        def count(_: Any) -> None:
            counts[name] += 1

        return count

    feed.subscribe_ltp([SYMBOL], on_data_received=counter("ltp"))
    feed.subscribe_quote([SYMBOL], on_data_received=counter("quote"))
    feed.subscribe_depth([SYMBOL], on_data_received=counter("depth"))

    def moving(*names: str) -> None:
        was = dict(counts)
        until(lambda: all(counts[name] > was[name] + 1 for name in names), f"{names} to go on")

    moving("ltp", "quote", "depth")
    for gone, staying in (("quote", ("ltp", "depth")), ("depth", ("ltp",))):
        assert getattr(feed, f"unsubscribe_{gone}")([SYMBOL])
        moving(*staying)
        at_rest = counts[gone]  # what was in flight came before these updates of the others
        moving(*staying)
        assert counts[gone] == at_rest, f"{gone} goes on after unsubscribe"
    feed.disconnect()


def check_two_clients() -> None:
    """Clients hear what they asked for, and one leaving is not noticed by the other."""
    first, second = connected(), connected()
    first.subscribe_ltp([SYMBOL])
    second.subscribe_ltp([SYMBOL, OTHER])
    key, other = (f"{one['exchange']}:{one['symbol']}" for one in (SYMBOL, OTHER))
    until(lambda: key in first.ltp_data and {key, other} <= set(second.ltp_data), "both clients' data")
    assert other not in first.ltp_data, "a client hears what only the other one asked for"
    first.disconnect()
    heard: list[Any] = []
    second.subscribe_ltp([SYMBOL], on_data_received=heard.append)
    until(lambda: len(heard) > 2, "the second client's data after the first left")
    assert second.connected
    second.disconnect()


def check_restart() -> None:
    """A server that goes away is noticed; after its return connect() and subscribe work on the same object."""
    feed = connected()
    heard: list[Any] = []
    feed.subscribe_quote([SYMBOL], on_data_received=heard.append)
    until(lambda: heard, "data before the restart")
    print("RESTART", flush=True)  # noqa: T201 - the test restarts the server now, and answers when it is back
    sys.stdin.readline()
    until(lambda: not feed.connected, "the client to notice")
    assert feed.subscribe_quote([SYMBOL]) is False
    assert feed.connect() is True
    heard.clear()
    feed.subscribe_quote([SYMBOL], on_data_received=heard.append)
    until(lambda: len(heard) > 1, "data after the restart", 10)
    feed.disconnect()


def check_idle() -> None:
    """A client that says nothing answers pings and stays."""
    feed = connected()
    end = time.monotonic() + SETTINGS["idle"]
    while time.monotonic() < end:
        assert feed.connected, "an idle client was cut"
        time.sleep(0.02)
    heard: list[Any] = []
    assert feed.subscribe_ltp([SYMBOL], on_data_received=heard.append)
    until(lambda: heard, "data after the idle time")
    feed.disconnect()


if __name__ == "__main__":
    globals()[f"check_{sys.argv[1]}"]()
