"""From a login to a stream: what the feed is told, in which order, and which instruments an account gets."""

from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any, cast

import pytest
from tests.support import wait_for
from tests.toy_broker import toy_spec

from sangam.brokers.contract import Ctx, Operation, Session
from sangam.brokers.paper import SPEC as PAPER
from sangam.brokers.registry import Registry
from sangam.feed.adopt import Adopter
from sangam.feed.feed import Feed
from sangam.instruments import Master, Masters
from sangam.model.clock import IST, ManualClock
from sangam.model.enums import AccountState
from sangam.model.errors import InvalidInput, SessionExpired, Unknown

FILE = b"token,symbol,exchange,name,instrument_type,expiry,strike,lot_size,tick_size\n1,SBIN,NSE,,EQ,,,1,0.05\n"
REAL = replace(
    toy_spec(simulated=False, instruments_ready="08:30", aliases=("toybroker",)), instruments=PAPER.instruments
)
SIMULATED = replace(REAL, name="play", title="Play", aliases=(), simulated=True, instruments_ready="")


class Stage:
    """An adopter between a feed that remembers and a broker that answers as told."""

    def __init__(self, home: Path) -> None:
        self.clock = ManualClock(datetime(2026, 8, 18, 9, 0, tzinfo=IST))
        self.masters = Masters(home, self.clock)
        self.told: list[tuple[str, ...]] = []
        self.downloads: list[str] = []
        self.greetings: list[str] = []
        self.greeting: Exception | None = None
        self.download: Exception | None = None
        self.restart()

    def restart(self) -> None:
        """A new process in the same home."""
        registry = Registry([REAL, SIMULATED])
        self.adopter = Adopter(cast(Feed, self), self.masters, registry, self._run, self._ctx, self.clock)

    # --- the feed -----------------------------------------------------------------------------------------------------

    async def open_session(self, account: str, session: Session, master: Master | None) -> None:
        self.told.append(("open", account, master.version if master else "-"))

    async def close_session(self, account: str, state: AccountState, detail: str) -> None:
        self.told.append(("close", account, state.value, detail))

    def use_master(self, account: str, master: Master) -> None:
        self.told.append(("use", account, master.version))

    def wanted(self, account: str) -> list[tuple[str, str]]:
        return [("SBIN", "NSE"), ("GONE", "NSE")]

    def remove_account(self, account: str) -> None:
        self.told.append(("remove", account))

    # --- the broker ---------------------------------------------------------------------------------------------------

    def _ctx(self) -> Ctx:
        return Ctx(self.clock.now_ms(), bytes)

    async def _run(self, spec: Any, session: Session, operation: Operation[Any]) -> Any:
        asked = operation.send(None)
        assert not isinstance(asked, list)
        if asked.path == "/who":
            self.greetings.append(session.account)
            if self.greeting:
                raise self.greeting
            return "client"
        self.downloads.append(session.account)
        if self.download:
            raise self.download
        return [FILE]

    def login(self, account: str, broker: str = "toy", restored: bool = False, **hosts: str) -> None:
        self.adopter.session(account, Session(account=account, broker=broker, generation=1, hosts=hosts), restored)

    async def hears(self, *told: tuple[str, ...]) -> None:
        await wait_for(lambda: len(self.told) >= len(told), what=f"{told}, not {self.told}")
        assert self.told == list(told)
        self.told.clear()


@pytest.fixture
async def stage(tmp_path: Path) -> AsyncIterator[Stage]:
    stage = Stage(tmp_path)
    yield stage
    await stage.adopter.stop()


async def test_a_login_is_greeted_and_gets_the_master_of_this_day(stage: Stage) -> None:
    named: list[tuple[str, str]] = []
    stage.adopter.on_client(lambda account, client: named.append((account, client)))
    stage.login("a")
    await stage.hears(("open", "a", "-"), ("use", "a", "toy-2026-08-18-1"))
    stage.login("a")
    await stage.hears(("open", "a", "-"), ("use", "a", "toy-2026-08-18-1"))
    assert (stage.greetings, stage.downloads, named) == (["a", "a"], ["a"], [("a", "client")] * 2)


async def test_a_restored_session_streams_at_once_on_todays_master(stage: Stage) -> None:
    stage.login("a", restored=True)
    await stage.hears(("open", "a", "-"), ("use", "a", "toy-2026-08-18-1"))
    await stage.adopter.stop()
    stage.restart()
    stage.login("a", restored=True)
    await stage.hears(("open", "a", "toy-2026-08-18-1"), ("use", "a", "toy-2026-08-18-1"))
    assert stage.greetings == ["a"]
    await stage.adopter.stop()
    stage.clock.advance(86_400)
    stage.restart()
    stage.login("a", restored=True)
    await stage.hears(("open", "a", "-"), ("use", "a", "toy-2026-08-19-1"))


