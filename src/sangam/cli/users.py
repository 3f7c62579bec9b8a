"""``sangam user``: the people of the house."""

import sys
from typing import Annotated

import typer

from .backend import administration
from .options import Switch, User, settings
from .output import moment, note, out, table

app = typer.Typer(help="The people whose accounts and keys these are.", no_args_is_help=True)

Name = Annotated[str, typer.Argument(help="Small letters, digits, '-' and '_'.")]


@app.command(epilog="Example: sangam user add asha")
def add(name: Name) -> None:
    """Add a user, with a password to sign in by in a browser (none, if you just press Enter)."""
    password = _ask("Password (Enter for none)", default="")
    with administration(settings()) as call:
        made = call("user/add", {"name": name, "password": password or None})
    out.print(made["user"])
    note(f"Added {name}. An account: sangam account add BROKER --user {name}")


@app.command("list", epilog="Example: sangam user list")
def list_users() -> None:
    """Show the users and their default accounts."""
    with administration(settings()) as call:
        rows = call("user/list", {})["users"]
    shown = table("user", "since (IST)", "password", "accounts", "data account", "order account", "orders")
    for row in rows:
        shown.add_row(
            row["user"],
            moment(row["created_at"]),
            "yes" if row["password"] else "no",
            str(row["accounts"]),
            row["data_account"] or "-",
            row["order_account"] or "-",
            "paper" if row["analyzer"] else "live",
        )
    if rows:
        out.print(shown)
    else:
        note("No user yet. Add one: sangam user add NAME")


@app.command(epilog="Example: sangam user passwd asha")
def passwd(name: Name) -> None:
    """Give a user another password. Who is signed in with the old one is signed out."""
    password = _ask("New password")
    with administration(settings()) as call:
        call("user/passwd", {"name": name, "password": password})
    note(f"{name} has a new password.")


@app.command(epilog="Example: sangam user analyzer on")
def analyzer(
    switch: Annotated[Switch, typer.Argument(help="on: orders go to the paper book; off: to the broker.")],
    user: User = None,
) -> None:
    """Send a user's orders to paper, or back to the broker; keys made with --mode paper or live stay as they are."""
    with administration(settings()) as call:
        told = call("user/analyzer", {"user": user, "on": switch is Switch.ON})
    note(f"Orders of {told['user']} go to {'the paper book' if told['analyzer'] else 'the broker'}.")


def _ask(label: str, default: str | None = None) -> str:
    """Twice from a person, once from a program's line."""
    if not sys.stdin.isatty():
        return sys.stdin.readline().rstrip("\r\n")
    answer: str = typer.prompt(
        label, default=default, hide_input=True, show_default=False, confirmation_prompt=True, err=True
    )
    return answer
