"""``sangam trace``: watch one instrument or one key's clients on their way through the running server."""

import time
from typing import Annotated

import typer

from sangam.model.clock import ist_from_ms

from .backend import running
from .options import settings
from .output import note

_LOOK = 0.25


def trace(
    what: Annotated[str, typer.Argument(metavar="EXCHANGE:SYMBOL|key:ID", help="An instrument, or an API key's id.")],
    seconds: Annotated[int, typer.Option(min=1, max=3600, help="How long.")] = 30,
) -> None:
    """Print every update of an instrument, or every message from and to the clients of a key. It is logged as well."""
    with running(settings()) as call:
        begun = call("trace/start", {"what": what, "seconds": seconds})
        note(f"tracing {begun['what']} for {seconds} s; Ctrl-C ends it")
        told, ends, over = begun, time.monotonic() + seconds, False
        try:
            while told["open"] and not over:
                time.sleep(_LOOK)
                over = time.monotonic() >= ends
                told = call("trace/lines", {"what": what, "after": told["next"]})
                for line in told["lines"]:
                    typer.echo(f"{_moment(line['at'])} {line['text']}")
        except KeyboardInterrupt:
            if begun["next"] == 0:  # nobody else's: not one that the server was started with, for example
                call("trace/stop", {"what": what})
            raise
        if told["next"] == begun["next"]:
            note("Nothing passed.")


def _moment(ms: int) -> str:
    return f"{ist_from_ms(ms):%H:%M:%S.%f}"[:-3]
