"""``sangam paper``: the paper book of a user."""

import json
from typing import Annotated, Any

import typer

from .backend import running
from .options import User, settings
from .output import moment, note, out, table

app = typer.Typer(help="Paper money: look, set up, begin anew.", no_args_is_help=True)

_FIGURES = ("cash", "available", "used", "today_realised", "unrealised", "charges_today", "total_realised", "equity")


@app.command(epilog="Example: sangam paper show")
def show(user: User = None) -> None:
    """Show money, positions and settings of a paper book."""
    with running(settings()) as call:
        told = call("paper/show", {"user": user})
    figures = table("figure", "rupees")
    for name in _FIGURES:
        figures.add_row(name.replace("_", " "), f"{told[name]:,.2f}")
    out.print(figures)
    _show("positions", told["positions"], ("realised", "unrealised", "margin"))
    _show("holdings", told["holdings"], ("value", "pnl"))
    chosen = table("setting", "value")
    for name, value in told["config"].items():
        chosen.add_row(name, str(value))
    out.print(chosen)
    if told["reset_count"]:
        times = "once, on" if told["reset_count"] == 1 else f"{told['reset_count']} times, last on"
        note(f"Begun anew {times} {moment(told['last_reset'])}.")


@app.command("set", epilog="Example: sangam paper set charges=true starting_capital=1000000")
def configure(
    values: Annotated[list[str], typer.Argument(metavar="NAME=VALUE...", help="`sangam paper show` has the names.")],
    user: User = None,
) -> None:
    """Change settings of a paper book: capital, leverages, square-off times, charges, fills by the visible book."""
    with running(settings()) as call:
        call("paper/configure", {"user": user, "values": dict(_pair(text) for text in values)})
    note("Set.")


@app.command(epilog="Example: sangam paper reset")
def reset(
    user: User = None,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
) -> None:
    """Begin anew: capital, orders, trades, positions, holdings and settings as on the first day."""
    if not yes:
        typer.confirm("Positions, holdings, orders and the history of this paper book go. Begin anew?", abort=True)
    with running(settings()) as call:
        told = call("paper/reset", {"user": user})
    note(f"{told['user']} begins anew with {told['cash']:,.2f} rupees of paper.")


def _show(title: str, rows: list[dict[str, Any]], figures: tuple[str, ...]) -> None:
    """What is held; nothing where there is none."""
    if not rows:
        return
    shown = table(title, "product", "quantity", "average", "ltp", *figures)
    for row in rows:
        shown.add_row(
            f"{row['exchange']}:{row['symbol']}",
            row.get("product", "CNC"),
            str(row["quantity"]),
            *(f"{row[name]:,.2f}" for name in ("average_price", "ltp", *figures)),
        )
    out.print(shown)


def _pair(text: str) -> tuple[str, Any]:
    name, equals, value = text.partition("=")
    if not name or not equals:
        raise typer.BadParameter("write it as NAME=VALUE", param_hint="NAME=VALUE")
    try:
        return name.strip(), json.loads(value)
    except ValueError:
        return name.strip(), value.strip()
