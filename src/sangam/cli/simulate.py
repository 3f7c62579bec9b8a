"""``sangam simulate``: a broker of your own."""

from pathlib import Path
from typing import Annotated

import typer

from sangam import simulators
from sangam.app import loop
from sangam.model.errors import ConfigError

from .backend import known_brokers
from .options import settings
from .output import err, note, out


def simulate(
    name: Annotated[str, typer.Argument(help="The broker whose wire it speaks.")],
    host: Annotated[str, typer.Option(help="The address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="REST; 0 takes a free one.")] = 0,
    ws_port: Annotated[int, typer.Option(min=0, max=65535, help="WebSocket; 0 takes a free one.")] = 0,
    speed: Annotated[float, typer.Option(min=0.001, max=10_000, help="Market seconds per real second.")] = 1.0,
    replay: Annotated[Path | None, typer.Option(exists=True, help="A CSV of bars or recorded ticks to follow.")] = None,
    seed: Annotated[int, typer.Option(help="The same seed walks the same prices.")] = 1,
) -> None:
    """Run a simulated broker until Ctrl-C; prints its addresses and test credentials."""
    known_brokers(settings()).refuse_unconfigured(name)
    try:
        loop.run(simulators.run_forever(name, host, port, ws_port, speed, replay, seed, _announce))
    except OSError as error:
        raise ConfigError(f"Port {port} or {ws_port} on {host} cannot be used: {error.strerror or error}.") from error


def _announce(simulator: simulators.Simulator) -> None:
    for kind, rows in (("host", simulator.hosts), ("credential", simulator.credentials)):
        for key, value in rows.items():
            out.print(f"{kind:<11}{key:<14}{value}")
    fields = [field.name for field in known_brokers(settings())[simulator.name].login.fields]
    options = [f"--set {key}={value}" for key, value in simulator.credentials.items() if key in fields]
    options += [f"--host {key}={value}" for key, value in simulator.hosts.items()]
    note("\nUse it from Sangam:")
    err.print(f"sangam account add {simulator.name} {' '.join(options)}", style="dim")
