"""A feed behind the border and gateways before it, in one loop over real sockets."""

import asyncio
import contextlib
import itertools
import json
from collections import Counter
from collections.abc import AsyncIterator
from pathlib import Path

from tests.feed_rig import Ears
from tests.support import wait_for

from sangam.bus import wire
from sangam.bus.feed_server import FeedServer
from sangam.bus.remote_feed import RemoteFeed
from sangam.bus.sockets import local_endpoint
from sangam.feed.port import AccountHealth, Dialect, Granted, Pending, Refused
from sangam.model.clock import SystemClock
from sangam.model.enums import AccountState, Mode, Scope
from sangam.model.identity import AccountInfo, Identity, key_hash
from sangam.model.instrument import Level

PEPPER = b"pepper"
ACCOUNT = "u-toy"
Key = tuple[str, str, str, Level, Dialect]


def identity(key_id: str) -> Identity:
    account = AccountInfo(ACCOUNT, "u", "toy")
    return Identity(
        user="u", key_id=key_id, scopes=frozenset(Scope), accounts=(account,), data_account=account, order_account=None
    )


class PlainFeed:
    """Equal wants share an id. NOPE is refused, LATER is pending. `tick` makes the next payload of a want."""

    def __init__(self) -> None:
        self.state = AccountState.LIVE
        self.ids: dict[Key, int] = {}
        self.held: Counter[int] = Counter()
        self.seqs: Counter[int] = Counter()
        self.payloads: dict[int, bytes] = {}
        self.keys: dict[str, Identity] = {"key-a": identity("a")}
        self._numbers = itertools.count(700)

    def want(
        self, account: str, symbol: str, exchange: str, level: Level, dialect: Dialect = Dialect.CANONICAL
    ) -> Granted | Pending | Refused:
        if symbol == "NOPE":
            return Refused("no such symbol", "SYMBOL_NOT_FOUND")
        key = (account, symbol, exchange, level, dialect)
        if key not in self.ids:
            self.ids[key] = next(self._numbers)
        want = self.ids[key]
        self.held[want] += 1
        return Pending(want, level, "not logged in") if symbol == "LATER" else Granted(want, level)

    def answered(self, want: int) -> Granted | Pending | Refused:
        return Granted(want, Level(Mode.LTP))

    def release(self, want: int) -> None:
        self.held[want] -= 1
        assert self.held[want] >= 0, "released more often than taken"

    def snapshot(self, want: int) -> bytes | None:
        return self.payloads.get(want)

    def sequence(self, want: int) -> int:
        return self.seqs[want]

    def health(self, account: str) -> AccountHealth:
        return AccountHealth(account=account, broker="toy", state=self.state)

    def all_health(self) -> list[AccountHealth]:
        return [self.health(ACCOUNT)]

    def id(self, symbol: str) -> int:
        """The newest want of a symbol."""
        return [want for key, want in self.ids.items() if key[1] == symbol][-1]

    def tick(self, want: int) -> bytes:
        self.seqs[want] += 1
        self.payloads[want] = json.dumps({"want": want, "seq": self.seqs[want]}).encode()
        return self.payloads[want]

    def known_keys(self) -> wire.Keys:
        return wire.Keys(PEPPER, {key_hash(PEPPER, text): each for text, each in self.keys.items()})


class GatewayEars(Ears):
    """What a gateway hears may begin anywhere and have gaps, and begins anew with another feed."""

    def publish(self, want: int, payload: bytes) -> None:
        self.published.append((want, json.loads(payload)))


class Border:
    """One feed's server that can end and start again, and any number of gateways."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.feed = PlainFeed()
        self.used: list[str] = []
        self.server: FeedServer | None = None
        self.gateways: list[RemoteFeed] = []

    @property
    def endpoint(self) -> str:
        return local_endpoint(str(self.folder), "wants", 0)

    def start(self) -> FeedServer:
        server = FeedServer(self.feed, SystemClock(), brokers=["toy"], keys=self.feed.known_keys, used=self.used.append)
        server.start(self.endpoint, local_endpoint(str(self.folder), "data", 0))
        self.server = server
        return server

    def restart(self) -> FeedServer:
        """Another feed process: nothing of the former is known, and its ids mean nothing."""
        assert self.server is not None
        self.server.close()
        self.feed = PlainFeed()
        return self.start()

    async def gateway(self, name: str = "gateway-1") -> tuple[RemoteFeed, GatewayEars]:
        remote, ears = RemoteFeed(self.endpoint, name, SystemClock()), GatewayEars()
        remote.attach(ears)
        remote.start()
        self.gateways.append(remote)
        async with asyncio.timeout(5):
            await remote.ready()
        await wait_for(lambda: remote.health(ACCOUNT).broker == "toy", what="the feed's states")
        return remote, ears

    def publish(self, symbol: str) -> None:
        want = self.feed.id(symbol)
        assert self.server is not None
        self.server.publish(want, self.feed.tick(want))


@contextlib.asynccontextmanager
async def border(folder: Path) -> AsyncIterator[Border]:
    made = Border(folder)
    made.start()
    try:
        yield made
    finally:
        for gateway in made.gateways:
            gateway.stop()
        if made.server is not None:
            made.server.close()


async def granted(remote: RemoteFeed, symbol: str, mode: Mode = Mode.LTP, depth: int = 5) -> int:
    """A want that the feed has granted."""
    answer = remote.want(ACCOUNT, symbol, "NSE", Level(mode, depth))
    assert isinstance(answer, (Granted, Pending))

    def known() -> bool:
        again = remote.want(ACCOUNT, symbol, "NSE", Level(mode, depth))
        assert not isinstance(again, Refused)
        remote.release(again.want)
        return isinstance(again, Granted)

    await wait_for(known, what=f"{symbol} to be granted")
    return answer.want
