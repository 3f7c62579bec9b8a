"""Programs that trade in bad weather, and remember what they asked for and what they were told."""

import asyncio
import contextlib
import itertools
import json
import random
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, Self

import httpx
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidHandshake

PATIENCE = 8.0
"""Seconds after which a client gives an answer up."""
GONE = (httpx.HTTPError, ConnectionError, ConnectionClosed, InvalidHandshake, TimeoutError, OSError)
DOUBT = "OUTCOME_UNKNOWN"

SYMBOLS = ("SBIN", "RELIANCE", "INFY", "TCS")


@dataclass
class Wish:
    """One order that somebody wanted, told apart at the broker by `mark`, the caller's own tag. `most` is how many
    orders there may carry it (slices), `said` what became of it by each answer: its id, or why there is none."""

    mark: str
    account: str
    terms: dict[str, Any]
    client_order_id: str = ""
    most: int = 1
    said: list[dict[str, Any]] = field(default_factory=list)
    asked: int = 0

    @property
    def taken_ids(self) -> set[str]:
        return {told["orderid"] for told in self.said if told["status"] == "success"}

    @property
    def refused(self) -> bool:
        """Every time it was asked for the answer was no."""
        return len(self.said) == self.asked and all(
            told["status"] == "error" and told["error_code"] != DOUBT for told in self.said
        )


class Market:
    """Draws wishes; all clients share one, so that no mark is given twice. `near(symbol, factor)` is a price on the
    tick at that part of the last one."""

    def __init__(self, dice: random.Random, accounts: Sequence[str], near: Callable[[str, float], float]) -> None:
        self.dice = dice
        self.accounts = accounts
        self.wishes: list[Wish] = []
        self._near = near
        self._numbers = itertools.count(1)

    def wish(self, *, named: bool, quantity: int = 0, most: int = 1, account: str = "") -> Wish:
        dice, number = self.dice, next(self._numbers)
        symbol, side = dice.choice(SYMBOLS), dice.choice(("BUY", "SELL"))
        terms: dict[str, Any] = {"symbol": symbol, "exchange": "NSE", "action": side}
        terms |= {"quantity": quantity or dice.randint(1, 20), "product": dice.choice(("MIS", "MIS", "MIS", "CNC"))}
        kind = dice.choices(("LIMIT", "MARKET", "SL", "SL-M"), (6, 2, 1, 1))[0]
        away = 1 if side == "BUY" else -1
        terms["pricetype"] = kind
        if kind == "LIMIT":  # some at once, some perhaps, some never
            terms["price"] = self._near(symbol, 1 + away * dice.choice((0.01, 0.0005, 0.0, -0.0005, -0.03)))
        elif kind != "MARKET":
            distance = dice.choice((0.0005, 0.02))
            terms["trigger_price"] = self._near(symbol, 1 + away * distance)
            if kind == "SL":
                terms["price"] = self._near(symbol, 1 + away * (distance + 0.005))
        wish = Wish(f"w{number:06d}", account or dice.choice(self.accounts), terms, most=most)
        wish.client_order_id = f"id-{number}" if named else ""
        self.wishes.append(wish)
        return wish

    @property
    def placed_ids(self) -> list[tuple[Wish, str]]:
        return [(wish, each) for wish in self.wishes[-60:] for each in wish.taken_ids]


