"""``sangam account``: broker logins."""

import sys
from typing import Annotated, Any

import typer

from sangam.brokers.contract import BrokerSpec, FieldKind
from sangam.model.errors import InvalidInput
from sangam.settings import Settings

from .backend import administration, known_brokers
from .options import Fields, Hosts, User, pairs, settings
from .output import moment, note, out, table

app = typer.Typer(help="Your logins at brokers.", no_args_is_help=True)


@app.command(epilog="Example: sangam account add BROKER --user asha")
def add(
    broker: Annotated[str, typer.Argument(help="The broker; `sangam brokers` lists them.")],
    user: User = None,
    fields: Fields = None,
    hosts: Hosts = None,
) -> None:
    """Add a broker account; its login fields are asked for, and kept encrypted."""
    chosen = settings()
    spec = known_brokers(chosen)[broker]
    given = _ask(spec, pairs(fields, "--set"), chosen)
    with administration(chosen) as call:
        made = call(
            "account/add", {"broker": spec.name, "user": user, "fields": given, "hosts": pairs(hosts, "--host")}
        )
    out.print(made["account"])
    note(f"Added {spec.title} for user {made['user']}. A key for it: sangam key create --account {made['account']}")


@app.command(epilog="Example: sangam account login ACCOUNT")
def login(
    account: Annotated[str, typer.Argument(help="The account's id, or its broker where that is enough.")],
    fields: Fields = None,
    hosts: Hosts = None,
) -> None:
    """Give an account new credentials (today's access token); streaming resumes by itself."""
    chosen = settings()
    with administration(chosen) as call:
        given = pairs(fields, "--set")
        if not given:
            rows = call("account/list", {})["accounts"]
            found = next((row for row in rows if account in (row["account"], row["broker"])), None)
            if found is None:
                raise InvalidInput(f"Account '{account}' is unknown. `sangam account list` shows the ids.")
            given = _ask(known_brokers(chosen)[found["broker"]], {}, chosen)
        made = call("account/login", {"account": account, "fields": given, "hosts": pairs(hosts, "--host")})
    note(f"{made['account']}: session {made['generation']}, until {moment(made['expires_at'])}")


@app.command("list", epilog="Example: sangam account list")
def list_accounts(user: User = None) -> None:
    """Show the accounts and whether they have a session."""
    with administration(settings()) as call:
        rows = call("account/list", {"user": user})["accounts"]
    if not rows:
        note("No account yet. Add one: sangam account add BROKER")
        return
    shown = table("account", "user", "broker", "client", "session", "until (IST)")
    for row in rows:
        state = "yes" if row["session"] else "no"
        shown.add_row(
            row["account"], row["user"], row["broker"], row["client_id"] or "-", state, moment(row["expires_at"])
        )
    out.print(shown)


@app.command(epilog="Example: sangam account remove ACCOUNT")
def remove(account: Annotated[str, typer.Argument(help="The account's id.")]) -> None:
    """Forget an account and its credentials; keys made for it open nothing any more."""
    with administration(settings()) as call:
        gone = call("account/remove", {"account": account})
    note(f"Removed {gone['account']}.")


def _ask(spec: BrokerSpec, given: dict[str, str], chosen: Settings) -> dict[str, str]:
    """Login fields from the options, then from BROKER_API_KEY and BROKER_API_SECRET, then from the person."""
    values: dict[str, Any] = {"api_key": chosen.broker_api_key, "api_secret": chosen.broker_api_secret}
    for field in spec.login.fields:
        if field.name in given:
            continue
        if preset := values.get(field.name):
            given[field.name] = preset.get_secret_value()
        elif sys.stdin.isatty():
            default = None if field.required else ""
            hidden = field.kind is FieldKind.SECRET
            answer = typer.prompt(field.label, default=default, hide_input=hidden, show_default=False, err=True)
            if answer:
                given[field.name] = answer
        elif field.required:
            raise InvalidInput(f"{spec.title} needs '{field.name}' ({field.label}): --set {field.name}=...")
    return given
