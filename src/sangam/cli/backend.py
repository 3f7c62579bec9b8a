"""The way to the house: its files when nobody else holds them, else the running server's own API."""

import asyncio
import ssl
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager
from typing import Any, Self

import httpx

from sangam.accounts.accounts import Accounts
from sangam.accounts.admin import ADMIN_KEY_FILE
from sangam.accounts.desk import open_desk
from sangam.accounts.vault import Vault, open_vault
from sangam.adapters import finding
from sangam.api.errors import INVALID_KEY
from sangam.brokers.registry import Registry
from sangam.model.clock import SystemClock
from sangam.model.errors import ConfigError, SangamError
from sangam.settings import Settings
from sangam.store.database import Database
from sangam.store.home import Home, HomeLocked, RunInfo
from sangam.transport.http import HttpDriver

Call = Callable[[str, Mapping[str, Any]], dict[str, Any]]
"""Runs a verb of `accounts.admin.Admin`."""

_PATIENCE = 10.0
"""Seconds to wait for a server that is just starting or stopping."""


def known_brokers(settings: Settings) -> Registry:
    """The brokers this installation may use; a folder that cannot be loaded is told and skipped."""
    return finding.brokers(settings.sangam_home).narrowed(settings.valid_brokers)


@contextmanager
def administration(settings: Settings) -> Iterator[Call]:
    """A `Call` that works now, whether or not a server runs."""
    home = Home(settings.sangam_home)
    server = _enter(home, settings)
    if server is not None:
        with closing(server):
            yield _Remote(server).call
        return
    try:
        database = Database(settings.database)
        try:
            key = settings.sangam_key.get_secret_value() if settings.sangam_key else None
            with _Local(settings, database, open_vault(database, home, key)) as local:
                yield local.call
        finally:
            database.close()
    finally:
        home.unlock()


@contextmanager
def running(settings: Settings) -> Iterator[Call]:
    """A `Call` to the server of this home; ConfigError where none runs."""
    home = Home(settings.sangam_home)
    server = _enter(home, settings)
    if server is None:
        home.unlock()
        raise ConfigError(f"No server runs in {home.path}. Start it first: sangam serve")
    with closing(server):
        yield _Remote(server).call


@contextmanager
def served(settings: Settings) -> Iterator[Call]:
    """A `Call` to the server of this home; where none runs, to one of this command's own, on free ports and for as long
    as the command runs."""
    home = Home(settings.sangam_home)
    server = _enter(home, settings)
    if server is not None:
        with closing(server):
            yield _Remote(server).call
        return
    try:
        with _Guest(settings, home) as guest:
            yield guest.call
    finally:
        home.unlock()


def _enter(home: Home, settings: Settings) -> httpx.Client | None:
    """Take the lock (None), or reach the server that has it; waits while that one starts or stops."""
    deadline = time.monotonic() + _PATIENCE
    while True:
        try:
            home.lock()
        except HomeLocked as locked:
            client = _connect(home, locked.run, settings)
            if client is not None:
                return client
            if time.monotonic() > deadline:
                raise
            time.sleep(0.05)
        else:
            return None


def _connect(home: Home, run: RunInfo | None, settings: Settings) -> httpx.Client | None:
    if run is None:
        return None
    key = home.read(ADMIN_KEY_FILE) or ""
    verify: ssl.SSLContext | bool = trust(settings) if run.tls else False
    client = httpx.Client(base_url=run.api_url, headers={"X-API-KEY": key}, verify=verify, timeout=90, trust_env=False)
    try:
        client.get("/health", headers={"X-API-KEY": ""})
    except httpx.TransportError:
        client.close()
        return None
    return client


def trust(settings: Settings) -> ssl.SSLContext:
    """Trust the very certificate our own server shows, whatever name it was made for."""
    context = ssl.create_default_context(cafile=settings.tls_cert)
    context.check_hostname = False
    context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
    return context


class _Local:
    """The desk of a house that nobody serves now, on a loop of its own."""

    def __init__(self, settings: Settings, database: Database, vault: Vault) -> None:
        self._settings = settings
        self._database = database
        self._vault = vault
        self._runner = asyncio.Runner()

    def __enter__(self) -> Self:
        self._runner.get_loop()
        clock, brokers = SystemClock(), known_brokers(self._settings)
        accounts = Accounts(self._database, self._vault, brokers, clock)
        self._http = HttpDriver(clock)
        self._admin = open_desk(
            accounts, brokers, self._vault, clock, self._http.run, self._http.ctx, self._address
        ).admin
        return self

    def __exit__(self, *_: object) -> None:
        self._runner.run(self._http.close())
        self._runner.close()

    def call(self, verb: str, arguments: Mapping[str, Any]) -> dict[str, Any]:
        return self._runner.run(self._admin.call(verb, arguments))

    def _address(self) -> str:
        """Where the server will listen once it runs."""
        settings = self._settings
        scheme = "https" if settings.tls_cert else "http"
        return settings.host_server or f"{scheme}://{settings.api_host}:{settings.api_port}"


class _Guest:
    """A server that lives while its verbs are waited for."""

    def __init__(self, settings: Settings, home: Home) -> None:
        from sangam.app import loop, server  # noqa: PLC0415 - other commands start without the server's libraries

        alone = {"api_host": "127.0.0.1", "websocket_host": "127.0.0.1", "api_port": 0, "websocket_port": 0}
        self._app = server.App(settings.model_copy(update={**alone, "legacy_zmq_ingress": False}), home)
        self._runner = loop.runner()

    def __enter__(self) -> Self:
        try:
            self._runner.run(self._app.start())
        except BaseException:
            self._runner.close()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self._runner.run(self._app.stop())
        self._runner.close()

    def call(self, verb: str, arguments: Mapping[str, Any]) -> dict[str, Any]:
        return dict(self._runner.run(self._app.administer(verb, arguments)))


class _Remote:
    def __init__(self, client: httpx.Client) -> None:
        self._client = client

    def call(self, verb: str, arguments: Mapping[str, Any]) -> dict[str, Any]:
        try:
            reply = self._client.post(f"/api/v1/admin/{verb}", json=arguments)
            answer = reply.json()
        except httpx.TransportError as error:
            raise SangamError(
                f"The server at {self._client.base_url} did not answer ({error or type(error).__name__}); "
                "whether it acted is unknown: look with the list command."
            ) from error
        except ValueError as error:
            raise SangamError(f"The server at {self._client.base_url} answered HTTP {reply.status_code}.") from error
        if reply.status_code == httpx.codes.FORBIDDEN and answer.get("message") == INVALID_KEY:
            raise ConfigError(f"The running server does not know the key in {ADMIN_KEY_FILE}: restart it once.")
        if reply.status_code != httpx.codes.OK:
            raise SangamError(str(answer.get("message")))
        data: dict[str, Any] = answer["data"]
        return data
