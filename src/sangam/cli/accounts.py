"""``sangam account``: broker logins."""

import sys
import time
from collections.abc import Mapping
from typing import Annotated, Any

import typer

from sangam.accounts.ways import Way
from sangam.brokers.contract import BrokerSpec, FieldKind
from sangam.model.errors import SangamError
from sangam.model.order import OrderState, TradingMode
from sangam.settings import Settings

from .backend import Call, administration, known_brokers
from .options import Fields, Hosts, User, pairs, settings
from .output import moment, note, out, table

app = typer.Typer(help="Your logins at brokers.", no_args_is_help=True)

Account = Annotated[str, typer.Argument(help="The account's id, or its broker where that is enough.")]
Progress = Mapping[str, Any]

PATIENCE = 600.0
"""Seconds to wait for the browser; the server forgets a login after as many."""


@app.command(epilog="Example: sangam account add BROKER --user asha")
def add(
    broker: Annotated[str, typer.Argument(help="The broker; `sangam brokers` lists them.")],
    user: User = None,
    fields: Fields = None,
    hosts: Hosts = None,
) -> None:
    """Add a broker account and log in; its login fields are asked for, and kept encrypted."""
    chosen = settings()
    spec = known_brokers(chosen)[broker]
    given = _kept(spec, pairs(fields, "--set"), chosen)
    with administration(chosen) as call:
        made = call(
            "account/add", {"broker": spec.name, "user": user, "fields": given, "hosts": pairs(hosts, "--host")}
        )
        out.print(made["account"])
        note(f"Added {spec.title} for user {made['user']}. A key for it: sangam key create --account {made['account']}")
        daily = {field.name: given[field.name] for field in spec.login.daily if field.name in given}
        if daily or (sys.stdin.isatty() and not spec.simulated):
            _log_in(call, {"account": made["account"], "fields": daily})
        elif not spec.simulated:  # a simulated one is logged in by the server that runs its market
            note(f"Log in: sangam account login {made['account']}")


@app.command(epilog="Example: sangam account login ACCOUNT")
def login(
    account: Account,
    fields: Fields = None,
    hosts: Hosts = None,
    way: Annotated[Way | None, typer.Option(help="How, where the broker offers several ways.")] = None,
    address: Annotated[
        str | None, typer.Option(help="Where the broker's page sent your browser, if it could not reach the server.")
    ] = None,
) -> None:
    """Log in: on the broker's page, by answering its questions, or with today's token. Streaming resumes by itself."""
    with administration(settings()) as call:
        if address is not None:
            _tell(call("account/address", {"account": account, "address": address}))
            return
        wanted = {"account": account, "fields": pairs(fields, "--set"), "hosts": pairs(hosts, "--host")}
        _log_in(call, {**wanted, "way": way.value if way is not None else None})


@app.command(epilog="Example: sangam account logout ACCOUNT")
def logout(account: Account) -> None:
    """End the session, at the broker too; what the account keeps stays."""
    with administration(settings()) as call:
        orders = _at_brokers(call)
        gone = call("account/logout", {"account": account})
    note(f"{gone['account']} is logged out.")
    _tell_standing(orders, gone["account"])
    if gone["untold"]:
        note(f"The broker could not be told: {gone['untold']}")


@app.command(epilog="Example: sangam account default ACCOUNT --data")
def default(
    account: Account,
    data: Annotated[bool, typer.Option("--data", help="For market data only.")] = False,
    orders: Annotated[bool, typer.Option("--orders", help="For orders only.")] = False,
) -> None:
    """Let keys that are bound to no account work on this one, from now on."""
    both = data == orders
    with administration(settings()) as call:
        row = call("account/default", {"account": account, "data": both or data, "orders": both or orders})
    note(f"{row['account']} is {row['user']}'s account for {_defaults(row)} now.")


@app.command(epilog="Example: sangam account egress ACCOUNT 203.0.113.7")
def egress(
    account: Account,
    where: Annotated[
        str | None,
        typer.Argument(help="An address of this machine, or http://[user:password@]host:port; '' for any."),
    ] = None,
    registered: Annotated[
        str | None, typer.Option(help="The address you registered with the broker; `sangam doctor` compares.")
    ] = None,
) -> None:
    """Choose where an account's calls and sockets leave from: brokers take orders from a registered address only."""
    with administration(settings()) as call:
        row = call("account/egress", {"account": account, "egress": where, "registered": registered})
    known = row["registered_ip"] or "none is known"
    note(f"{row['account']} leaves from {row['egress']}; registered at the broker: {known}.")


