"""``sangam verify``: try an account's broker itself, as the conformance cases try its simulator."""

import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Annotated, Any

import msgspec
import typer
from rich.markup import escape
from rich.progress import BarColumn, Progress, TaskID, TextColumn

from sangam.model.errors import ConfigError
from sangam.verify.checks import Verdict
from sangam.verify.report import block, counts

from .backend import Call, served
from .options import settings
from .output import complain, err, note, out, table

_WAIT = 2.0
_STYLES = {Verdict.OK: "green", Verdict.FAILED: "bold red", Verdict.SKIPPED: "yellow"}
_QUESTION = (
    "This places ONE REAL ORDER at the broker: it buys one cheap share of NSE for delivery, five percent below the "
    "market, changes its price by one tick and cancels it. Should the market fall through it, the share is yours. "
    "Go on?"
)
_LOST = (
    "WHETHER AN ORDER STANDS IS NOT KNOWN HERE. Look with `sangam orders list` (strategy verify), in the server's log, "
    "and in the broker's own application."
)


def verify(
    account: Annotated[str, typer.Argument(help="The account's id, or its broker where that is enough.")],
    orders: Annotated[bool, typer.Option("--orders", help="Try one order as well: the smallest, cancelled.")] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask before the order.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print the result as one JSON object.")] = False,
) -> None:
    """Check what the broker really answers: login, instruments, quotes, candles, streams, books. Exit code 1 if any
    check fails. Nothing is ordered without --orders."""
    if orders and not yes:
        if not sys.stdin.isatty():
            raise ConfigError("--orders needs a yes: say it on a terminal, or give --yes.")
        typer.confirm(_QUESTION, abort=True, err=True)
    with served(settings()) as call:
        begun = call("verify/start", {"account": account, "orders": orders})
        told = _followed(call, begun)
    if as_json:
        typer.echo(msgspec.json.encode(told).decode())
    else:
        _show(told)
    if told["standing"]:
        complain(f"AN ORDER STANDS. {told['standing']}")
    if told["standing"] or any(row["verdict"] == Verdict.FAILED for row in told["results"]):
        raise typer.Exit(1)


def _followed(call: Call, begun: Mapping[str, Any]) -> dict[str, Any]:
    """To the end of a run. Who interrupts it waits until its order is cancelled."""
    told, results, ended = dict(begun), list(begun["results"]), False
    try:
        with _progress(told["of"]) as (bar, task):
            while not told["done"]:
                told = call("verify/look", {"run": begun["run"], "known": len(results), "wait": _WAIT})
                results += told["results"]
                bar.update(task, completed=len(results), description=told["checking"])
        ended = True
    except KeyboardInterrupt:
        note("Stopping; an order that was placed is being cancelled ...")
        told = call("verify/stop", {"run": begun["run"]})
        ended = True
        if told["standing"]:
            complain(f"AN ORDER STANDS. {told['standing']}")
        raise
    finally:
        if begun["orders"] and not ended:
            complain(_LOST)
    return {**told, "results": results}


@contextmanager
def _progress(of: int) -> Iterator[tuple[Progress, TaskID]]:
    columns = (TextColumn("{task.completed}/{task.total}"), BarColumn(), TextColumn("{task.description}"))
    with Progress(*columns, console=err, transient=True) as bar:
        yield bar, bar.add_task("", total=of)


def _show(told: Mapping[str, Any]) -> None:
    shown = table("check", "", "about", "seconds", "why")
    for row in told["results"]:
        style = _STYLES[Verdict(row["verdict"])]
        seconds = f"{row['seconds']:.1f}" if row["seconds"] else ""
        shown.add_row(
            row["id"], f"[{style}]{row['verdict']}[/{style}]", escape(row["title"]), seconds, escape(row["reason"])
        )
    out.print(shown)
    found = counts(told["results"])
    matrix = table("", *(count.group for count in found))
    matrix.add_row(told["broker"], *(str(count) for count in found))
    out.print()
    out.print(matrix)
    note("\nA cell says how many checks hold, of those that were tried. To report it, copy this; it has no secrets:\n")
    out.print(escape(block(told)))
