"""``sangam stream``: watch prices through our own WebSocket, as any client would."""

import asyncio
import os
import sys
from typing import Annotated, Any

import msgspec
import typer
from rich.live import Live
from rich.table import Table

from sangam.accounts.demo import DEMO_KEY_FILE
from sangam.app import loop
from sangam.brokers.contract import Endpoint
from sangam.model.enums import Exchange, Mode
from sangam.model.errors import BrokerError, ConfigError, SangamError
from sangam.settings import Settings
from sangam.store.home import Home
from sangam.transport.channel import open_channel
from sangam.transport.framing.base import Wire

from .options import settings
from .output import complain, out, table

_REFRESH = 0.1
_COLUMNS = ("ltp", "change_percent", "bid_price", "ask_price", "volume", "oi")


def stream(
    instruments: Annotated[list[str], typer.Argument(metavar="EXCHANGE:SYMBOL...", help="For example NSE:SBIN.")],
    mode: Annotated[str, typer.Option(help="ltp, quote or depth.")] = "quote",
    key: Annotated[str | None, typer.Option(envvar="SANGAM_API_KEY", help="The API key; the demo's.")] = None,
    account: Annotated[str | None, typer.Option(help="Another account than the key's.")] = None,
    interval: Annotated[int | None, typer.Option(help="Milliseconds between two updates of a symbol.")] = None,
    url: Annotated[str | None, typer.Option(help="The WebSocket; the server's of this home.")] = None,
    count: Annotated[int, typer.Option(min=0, help="Leave after so many updates; 0: never.")] = 0,
) -> None:
    """Show live prices: a table on a terminal, one JSON line per update otherwise."""
    chosen = settings()
    home = Home(chosen.sangam_home)
    api_key = key or home.read(DEMO_KEY_FILE)
    if not api_key:
        raise ConfigError("No API key: give --key or set SANGAM_API_KEY. Make one: sangam key create")
    request: dict[str, Any] = {"action": "subscribe", "symbols": _instruments(instruments), "mode": _mode(mode).value}
    if account:
        request["account"] = account
    if interval is not None:
        request["interval"] = interval
    watcher = _Watcher(api_key, request, count)
    loop.run(watcher.run(url or _address(home, chosen)))


def _mode(text: str) -> Mode:
    try:
        return Mode[text.upper()]
    except KeyError:
        raise typer.BadParameter("ltp, quote or depth", param_hint="--mode") from None


def _instruments(texts: list[str]) -> list[dict[str, str]]:
    found = []
    for text in texts:
        exchange, colon, symbol = text.partition(":")
        if not colon or not symbol or exchange.upper() not in Exchange.__members__:
            raise typer.BadParameter(
                f"'{text}' is not EXCHANGE:SYMBOL; exchanges: {', '.join(Exchange)}", param_hint="instruments"
            )
        found.append({"exchange": exchange.upper(), "symbol": symbol.upper()})
    return found


def _address(home: Home, chosen: Settings) -> str:
    run = home.read_run()
    return run.websocket_url if run else f"ws://{chosen.websocket_host}:{chosen.websocket_port}"


class _Watcher:
    """One socket: authenticate, subscribe, show. It ends when the server closes, or after `count` updates."""

    def __init__(self, api_key: str, request: dict[str, Any], count: int) -> None:
        self._greeting = ({"action": "authenticate", "api_key": api_key}, request)
        self._rows: dict[str, dict[str, Any]] = {f"{row['exchange']}:{row['symbol']}": {} for row in request["symbols"]}
        self._left = count or -1
        self._live = sys.stdout.isatty()
        self._ended: asyncio.Future[None] | None = None

    async def run(self, url: str) -> None:
        ended = self._ended = asyncio.get_running_loop().create_future()
        try:
            channel = await open_channel(Endpoint(url=url), self)
        except BrokerError as error:
            raise SangamError(f"{error}. Is the server running? Start it: sangam serve") from error
        try:
            for message in self._greeting:
                channel.send(msgspec.json.encode(message).decode())
            if self._live:
                await self._show(ended)
            await ended
        finally:
            channel.close()

    async def _show(self, ended: asyncio.Future[None]) -> None:
        with Live(self._table(), console=out, auto_refresh=False) as live:
            while not ended.done():
                await asyncio.wait([ended], timeout=_REFRESH)
                live.update(self._table(), refresh=True)

    def _table(self) -> Table:
        shown = table("symbol", *(column.replace("_", " ") for column in _COLUMNS))
        for name, data in self._rows.items():
            shown.add_row(name, *("-" if data.get(column) is None else str(data[column]) for column in _COLUMNS))
        return shown

    # --- the channel's owner ------------------------------------------------------------------------------------------

    def wire_data(self, data: Wire) -> None:
        message = msgspec.json.decode(data)
        kind = message.get("type")
        if kind == "market_data":
            self._update(message)
        elif kind == "subscribe":
            for row in message.get("subscriptions", []):
                if row.get("status") == "error":
                    complain(f"{row.get('exchange')}:{row.get('symbol')}: {row.get('message')}")
            if all(row.get("status") == "error" for row in message.get("subscriptions", [])):
                self._end(SangamError("Nothing could be subscribed."))
        elif message.get("status") == "error":
            self._end(SangamError(str(message.get("message"))))

    def wire_closed(self, reason: str, auth: bool = False) -> None:
        self._end(SangamError(f"The server closed the connection: {reason or 'no reason given'}"))

    def _update(self, message: dict[str, Any]) -> None:
        if self._left == 0:
            return
        data = message["data"]
        self._rows[f"{message['exchange']}:{message['symbol']}"] = data
        if not self._live:
            try:
                typer.echo(msgspec.json.encode(data).decode())
            except BrokenPipeError:  # nobody reads any more: `sangam stream ... | head`
                os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # what is still buffered has no reader
                self._left = 0
                self._end(None)
                return
        self._left -= 1
        if self._left == 0:
            self._end(None)

    def _end(self, error: SangamError | None) -> None:
        if self._ended is None or self._ended.done():
            return
        if error is None:
            self._ended.set_result(None)
        else:
            self._ended.set_exception(error)
