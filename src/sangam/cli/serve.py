"""``sangam serve``: run the server."""

import logging
from typing import TYPE_CHECKING, Annotated

import typer

from sangam.logs import configure

from .options import settings
from .welcome import welcome_text

if TYPE_CHECKING:
    from sangam.app.server import App

log = logging.getLogger("sangam.cli")


def serve(
    auto_port: Annotated[bool, typer.Option("--auto-port", help="Take the next free port where one is busy.")] = False,
    log_json: Annotated[bool, typer.Option("--log-json", help="Log one JSON object per line.")] = False,
    trace: Annotated[
        list[str] | None, typer.Option(metavar="PART", help="Log this part in detail: transport, feed, api ...")
    ] = None,
) -> None:
    """Run the server until Ctrl-C. On an empty home it streams a simulated market and prints how to listen."""
    from sangam.app import server  # noqa: PLC0415 - the other commands start without the server's libraries

    chosen = settings()
    configure(chosen.log_level, as_json=log_json)
    for part in trace or []:
        logging.getLogger(f"sangam.{part.removeprefix('sangam.')}").setLevel(logging.DEBUG)
    server.serve(chosen, auto_port=auto_port, ready=_announce)


def _announce(app: "App") -> None:
    if app.run is None:
        return
    log.info("REST on %s, WebSocket on %s", app.run.api_url, app.run.websocket_url)
    if app.demo is not None:
        typer.echo(welcome_text(app.run, app.demo))
