"""A user's adapter on the feed: its prices, its states, and what its faults cost."""

import asyncio
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import zmq
from tests.adapter_files import write_acme, write_faulty
from tests.feed_rig import FAST, Ears, no_rest
from tests.support import wait_for

from sangam.adapters import finding, hosted, life
from sangam.brokers.contract import Session
from sangam.feed.feed import Feed
from sangam.feed.port import AccountHealth, Granted
from sangam.feed.unlisted import Unlisted
from sangam.model.calendar import AlwaysOpen
from sangam.model.clock import SystemClock
from sangam.model.enums import AccountState, Mode
from sangam.model.identity import AccountInfo
from sangam.model.instrument import Level
from sangam.prices.prices import Prices
from sangam.transport.socket import Timing

ACCOUNT = "u-acme"
UNPRINTABLE = "type('Bug', (Exception,), {'__str__': lambda self: 1 / 0})()"


class Stage:
    """One account of a user's adapter on a feed."""

    def __init__(self, kind: Any, feed: Feed, ears: Ears) -> None:
        self.kind = kind
        self.feed = feed
        self.ears = ears

    @property
    def health(self) -> AccountHealth:
        return self.feed.health(ACCOUNT)

    @property
    def client(self) -> Any:
        """The newest vendor's client, once there is one."""
        return self.made[-1]

    @property
    def made(self) -> list[Any]:
        made: list[Any] = self.kind.initialize.__globals__["Client"].__init__.__globals__["MADE"]
        return made

    def want(self, symbol: str, mode: Mode = Mode.LTP, depth: int = 5) -> int:
        answer = self.feed.want(ACCOUNT, symbol, "NSE", Level(mode, depth))
        assert isinstance(answer, Granted), answer
        return answer.want

    async def hears(self, want: int, count: int = 1) -> list[Any]:
        before = len(self.ears.of(want))
        await wait_for(lambda: len(self.ears.of(want)) >= before + count, what=f"a price, not {self.health}")
        return self.ears.of(want)[before:]

    async def state(self, wanted: AccountState, detail: str = "") -> None:
        def reached() -> bool:
            return self.health.state is wanted and detail in self.health.detail

        await wait_for(reached, what=f"{wanted} ({detail})")


@asynccontextmanager
async def stage(home: Path, name: str = "acme", timing: Timing = FAST) -> AsyncIterator[Stage]:
    kind = finding.found(home)[name]()
    feed, ears = Feed(no_rest, Prices(), SystemClock(), AlwaysOpen(), timing), Ears()
    feed.attach(ears)
    feed.start()
    feed.add_account(AccountInfo(ACCOUNT, "u", name), hosted.spec(name, kind))
    secrets = {"auth_token": "t0", "client_id": "C1"}
    await feed.open_session(ACCOUNT, Session(account=ACCOUNT, broker=name, generation=1, secrets=secrets), Unlisted())
    try:
        yield Stage(kind, feed, ears)
    finally:
        await feed.stop()


def ours() -> list[str]:
    return [thread.name for thread in threading.enumerate() if thread.name.startswith((ACCOUNT, "vendor"))]


async def all_end() -> None:
    await wait_for(lambda: not ours(), what=f"threads to end: {ours()}")


async def test_wants_reach_it_and_its_prices_come_out(tmp_path: Path) -> None:
    write_acme(tmp_path)
    async with stage(tmp_path) as acme:
        quote = acme.want("SBIN", Mode.QUOTE)
        told = (await acme.hears(quote))[0]
        assert (told["symbol"], told["exchange"], told["mode"], told["close"]) == ("SBIN", "NSE", 2, 99.0)
        assert isinstance(told["volume"], int)
        await acme.state(AccountState.LIVE)
        assert acme.client.adapter.given == ("acme", "C1", {"auth_token": "t0", "client_id": "C1"})
        price = acme.want("SBIN")
        await acme.hears(price)
        assert acme.client.calls == [("subscribe", "SBIN", "NSE", 2, 5)]  # the quote tells the price, too
        book = acme.want("SBIN", Mode.DEPTH)
        told = (await acme.hears(book))[-1]
        assert told["depth"] == {"buy": [{"price": 99.5, "quantity": 5, "orders": 1}], "sell": []}
        for want in (price, quote, book):
            acme.feed.release(want)
    await all_end()


