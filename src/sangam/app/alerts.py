"""What a person must hear of: a feed that is down, a login that is needed, instruments that were refused, an order in
doubt, a full disk.

Each trouble is told when it begins and when it ends: in the log, in `/health`, and to a webhook if one is set."""

import asyncio
import logging
import shutil
from collections.abc import Callable, Coroutine, Iterable
from pathlib import Path

import httpx
import msgspec

from sangam.feed.port import AccountHealth
from sangam.feed.source import Progress
from sangam.model.clock import Clock
from sangam.model.enums import AccountState

log = logging.getLogger("sangam.alerts")

EVERY_SECONDS = 1.0
DOWN_MS = 30_000
"""A feed may be stale or reconnecting for so long before a person is called."""
MIN_FREE_BYTES = 200 << 20
_TRIES = (0.0, 2.0, 10.0)
"""Seconds before each attempt to reach the webhook."""

_DOWN = frozenset({AccountState.STALE, AccountState.RECONNECTING, AccountState.CONNECTING})
_LOGIN = frozenset({AccountState.AUTH_EXPIRED, AccountState.REPLACED})


class Alert(msgspec.Struct, frozen=True, kw_only=True):
    """One trouble of one account or source; `since` is epoch milliseconds. It never holds a secret."""

    kind: str
    about: str
    broker: str
    text: str
    since: int


class Alerts:
    """`start` watches; `current` is what is wrong now."""

    def __init__(
        self,
        health: Callable[[], Iterable[AccountHealth]],
        progress: Callable[[], Iterable[Progress]],
        home: Path,
        clock: Clock,
        webhook: str = "",
        others: Callable[[], Iterable[Alert]] = tuple,
    ) -> None:
        """`others` tells the troubles of other rooms."""
        self._health = health
        self._progress = progress
        self._home = home
        self._clock = clock
        self._webhook = webhook
        self._others = others
        self._raised: dict[tuple[str, str], Alert] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    @property
    def current(self) -> list[Alert]:
        return list(self._raised.values())

    def start(self) -> None:
        self._spawn(self._watch(), "alerts")

    async def stop(self) -> None:
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _watch(self) -> None:
        while True:
            await asyncio.sleep(EVERY_SECONDS)
            self.look()

    def look(self) -> None:
        """Compare what is wrong now with what was told."""
        found = {(alert.kind, alert.about): alert for alert in self._troubles()}
        for key, alert in found.items():
            if key not in self._raised:
                self._raised[key] = alert
                log.error("%s: %s", alert.about, alert.text)
                self._tell(alert, "raised")
        for key in [key for key in self._raised if key not in found]:
            alert = self._raised.pop(key)
            log.info("%s: over: %s", alert.about, alert.text)
            self._tell(alert, "cleared")

    def _troubles(self) -> Iterable[Alert]:
        now = self._clock.now_ms()
        for health in self._health():
            detail = f" ({health.detail})" if health.detail else ""
            if health.state in _LOGIN:
                told = "log in" in health.detail.casefold()
                how = "" if told else f". Log in now: sangam account login {health.account}"
                text = f"the feed is {health.state.value}{detail}{how}"
                yield Alert(
                    kind="login_needed", about=health.account, broker=health.broker, text=text, since=health.since
                )
            elif health.state in _DOWN and now - health.since >= DOWN_MS:
                text = f"the feed is {health.state.value}{detail}"
                yield Alert(kind="feed_down", about=health.account, broker=health.broker, text=text, since=health.since)
        for progress in self._progress():
            if progress.trouble:
                text = f"no new instruments: {progress.trouble}"
                since = progress.tried_at
                yield Alert(kind="instruments", about=progress.source, broker=progress.broker, text=text, since=since)
        yield from self._others()
        free = shutil.disk_usage(self._home).free
        if free < MIN_FREE_BYTES:
            text = f"only {free >> 20} MB are free where SANGAM_HOME is"
            yield Alert(kind="disk", about="disk", broker="", text=text, since=now)

    def _tell(self, alert: Alert, state: str) -> None:
        if self._webhook:
            self._spawn(self._post(alert, state), f"alert {alert.kind}")

    async def _post(self, alert: Alert, state: str) -> None:
        """A webhook that does not answer costs nothing but a line in the log."""
        body = {**msgspec.to_builtins(alert), "state": state}
        fault = ""
        for pause in _TRIES:
            await asyncio.sleep(pause)
            try:
                async with httpx.AsyncClient(timeout=5, trust_env=False) as client:
                    reply = await client.post(self._webhook, json=body)
                if reply.status_code < 400:
                    return
                fault = f"HTTP {reply.status_code}"
            except (httpx.HTTPError, httpx.InvalidURL) as error:
                fault = type(error).__name__
        log.warning("ALERT_WEBHOOK did not take '%s' (%s)", alert.kind, fault)

    def _spawn(self, work: Coroutine[object, object, None], name: str) -> None:
        task = asyncio.create_task(work, name=name)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
