"""``sangam risk``: what your programs may not do with your money."""

from collections.abc import Mapping
from typing import Annotated, Any

import typer

from sangam.accounts.rules import HOUSE
from sangam.model.enums import Product

from .backend import administration
from .options import settings
from .output import note, out, table

app = typer.Typer(help="Limits for orders, and the kill switch.", no_args_is_help=True)

Account = Annotated[str | None, typer.Option(help="One account, by id or broker; all accounts of the house.")]


@app.command(epilog="Example: sangam risk show")
def show(account: Account = None) -> None:
    """Show the limits: those of the house (*) and each account's own."""
    with administration(settings()) as call:
        _print(call("risk/show", {"account": account})["rules"])


@app.command("set", epilog="Example: sangam risk set --account asha-BROKER --max-quantity 1800 --price-band 3")
def set_rules(
    account: Account = None,
    max_quantity: Annotated[int | None, typer.Option(help="Units in one order.")] = None,
    max_value: Annotated[float | None, typer.Option(help="Rupees in one order; premium for options.")] = None,
    max_orders_per_day: Annotated[int | None, typer.Option(help="Placements a day.")] = None,
    price_band: Annotated[float | None, typer.Option(help="Percent that a limit may lie from the last price.")] = None,
    symbol: Annotated[list[str] | None, typer.Option(help="Allowed only: NSE:SBIN, NFO:NIFTY*. Repeatable.")] = None,
    product: Annotated[list[Product] | None, typer.Option(help="Allowed only. Repeatable.")] = None,
    clear: Annotated[list[str] | None, typer.Option(help="A limit that ends (max_quantity ...). Repeatable.")] = None,
) -> None:
    """Set limits; what you leave out stays as it is. An order that breaks one is refused before it is sent."""
    wanted = {
        "account": account,
        "max_quantity": max_quantity,
        "max_value": max_value,
        "max_orders_per_day": max_orders_per_day,
        "price_band": price_band,
        "symbols": symbol or None,
        "products": [each.value for each in product] if product else None,
        "clear": clear or [],
    }
    with administration(settings()) as call:
        _print([call("risk/set", wanted)])


@app.command(epilog="Example: sangam risk kill")
def kill(account: Account = None) -> None:
    """Stop new orders at once; cancels, smaller quantities and closeposition still pass."""
    with administration(settings()) as call:
        told = call("risk/kill", {"account": account, "on": True})
    note(f"No new orders from {_whose(told)}. Again: sangam risk resume")


@app.command(epilog="Example: sangam risk resume")
def resume(account: Account = None) -> None:
    """Let new orders pass again."""
    with administration(settings()) as call:
        told = call("risk/kill", {"account": account, "on": False})
        stopped = [row["account"] for row in call("risk/show", {})["rules"] if row["killed"]]
    if told["account"] == HOUSE:
        note("The kill switch of the house is off.")
    elif HOUSE in stopped:
        note(f"The kill switch of {told['account']} is off, that of the house is not: sangam risk resume")
        return
    else:
        note(f"Orders of {told['account']} pass again.")
    for name in stopped:
        note(f"Still stopped: {name}. Again: sangam risk resume --account {name}")


def _whose(row: Mapping[str, Any]) -> str:
    return "any account" if row["account"] == HOUSE else str(row["account"])


def _print(rows: list[dict[str, Any]]) -> None:
    shown = table("account", "killed", "quantity", "value", "orders a day", "band %", "symbols", "products")
    for row in rows:
        figures = (row[name] for name in ("max_quantity", "max_value", "max_orders_per_day", "price_band"))
        shown.add_row(
            row["account"],
            "YES" if row["killed"] else "no",
            *("-" if figure is None else f"{figure:g}" for figure in figures),
            " ".join(row["symbols"]) or "-",
            " ".join(row["products"]) or "-",
        )
    out.print(shown)