async def test_a_higher_mode_and_the_last_release_reach_it(tmp_path: Path) -> None:
    write_acme(tmp_path)
    async with stage(tmp_path) as acme:
        held = acme.want("TCS")
        price = acme.want("SBIN")
        await acme.hears(price)
        book = acme.want("SBIN:20", Mode.DEPTH, 20)
        await acme.hears(book)
        deeper = [("unsubscribe", "SBIN", "NSE", 1), ("subscribe", "SBIN", "NSE", 3, 5)]
        await wait_for(lambda: acme.client.calls[-2:] == deeper, what=f"{acme.client.calls}")  # it offers five levels
        for want in (price, book):
            acme.feed.release(want)
        gone = ("unsubscribe", "SBIN", "NSE", 3)
        await wait_for(lambda: acme.client.calls[-1] == gone, timeout=8, what="the last client's leaving")
        await acme.hears(held)
    await all_end()


async def test_an_unsubscribe_that_looks_at_no_mode_does_not_end_the_new_one(tmp_path: Path) -> None:
    write_acme(tmp_path)
    adapter = tmp_path / "broker" / "acme" / "streaming" / "acme_adapter.py"
    adapter.write_text(adapter.read_text().replace("get((symbol, exchange)) == mode", "get((symbol, exchange))"))
    async with stage(tmp_path) as acme:
        await acme.hears(acme.want("SBIN"))
        quote = acme.want("SBIN", Mode.QUOTE)
        await acme.hears(quote)
        assert acme.client.subscribed == {("SBIN", "NSE"): 2}
        acme.feed.release(quote)
        await wait_for(lambda: acme.client.subscribed == {("SBIN", "NSE"): 1}, timeout=8, what="the price alone")
    await all_end()


async def test_a_refusal_and_a_bug_cost_that_symbol(tmp_path: Path) -> None:
    write_acme(tmp_path)
    async with stage(tmp_path) as acme:
        good, nope, bug = acme.want("SBIN"), acme.want("NOPE"), acme.want("RAISE")
        await wait_for(lambda: len(acme.ears.refusals) == 2, what="two refusals")
        told = {refusal.want: refusal.reason for refusal in acme.ears.refusals}
        assert told[nope] == "no such symbol at Acme"
        assert told[bug] == "subscribe failed: KeyError: 'a bug of the adapter'"
        await acme.hears(good)
    await all_end()


@pytest.mark.parametrize("body", ["return {'status': 'error', 'message': '\\udcff'}", f"raise {UNPRINTABLE}"])
async def test_a_refusal_that_cannot_be_written_costs_no_other_symbol(tmp_path: Path, body: str) -> None:
    price = 'self.publish_to_zmq({"symbol": symbol, "exchange": exchange, "ltp": 1.5})'
    write_faulty(tmp_path, "bad", subscribe=f"if symbol == 'NOPE':\n            {body}\n        {price}")
    async with stage(tmp_path, "bad") as bad:
        nope, good = bad.want("NOPE"), bad.want("SBIN")
        await bad.hears(good)
        await wait_for(lambda: [refusal.want for refusal in bad.ears.refusals] == [nope], what="the refusal")


async def test_a_lost_line_is_dialled_anew_with_a_new_instance(tmp_path: Path) -> None:
    write_acme(tmp_path)
    async with stage(tmp_path) as acme:
        price = acme.want("SBIN")
        epoch = (await acme.hears(price))[0]["epoch"]
        first = acme.client
        first.close()  # the vendor's client says on_close
        await wait_for(lambda: len(acme.made) == 2, what="another instance")
        await wait_for(lambda: acme.ears.of(price)[-1]["epoch"] > epoch, what="a new epoch")
        assert acme.client.subscribed == {("SBIN", "NSE"): 1}
        assert acme.health.reconnects == 1
    await all_end()


async def test_a_thread_that_dies_is_noticed_by_its_silence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_acme(tmp_path)
    async with stage(tmp_path, timing=replace(FAST, stuck_after=0.6)) as acme:
        price = acme.want("SBIN")
        await acme.hears(price)
        first = acme.client
        first.on_data = None  # its thread ends by an exception, and tells nobody
        monkeypatch.setattr(threading, "excepthook", lambda told: None)
        await wait_for(lambda: any(each.state is AccountState.STALE for each in acme.ears.states), what="stale")
        await wait_for(lambda: len(acme.made) > 1, what="another instance")
        await acme.hears(price)
    await all_end()


