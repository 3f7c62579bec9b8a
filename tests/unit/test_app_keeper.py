"""What the clock does to sessions."""

import asyncio
import logging
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from tests.house import House, open_house
from tests.login_broker import PIN, SECRET, Bank, login_broker
from tests.support import wait_for

from sangam.accounts.sessions import End, Ended
from sangam.app.keeper import FIRST_MS, HOUR_MS, PAUSES_MS, RENEW_BEFORE_MS, TRIES, Keeper
from sangam.brokers.contract import Session
from sangam.brokers.registry import Registry
from sangam.feed.assess import Dead
from sangam.model.clock import SystemClock
from sangam.model.enums import AccountState
from sangam.transport.http import HttpDriver

LONGEST = FIRST_MS[1] / 1000


class Watch:
    """A keeper whose looks the test decides."""

    def __init__(self, house: House, bank: Bank) -> None:
        self.house = house
        self.bank = bank
        self.dead: dict[str, Dead] = {}
        self.keeper = Keeper(house.desk, self.dead.get, house.clock)

    async def look(self, seconds: float = 0.0) -> None:
        """Later; what is begun then has ended."""
        self.house.clock.advance(seconds)
        self.bank.now = self.house.clock.now_ms() / 1000
        self.keeper.look()
        await asyncio.gather(*self.keeper._busy.values())

    def session(self, account: str) -> Session | None:
        return self.house.accounts.session(account)

    def add(self, name: str, **fields: str) -> str:
        return self.house.accounts.create("asha", name, fields, self.bank.hosts).id


@pytest.fixture
async def watch(tmp_path: Path) -> AsyncIterator[Watch]:
    driver = HttpDriver(SystemClock())
    brokers = Registry([login_broker("auto", ways="automatic"), login_broker("paste", ways="paste renew")])
    house = open_house(tmp_path, registry=brokers, run=driver.run)
    async with Bank() as bank:
        watch = Watch(house, bank)
        yield watch
        await watch.keeper.stop()
        await driver.close()
    house.database.close()


async def test_a_session_ends_at_its_hour(watch: Watch) -> None:
    account = watch.add("paste")
    heard: list[Session | None] = []
    session = watch.house.accounts.open_session(account, {"access_token": watch.bank.token()})
    watch.house.accounts.on_session(lambda name, session: heard.append(session))
    assert session.expires_at is not None
    await watch.look()
    watch.house.clock.advance((session.expires_at - watch.house.clock.now_ms()) / 1000)
    assert watch.house.accounts.sessions.ended(account) == Ended(End.EXPIRED)
    await watch.look()
    assert heard == [None]
    await watch.look(3600)
    assert heard == [None]


async def test_a_session_that_the_broker_refused_is_dead_at_the_next_start_too(watch: Watch, tmp_path: Path) -> None:
    account = watch.add("paste", api_key="kept")
    accounts = watch.house.accounts
    accounts.open_session(account, {"access_token": watch.bank.token()})
    accounts.open_session(account, {"access_token": watch.bank.token()})
    watch.dead[account] = Dead(1, AccountState.AUTH_EXPIRED, "gone")
    await watch.look()
    assert watch.session(account) is not None, "it was an older session that died"
    accounts.open_session(account)
    watch.dead[account] = Dead(3, AccountState.AUTH_EXPIRED, "gone")
    await watch.look()
    assert watch.session(account) is None
    watch.house.database.close()
    again = open_house(tmp_path, watch.house.clock, watch.house.registry)
    assert again.accounts.session(account) is None
    assert again.accounts.sessions.ended(account) == Ended(End.REFUSED, "gone")
    assert again.accounts[account].secrets == {"api_key": "kept"}
    assert again.accounts.open_session(account).generation == 4
    again.database.close()


@pytest.mark.parametrize("state", [AccountState.REPLACED, AccountState.AUTH_EXPIRED])
async def test_orders_outlive_a_credential_that_streams_have_for_themselves(watch: Watch, state: AccountState) -> None:
    """Nobody would log in by himself here, and no order of the other program's is worth ours."""
    account = watch.add("paste", api_key="kept")
    session = watch.house.accounts.open_session(account, {"access_token": watch.bank.token()})
    watch.dead[account] = Dead(1, state, "market data is another program's", whole=False)
    await watch.look()
    assert watch.session(account) == session
    watch.dead[account] = Dead(1, state, "so are the orders")
    await watch.look()
    assert watch.session(account) is None


async def test_a_credential_of_streams_is_made_anew_where_nobody_is_needed_for_it(watch: Watch) -> None:
    account = watch.add("auto", pin=PIN, totp=SECRET)
    watch.house.accounts.open_session(account)
    watch.dead[account] = Dead(1, AccountState.REPLACED, "another program's", whole=False)
    await watch.look()
    assert watch.session(account) is not None, "two programs that log in by themselves would fight"
    watch.dead[account] = Dead(1, AccountState.AUTH_EXPIRED, "gone", whole=False)
    await watch.look()
    assert watch.session(account) is None
    await watch.look(LONGEST)
    assert watch.session(account) is not None


async def test_a_session_is_prolonged_before_its_end(watch: Watch) -> None:
    account = watch.add("paste")
    accounts = watch.house.accounts
    session = accounts.open_session(account, {"access_token": watch.bank.token()}, client_id="EX1")
    assert session.expires_at is not None
    before = (session.expires_at - watch.house.clock.now_ms() - RENEW_BEFORE_MS) / 1000
    await watch.look(before - 1)
    assert watch.bank.heard == []
    watch.bank.broken = True
    await watch.look(1)
    assert accounts.sessions.generation(account) == 1
    watch.bank.broken = False
    await watch.look(1)
    assert accounts.sessions.generation(account) == 1, "not at once again"
    await watch.look(PAUSES_MS[0] / 1000)
    assert accounts.sessions.generation(account) == 2


