"""What one client hears: taking wants from the feed, letting them flow, giving them back. Long lists go in slices."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from typing import Any

from sangam.feed.port import Dialect, FeedPort, Granted, Pending, Refused
from sangam.model.identity import AccountInfo
from sangam.model.instrument import Level

from .chores import SLICE
from .hub import Hub
from .lanes import Key, Lane
from .outbox import Backlog, Outbox
from .protocol import Entry, Fields, flat, message

Row = dict[str, Any]
"""One instrument's line in an ack."""


class Subscriptions:
    """The lanes of one outbox. Every want taken here is released here, exactly once."""

    def __init__(self, feed: FeedPort, hub: Hub, outbox: Outbox, limit: int) -> None:
        self._feed = feed
        self._hub = hub
        self._outbox = outbox
        self._limit = limit

    def subscribe(
        self, fields: Fields, entries: list[Entry], account: AccountInfo, interval: int, dialect: Dialect
    ) -> Iterator[None]:
        """Take the wants, answer, then let data flow: an ack always comes before the data it announces."""
        held = self._hub.delivery.backlog(self._outbox)
        taken: deque[Lane] = deque()
        asked: list[tuple[Row, int]] = []
        rows: list[Row] = []
        try:
            for count, entry in enumerate(entries, 1):
                row, want = self._take(entry, account, interval, dialect, held, taken)
                rows.append(row)
                if want is not None:
                    asked.append((row, want))
                if count % SLICE == 0:
                    yield
            yield from self._hear_out(asked, account.broker, held, taken)
            self._hub.send(self._outbox, subscribe_ack(fields, rows, account.broker, dialect))
            for count in range(1, len(taken) + 1):
                self._start(taken[0], held)
                taken.popleft()
                if count % SLICE == 0:
                    yield
        finally:
            for lane in taken:
                self._hub.unhold(held, lane)
                self._feed.release(lane.want)

    def unsubscribe(
        self, fields: Fields, entries: list[Entry], account: AccountInfo, places: list[str], dialect: Dialect
    ) -> Iterator[None]:
        """`places` are the accounts where an entry may be held, the likeliest first. Releasing what was never held is
        success: the client has what it asked for."""
        lanes = []
        rows: list[Row] = []
        for entry in entries:
            row: Row = {"symbol": entry.symbol, "exchange": entry.exchange}
            if entry.error is not None:
                rows.append(row | _failure(entry.error.code, str(entry.error), account.broker))
                continue
            keys = (Key(place, entry.symbol, entry.exchange, entry.mode) for place in places)
            if (key := next((key for key in keys if key in self._outbox.lanes), None)) is not None:
                lanes.append(self._outbox.lanes[key])
            rows.append(row | {"status": "success", "mode": int(entry.mode), "broker": account.broker})
        yield from self.drop(lanes)
        self._hub.send(self._outbox, unsubscribe_ack(fields, rows, account.broker, dialect))

    def unsubscribe_all(self, fields: Fields, broker: str, dialect: Dialect) -> Iterator[None]:
        lanes = list(self._outbox.lanes.values())
        rows = [
            {**_instrument(lane), "status": "success", "mode": int(lane.key.mode), "broker": lane.broker}
            for lane in lanes
        ]
        yield from self.drop(lanes)
        self._hub.send(self._outbox, unsubscribe_ack(fields, rows, broker, dialect))

    def drop(self, lanes: Iterable[Lane]) -> Iterator[None]:
        """Stop hearing lanes and give their wants back."""
        for count, lane in enumerate(lanes, 1):
            if self.holds(lane):
                self.give_up(lane)
            if count % SLICE == 0:
                yield

    def give_up(self, lane: Lane) -> None:
        self._hub.detach(self._outbox, lane)
        self._feed.release(lane.want)

    def drop_all(self) -> Iterator[None]:
        return self.drop(list(self._outbox.lanes.values()))

    def end(self, flush: bool) -> None:
        """The client is gone: it hears nothing more from now on, its wants are released in slices."""
        wants = [lane.want for lane in self._outbox.lanes.values()]
        self._hub.leave(self._outbox, flush)
        self._hub.chores.add(self._release(wants))

    def holds(self, lane: Lane) -> bool:
        return self._outbox.lanes.get(lane.key) is lane

    def stats(self) -> list[Row]:
        return [
            {
                **_instrument(lane),
                "mode": int(lane.key.mode),
                "interval": lane.interval,
                "seq": self._feed.sequence(lane.want),
            }
            for lane in self._outbox.lanes.values()
        ]

    def _take(
        self, entry: Entry, account: AccountInfo, interval: int, dialect: Dialect, held: Backlog, taken: deque[Lane]
    ) -> tuple[Row, int | None]:
        """Ask the feed for one instrument; its row of the ack, and the want whose answer is still on its way."""
        row: Row = {"symbol": entry.symbol, "exchange": entry.exchange}
        if entry.error is not None:
            return row | _failure(entry.error.code, str(entry.error), account.broker), None
        lanes = self._outbox.lanes
        key = Key(account.id, entry.symbol, entry.exchange, entry.mode)
        present = lanes.get(key)
        if present is None and len(lanes) + len(taken) >= self._limit:
            text = f"Maximum capacity reached: {self._limit} subscriptions per client. Unsubscribe some first."
            return row | _failure("MAX_CAPACITY_REACHED", text, account.broker), None
        answer = self._feed.want(account.id, entry.symbol, entry.exchange, Level(entry.mode, entry.depth), dialect)
        if isinstance(answer, Refused):
            return row | _failure(answer.code, answer.reason, account.broker), None
        interval = interval if entry.interval is None else entry.interval
        row |= _success(answer, account.broker) | {"interval": interval}
        if present is not None and present.want == answer.want and present.interval == interval:
            self._feed.release(answer.want)
            return row, None
        taken.append(self._hub.hold(held, answer.want, key, interval, account.broker, dialect))
        return row, answer.want if isinstance(answer, Pending) and answer.asked else None

    def _hear_out(self, asked: list[tuple[Row, int]], broker: str, held: Backlog, taken: deque[Lane]) -> Iterator[None]:
        """A feed in another process answers a moment later. The ack waits for that, since it should tell the truth."""
        refused = set()
        for row, want in asked:
            while isinstance(answer := self._feed.answered(want), Pending) and answer.asked:
                yield
            if isinstance(answer, Refused):
                refused.add(want)
                for name in row.keys() - {"symbol", "exchange"}:
                    del row[name]
                row.update(_failure(answer.code, answer.reason, broker))
            else:
                row.pop("state", None)
                row.pop("reason", None)
                row.update(_success(answer, broker))
        for _ in range(len(taken) if refused else 0):
            lane = taken.popleft()
            if lane.want in refused:
                self._hub.unhold(held, lane)
                self._feed.release(lane.want)
            else:
                taken.append(lane)

    def _start(self, lane: Lane, held: Backlog) -> None:
        """Let a lane flow, beginning with the newest that came since it was taken, or with the snapshot."""
        hub, outbox = self._hub, self._outbox
        present = outbox.lanes.get(lane.key)
        if present is lane:  # named twice in one request
            self._feed.release(lane.want)
        else:
            if present is not None:
                self.give_up(present)
            hub.attach(outbox, lane)
            frame = held.latest(lane) if lane.waiting is None else lane.frame(lane.waiting)
            if frame is None and (payload := self._feed.snapshot(lane.want)) is not None:
                frame = lane.frame(payload)
            if frame is not None:
                hub.delivery.put(outbox, lane, frame)
        hub.unhold(held, lane)

    def _release(self, wants: Iterable[int]) -> Iterator[None]:
        for count, want in enumerate(wants, 1):
            self._feed.release(want)
            if count % SLICE == 0:
                yield


