"""``sangam orders``: what became of orders, from the journal of the running server."""

import json
from datetime import date, datetime, timedelta
from typing import Annotated, Any

import typer
from rich.progress import Progress

from sangam.model.clock import IST

from .backend import Call, running
from .options import settings
from .output import err, moment, note, out, table

app = typer.Typer(help="Orders in the journal: look, settle, export.", no_args_is_help=True)

Account = Annotated[str | None, typer.Option(help="One account, by its id; all of them.")]
Id = Annotated[str, typer.Argument(help="Ours (L-..., P-...), the broker's, or the client order id.")]


@app.command("list", epilog="Example: sangam orders list --account asha-BROKER")
def list_orders(account: Account = None) -> None:
    """Show today's orders and those that are not settled, newest first."""
    with running(settings()) as call:
        rows = call("orders/list", {"account": account})["orders"]
    if not rows:
        note("No orders today.")
        return
    shown = table("id", "account", "symbol", "side", "filled", "type", "price", "state", "order id", "time (IST)")
    for row in rows:
        shown.add_row(
            row["id"],
            row["account"],
            f"{row['exchange']}:{row['symbol']}",
            row["action"],
            f"{row['filled_quantity']}/{row['quantity']}",
            row["price_type"],
            row["price"],
            row["state"],
            row["order_id"] or "-",
            moment(row["created_at"]),
        )
    out.print(shown)


@app.command(epilog="Example: sangam orders show L-7Q2M4XK9RD")
def show(order: Id) -> None:
    """Show everything about one order: its terms, and each event with its time."""
    with running(settings()) as call:
        told = call("orders/show", {"order": order})
    shown = table("field", "value")
    for name, value in told["order"].items():
        if value not in ("", None, {}):
            shown.add_row(name, moment(value) if name.endswith("_at") else str(value))
    out.print(shown)
    events = table("number", "time (IST)", "event", "state", "filled")
    for event in told["events"]:
        filled = event["order"].get("filled_quantity", 0) if "order" in event else "-"
        events.add_row(str(event.get("seq", "-")), moment(event["at"]), event["kind"], event["state"], str(filled))
    out.print(events)


@app.command(epilog='Example: sangam orders resolve L-7Q2M4XK9RD rejected --note "not in the broker\'s app"')
def resolve(
    order: Id,
    outcome: Annotated[str, typer.Argument(help="open, complete, cancelled or rejected (it never reached the broker)")],
    why: Annotated[str, typer.Option("--note", help="How you know. It is kept with the order.")],
) -> None:
    """Settle an order in doubt yourself, where no evidence can come."""
    with running(settings()) as call:
        told = call("orders/resolve", {"order": order, "outcome": outcome, "note": why})
    note(f"{told['id']} is {told['state']}.")


@app.command(epilog="Example: sangam orders export --from 2026-11-01 --to 2026-11-30 > november.jsonl")
def export(
    account: Account = None,
    first: Annotated[Any, typer.Option("--from", parser=date.fromisoformat)] = None,
    last: Annotated[Any, typer.Option("--to", parser=date.fromisoformat)] = None,
) -> None:
    """Write the audit trail to stdout: every event of every order, one JSON object per line, oldest first."""
    today = datetime.now(IST).date()
    first, last = first or today, last or today
    if first > last:
        raise typer.BadParameter("is after --to", param_hint="--from")
    days = [first + timedelta(days=number) for number in range((last - first).days + 1)]
    with running(settings()) as call, Progress(console=err, transient=True) as progress:
        for day in progress.track(days, description="Exporting"):
            _export_day(call, account, day)


def _export_day(call: Call, account: str | None, day: date) -> None:
    for entry in call("orders/export", {"account": account, "day": f"{day}"})["events"]:
        typer.echo(json.dumps(entry, separators=(",", ":"), ensure_ascii=False))