class RestProgram:
    """Places by REST, under names (field or header) and without; asks again under a name, sometimes twice at once."""

    def __init__(self, url: str, key: str, market: Market) -> None:
        self._key = key
        self._market = market
        self._http = httpx.AsyncClient(base_url=url, trust_env=False, timeout=PATIENCE)

    async def run(self, steps: int) -> None:
        dice = self._market.dice
        deeds = (self._single, self._split, self._basket, self._modify, self._cancel, self._cancel_all)
        async with self._http:
            for _ in range(steps):
                (deed,) = dice.choices(deeds, (10, 2, 2, 3, 3, 0.3))
                await deed()

    async def _single(self) -> None:
        wish = self._market.wish(named=self._market.dice.random() < 0.7)
        await self._repeat("placeorder", [wish], lambda told: [told], {**wish.terms, "tag": wish.mark})

    async def _split(self) -> None:
        wish = self._market.wish(named=True, quantity=20, most=4)
        body = {**wish.terms, "tag": wish.mark, "splitsize": 6}
        await self._repeat("splitorder", [wish], lambda told: told["results"], body, many=True)

    async def _basket(self) -> None:
        account = self._market.dice.choice(self._market.accounts)
        wishes = [self._market.wish(named=True, account=account) for _ in range(3)]
        rows = [{**one.terms, "tag": one.mark} for one in wishes]
        await self._repeat("basketorder", wishes, lambda told: told["results"], {"orders": rows})

    async def _modify(self) -> None:
        if not (standing := self._market.placed_ids):
            return
        wish, order_id = self._market.dice.choice(standing)
        terms = {name: value for name, value in wish.terms.items() if name != "tag"}
        terms |= {"quantity": self._market.dice.randint(5, 25), "price": wish.terms.get("price", 0.0)}
        await self._ask("modifyorder", {**terms, "orderid": order_id, "account": wish.account})

    async def _cancel(self) -> None:
        if standing := self._market.placed_ids:
            wish, order_id = self._market.dice.choice(standing)
            await self._ask("cancelorder", {"orderid": order_id, "account": wish.account})

    async def _cancel_all(self) -> None:
        await self._ask("cancelallorder", {"account": self._market.dice.choice(self._market.accounts)})

    async def _repeat(
        self,
        path: str,
        wishes: list[Wish],
        rows: Callable[[dict[str, Any]], list[dict[str, Any]]],
        body: dict[str, Any],
        many: bool = False,
    ) -> None:
        """Ask until there is an answer where the request has a name, else once."""
        name, dice = wishes[0].client_order_id, self._market.dice
        given, headers = {**body, "account": wishes[0].account}, {}
        if name and dice.random() < 0.5:
            headers["Idempotency-Key"] = name
        elif name:
            given["client_order_id"] = name

        async def once() -> bool:
            for wish in wishes:
                wish.asked += 1
            answer = await self._ask(path, given, headers)
            if answer is None:
                return False
            whole = answer["status"] == "error" or (path != "placeorder" and "results" not in answer)
            told = [answer] * len(wishes) if whole else rows(answer)
            if many:
                wishes[0].said += told
                wishes[0].asked += len(told) - 1
            else:
                for wish, one in zip(wishes, told, strict=True):
                    wish.said.append(one)
            return True

        if not name:
            await once()
            return
        at_once = 2 if dice.random() < 0.15 else 1
        answered = await asyncio.gather(*(once() for _ in range(at_once)))
        again = dice.random() < 0.2
        for _ in range(60):
            if all(answered[-1:]) and not again:
                return
            again = False
            await asyncio.sleep(0.1)
            answered = [await once()]

    async def _ask(
        self, path: str, body: dict[str, Any], headers: dict[str, str] | None = None
    ) -> dict[str, Any] | None:
        try:
            answer = await self._http.post(
                f"/api/v1/{path}", json={"apikey": self._key, "strategy": "storm", **body}, headers=headers
            )
            told: dict[str, Any] = answer.json()
        except GONE:
            return None
        return told


