"""The whole house in one process: the embedded market, a real client, and what happens to accounts and keys."""

import asyncio
import json
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
import zmq
from tests.support import wait_for
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

from sangam.app.server import App
from sangam.instruments.daily import day_began
from sangam.model.errors import BrokerError, ConfigError
from sangam.settings import load_settings
from sangam.store.home import Home


@asynccontextmanager
async def house(path: Path, **settings: Any) -> AsyncIterator[App]:
    chosen = load_settings(None, sangam_home=path, **{"api_port": 0, "websocket_port": 0, **settings})
    before = asyncio.all_tasks()
    with Home(path) as home:
        app = App(chosen, home)
        await app.start()
        try:
            yield app
        finally:
            await app.stop()
    await wait_for(lambda: asyncio.all_tasks() == before, what="all tasks to end")


@asynccontextmanager
async def client(app: App, key: str | None = None) -> AsyncIterator[ClientConnection]:
    assert app.run is not None
    assert app.demo is not None
    async with connect(app.run.websocket_url, proxy=None) as socket:
        await socket.send(json.dumps({"action": "authenticate", "api_key": key or app.demo.api_key}))
        assert json.loads(await socket.recv())["status"] == "success"
        yield socket


async def told(socket: ClientConnection, kind: str) -> dict[str, Any]:
    async with asyncio.timeout(5):
        while True:
            message: dict[str, Any] = json.loads(await socket.recv())
            if message.get("type") == kind:
                return message


async def admin(app: App, path: Path, verb: str, **arguments: Any) -> dict[str, Any]:
    assert app.run is not None
    headers = {"X-API-KEY": (path / "admin.key").read_text()}
    async with httpx.AsyncClient(base_url=app.run.api_url, headers=headers, trust_env=False) as rest:
        reply = await rest.post(f"/api/v1/admin/{verb}", json=arguments)
        assert reply.status_code == 200, reply.text
        data: dict[str, Any] = reply.json()["data"]
        return data


async def health(app: App, key: str) -> dict[str, Any]:
    assert app.run is not None
    async with httpx.AsyncClient(trust_env=False) as rest:
        answer: dict[str, Any] = (await rest.get(f"{app.run.api_url}/health", headers={"X-API-KEY": key})).json()
        return answer


async def test_an_empty_home_streams_at_once_and_again_after_a_restart(tmp_path: Path) -> None:
    keys = []
    for _ in range(2):
        async with house(tmp_path) as app, client(app) as socket:
            assert app.demo is not None
            keys.append(app.demo.api_key)
            await socket.send(json.dumps({"action": "subscribe", "symbol": "SBIN", "exchange": "NSE", "mode": "LTP"}))
            assert (await told(socket, "subscribe"))["status"] == "success"
            tick = await told(socket, "market_data")
            assert tick["data"]["ltp"] > 0
            assert (tick["broker"], tick["mode"]) == ("paper", 1)
    assert keys[0] == keys[1]


async def test_quotes_of_a_symbol_that_nobody_streams(tmp_path: Path) -> None:
    async with house(tmp_path) as app, httpx.AsyncClient(trust_env=False) as rest:
        assert app.run is not None
        assert app.demo is not None

        async def ask(path: str, symbol: str, exchange: str = "NSE") -> httpx.Response:
            body = {"apikey": app.demo.api_key if app.demo else "", "symbol": symbol, "exchange": exchange}
            return await rest.post(f"{app.run.api_url if app.run else ''}/api/v1/{path}", json=body)

        (account,) = [info.id for info in app._accounts.list()]
        await wait_for(lambda: app._feed.master(account), what="the instruments")
        told = (await ask("quotes", "INFY")).json()
        assert told["status"] == "success", told
        quote = told["data"]
        assert quote["bid"] < quote["ask"]
        assert quote["age_ms"] is not None
        assert (await ask("quotes", "NOPE")).status_code == 400
        assert (await ask("symbol", "NIFTY", "NSE_INDEX")).json()["data"]["exchange"] == "NSE_INDEX"
        assert (await ask("symbol", "NOPE")).status_code == 404


async def test_while_a_sessions_instruments_are_loaded_nothing_is_ordered_by_yesterdays(tmp_path: Path) -> None:
    async with house(tmp_path) as app:
        (account,) = [info.id for info in app._accounts.list()]
        await wait_for(lambda: app._feed.master(account), what="the instruments")
        standing, feed = app._master(account), app._feed._accounts[account]
        feed.master = None
        assert app._master(account) is standing
        standing.made_at = day_began(standing.made_at) - 1
        with pytest.raises(BrokerError, match="not loaded yet"):
            app._master(account)
        await feed.close()
        assert app._master(account) is standing


async def test_holidays_of_ones_own(tmp_path: Path) -> None:
    day = {"date": "2027-01-26", "description": "Republic Day", "closed": ["equity"]}
    (tmp_path / "holidays.json").write_text(json.dumps({"days": [day]}))
    async with house(tmp_path) as app, httpx.AsyncClient(trust_env=False) as rest:
        assert app.run is not None
        reply = await rest.post(f"{app.run.api_url}/api/v1/market/holidays", json={"year": 2027})
        assert [row["description"] for row in reply.json()["data"]] == ["Republic Day"]
    (tmp_path / "holidays.json").write_text("{")
    with pytest.raises(ConfigError, match=r"holidays\.json cannot be read"):
        async with house(tmp_path):
            pass


