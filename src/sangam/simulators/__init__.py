"""Fake brokers that speak the real wire, on one matching exchange.

`create("zerodha")` makes one; a module that defines `SIMULATOR`, or `SIMULATORS` of a family, is found by itself."""

import asyncio
import pkgutil
from collections.abc import Callable
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import Any

from sangam.model.errors import UnknownBroker

from .exchange import Exchange
from .paths import replay as replay_paths
from .server import Simulator

__all__ = ["Exchange", "Simulator", "create", "names", "run_forever"]


@cache
def _found() -> dict[str, type[Simulator]]:
    found: dict[str, type[Simulator]] = {}
    for name in (module.name for module in pkgutil.iter_modules(__path__)):
        module = import_module(f"{__name__}.{name}")
        kinds = (getattr(module, "SIMULATOR", None), *getattr(module, "SIMULATORS", ()))
        found |= {kind.name: kind for kind in kinds if kind is not None}
    return found


def names() -> list[str]:
    """The brokers that can be simulated."""
    return sorted(_found())


def create(name: str, exchange: Exchange | None = None, **options: Any) -> Simulator:
    """A simulated broker, not started yet. Raises UnknownBroker.

    Without `exchange` it has one of its own that runs in real time; `options` are those of the simulator's class."""
    kind = _found().get(name.strip().casefold())
    if kind is None:
        raise UnknownBroker(name, names())
    return kind(exchange, **options)


async def run_forever(
    name: str,
    host: str = "127.0.0.1",
    rest_port: int = 0,
    ws_port: int = 0,
    speed: float = 1.0,
    replay: Path | str | None = None,
    seed: int = 1,
    announce: Callable[[Simulator], None] | None = None,
) -> None:
    """Run one simulator until cancelled; `announce` is told when its `hosts` and `credentials` are known.

    Raises UnknownBroker, ConfigError (the replay file) and OSError (a port is taken)."""
    paths = replay_paths(Path(replay)) if replay else None
    simulator = create(name, Exchange(seed=seed, paths=paths), run=True, speed=speed)
    await simulator.start(host, rest_port, ws_port)
    try:
        if announce is not None:
            announce(simulator)
        await asyncio.Event().wait()
    finally:
        await simulator.stop()