class SocketProgram:
    """Trades on one WebSocket that comes back after each loss, and keeps every event of an order."""

    def __init__(self, url: str, key: str) -> None:
        self.events: list[dict[str, Any]] = []
        self._url = url
        self._key = key
        self._socket: ClientConnection | None = None
        self._up = asyncio.Event()
        self._numbers = itertools.count(1)
        self._answers: dict[int, asyncio.Future[dict[str, Any]]] = {}

    @classmethod
    @asynccontextmanager
    async def connected(cls, url: str, key: str) -> AsyncIterator[Self]:
        program = cls(url, key)
        living = asyncio.create_task(program._live())
        try:
            await asyncio.wait_for(program._up.wait(), 20)
            yield program
        finally:
            living.cancel()
            await asyncio.gather(living, return_exceptions=True)

    @property
    def last(self) -> int:
        return self.events[-1]["seq"] if self.events else 0

    def drop(self) -> None:
        """Lose the connection, as by a fault of the network."""
        if self._socket is not None:
            self._socket.transport.abort()

    async def ask(self, action: str, **fields: Any) -> dict[str, Any]:
        """Raises one of `GONE` where no answer comes."""
        await asyncio.wait_for(self._up.wait(), 20)
        return await self._say(action, **fields)

    async def place(self, market: Market) -> None:
        wish = market.wish(named=market.dice.random() < 0.8)
        await self._place([wish], "place_order", lambda told: [told], self._fields(wish))

    async def place_all(self, market: Market) -> None:
        account = market.dice.choice(market.accounts)
        wishes = [market.wish(named=True, account=account) for _ in range(4)]
        rows = [{**self._fields(one), "client_order_id": one.client_order_id} for one in wishes]
        for row in rows:
            del row["account"]
        await self._place(wishes, "place_orders", lambda told: told["results"], {"orders": rows, "account": account})

    async def change(self, market: Market) -> None:
        if standing := market.placed_ids:
            wish, order_id = market.dice.choice(standing)
            action = market.dice.choice(("modify_order", "cancel_order"))
            more = {"quantity": market.dice.randint(5, 25)} if action == "modify_order" else {}
            with contextlib.suppress(*GONE):
                await self.ask(action, order_id=order_id, account=wish.account, **more)

    async def run(self, market: Market, steps: int) -> None:
        for _ in range(steps):
            (deed,) = market.dice.choices((self.place, self.place_all, self.change), (6, 2, 3))
            await deed(market)

    def _fields(self, wish: Wish) -> dict[str, Any]:
        terms = {**wish.terms, "side": wish.terms["action"], "price_type": wish.terms["pricetype"]}
        return {
            **{n: v for n, v in terms.items() if n not in ("action", "pricetype")},
            "tag": wish.mark,
            "account": wish.account,
        }

    async def _place(
        self,
        wishes: list[Wish],
        action: str,
        rows: Callable[[dict[str, Any]], list[dict[str, Any]]],
        fields: dict[str, Any],
    ) -> None:
        named = bool(wishes[0].client_order_id)
        if named and len(wishes) == 1:
            fields = {**fields, "client_order_id": wishes[0].client_order_id}
        for _ in range(60 if named else 1):
            for wish in wishes:
                wish.asked += 1
            try:
                told = await self.ask(action, **fields)
            except GONE:
                await asyncio.sleep(0.05)
                continue
            answers = rows(told) if "results" in told or len(wishes) == 1 else [told] * len(wishes)
            for wish, one in zip(wishes, answers, strict=True):
                wish.said.append(_as_rest(one))
            return

    async def _live(self) -> None:
        while True:
            with contextlib.suppress(*GONE):
                async with connect(self._url, compression=None, max_size=None, max_queue=None) as socket:
                    listening = asyncio.create_task(self._listen(socket))
                    try:
                        self._socket = socket
                        await self._say("authenticate", api_key=self._key, features=["order_events"])
                        await self._say("subscribe_orders", since=self.last)
                        self._up.set()
                        await listening
                    finally:
                        self._up.clear()
                        listening.cancel()
                        await asyncio.gather(listening, return_exceptions=True)
            await asyncio.sleep(0.05)

    async def _say(self, action: str, **fields: Any) -> dict[str, Any]:
        assert self._socket is not None
        number = next(self._numbers)
        answer = self._answers[number] = asyncio.get_running_loop().create_future()
        try:
            await self._socket.send(json.dumps({"action": action, "request_id": number, **fields}))
            return await asyncio.wait_for(answer, PATIENCE)
        finally:
            self._answers.pop(number, None)

    def _fail(self) -> None:
        for answer in self._answers.values():
            if not answer.done():
                answer.set_exception(ConnectionError("the socket was lost"))

    async def _listen(self, socket: ClientConnection) -> None:
        try:
            async for text in socket:
                told = json.loads(text)
                if told.get("type", "").startswith("ORDER_"):
                    self.events.append(told)
                elif (answer := self._answers.get(told.get("request_id"))) is not None and not answer.done():
                    answer.set_result(told)
        finally:
            self._fail()


def _as_rest(told: dict[str, Any]) -> dict[str, Any]:
    if told["status"] == "success":
        return {"status": "success", "orderid": told["order_id"] or told["id"]}
    return {"status": "error", "error_code": told["code"], "message": told["message"]}
