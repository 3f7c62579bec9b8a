"""A small house for tests: one broker with two login fields, a database in a temporary home, a clock to set."""

from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any, NamedTuple

from tests.databases import database_url

from sangam.accounts.accounts import Accounts
from sangam.accounts.desk import Desk, open_desk
from sangam.accounts.flows import Run
from sangam.accounts.rows import State, unserved
from sangam.accounts.vault import open_vault
from sangam.brokers.contract import BrokerSpec, Ctx, FieldKind, Instruments, Login, LoginField, Operation, Session, done
from sangam.brokers.registry import Registry
from sangam.model.clock import IST, ManualClock
from sangam.model.enums import Exchange
from sangam.store.database import Database
from sangam.store.home import Home


def broker(name: str = "example", **changes: Any) -> BrokerSpec:
    """A broker that needs an API key, a token and perhaps a user id, and whose sessions end at six."""
    values: dict[str, Any] = {
        "name": name,
        "title": name.title(),
        "hosts": {"api": "https://api.example.com", "stream": "wss://stream.example.com"},
        "exchanges": frozenset({Exchange.NSE}),
        "login": Login(
            fields=(
                LoginField("api_key", "API key"),
                LoginField("access_token", "Access token"),
                LoginField("user_id", "User id", FieldKind.TEXT, required=False),
            ),
            check=lambda session, ctx: done("EX1"),
        ),
        "authorize": lambda session, request, wire, ctx: {},
        "check": lambda request, reply: reply.payload,
        "streams": (),
        "instruments": Instruments(download=lambda session, ctx: done([]), parse=lambda files: iter(())),
        "session_ends": "06:00",
    }
    return BrokerSpec(**values | changes)


FIELDS = {"api_key": "planted-api-key", "access_token": "planted-access-token"}


class House(NamedTuple):
    home: Home
    database: Database
    accounts: Accounts
    clock: ManualClock
    registry: Registry
    desk: Desk


async def offline(spec: BrokerSpec, session: Session, operation: Operation[Any]) -> Any:
    """Drives operations that ask nothing of their broker."""
    try:
        request = next(operation)
    except StopIteration as stop:
        return stop.value
    raise AssertionError(f"{request} in a house without a network")


def open_house(
    path: Path,
    clock: ManualClock | None = None,
    registry: Registry | None = None,
    run: Run = offline,
    home: Callable[[], str] = lambda: "http://sangam",
    state: State = unserved,
) -> House:
    """Opens the folder's house, again if it was one before."""
    clock = clock or ManualClock(datetime(2026, 8, 3, 10, 0, tzinfo=IST))
    registry = registry or Registry([broker(), broker("other"), broker("toy", simulated=True, session_ends="")])
    folder = Home(path)
    database = Database(database_url(path))
    vault = open_vault(database, folder)
    accounts = Accounts(database, vault, registry, clock)
    desk = open_desk(accounts, registry, vault, clock, run, lambda: Ctx(clock.now_ms(), bytes), home, state)
    return House(folder, database, accounts, clock, registry, desk)