async def test_a_renewal_that_is_refused_is_not_tried_again(watch: Watch) -> None:
    account = watch.add("paste")
    session = watch.house.accounts.open_session(account, {"access_token": "planted-dead"})
    assert session.expires_at is not None
    await watch.look((session.expires_at - watch.house.clock.now_ms()) / 1000 - 60)
    await watch.look(30)
    assert watch.bank.heard == ["renew"]


async def test_the_morning_login_comes_by_itself(watch: Watch) -> None:
    account = watch.add("auto", pin=PIN, totp=SECRET)
    await watch.look(LONGEST)
    assert watch.bank.heard == [], "the first login is a person's"
    await watch.house.desk.flows.begin(account)
    session = watch.session(account)
    assert session is not None
    assert session.expires_at is not None
    await watch.look((session.expires_at - watch.house.clock.now_ms()) / 1000)
    assert watch.session(account) is None
    await watch.look(FIRST_MS[0] / 1000 - 1)
    assert watch.bank.heard == ["login", "otp"], "not when the hour strikes"
    await watch.look(LONGEST)
    assert watch.house.accounts.sessions.generation(account) == 2
    assert watch.bank.heard == ["login", "otp"] * 2


async def test_an_automatic_login_gives_up_after_three_tries(watch: Watch, caplog: pytest.LogCaptureFixture) -> None:
    account = watch.add("auto", pin="planted-wrong", totp=SECRET)
    accounts = watch.house.accounts
    accounts.open_session(account)
    accounts.end_session(account, Ended(End.REFUSED, "gone"))
    await watch.look()
    for pause in (LONGEST, *(each / 1000 for each in PAUSES_MS)):
        await watch.look(pause)
    assert watch.bank.heard == ["login"] * TRIES
    errors = [record.getMessage() for record in caplog.records if record.levelno == logging.ERROR]
    assert errors == [f"{account}: the automatic login failed 3 times: Bank: that is wrong. Log in yourself."]
    for _ in range(5):
        await watch.look(3600)
    assert len(watch.bank.heard) == TRIES
    await watch.look(20 * 3600)
    assert len(watch.bank.heard) == TRIES + 1, "the next trading day is another chance"


async def test_two_programs_do_not_end_each_others_sessions_all_day(
    watch: Watch, caplog: pytest.LogCaptureFixture
) -> None:
    """A broker that only refuses the older token does not say that another program has the newer one."""
    account = watch.add("auto", pin=PIN, totp=SECRET)
    watch.house.accounts.open_session(account)
    for generation in range(1, TRIES + 2):
        assert "automatic logins within an hour" not in caplog.text
        watch.dead[account] = Dead(generation, AccountState.AUTH_EXPIRED, "invalid token")
        await watch.look()
        assert watch.session(account) is None
        await watch.look(LONGEST)
        await watch.look()
    assert watch.session(account) is None
    assert f"{TRIES} automatic logins within an hour have ended" in caplog.text
    await watch.look(HOUR_MS / 1000 - TRIES * LONGEST - 1)
    assert watch.session(account) is None
    await watch.look(TRIES * LONGEST + 1)
    assert watch.session(account) is not None


@pytest.mark.parametrize("reason", ["logged out", "replaced", "no secret", "a person is at it"])
async def test_who_is_not_logged_in_automatically(watch: Watch, reason: str) -> None:
    fields = {"pin": PIN} if reason == "no secret" else {"pin": PIN, "totp": SECRET}
    account = watch.add("auto", **fields)
    accounts = watch.house.accounts
    accounts.open_session(account)
    how = {"logged out": End.LOGGED_OUT, "replaced": End.REPLACED}.get(reason, End.EXPIRED)
    if how is End.REPLACED:
        watch.dead[account] = Dead(1, AccountState.REPLACED, "another program logged in")
    else:
        accounts.end_session(account, Ended(how))
    if reason == "a person is at it":
        watch.bank.broken = True
        with pytest.raises(Exception, match="out of order"):
            await watch.house.desk.flows.begin(account)
        watch.bank.heard.clear()
    await watch.look()
    await watch.look(LONGEST)
    assert watch.bank.heard == []
    ended = accounts.sessions.ended(account)
    assert ended is not None
    assert ended.how is how


async def test_an_account_of_a_broker_that_is_not_valid_any_more_rests(watch: Watch, tmp_path: Path) -> None:
    account = watch.add("auto", pin=PIN, totp=SECRET)
    watch.house.accounts.open_session(account)
    house = open_house(tmp_path, watch.house.clock, Registry([login_broker("paste")]))
    other = Watch(house, watch.bank)
    await other.look(25 * 3600)
    assert house.accounts.sessions.ended(account) == Ended(End.EXPIRED)
    await other.look(LONGEST)
    assert watch.bank.heard == []
    house.database.close()


async def test_a_fault_in_one_look_does_not_end_the_watch(watch: Watch, caplog: pytest.LogCaptureFixture) -> None:
    account = watch.add("paste")
    watch.house.accounts.open_session(account, {"access_token": watch.bank.token()})
    seen = 0

    def dead(name: str) -> Dead | None:
        nonlocal seen
        seen += 1
        raise RuntimeError("odd")

    watch.keeper._dead = dead
    watch.keeper.start()
    await wait_for(lambda: seen > 1, what="a second look")
    assert "a look at the sessions failed" in caplog.text
