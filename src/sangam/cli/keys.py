"""``sangam key``: API keys for your programs."""

from typing import Annotated

import typer

from sangam.accounts.arguments import TRADING_SCOPES
from sangam.model.enums import KeyMode, Scope

from .backend import administration
from .options import User, settings
from .output import moment, note, out, table

app = typer.Typer(help="API keys for your programs.", no_args_is_help=True)


@app.command(epilog="Example: KEY=$(sangam key create --label excel --scope data)")
def create(
    user: User = None,
    label: Annotated[str, typer.Option(help="A name for you to know it by.")] = "",
    scope: Annotated[list[Scope] | None, typer.Option(help="What it may do. Repeatable; all but admin.")] = None,
    account: Annotated[str | None, typer.Option(help="The account it works on; the user's default.")] = None,
    interval: Annotated[int | None, typer.Option(help="Milliseconds between two updates of a symbol; 0: all.")] = None,
    mode: Annotated[
        KeyMode, typer.Option(help="Where its orders go: paper, live, or as the user's analyzer switch says.")
    ] = KeyMode.FOLLOW,
) -> None:
    """Make a key. It is printed this once, alone on stdout, and stored only as a hash."""
    wanted = {
        "user": user,
        "label": label,
        "scopes": [text.value for text in scope or TRADING_SCOPES],
        "account": account,
        "interval_ms": interval,
        "mode": mode.value,
    }
    with administration(settings()) as call:
        made = call("key/create", wanted)
    note(f"Key {made['id']} of user {made['user']} ({' '.join(made['scopes'])}). It is shown only now:")
    typer.echo(made["api_key"])


@app.command("list", epilog="Example: sangam key list")
def list_keys(user: User = None) -> None:
    """Show the keys: never their text."""
    with administration(settings()) as call:
        rows = call("key/list", {"user": user})["keys"]
    if not rows:
        note("No key yet. Make one: sangam key create")
        return
    shown = table(
        "id", "user", "label", "scopes", "account", "interval", "orders", "created (IST)", "last used", "revoked"
    )
    for row in rows:
        shown.add_row(
            row["id"],
            row["user"],
            row["label"] or "-",
            " ".join(row["scopes"]),
            row["data_account"] or "-",
            "-" if row["interval_ms"] is None else f"{row['interval_ms']} ms",
            row["mode"],
            moment(row["created_at"]),
            moment(row["last_used_at"]),
            moment(row["revoked_at"]),
        )
    out.print(shown)


@app.command(epilog="Example: sangam key revoke 1f0c2b7e")
def revoke(key: Annotated[str, typer.Argument(help="The key's id; `sangam key list` shows it.")]) -> None:
    """Close a key: it opens nothing from now on."""
    with administration(settings()) as call:
        call("key/revoke", {"id": key})
    note(f"Revoked {key}.")