async def test_a_dead_credential_depends_on_nothing(stage: Stage) -> None:
    stage.greeting = SessionExpired("no such token")
    stage.login("a")
    await stage.hears(("open", "a", "-"), ("close", "a", "auth_expired", "no such token"))
    assert stage.downloads == []
    assert stage.adopter.sources == []


async def test_a_credential_that_dies_at_the_download(stage: Stage) -> None:
    stage.download = SessionExpired("died")
    stage.login("a")
    await stage.hears(("open", "a", "-"), ("close", "a", "auth_expired", "died"))
    assert stage.adopter.sources == []
    stage.download = None
    stage.login("a")
    await stage.hears(("open", "a", "-"), ("use", "a", "toy-2026-08-18-1"))


async def test_a_greeting_that_fails_for_another_reason_proves_nothing(stage: Stage) -> None:
    stage.greeting = Unknown("HTTP 503")
    stage.login("a")
    await stage.hears(("open", "a", "-"), ("use", "a", "toy-2026-08-18-1"))


async def test_logins_at_once_share_one_download(stage: Stage) -> None:
    for account in ("a", "b", "c"):
        stage.login(account)
    await wait_for(lambda: len(stage.told) == 6, what="all three")
    assert sorted(stage.told[:3]) == [("open", account, "-") for account in "abc"]
    assert sorted(stage.told[3:]) == [("use", account, "toy-2026-08-18-1") for account in "abc"]
    assert len(stage.downloads) == 1


async def test_a_simulated_market_is_fetched_once_by_each_process(stage: Stage) -> None:
    for account in ("a", "b"):
        stage.login(account, "play", api="http://127.0.0.1:1")
    await wait_for(lambda: len(stage.told) == 4, what="both")
    assert len(stage.downloads) == 1
    await stage.adopter.stop()
    stage.clock.advance(1)
    stage.restart()
    stage.told.clear()
    stage.login("a", "play", api="http://127.0.0.1:2")
    await stage.hears(("open", "a", "-"), ("use", "a", "play-2026-08-18-2"))


async def test_hosts_of_ones_own_have_a_master_of_their_own_made_at_each_login(stage: Stage) -> None:
    stage.login("a", api="http://127.0.0.1:1")
    await stage.hears(("open", "a", "-"), ("use", "a", "a-2026-08-18-1"))
    stage.clock.advance(1)
    stage.login("a", api="http://127.0.0.1:1")
    await stage.hears(("open", "a", "-"), ("use", "a", "a-2026-08-18-2"))
    stage.login("b")
    await stage.hears(("open", "b", "-"), ("use", "b", "toy-2026-08-18-1"))
    assert [source.name for source in stage.adopter.sources_of("toy")] == ["a", "toy"]


async def test_logouts_and_removals(stage: Stage) -> None:
    stage.login("a")
    await stage.hears(("open", "a", "-"), ("use", "a", "toy-2026-08-18-1"))
    stage.adopter.session("a", None)
    await stage.hears(("close", "a", "no_session", "logged out"))
    assert stage.adopter.sources == []
    stage.adopter.session("a", None, state=AccountState.AUTH_EXPIRED, detail="log in now")
    await stage.hears(("close", "a", "auth_expired", "log in now"))
    stage.adopter.remove("a")
    await stage.hears(("close", "a", "no_session", "logged out"), ("remove", "a"))


async def test_sources_by_account_and_broker(stage: Stage) -> None:
    with pytest.raises(InvalidInput, match=r"No account of 'any broker' is logged in. Logged in: none"):
        stage.adopter.sources_of(None)
    stage.login("a")
    stage.login("p", "play")
    await wait_for(lambda: len(stage.told) == 4, what="both")
    names = {name: [source.name for source in stage.adopter.sources_of(name)] for name in
             ("a", "toy", "ToyBroker", "p", "play")}  # fmt: skip
    assert names == {"a": ["toy"], "toy": ["toy"], "ToyBroker": ["toy"], "p": ["play"], "play": ["play"]}
    assert {source.name for source in stage.adopter.sources_of(None)} == {"toy", "play"}
    with pytest.raises(InvalidInput, match=r"No account of 'zzz' is logged in. Logged in: a, p, play, toy"):
        stage.adopter.sources_of("zzz")
