"""Thousands of random orders in bad weather, with the server killed in between: promises 1 to 4 and 6.

`SOAK_SEEDS` runs so many seeds in place of the usual, from `SOAK_FROM` on: ``make soak-orders SEEDS=200``."""

import asyncio
import os
import random
from collections import defaultdict
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import pytest
from tests.simulator_thread import SimulatorThread
from tests.support import wait_for

from sangam.model.enums import Exchange as Code
from sangam.model.order import OrderState
from sangam.simulators.exchange import Exchange
from sangam.simulators.mishaps import Mishap, Rumour

from .order_clients import Market, RestProgram, SocketProgram, Wish
from .order_rig import TAG, OrderRig
from .proxy import FaultProxy

FIRST, SEEDS = int(os.environ.get("SOAK_FROM", "0")), int(os.environ.get("SOAK_SEEDS", "6"))
PROGRAMS, STEPS = 5, 12
WEATHER: dict[Mishap | Rumour, float] = {
    **dict.fromkeys(Mishap, 0.03),
    Mishap.LOST_TOO_MANY: 0.004,
    Rumour.DUPLICATED: 0.15,
    Rumour.DELAYED: 0.15,
    Rumour.DROPPED: 0.08,
}
FILLS = ("ORDER_PARTIALLY_FILLED", "ORDER_FILLED")


class Storm:
    """Seeds that are odd have two accounts, at a broker each."""

    def __init__(self, seed: int, rig: OrderRig) -> None:
        self._accounts = 1 + seed % 2
        self.dice = random.Random(seed)
        self.rig = rig
        self.proxies: list[FaultProxy] = []
        self.market: Market
        self.listeners: list[SocketProgram] = []

    async def begin(self, stack: AsyncExitStack) -> None:
        simulators, hosts = [], []
        for number in range(self._accounts):
            exchange = Exchange(seed=number + 1, pace=20)
            simulator = SimulatorThread("zerodha", exchange=exchange, run=True, rate=20, user_id=f"U{number}")
            simulators.append(stack.enter_context(simulator))
            ways = {}
            for name in ("api", "stream"):
                url = simulator.simulator.hosts[name]
                proxy = await stack.enter_async_context(FaultProxy(int(url.rpartition(":")[2])))
                self.proxies.append(proxy)
                ways[name] = f"{url.partition(':')[0]}://127.0.0.1:{proxy.port}"
            hosts.append(ways)
        stack.callback(self.rig.server.kill)
        await asyncio.to_thread(self.rig.open, simulators, hosts)
        self.market = Market(self.dice, list(self.rig.brokers), self._near)
        for _ in range(2):
            program = SocketProgram.connected(self.rig.server.ws_url, self.rig.key)
            self.listeners.append(await stack.enter_async_context(program))

    def _near(self, symbol: str, factor: float) -> float:
        simulator = next(iter(self.rig.brokers.values())).simulator
        market = simulator.exchange._markets.get((symbol, Code.NSE)) or simulator.exchange.market(symbol, Code.NSE)
        price: float = market.rupees(round(market.ltp * factor))
        return price

    async def blow(self) -> None:
        """Weather, programs that trade, and faults of the network until they are done; a death or two on the way."""
        server, trader = self.rig.server, self.listeners[0]
        for number, simulator in enumerate(self.rig.brokers.values()):
            faults = simulator.simulator.faults
            simulator.call(
                lambda faults=faults, number=number: faults.order_weather(  # type: ignore[misc]
                    self.dice.randrange(1 << 30) + number, WEATHER, seconds=1.5
                )
            )
        programs = [RestProgram(server.api_url, self.rig.key, self.market).run(STEPS) for _ in range(PROGRAMS)]
        programs += [trader.run(self.market, STEPS) for _ in range(3)]
        trading = asyncio.gather(*programs)
        network = asyncio.create_task(self._network())
        for _ in range(self.dice.choice((1, 1, 2))):
            await asyncio.sleep(self.dice.uniform(0.2, 1.2))
            await asyncio.to_thread(server.kill)
            await asyncio.to_thread(server.start)
        await asyncio.wait_for(trading, 60)
        network.cancel()
        await asyncio.gather(network, return_exceptions=True)
        for proxy in self.proxies:
            proxy.calm()
        for simulator in self.rig.brokers.values():
            simulator.call(simulator.simulator.faults.clear)

    async def _network(self) -> None:
        while True:
            await asyncio.sleep(self.dice.uniform(0.05, 0.4))
            proxy = self.dice.choice(self.proxies)
            match self.dice.randrange(6):
                case 0:
                    proxy.reset()
                case 1:
                    proxy.reset_after(self.dice.randrange(1, 400))
                case 2:
                    proxy.freeze()
                case 3:
                    proxy.thaw()
                case 4:
                    proxy.slice = None if proxy.slice else self.dice.randrange(3, 200)
                case _:
                    self.dice.choice(self.listeners).drop()

    # --- what must hold -----------------------------------------------------------------------------------------------

    def judge(self, wish: Wish) -> None:
        """Promises 1 and 2, by the caller's own tag at the broker: whatever the journal says."""
        rows = [row for rows in self.rig.taken(wish.account).values() for row in rows if row.tag[TAG:] == wish.mark]
        assert len(rows) <= wish.most, f"sent more than once: {wish} {rows}"
        assert all((row.symbol, row.action) == (wish.terms["symbol"], wish.terms["action"]) for row in rows)
        if wish.refused:
            assert all(row.status == "rejected" for row in rows), f"refused, and yet there: {wish} {rows}"
        brokers = {each for each in wish.taken_ids if not each.startswith("L-")}
        assert brokers <= {row.order_id for row in rows}, f"told to be placed, and not there: {wish} {rows}"

    def hear(self, program: SocketProgram) -> None:
        """Promises 3 and 4: all that was told, once and in order; a fill counted once, a state never backwards."""
        assert [event["seq"] for event in program.events] == [event["seq"] for event in self.rig.told()]
        assert program.events == self.rig.told()
        filled: dict[str, int] = defaultdict(int)
        ended: dict[str, str] = {}
        for event in program.events:
            order = event["id"]
            assert event["filled_quantity"] >= filled[order], f"a fill was taken back: {event}"
            if event["type"] in FILLS:
                assert event["filled_quantity"] > filled[order], f"a fill was counted twice: {event}"
            filled[order] = event["filled_quantity"]
            assert order not in ended or ended[order] == "NEVER", f"after its end: {event}"
            if event["status"] in ("COMPLETE", "CANCELLED", "REJECTED", "DENIED", "EXPIRED"):
                ended[order] = event["status"]
        for account in self.rig.brokers:
            ledger = self.rig.ledger(account)
            sums: dict[str, int] = defaultdict(int)
            for trade in ledger.trades:
                sums[ledger.orders[trade.order_id].tag[:TAG]] += trade.quantity
            told = {id[2:]: count for id, count in filled.items() if count and self._account_of(id) == account}
            assert told == dict(sums)

    def _account_of(self, id: str) -> str:
        return self.rig.journal()[id].account


