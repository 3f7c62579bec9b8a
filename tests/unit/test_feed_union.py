"""The promise of the feed: whatever clients, brokers and masters do, the sockets carry exactly what is listened to."""

import asyncio
from collections import Counter
from datetime import datetime
from typing import Any, cast
from unittest.mock import patch

from hypothesis import given, settings
from hypothesis import strategies as st
from tests.feed_rig import ACCOUNT, Ears, no_rest
from tests.toy_broker import ToyMaster, toy_instrument, toy_session, toy_spec, toy_stream

from sangam.brokers.contract import LimitChanged, Refusal, Session, Stream
from sangam.feed import account as account_module
from sangam.feed.feed import Feed
from sangam.feed.port import Granted, Refused
from sangam.feed.wants import plan
from sangam.model.calendar import Calendar
from sangam.model.clock import IST, ManualClock
from sangam.model.enums import AccountState, Mode
from sangam.model.identity import AccountInfo
from sangam.model.instrument import Level
from sangam.model.market import Key, Patch
from sangam.prices.prices import Prices
from sangam.transport.socket import Owner, SocketState

LEVELS = [Level(Mode.LTP), Level(Mode.QUOTE), Level(Mode.DEPTH), Level(Mode.DEPTH, 20), Level(Mode.DEPTH, 50)]
SYMBOLS = "ABCDEFG"
STREAMS = (
    toy_stream("prices", 3, 2, {Mode.LTP: (), Mode.QUOTE: (), Mode.DEPTH: (5,)}, linger=0.0),
    toy_stream("book", 2, 2, {Mode.DEPTH: (20, 50)}, book_only=True, linger=0.0),
)
MASTERS = [
    ToyMaster(*(toy_instrument(symbol, str(number)) for number, symbol in enumerate(SYMBOLS)), version="straight"),
    ToyMaster(*(toy_instrument(symbol, str(number)) for number, symbol in enumerate(SYMBOLS[::-1])), version="swapped"),
    ToyMaster(*(toy_instrument(symbol, str(number)) for number, symbol in enumerate("ABC")), version="short"),
]

open_sockets: list["FakeConnection"] = []


class FakeConnection:
    def __init__(self, stream: Stream, session: Session, owner: Owner, *_: Any) -> None:
        self.stream, self.session, self.owner = stream, session, owner
        self.state, self.detail, self.reconnects, self.label = SocketState.LIVE, "", 0, stream.name
        self.wanted: dict[Key, Level] = {}
        open_sockets.append(self)

    def want(self, key: Key, level: Level) -> None:
        self.wanted[key] = level

    def unwant(self, key: Key) -> None:
        del self.wanted[key]

    async def stop(self) -> None:
        open_sockets.remove(self)


class World(Ears):
    """A gateway with many clients. It gives a refused want back for all of them, as the real one does."""

    def __init__(self) -> None:
        super().__init__()
        open_sockets.clear()
        clock = ManualClock(datetime(2026, 8, 3, 10, 0, tzinfo=IST))
        self.feed = Feed(no_rest, Prices(), clock, Calendar())
        self.feed.attach(self)
        self.feed.add_account(AccountInfo(ACCOUNT, "u", "toy"), toy_spec(*STREAMS))
        self.held: Counter[int] = Counter()
        self.meant: dict[int, tuple[str, Level]] = {}
        self.session = 0
        self.logged_in = False

    def refuse(self, want: int, code: str, reason: str) -> None:
        for _ in range(self.held.pop(want)):
            self.feed.release(want)

    async def step(self, verb: str, number: int, symbol: str, level: Level) -> None:
        match verb:
            case "want":
                answer = self.feed.want(ACCOUNT, symbol, "NSE", level)
                if not isinstance(answer, Refused):
                    self.held[answer.want] += 1
                    self.meant[answer.want] = symbol, level
                    assert isinstance(answer, Granted) == (self.feed.master(ACCOUNT) is not None)
            case "release" if self.held:
                want = sorted(self.held)[number % len(self.held)]
                self.held[want] -= 1
                self.held += Counter()
                self.feed.release(want)
            case "login":
                self.session += 1
                master = (*MASTERS, None)[number % 4]
                await self.feed.open_session(ACCOUNT, toy_session("ws://unused", self.session), master)
            case "logout":
                await self.feed.close_session(ACCOUNT, AccountState.NO_SESSION, "")
            case "master":
                self.feed.use_master(ACCOUNT, MASTERS[number % 3])
            case "limit" if open_sockets:
                open_sockets[number % len(open_sockets)].owner.told(LimitChanged(2))
            case "refusal" if carrying := [each for each in open_sockets if each.wanted]:
                socket = carrying[number % len(carrying)]
                socket.owner.told(Refusal(next(iter(socket.wanted)), "no"))
        for _ in range(4):
            await asyncio.sleep(0)

    @property
    def needed(self) -> dict[tuple[str, Key], Level]:
        master = self.feed.master(ACCOUNT)
        if master is None:
            return {}
        asked: dict[str, list[Level]] = {}
        for want in self.held:
            symbol, level = self.meant[want]
            asked.setdefault(symbol, []).append(level)
        needed: dict[tuple[str, Key], Level] = {}
        for symbol, levels in asked.items():
            instrument = master.lookup(symbol, "NSE")
            # What each want was granted alone, and then the widest of them.
            granted = [plan(STREAMS, instrument, level)[0].level for level in levels]
            for part in plan(STREAMS, instrument, max(granted)):
                needed[part.stream.name, part.key] = part.level
        return needed

    @property
    def carried(self) -> dict[tuple[str, Key], Level]:
        rows = [(each.stream.name, key, level) for each in open_sockets for key, level in each.wanted.items()]
        assert len({row[:2] for row in rows}) == len(rows), "carried twice"
        return {(name, key): level for name, key, level in rows}

    async def check(self) -> None:
        assert self.carried == self.needed
        assert all(each.wanted for each in open_sockets), "an idle socket stays open"
        assert all(each.session.generation == self.session for each in open_sockets)
        assert self.feed.health(ACCOUNT).wants == len(self.held)
        for number, (name, key) in enumerate(self.carried):
            self.published.clear()
            socket = next(each for each in open_sockets if each.stream.name == name and key in each.wanted)
            socket.owner.patched(Patch(key, {"ltp": float(number + 1)}))
            master = cast(ToyMaster, self.feed.master(ACCOUNT))
            for want, told in self.published:
                assert master.lookup(self.meant[want][0], "NSE").token == key
                assert told["symbol"] == self.meant[want][0]


VERBS = ["want"] * 6 + ["release"] * 4 + ["login", "logout", "master", "limit", "refusal"]


@settings(max_examples=300)
@given(
    st.lists(
        st.tuples(st.sampled_from(VERBS), st.integers(0, 50), st.sampled_from(SYMBOLS), st.sampled_from(LEVELS)),
        max_size=50,
    )
)
def test_upstream_is_exactly_the_union_of_the_wants(steps: list[tuple[str, int, str, Level]]) -> None:
    async def live() -> None:
        world = World()
        await world.step("login", 0, "A", LEVELS[0])
        for step in steps:
            await world.step(*step)
            await world.check()
        await world.feed.stop()
        assert not open_sockets

    with patch.object(account_module, "Connection", FakeConnection):
        asyncio.run(live())
