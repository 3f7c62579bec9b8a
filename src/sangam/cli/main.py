"""``sangam``: every command answers a mistake with one plain line, never with a traceback.

Exit codes: 0 done, 1 it failed, 2 the command was wrong, 130 interrupted."""

import os
import sys
from typing import Annotated

import typer

from sangam import __version__
from sangam.logs import configure, redactor
from sangam.model.errors import SangamError

from . import (
    accounts,
    brokers,
    doctor,
    instruments,
    keys,
    orders,
    paper,
    risk,
    serve,
    simulate,
    stream,
    trace,
    users,
    verify,
)
from .output import complain

app = typer.Typer(
    name="sangam",
    help="One server between your programs and your brokers.",
    epilog="Begin with: sangam serve",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
app.command("serve", epilog="Example: sangam serve --auto-port")(serve.serve)
app.command("simulate", epilog="Example: sangam simulate BROKER --speed 10")(simulate.simulate)
app.command("brokers", epilog="Example: sangam brokers")(brokers.brokers)
app.command("stream", epilog="Example: sangam stream NSE:SBIN NSE:RELIANCE --mode quote")(stream.stream)
app.command("trace", epilog="Example: sangam trace NSE:SBIN --seconds 10")(trace.trace)
app.command("doctor", epilog="Example: sangam doctor")(doctor.doctor)
app.command("verify", epilog="Example: sangam verify ACCOUNT")(verify.verify)
app.add_typer(accounts.app, name="account")
app.add_typer(users.app, name="user")
app.add_typer(keys.app, name="key")
app.add_typer(orders.app, name="orders")
app.add_typer(paper.app, name="paper")
app.add_typer(risk.app, name="risk")
app.add_typer(instruments.app, name="instruments")


def _tell_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"sangam {__version__}")
        raise typer.Exit


@app.callback()
def start(
    version: Annotated[
        bool, typer.Option("--version", help="Print the version and leave.", is_eager=True, callback=_tell_version)
    ] = False,
) -> None:
    configure("WARNING")


def main() -> None:
    """The entry point of the program."""
    try:
        app()
    except SangamError as error:
        complain(redactor(str(error)))
        sys.exit(1)
    except KeyboardInterrupt:
        sys.exit(130)
    except Exception as error:
        if os.environ.get("SANGAM_DEBUG"):
            raise
        complain(redactor(f"{type(error).__name__}: {error}"), "This should not happen. SANGAM_DEBUG=1 shows where.")
        sys.exit(1)


if __name__ == "__main__":
    main()