@pytest.mark.parametrize(
    ("bodies", "reason"),
    [
        ({"initialize": 'raise ValueError("bad key")'}, "initialize failed: ValueError: bad key"),
        ({"connect": 'raise SystemExit("enough")'}, "connect failed: SystemExit: enough"),
        ({"connect": 'return {"status": "error", "message": "closed today"}'}, "connect: closed today"),
        ({"connect": "return None"}, "no login answer within 0.3 s"),
        ({"connect": "self.connected = True; self.connected = False"}, "disconnected"),
        ({"connect": "self.connected = True; self.on_close(None, 1006, 'gone')"}, "closed (1006 gone)"),
        ({"disconnect": "raise OSError('no')", "connect": "raise OSError('never')"}, "connect failed: OSError: never"),
        ({"connect": 'return {"status": "error", "code": [], "message": "no \\udcff"}'}, "connect: no ?"),
        ({"connect": "self.connected = True; self.on_close(None, 1006, '\\udcff')"}, "closed (1006 ?)"),
        ({"connect": f"raise {UNPRINTABLE}"}, "connect failed: Bug: an unprintable Bug"),
    ],
)
async def test_an_adapter_that_does_not_come_up_is_tried_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, bodies: dict[str, str], reason: str
) -> None:
    monkeypatch.setattr(hosted, "LOGIN_TIMEOUT", 0.3)
    write_faulty(tmp_path, "bad", **bodies)
    async with stage(tmp_path, "bad") as bad:
        bad.want("SBIN")
        await bad.state(AccountState.RECONNECTING, reason)
        await wait_for(lambda: bad.kind.made > 2, what="further attempts")
    await all_end()


async def test_a_dead_login_is_not_hammered(tmp_path: Path) -> None:
    answer = 'return {"status": "error", "code": "INVALID_TOKEN", "message": "token expired"}'
    write_faulty(tmp_path, "bad", connect=answer)
    async with stage(tmp_path, "bad") as bad:
        bad.want("SBIN")
        await bad.state(AccountState.AUTH_EXPIRED, "token expired")
        assert bad.kind.made == 1


async def test_what_blocks_for_ever_costs_its_own_threads_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hosted, "LOGIN_TIMEOUT", 0.2)
    monkeypatch.setattr(life, "GRACE", 0.05)
    write_faulty(tmp_path, "bad", connect="type(self).gate.wait(20)", disconnect="type(self).ended += 1")
    gate = threading.Event()
    async with stage(tmp_path, "bad") as bad:
        bad.kind.gate, bad.kind.ended = gate, 0
        bad.want("SBIN")
        await bad.state(AccountState.RECONNECTING, "has not returned yet: connect")
        await wait_for(lambda: bad.health.reconnects > 5, what="further attempts")
        assert (bad.kind.made, len(ours())) == (1, 1)
        ended = bad.kind.ended
        gate.set()
        await wait_for(lambda: bad.kind.made > 1, what="a new instance once the old one has ended")
        assert bad.kind.ended > ended  # what came up too late is ended again
    gate.set()
    await all_end()


async def test_what_took_too_long_to_begin_connects_no_more(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hosted, "LOGIN_TIMEOUT", 0.2)
    monkeypatch.setattr(life, "GRACE", 0.05)
    bodies = {"initialize": "type(self).gate.wait(20)", "connect": "type(self).connects += 1"}
    write_faulty(tmp_path, "bad", **bodies, disconnect="type(self).held.wait(20)")
    gate, held = threading.Event(), threading.Event()
    async with stage(tmp_path, "bad") as bad:
        bad.kind.gate, bad.kind.held, bad.kind.connects = gate, held, 0
        bad.want("SBIN")
        await bad.state(AccountState.RECONNECTING, "has not returned yet: initialize")
        gate.set()
        await bad.state(AccountState.RECONNECTING, "has not returned yet: disconnect")
        assert bad.kind.connects == 0
        held.set()
        await wait_for(lambda: bad.kind.connects, what="another instance, which is quicker")
    await all_end()


async def test_a_connect_that_blocks_while_it_is_up_is_fine(tmp_path: Path) -> None:
    write_acme(tmp_path)
    adapter = tmp_path / "broker" / "acme" / "streaming" / "acme_adapter.py"
    adapter.write_text(adapter.read_text().replace("self.client.start()", "self.client.run_forever()"))
    async with stage(tmp_path) as acme:
        await acme.hears(acme.want("SBIN"))
    await all_end()


async def published(home: Path, *rows: str) -> list[Any]:
    """What comes out of an adapter that publishes these when SBIN is asked for."""
    body = "\n        ".join([*rows, 'self.publish_to_zmq({"symbol": "SBIN", "exchange": "NSE", "ltp": 1.5})'])
    write_faulty(home, "bad", subscribe=body)
    async with stage(home, "bad") as bad:
        price = bad.want("SBIN")
        await wait_for(lambda: 1.5 in bad.ears.prices(price), what=f"the last price, not {bad.ears.of(price)}")
        await bad.state(AccountState.LIVE)
        return bad.ears.of(price)


