"""Which sockets carry which instruments of one session: puts lines on the pools of the streams that serve them."""

from collections.abc import Callable, Iterator

from sangam.brokers.contract import Stream
from sangam.model.market import Key
from sangam.transport.socket import Connection

from .pool import Caps, Pool
from .wants import Line, Part, plan

Connect = Callable[[Stream, dict[Key, Line]], Callable[[int], Connection]]


class Carriage:
    """`connect(stream, lines)` makes the function that opens a numbered socket whose frames find their line there."""

    def __init__(self, streams: tuple[Stream, ...], caps: Caps, connect: Connect) -> None:
        self._streams = streams
        self._lines: dict[str, dict[Key, Line]] = {}
        self.pools: dict[str, Pool] = {}
        groups: dict[str, list[Pool]] = {}
        for stream in streams:
            lines = self._lines[stream.name] = {}
            pool = self.pools[stream.name] = Pool(stream, caps, connect(stream, lines))
            if stream.limits.group:
                pool.sharers = groups.setdefault(stream.limits.group, [])
                pool.sharers.append(pool)
        for pool in self.pools.values():
            if pool.stream.opens == "with_session":
                pool.open_first()

    @property
    def connections(self) -> list[Connection]:
        return [connection for pool in self.pools.values() for connection in pool.connections]

    def put(self, line: Line) -> bool:
        """Carry the line at the level its wants need; False, and nothing is changed, when the sockets are full."""
        parts = plan(self._streams, line.instrument, line.level())
        left = {(part.stream.name, part.key): part for part in line.parts}
        for part in parts:
            if not self.pools[part.stream.name].put(part.key, line.instrument, part.level):
                self._put_back(line, parts)
                return False
            self._lines[part.stream.name][part.key] = line
            left.pop((part.stream.name, part.key), None)
        for part in left.values():
            self._drop(part)
        if line.parts and parts[0].level.mode < line.parts[0].level.mode:
            line.last.narrow(parts[0].level.mode)
        line.parts = parts
        line.last.whole = len(parts) == 1
        return True

    def take_off(self, line: Line) -> None:
        """Carry the line no more."""
        for part in line.parts:
            self._drop(part)
        line.parts = ()

    def line(self, stream: Stream, key: Key) -> Line | None:
        return self._lines[stream.name].get(key)

    def lines_on(self, connection: Connection) -> list[Line]:
        lines = self._lines[connection.stream.name]
        return [lines[key] for key in self.pools[connection.stream.name].keys_on(connection)]

    def shrink(self, stream: Stream, symbols: int) -> list[Line]:
        """The broker allows fewer symbols per socket: move what is too much; the lines that found no place."""
        lines = [self._lines[stream.name][key] for key in self.pools[stream.name].shrink(symbols)]
        for line in lines:
            self.take_off(line)
        return [line for line in lines if not self.put(line)]

    def dismiss_idle(self) -> Iterator[Connection]:
        """Sockets that carry nothing and need not stay: no longer ours, the caller stops them."""
        for pool in self.pools.values():
            for connection in pool.idle():
                pool.forget(connection)
                yield connection

    def full_text(self, carried: int) -> str:
        pool = max(self.pools.values(), key=lambda pool: pool.symbols_per_socket * pool.max_sockets)
        sockets, symbols = pool.max_sockets, pool.symbols_per_socket
        return (
            f"Maximum capacity reached: {sockets} connections × {symbols} symbols = {sockets * symbols} symbols. "
            f"Currently subscribed to {carried} symbols."
        )

    def _drop(self, part: Part) -> None:
        self.pools[part.stream.name].drop(part.key)
        self._lines[part.stream.name].pop(part.key, None)

    def _put_back(self, line: Line, tried: tuple[Part, ...]) -> None:
        kept = {(part.stream.name, part.key): part for part in line.parts}
        for part in tried:
            old = kept.get((part.stream.name, part.key))
            if old is None:
                self._drop(part)
            else:
                self.pools[part.stream.name].put(part.key, line.instrument, old.level)