def subscribe_ack(fields: Fields, rows: list[Row], broker: str, dialect: Dialect) -> bytes:
    """The ints in ``mode`` and the labels in ``mode_name`` serve both kinds of official clients."""
    failed = [row for row in rows if row["status"] != "success"]
    count = len(rows) - len(failed)
    if dialect is Dialect.FLAT:
        return flat(fields, status="subscribed", count=count, **_flat_errors(failed))
    return message(
        "subscribe",
        fields,
        status="partial" if failed else "success",
        message="Subscription processing complete",
        broker=broker,
        count=count,
        subscriptions=rows,
    )


def unsubscribe_ack(fields: Fields, rows: list[Row], broker: str, dialect: Dialect) -> bytes:
    successful = [row for row in rows if row["status"] == "success"]
    failed = [row for row in rows if row["status"] != "success"]
    if dialect is Dialect.FLAT:
        return flat(fields, status="unsubscribed", count=len(successful), **_flat_errors(failed))
    return message(
        "unsubscribe",
        fields,
        status="success" if not failed else "partial" if successful else "error",
        message="Unsubscription processing complete",
        successful=successful,
        failed=failed,
        broker=broker,
    )


def _success(answer: Granted | Pending, broker: str) -> Row:
    mode, depth = answer.level
    row: Row = {"status": "success", "mode": int(mode), "mode_name": mode.label, "depth": depth, "broker": broker}
    return row | {"state": "pending", "reason": answer.reason} if isinstance(answer, Pending) else row


def _failure(code: str, text: str, broker: str) -> Row:
    return {"status": "error", "code": code, "message": text, "broker": broker}


def _instrument(lane: Lane) -> Row:
    return {"symbol": lane.key.symbol, "exchange": lane.key.exchange}


def _flat_errors(failed: list[Row]) -> Row:
    errors = [{name: row[name] for name in ("symbol", "exchange", "message")} for row in failed]
    return {"errors": errors} if errors else {}
