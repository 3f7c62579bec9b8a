"""The feed behind one connected adapter of ours, on a loop of its own: the adapter is its sink."""

import asyncio
import tempfile
from collections.abc import Callable
from pathlib import Path

import msgspec

from sangam.background import Dispatcher, LoopThread
from sangam.brokers.contract import BrokerSpec, Session
from sangam.brokers.registry import Registry
from sangam.feed.adopt import Adopter
from sangam.feed.feed import Feed
from sangam.feed.port import AccountHealth, Refused
from sangam.instruments.masters import Masters
from sangam.model import holidays
from sangam.model.calendar import Calendar
from sangam.model.clock import SystemClock
from sangam.model.enums import AccountState, Mode
from sangam.model.errors import BrokerError, NotSent, SessionExpired
from sangam.model.identity import AccountInfo
from sangam.model.instrument import Level
from sangam.model.order import OrderNews
from sangam.prices.prices import Prices
from sangam.transport.http import HttpDriver

from .base import BaseBrokerWebSocketAdapter

_UP = frozenset({AccountState.LIVE, AccountState.CLOSED_MARKET})
_DOWN = frozenset(
    {AccountState.RECONNECTING, AccountState.AUTH_EXPIRED, AccountState.REPLACED, AccountState.NO_SESSION}
)
_ENDED = frozenset({AccountState.AUTH_EXPIRED, AccountState.REPLACED})

_Key = tuple[str, str, int]


class Line:
    """The feed of one connected adapter, on a loop of its own. `calls` calls the program."""

    _adopting: asyncio.Task[None]

    def __init__(self, adapter: BaseBrokerWebSocketAdapter, spec: BrokerSpec, session: Session) -> None:
        self._adapter = adapter
        self._spec = spec
        self._account = session.account
        self._wants: dict[_Key, int] = {}
        self._shutting = False
        self._folder = tempfile.TemporaryDirectory(prefix="sangam-", ignore_cleanup_errors=True)
        self.calls = Dispatcher("adapter callbacks")
        self._thread = LoopThread("adapter")
        try:
            self._thread.run(self._open(session))
        except BaseException:
            self._thread.stop()
            self.calls.stop()
            self._folder.cleanup()
            raise

    # --- from the program's threads -----------------------------------------------------------------------------------

    def use(self, session: Session) -> None:
        async def adopt() -> None:
            self._adopting.cancel()
            self._adopting = asyncio.create_task(self._adopt(session), name="adopt")

        self._thread.run(adopt())

    def want(self, symbol: str, exchange: str, mode: int, depth_level: int = 5) -> Refused | None:
        """None where it is taken."""

        async def ask() -> Refused | None:
            answer = self._feed.want(self._account, symbol, exchange, Level(Mode(mode), depth_level))
            if isinstance(answer, Refused):
                return answer
            before = self._wants.get(key)
            self._wants[key] = answer.want
            if before is not None:
                self._feed.release(before)
            return None

        key = (symbol, exchange, mode)
        try:
            return self._thread.run(ask())
        except NotSent:
            return None  # it is being closed: the next `connect` asks for it

    def release(self, key: _Key) -> None:
        async def let_go() -> None:
            want = self._wants.pop(key, None)
            if want is not None:
                self._feed.release(want)

        try:
            self._thread.run(let_go())
        except NotSent:
            return

    def close(self) -> None:
        """All but the callbacks, which may be what closes it."""
        self._thread.run(self._shut())
        self._thread.stop()
        self._folder.cleanup()

    # --- on the loop --------------------------------------------------------------------------------------------------

    async def _open(self, session: Session) -> None:
        clock, spec = SystemClock(), self._spec
        self._http = HttpDriver(clock)
        self._feed = Feed(self._http.run, Prices(), clock, Calendar(holidays.shipped()))
        self._feed.attach(self)
        self._masters = Masters(Path(self._folder.name), clock)
        self._adopter = Adopter(self._feed, self._masters, Registry([spec]), self._http.run, self._http.ctx, clock)
        self._feed.add_account(AccountInfo(self._account, self._adapter.user_id, spec.name), spec)
        self._feed.start()
        self._adopting = asyncio.create_task(self._adopt(session), name="adopt")

    async def _adopt(self, session: Session) -> None:
        """Some brokers want to be told whose the session is, also on their sockets."""
        if not session.client_id:
            try:
                client = await self._http.run(self._spec, session, self._spec.login.check(session, self._http.ctx()))
                session = msgspec.structs.replace(session, client_id=client)
            except BrokerError:
                pass  # the adopter asks again, and says what is wrong
        self._adopter.session(self._account, session)

    async def _shut(self) -> None:
        self._shutting = True
        self._adopting.cancel()
        await self._adopter.stop()
        await self._feed.stop()
        self._masters.close()
        await self._http.close()

    # --- as the feed's sink -------------------------------------------------------------------------------------------

    def publish(self, want: int, payload: bytes) -> None:
        adapter, data = self._adapter, msgspec.json.decode(payload)
        try:
            adapter.publish_to_zmq(data)
        except Exception as error:  # noqa: BLE001 - a socket of the program's own may be of any kind
            adapter.logger.warning("A price was not published: %s", error)
        key = data["symbol"], data["exchange"], data["mode"]
        self.calls.put_latest(key, lambda: self._call(lambda: adapter.on_data(adapter, data)))

    def lapse(self, want: int) -> None:
        """Nobody here shows an old price."""

    def refuse(self, want: int, code: str, reason: str) -> None:
        key = next((key for key, held in self._wants.items() if held == want), None)
        if key is not None:
            del self._wants[key]
            self._feed.release(want)
            self.calls.put(lambda: self._forget(key))
            self._fail(f"{key[1]}:{key[0]}: {reason}")

    def state(self, health: AccountHealth) -> None:
        adapter, was = self._adapter, self._adapter.connected
        if self._shutting:
            return  # whoever closes it says so
        if health.state in _UP and not was:
            adapter.connected = True
            self.tell(lambda: adapter.on_open(adapter))
        elif health.state in _DOWN and was:
            adapter.connected = False
            self.tell(lambda: adapter.on_close(adapter, None, health.detail))
        if health.state in _ENDED:
            self._fail(SessionExpired(f"{self._spec.title}: {health.detail}"))
        elif health.state is AccountState.STALE:
            self._fail(f"{self._spec.title}: {health.detail}")

    def order(self, news: OrderNews) -> None:
        """Orders are not this adapter's business."""

    # --- to the program -----------------------------------------------------------------------------------------------

    def tell(self, call: Callable[[], object]) -> None:
        self.calls.put(lambda: self._call(call))

    def _fail(self, error: BrokerError | str) -> None:
        told = BrokerError(error) if isinstance(error, str) else error
        self.tell(lambda: self._adapter.on_error(self._adapter, told))

    def _forget(self, key: _Key) -> None:
        adapter = self._adapter
        with adapter.lock:
            adapter.subscriptions.discard(key)

    def _call(self, call: Callable[[], object]) -> None:
        try:
            call()
        except Exception:
            self._adapter.logger.exception("A callback of the program failed")
