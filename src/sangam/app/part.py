"""One process of a split server: how it is told what to be, tells that it stands, and ends.

Its parent writes a `Task` to its stdin and keeps that pipe open as a lifeline: when it closes, whether the parent
wanted it or died, the part ends in order. On stdout it answers with one `Standing`. Ctrl-C is the parent's business."""

import asyncio
import logging
import os
import signal
import sys
import threading
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager, AsyncExitStack
from typing import Any

import msgspec
from pydantic import SecretStr

from sangam.accounts.demo import Demo
from sangam.logs import configure
from sangam.model.errors import ConfigError
from sangam.settings import Settings, load_settings
from sangam.store.home import RunInfo

from . import loop
from .trace import detail

log = logging.getLogger("sangam.app")


class Task(msgspec.Struct):
    """What a part is told. `requests` and `data` are the endpoints between feed and gateways, `secret` what they know
    each other by."""

    name: str
    settings: dict[str, Any]
    requests: str
    data: str
    secret: str = ""
    shared: bool = False
    auto_port: bool = False
    log_json: bool = False
    trace: list[str] = []


class Standing(msgspec.Struct):
    """What a part answers: it stands, or why it cannot."""

    run: RunInfo | None = None
    demo: Demo | None = None
    error: str = ""


def reveal(settings: Settings) -> dict[str, Any]:
    """What was set, as plain values with the secrets, for the pipe to a part. The rest has the same defaults there."""
    return {name: _plain(getattr(settings, name)) for name in settings.model_fields_set}


def _plain(value: Any) -> Any:
    if isinstance(value, SecretStr):
        return value.get_secret_value()
    return str(value) if isinstance(value, os.PathLike) else value


Stand = Callable[[Task, Settings], AbstractAsyncContextManager[Standing]]
"""Builds a part; it stands inside the context."""


def main(stand: Stand) -> None:
    """The whole life of a part."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    with open(0, "rb", buffering=0, closefd=False) as stdin:
        line = stdin.readline()
    if not line:
        return  # the parent changed its mind
    task = msgspec.json.decode(line, type=Task)
    logging.setLogRecordFactory(_named(task.name))
    try:
        settings = load_settings(None, **task.settings)
        configure(settings.log_level, as_json=task.log_json)
        detail(task.trace)
        loop.run(_live(stand, task, settings))
    except ConfigError as error:
        _answer(Standing(error=str(error)))
        sys.exit(1)


async def _live(stand: Stand, task: Task, settings: Settings) -> None:
    stopping = asyncio.Event()
    loop.on_signals(stopping.set, signal.SIGTERM)
    threading.Thread(target=_wait_for_end, args=(asyncio.get_running_loop(), stopping), daemon=True).start()
    async with AsyncExitStack() as stack:
        ended = asyncio.create_task(stopping.wait(), name="end")
        standing = asyncio.create_task(stack.enter_async_context(stand(task, settings)), name="stand")
        await asyncio.wait({ended, standing}, return_when=asyncio.FIRST_COMPLETED)
        if not standing.done():
            standing.cancel()
            await asyncio.gather(standing, return_exceptions=True)
            return
        _answer(standing.result())
        loop.settle()
        await ended
        log.info("stopping")


def _wait_for_end(here: asyncio.AbstractEventLoop, stopping: asyncio.Event) -> None:
    """In a thread, since not every loop can watch a pipe; it reads past Python's buffers, whose locks a daemon thread
    must not hold when the process ends."""
    while os.read(0, 1024):
        pass
    if not here.is_closed():
        here.call_soon_threadsafe(stopping.set)


def _answer(standing: Standing) -> None:
    sys.stdout.buffer.write(msgspec.json.encode(standing) + b"\n")
    sys.stdout.buffer.flush()


def _named(part: str) -> Callable[..., logging.LogRecord]:
    """Lines carry the part's name before the logger's."""
    make = logging.getLogRecordFactory()

    def record(*args: Any, **kwargs: Any) -> logging.LogRecord:
        made = make(*args, **kwargs)
        made.name = f"{part}/{made.name.removeprefix('sangam.')}"
        return made

    return record