@pytest.mark.parametrize(
    "row",
    [
        "self.publish_to_zmq(None)",
        "self.publish_to_zmq({})",
        "self.publish_to_zmq({'symbol': 'SBIN', 'exchange': 'MARS', 'ltp': 1})",
        "self.publish_to_zmq({'symbol': 'SBIN', 'exchange': 'NSE', 'ltp': float('nan')})",
        "self.publish_to_zmq({'symbol': 'SBIN', 'exchange': 'NSE', 'ltp': 0})",
        "self.publish_to_zmq({'symbol': 'SBIN', 'exchange': 'NSE', 'ltp': object()})",
        "self.publish_to_zmq({'symbol': 'SBIN', 'exchange': 'NSE', 'ltp': 10 ** 400})",
        "self.publish_to_zmq({'symbol': 'SBIN', 'exchange': 'NSE', 'self': (a := [], a.append(a))[0]})",
        "self.publish_to_zmq({'symbol': 'ITC', 'exchange': 'NSE', 'ltp': 3.0})",
        "self.zmq_socket.send_multipart([b'\\xff\\n', b'\\n{'])",
        "self.on_data(None, b'junk')",
        "self.on_error(None, 'a text of the vendor')",
    ],
)
async def test_garbage_costs_itself(tmp_path: Path, row: str) -> None:
    assert [told["ltp"] for told in await published(tmp_path, row)] == [1.5]


async def test_prices_may_come_by_every_door(tmp_path: Path) -> None:
    told = await published(
        tmp_path,
        "self.zmq_socket.send_multipart([b'NSE_SBIN_LTP', b'{\"ltp\": 1.1}'])",
        "self.zmq_socket.send_multipart([b'BAD_NSE_SBIN_QUOTE', b'{\"ltp\": 1.2}'])",
        "self.on_data(None, [{'symbol': 'SBIN', 'exchange': 'NSE', 'last_price': '1.3'}])",
    )
    assert [row["ltp"] for row in told] == [1.1, 1.2, 1.3, 1.5]


async def test_a_flood_drops_the_oldest_and_keeps_the_loop(tmp_path: Path) -> None:
    flood = (
        "[self.publish_to_zmq({'symbol': 'SBIN', 'exchange': 'NSE', 'ltp': 2.0 + n, 'x': 'y' * 100})"
        " for n in range(30_000)]"
    )
    lags: list[float] = []

    async def look() -> None:
        loop = asyncio.get_running_loop()
        while True:
            at = loop.time()
            await asyncio.sleep(0.01)
            lags.append(loop.time() - at)

    looking = asyncio.create_task(look())
    told = await published(tmp_path, flood)
    looking.cancel()
    assert told[-1]["ltp"] == 1.5
    assert max(lags) < 2.0


async def test_what_is_told_after_the_end_goes_nowhere(tmp_path: Path) -> None:
    write_acme(tmp_path)
    async with stage(tmp_path) as acme:
        await acme.hears(acme.want("SBIN"))
        adapter = acme.client.adapter
    await all_end()
    adapter.publish_to_zmq({"symbol": "SBIN", "exchange": "NSE", "ltp": 1.0})
    adapter.connected = True
    adapter.on_close(None)
    assert not isinstance(adapter.zmq_socket, zmq.Socket)


async def test_a_new_login_goes_on_at_once(tmp_path: Path) -> None:
    write_acme(tmp_path)
    async with stage(tmp_path) as acme:
        price = acme.want("SBIN")
        await acme.hears(price)
        session = Session(account=ACCOUNT, broker="acme", generation=2, secrets={"auth_token": "t1"})
        await acme.feed.open_session(ACCOUNT, session, Unlisted())
        await wait_for(lambda: acme.client.token == "t1", what="the new login")
        await acme.hears(price)
        assert acme.health.reconnects == 0
    await all_end()


async def test_many_lives_leave_nothing(tmp_path: Path) -> None:
    write_acme(tmp_path)
    async with stage(tmp_path) as acme:
        price = acme.want("SBIN")
        for count in range(2, 8):
            await acme.hears(price)
            acme.client.close()
            await wait_for(lambda count=count: len(acme.made) == count, what="another instance")  # type: ignore[misc]
        assert len(ours()) <= 6
    await all_end()