@pytest.mark.parametrize("seed", range(FIRST, FIRST + SEEDS))
async def test_promises_1_to_4_hold_in_a_storm(tmp_path: Path, seed: int) -> None:
    """Afterwards the brokers' ledgers and our journal agree order by order, and nobody missed an event. A seed that
    fails is told by the test's name: make soak-orders FROM=seed SEEDS=1."""
    rig = OrderRig(tmp_path / "home")
    async with AsyncExitStack() as stack:
        storm = Storm(seed, rig)
        await storm.begin(stack)
        await storm.blow()
        await asyncio.to_thread(rig.agree, 25)
        doubtful = [order for order in rig.journal().values() if order.state is OrderState.UNKNOWN]
        assert not doubtful, "the broker echoes tags, so every doubt can be settled"
        for wish in storm.market.wishes:
            storm.judge(wish)
        await _end(storm)
        assert all(order.code != "OUTCOME_UNKNOWN" for order in rig.journal().values())
        assert "Traceback" not in rig.server.log.read_text(errors="replace"), _errors(rig)
        assert len(rig.journal()) > 50, "hardly anything happened"


async def _end(storm: Storm) -> None:
    """Everything is cancelled, so that nothing moves any more: then the books, the API and the listeners agree."""
    rig = storm.rig
    for account in rig.brokers:

        async def cancelled(account: str = account) -> bool:
            """A 429 of the storm may still hold back what goes out, for a second."""
            told = (await asyncio.to_thread(rig.post, "cancelallorder", account=account)).json()
            assert told["status"] == "success", told
            assert {row["error_code"] for row in told["failed_cancellations"]} <= {"RATE_LIMITED"}, told
            return not told["failed_cancellations"]

        await wait_for(cancelled, 10, "everything to be cancelled")

    def over() -> bool:
        return all(order.state.is_final for order in rig.journal().values())

    await wait_for(over, 15, "every order to end")
    await asyncio.to_thread(rig.agree, 25)
    for account in rig.brokers:
        book = await storm.listeners[0].ask("get_orderbook", account=account)
        mine = {order.id: order for order in rig.journal().values() if order.account == account}
        shown = {row["id"]: row for row in book["data"]["orders"]}
        assert shown.keys() == mine.keys()
        for id, order in mine.items():
            assert (shown[id]["state"], shown[id]["filled_quantity"]) == (order.state.value, order.filled_quantity)
    newest: list[dict[str, Any]] = rig.told()
    for program in storm.listeners:
        await wait_for(lambda program=program: program.last >= newest[-1]["seq"], 10, "the last event")  # type: ignore[misc]
        storm.hear(program)


def _errors(rig: OrderRig) -> str:
    """What the server's log has around its first traceback."""
    text = rig.server.log.read_text(errors="replace")
    at = text.find("Traceback")
    return text[max(0, at - 500) : at + 6000]
