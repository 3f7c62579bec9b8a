"""The account `external`: prices that other programs publish, for those who ask for them by this name.

It is a feed beside the brokers' feeds. Its prices never enter `prices`, so no check, order or paper fill rests on what
a stranger says."""

import itertools

from sangam.model.clock import Clock
from sangam.model.enums import AccountState, Exchange, Mode
from sangam.model.instrument import Level, split_depth_suffix
from sangam.model.market import Depth, Fields, Key, Patch

from .port import AccountHealth, Dialect, FeedPort, Granted, Pending, Refused, Served, Sink
from .publisher import Tally, patcher, payload
from .unlisted import unlisted
from .wants import Line, Want, WantKey

EXTERNAL = "external"

_SILENT_MS = 15_000


class External:
    """Wants of the account, by the words of the client; what nobody wants is not kept. Its ids are small, a broker
    feed's begin at the clock's milliseconds: they never meet."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._sink: Sink | None = None
        self._numbers = itertools.count(1)
        self._by_key: dict[WantKey, Want] = {}
        self._wants: dict[int, Want] = {}
        self._lines: dict[Key, Line] = {}
        self._tally = Tally()
        self._patched = patcher(self._lines, clock.now_ms, self._publish, self._tally)
        self._heard_at: int | None = None
        self._state = AccountState.CONNECTING
        self._since = clock.now_ms()

    def attach(self, sink: Sink) -> None:
        self._sink = sink

    def hear(self, symbol: str, exchange: str, fields: Fields, depth: Depth | None) -> None:
        """A program told something; `fields` is ours afterwards."""
        self._heard_at = self._clock.now_ms()
        self._patched(Patch((symbol, exchange), fields, depth))

    def refresh(self) -> None:
        """Call it every second or so: silence is told, and so is its end."""
        if self._heard_at is None:
            return
        silent = self._clock.now_ms() - self._heard_at > _SILENT_MS
        state = AccountState.STALE if silent else AccountState.LIVE
        if state is not self._state:
            self._state = state
            self._since = self._clock.now_ms()
            if self._sink is not None:
                self._sink.state(self.health())

    # --- as a feed ----------------------------------------------------------------------------------------------------

    def __contains__(self, want: int) -> bool:
        return want in self._wants

    def want(self, symbol: str, exchange: str, level: Level, dialect: Dialect) -> Granted | Refused:
        if exchange not in Exchange.__members__:
            return Refused(f"Unknown exchange '{exchange}'")
        key = WantKey(symbol, exchange, level if level.mode is Mode.DEPTH else Level(level.mode), dialect)
        want = self._by_key.get(key)
        if want is None:
            want = self._by_key[key] = Want(next(self._numbers), key)
            self._wants[want.id] = want
            self._line(symbol, Exchange(exchange)).add(want)
        want.count += 1
        if want.line is not None:
            want.line.relist()
        return Granted(want.id, want.level)

    def answered(self, want: int) -> Granted:
        return Granted(want, self._wants[want].level)

    def release(self, want: int) -> None:
        record = self._wants[want]
        record.count -= 1
        line = record.line
        if record.count or line is None:
            return
        del self._wants[want], self._by_key[record.key]
        line.remove(record)
        if not line.wants:
            del self._lines[line.instrument.symbol, line.instrument.exchange.value]

    def snapshot(self, want: int) -> bytes | None:
        record = self._wants[want]
        line = record.line
        if line is None or self._state is not AccountState.LIVE or not line.last.tells(record.level.mode):
            return None
        return payload(record, line)

    def sequence(self, want: int) -> int:
        return self._wants[want].seq

    def health(self) -> AccountHealth:
        return AccountHealth(
            account=EXTERNAL,
            broker=EXTERNAL,
            state=self._state,
            detail="" if self._state is AccountState.LIVE else "no program publishes",
            since=self._since,
            wants=len(self._wants),
            last_data_at=self._heard_at,
        )

    def _line(self, asked: str, exchange: Exchange) -> Line:
        symbol, _ = split_depth_suffix(asked)
        line = self._lines.get((symbol, exchange.value))
        if line is None:
            line = self._lines[symbol, exchange.value] = Line(unlisted(symbol, exchange), self._clock.now_ms())
        return line

    def _publish(self, want: int, payload: bytes) -> None:
        if self._sink is not None:
            self._sink.publish(want, payload)


class WithExternal(FeedPort):
    """The brokers' feeds and `external` as one."""

    def __init__(self, feed: Served, external: External) -> None:
        self._feed = feed
        self._external = external

    def want(
        self, account: str, symbol: str, exchange: str, level: Level, dialect: Dialect = Dialect.CANONICAL
    ) -> Granted | Pending | Refused:
        if account == EXTERNAL:
            return self._external.want(symbol, exchange, level, dialect)
        return self._feed.want(account, symbol, exchange, level, dialect)

    def answered(self, want: int) -> Granted | Pending | Refused:
        return self._of(want).answered(want)

    def release(self, want: int) -> None:
        self._of(want).release(want)

    def snapshot(self, want: int) -> bytes | None:
        return self._of(want).snapshot(want)

    def sequence(self, want: int) -> int:
        return self._of(want).sequence(want)

    def health(self, account: str) -> AccountHealth:
        return self._external.health() if account == EXTERNAL else self._feed.health(account)

    def all_health(self) -> list[AccountHealth]:
        return [*self._feed.all_health(), self._external.health()]

    def _of(self, want: int) -> "Served | External":
        return self._external if want in self._external else self._feed