async def test_a_revoked_key_loses_its_open_sockets(tmp_path: Path) -> None:
    async with house(tmp_path) as app:
        made = await admin(app, tmp_path, "key/create", user="demo")
        async with client(app, made["api_key"]) as cut, client(app) as other:
            await admin(app, tmp_path, "key/revoke", id=made["id"])
            with pytest.raises(ConnectionClosed) as closed:
                await told(cut, "anything")
            assert closed.value.rcvd is not None
            assert closed.value.rcvd.code == 4401
            await other.send('{"action":"ping"}')
            assert await told(other, "pong")


async def test_an_account_of_the_embedded_market_streams_whatever_token_was_typed(tmp_path: Path) -> None:
    async with house(tmp_path) as app:
        added = await admin(app, tmp_path, "account/add", broker="paper", user="asha", fields={"access_token": "typed"})
        key = (await admin(app, tmp_path, "key/create", user="asha", account=added["account"]))["api_key"]
        async with client(app, key) as socket:
            await socket.send(json.dumps({"action": "subscribe", "symbol": "TCS", "exchange": "NSE", "mode": 1}))
            assert (await told(socket, "market_data"))["symbol"] == "TCS"
        own = (await health(app, key))["accounts"]
        assert [row["account"] for row in own] == [added["account"]]


async def test_a_removed_account_is_forgotten(tmp_path: Path) -> None:
    async with house(tmp_path) as app:
        added = await admin(app, tmp_path, "account/add", broker="paper", user="asha", fields={"access_token": "t"})
        everything = (tmp_path / "admin.key").read_text()

        async def accounts() -> list[str]:
            return [row["account"] for row in (await health(app, everything))["accounts"]]

        async def added_is_served() -> bool:
            return added["account"] in await accounts()

        async def only_the_demo_is_left() -> bool:
            return await accounts() == ["demo-paper"]

        await wait_for(added_is_served)
        await admin(app, tmp_path, "account/remove", account=added["account"])
        await wait_for(only_the_demo_is_left)


async def test_accounts_of_brokers_that_are_switched_off_rest(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    async with house(tmp_path) as app:
        everything = (tmp_path / "admin.key").read_text()
        assert (await health(app, everything))["status"] == "ok"
    with caplog.at_level(logging.WARNING):
        async with house(tmp_path, valid_brokers=("zerodha",)) as app:
            assert app.demo is None
            assert (await health(app, everything))["accounts"] == []
    assert "demo-paper: paper is not among VALID_BROKERS" in caplog.text


async def test_a_busy_port_stops_the_start_and_leaves_nothing_behind(tmp_path: Path) -> None:
    async with house(tmp_path / "first") as first:
        assert first.run is not None
        for name in ("api_port", "websocket_port"):
            with pytest.raises(ConfigError, match="usual"):
                async with house(tmp_path / name, **{name: getattr(first.run, name)}):
                    pytest.fail("the port was busy")


async def test_one_home_serves_one_process(tmp_path: Path) -> None:
    async with house(tmp_path):
        with pytest.raises(ConfigError, match="in use"):
            Home(tmp_path).lock()


async def test_prices_from_outside_are_heard_by_those_who_name_them(tmp_path: Path) -> None:
    async with house(tmp_path, legacy_zmq_ingress=True, zmq_port=0) as app, client(app) as socket:
        subscribe = {"action": "subscribe", "symbol": "SBIN", "exchange": "NSE", "mode": 1, "account": "external"}
        await socket.send(json.dumps(subscribe))
        assert (await told(socket, "subscribe"))["status"] == "success"
        with zmq.Context() as context, context.socket(zmq.PUB) as publisher:
            publisher.setsockopt(zmq.LINGER, 0)
            assert app.ingress is not None
            publisher.connect(app.ingress.endpoint)
            heard = asyncio.create_task(told(socket, "market_data"))
            while not heard.done():
                publisher.send_multipart([b"NSE_SBIN_LTP", b'{"ltp":123.5}'])
                await asyncio.wait([heard], timeout=0.05)
        tick = heard.result()
        assert (tick["broker"], tick["data"]["ltp"]) == ("external", 123.5)
        assert app.demo is not None
        assert "external" not in str(await health(app, app.demo.api_key))
    async with house(tmp_path) as app, client(app) as socket:
        await socket.send(json.dumps(subscribe))
        assert json.loads(await socket.recv())["code"] == "INVALID_PARAMETERS"


async def test_an_instrument_and_a_key_are_traced_through_the_house(tmp_path: Path) -> None:
    async with house(tmp_path) as app, client(app) as socket:
        assert app.demo is not None
        key = f"key:{app.demo.api_key.split('_')[1]}"
        for what in ("NSE:SBIN", key):
            await admin(app, tmp_path, "trace/start", what=what)
        await socket.send(json.dumps({"action": "subscribe", "symbol": "SBIN", "exchange": "NSE", "mode": "LTP"}))
        await told(socket, "market_data")

        async def lines(what: str) -> list[str]:
            return [line["text"] for line in (await admin(app, tmp_path, "trace/lines", what=what))["lines"]]

        of_sbin, of_key = await lines("NSE:SBIN"), await lines(key)
        assert any(line.startswith("in demo-paper") for line in of_sbin)
        assert any(" LTP every 50 ms to 1 clients: " in line for line in of_sbin)
        assert of_key[0].startswith("in 127.0.0.1:")
        assert '"action": "subscribe"' in of_key[0]
        assert any('"type":"market_data"' in line for line in of_key)
