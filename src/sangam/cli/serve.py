"""``sangam serve``: run the server."""

import logging
from typing import TYPE_CHECKING, Annotated

import typer

from sangam.app.trace import detail, targets
from sangam.logs import configure

from .options import settings
from .welcome import welcome_text

if TYPE_CHECKING:
    from sangam.app.server import App
    from sangam.app.split import Split

log = logging.getLogger("sangam.cli")


def serve(
    auto_port: Annotated[bool, typer.Option("--auto-port", help="Take the next free port where one is busy.")] = False,
    log_json: Annotated[bool, typer.Option("--log-json", help="Log one JSON object per line.")] = False,
    trace: Annotated[
        list[str] | None,
        typer.Option(
            metavar="WHAT",
            help="Log a part in detail (transport, feed, api ...), every update of NSE:SBIN, or the clients of key:ID.",
        ),
    ] = None,
    split: Annotated[bool, typer.Option("--split", help="Feed and gateway as processes of their own.")] = False,
    gateways: Annotated[
        int, typer.Option(min=1, max=64, help="So many gateway processes on one port; above 1 it means --split.")
    ] = 1,
) -> None:
    """Run the server until Ctrl-C. On an empty home it streams a simulated market and prints how to listen."""
    chosen = settings()
    configure(chosen.log_level, as_json=log_json)
    traced = targets(trace or ())
    detail(trace or ())
    if split or gateways > 1:
        from sangam.app import split as parts  # noqa: PLC0415 - as below

        plan = parts.Plan(gateways=gateways, auto_port=auto_port, log_json=log_json, trace=tuple(trace or ()))
        parts.serve(chosen, plan, _announce)
    else:
        from sangam.app import server  # noqa: PLC0415 - the other commands start without the server's libraries

        server.serve(chosen, auto_port=auto_port, ready=_announce, traced=traced)


def _announce(app: "App | Split") -> None:
    if app.run is None:
        return
    log.info("REST on %s, WebSocket on %s", app.run.api_url, app.run.websocket_url)
    if app.demo is not None:
        typer.echo(welcome_text(app.run, app.demo))