@app.command("list", epilog="Example: sangam account list")
def list_accounts(user: User = None) -> None:
    """Show the accounts, their sessions, and what their feeds do."""
    with administration(settings()) as call:
        rows = call("account/list", {"user": user})["accounts"]
    if not rows:
        note("No account yet. Add one: sangam account add BROKER")
        return
    shown = table("account", "user", "broker", "client", "default for", "session", "until (IST)", "feed", "")
    for row in rows:
        shown.add_row(
            row["account"],
            row["user"],
            row["broker"],
            row["client_id"] or "-",
            _defaults(row),
            "yes" if row["session"] else (row["ended"] or "no").replace("_", " "),
            moment(row["expires_at"]),
            row["state"] or "-",
            row["detail"],
        )
    out.print(shown)


@app.command(epilog="Example: sangam account remove ACCOUNT")
def remove(account: Annotated[str, typer.Argument(help="The account's id.")]) -> None:
    """Forget an account and its credentials; keys made for it open nothing any more."""
    with administration(settings()) as call:
        orders = _at_brokers(call)
        gone = call("account/remove", {"account": account})
    note(f"Removed {gone['account']}.")
    _tell_standing(orders, gone["account"])


def _at_brokers(call: Call) -> list[Mapping[str, Any]]:
    """The orders that may stand at a broker; nothing is known of them where no server runs."""
    try:
        rows: list[Mapping[str, Any]] = call("orders/list", {})["orders"]
    except SangamError:
        return []
    return [row for row in rows if row["mode"] == TradingMode.LIVE and not OrderState(row["state"]).is_final]


def _tell_standing(orders: list[Mapping[str, Any]], account: str) -> None:
    own = [row["order_id"] or row["id"] for row in orders if row["account"] == account]
    if own:
        shown = ", ".join(own[:5]) + (" ..." if len(own) > 5 else "")
        note(f"{len(own)} of its orders may stand at the broker, and are not cancelled by this: {shown}")


def _log_in(call: Call, wanted: Mapping[str, Any]) -> None:
    """To the end of a login, whatever it asks. Raises SangamError where it fails."""
    progress: Progress = call("account/login", wanted)
    while progress["open"]:
        if progress["asks"]:
            progress = call("account/answer", {"login": progress["login"], "fields": _answers(progress)})
        elif progress["url"]:
            progress = _by_browser(call, progress)
        else:
            raise SangamError("The broker did not answer. Try again.")
    _tell(progress)


def _by_browser(call: Call, progress: Progress) -> Progress:
    """Until the browser came back: to the running server, else to the person, who copies its address."""
    served = progress["state"] != ""
    out.print(progress["link"] if served else progress["url"])
    if not served:
        note(
            "No server is running to hear of it. Log in on this page; it sends your browser to an address that may fail"
        )
        if not sys.stdin.isatty():
            raise SangamError("Start the server (sangam serve), then log in again.")
        address = typer.prompt("Paste that address", err=True)
        return call("account/address", {"account": progress["account"], "address": address})
    note("Open this link in a browser and log in there. Waiting ...")
    note(f"From another computer: {progress['url']}")
    note(f"then: sangam account login {progress['account']} --address 'WHERE THE BROWSER ENDED'")
    deadline = time.monotonic() + PATIENCE
    while progress["open"]:
        if time.monotonic() > deadline:
            raise SangamError("Nobody came back from the broker's page in ten minutes. Log in again.")
        time.sleep(0.5)
        progress = call("account/progress", {"login": progress["login"]})
    return progress


def _answers(progress: Progress) -> dict[str, str]:
    names = ", ".join(f"{field['name']} ({field['label']})" for field in progress["asks"])
    if not sys.stdin.isatty():
        raise SangamError(f"{progress['account']} needs {names}: give each by --set, as NAME=VALUE.")
    return {
        field["name"]: typer.prompt(field["label"], hide_input=field["secret"], err=True) for field in progress["asks"]
    }


def _tell(progress: Progress) -> None:
    if progress["error"]:
        raise SangamError(progress["error"])
    until = f", until {moment(progress['expires_at'])}" if progress["expires_at"] else ""
    note(f"{progress['account']}: logged in as {progress['client_id']} (session {progress['generation']}{until})")


def _defaults(row: Mapping[str, Any]) -> str:
    found = [name for name, chosen in (("data", row["default_data"]), ("orders", row["default_orders"])) if chosen]
    return " and ".join(found) or "-"


def _kept(spec: BrokerSpec, given: dict[str, str], chosen: Settings) -> dict[str, str]:
    """Login fields from the options, then from BROKER_API_KEY and BROKER_API_SECRET, then from the person."""
    values: dict[str, Any] = {"api_key": chosen.broker_api_key, "api_secret": chosen.broker_api_secret}
    for field in spec.login.kept:
        if field.name in given:
            continue
        if preset := values.get(field.name):
            given[field.name] = preset.get_secret_value()
        elif sys.stdin.isatty():
            default = None if field.required else ""
            hidden = field.kind is not FieldKind.TEXT
            answer = typer.prompt(field.label, default=default, hide_input=hidden, show_default=False, err=True)
            if answer:
                given[field.name] = answer
    return given
