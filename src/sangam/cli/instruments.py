"""``sangam instruments``: the masters of the running server."""

import time
from typing import Annotated, Any

import typer
from rich.console import Console

from sangam.model.clock import ist_from_ms
from sangam.model.errors import SangamError

from .backend import running
from .options import settings
from .output import note, out, table

app = typer.Typer(help="What can be traded, under one name at every broker.", no_args_is_help=True)

_LOOK = 0.5
_STAGES = {
    "idle": "waiting",
    "downloading": "downloading the broker's file",
    "reading": "reading and checking its rows",
}

Name = Annotated[str | None, typer.Argument(metavar="[BROKER|ACCOUNT]", help="Whose; every broker's in use.")]
Broker = Annotated[str | None, typer.Option("--broker", help="Whose, where several are in use. An account will do.")]


@app.command(epilog="Example: sangam instruments refresh")
def refresh(name: Name = None) -> None:
    """Fetch a broker's instruments now; live subscriptions go on. It happens every morning by itself."""
    with running(settings()) as call:
        begun = call("instruments/refresh", {"name": name})["sources"]
        wanted = {one["source"]: one["from"] for one in begun}
        failed = False
        with Console(stderr=True).status("waiting") as shown:
            while wanted:
                time.sleep(_LOOK)
                for one in call("instruments/status", {"name": name})["sources"]:
                    since = wanted.get(one["source"])
                    if since is None:
                        continue
                    shown.update(f"{one['source']}: {_STAGES[one['stage']]}")
                    if one["made_at"] >= since:
                        note(f"{one['version']}: {one['rows']:,} instruments")
                        del wanted[one["source"]]
                    elif one["tried_at"] >= since and one["trouble"]:
                        note(f"{one['source']}: {one['trouble']}")
                        del wanted[one["source"]]
                        failed = True
    if failed:
        raise SangamError("Not everything was refreshed; what stood before stays, and the server tries again.")


@app.command(epilog='Example: sangam instruments search "nifty 24000 ce" --exchange NFO')
def search(
    words: Annotated[list[str], typer.Argument(help="Parts of a symbol or a name; an option's strike, CE or PE.")],
    exchange: Annotated[str | None, typer.Option(help="Only this exchange (NSE, NFO, MCX ...).")] = None,
    broker: Broker = None,
    limit: Annotated[int, typer.Option(min=1, max=500, help="How many at most.")] = 25,
) -> None:
    """Find instruments: every word must be in symbol or name; the nearest expiry comes first."""
    asked = {"query": " ".join(words), "exchange": exchange and exchange.upper(), "name": broker, "limit": limit}
    with running(settings()) as call:
        found = call("instruments/search", asked)
    if not found["instruments"]:
        raise SangamError(f"Nothing in {found['version']} matches.")
    shown = table("exchange", "symbol", "name", "expiry", "lot", "tick", "token")
    for row in found["instruments"]:
        lot, tick = str(row["lot_size"]), f"{row['tick_size']:g}"
        shown.add_row(row["exchange"], row["symbol"], row["name"], row["expiry"] or "-", lot, tick, row["token"])
    out.print(shown)


@app.command(epilog="Example: sangam instruments status")
def status(name: Name = None) -> None:
    """Show which masters stand, and since when."""
    with running(settings()) as call:
        sources = call("instruments/status", {"name": name})["sources"]
    shown = table("source", "master", "instruments", "made (IST)", "now")
    for one in sources:
        made = f"{ist_from_ms(one['made_at']):%Y-%m-%d %H:%M}" if one["made_at"] else "-"
        shown.add_row(one["source"], one["version"] or "-", f"{one['rows']:,}", made, one["trouble"] or one["stage"])
    out.print(shown)


@app.command(epilog="Example: sangam instruments refused --rows 5")
def refused(
    broker: Broker = None,
    rows: Annotated[int, typer.Option(min=0, max=100, help="How many rows of each reason to show.")] = 1,
) -> None:
    """List the rows of the broker's file that were not taken, by reason."""
    with running(settings()) as call:
        told = call("instruments/refused", {"name": broker})
    _tell_refused(told, rows)


def _tell_refused(told: dict[str, Any], rows: int) -> None:
    if not told["refused"]:
        note(f"{told['version']}: all {told['stored']:,} rows were taken.")
        return
    shown = table("rows", "reason", "as the file has them")
    for one in told["refused"]:
        shown.add_row(f"{one['total']:,}", one["reason"], "\n".join(one["rows"][:rows]))
    out.print(shown)
