"""The trader's morning in the whole house: a login on the broker's page, and what the feed says when there is none."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
from tests.support import wait_for
from websockets.asyncio.client import connect

from sangam.app.server import App
from sangam.model.errors import SessionExpired
from sangam.settings import load_settings
from sangam.simulators.zerodha import Zerodha
from sangam.store.home import Home


class Morning:
    """A running house, its broker, and the browser of its user."""

    def __init__(self, app: App, home: Home, broker: Zerodha) -> None:
        assert app.run is not None
        self.app = app
        self.broker = broker
        self.url = app.run.api_url
        self.admin_key = home.read("admin.key") or ""
        broker.redirect_url = f"{self.url}/zerodha/callback"

    async def admin(self, verb: str, **arguments: Any) -> Any:
        async with httpx.AsyncClient(trust_env=False, headers={"X-API-KEY": self.admin_key}) as http:
            reply = await http.post(f"{self.url}/api/v1/admin/{verb}", json=arguments)
        return reply.json()["data"] if reply.status_code == 200 else reply.json()["message"]

    async def row(self) -> dict[str, Any]:
        row: dict[str, Any] = (await self.admin("account/list"))["accounts"][0]
        return row

    async def reaches(self, *states: str) -> None:
        async def there() -> bool:
            return (await self.row())["state"] in states

        await wait_for(there, what=f"the feed to be {states}")

    async def add(self) -> str:
        known = self.broker.credentials
        fields = {name: known[name] for name in ("api_key", "api_secret")}
        added = await self.admin("account/add", broker="zerodha", fields=fields, hosts=self.broker.hosts)
        return str(added["account"])


@asynccontextmanager
async def house(path: Path, broker: Zerodha, **settings: Any) -> AsyncIterator[Morning]:
    told = {"sangam_home": path, "api_port": 0, "websocket_port": 0, "valid_brokers": "zerodha", **settings}
    async with AsyncExitStack() as stack:
        home = stack.enter_context(Home(path))
        app = App(load_settings(None, **told), home)
        stack.push_async_callback(app.stop)
        await app.start()
        yield Morning(app, home, broker)


@pytest.fixture
async def broker() -> AsyncIterator[Zerodha]:
    async with Zerodha(run=True) as broker:
        yield broker


async def test_a_login_on_the_brokers_page_ends_in_a_stream(tmp_path: Path, broker: Zerodha) -> None:
    async with house(tmp_path, broker) as morning:
        account = await morning.add()
        await morning.reaches("no_session")
        assert (await morning.row())["detail"] == (
            f"not logged in yet. Log in now: {morning.url}/zerodha/login/{account}"
        )
        begun = await morning.admin("account/login", account=account)
        assert begun["way"] == "redirect"
        async with httpx.AsyncClient(trust_env=False, follow_redirects=True) as browser:
            page = await browser.get(begun["link"])
        assert "You may close this window" in page.text
        assert (await morning.admin("account/progress", login=begun["login"]))["generation"] == 1
        await morning.reaches("live", "closed_market")
        row = await morning.row()
        assert (row["client_id"], row["session"], row["default_data"]) == ("AB1234", True, True)

        told = await morning.admin("account/login", account=account, fields={"access_token": "dead"})
        assert "Log in to Zerodha again" in told
        assert (await morning.row())["generation"] == 1, "what stands is not touched by a wrong token"


async def test_a_session_that_the_broker_ended_waits_for_a_login_over_a_restart(
    tmp_path: Path, broker: Zerodha
) -> None:
    async with house(tmp_path, broker) as morning:
        account = await morning.add()
        token = broker.credentials["access_token"]
        await morning.admin("account/login", account=account, fields={"access_token": token})
        await morning.reaches("live", "closed_market")
        broker.expire_token()
        await morning.reaches("auth_expired")

        async def ended() -> bool:
            return bool((await morning.row())["ended"] == "refused")

        await wait_for(ended, what="the account to know it")
        asked = len(broker.sessions)
    async with house(tmp_path, broker) as morning:
        await morning.reaches("auth_expired")
        row = await morning.row()
        assert row["session"] is False
        assert row["detail"].endswith(f"Log in now: {morning.url}/zerodha/login/{account}")
        assert len(broker.sessions) == asked == 0
        token = broker.new_login()["access_token"]
        await morning.admin("account/login", account=account, fields={"access_token": token})
        await morning.reaches("live", "closed_market")


async def test_a_session_that_only_a_call_found_dead_ends_too(tmp_path: Path, broker: Zerodha) -> None:
    async with house(tmp_path, broker) as morning:
        account = await morning.add()
        token = broker.credentials["access_token"]
        await morning.admin("account/login", account=account, fields={"access_token": token})
        await morning.reaches("live", "closed_market")
        broker.faults.refuse_requests(403, times=1, path="/user/margins")
        with pytest.raises(SessionExpired):
            await morning.app._orders.live.funds(account)
        await morning.reaches("auth_expired")
        row = await morning.row()
        assert (row["session"], row["ended"]) == (False, "refused")
        assert row["detail"].endswith(f"Log in now: {morning.url}/zerodha/login/{account}")
        await morning.admin("account/login", account=account, fields={"access_token": token})
        await morning.reaches("live", "closed_market")


async def test_logout_ends_the_session_at_the_broker_too(tmp_path: Path, broker: Zerodha) -> None:
    async with house(tmp_path, broker) as morning:
        account = await morning.add()
        token = broker.credentials["access_token"]
        await morning.admin("account/login", account=account, fields={"access_token": token})
        await morning.reaches("live", "closed_market")
        gone = await morning.admin("account/logout", account=account)
        assert gone["untold"] == ""
        await morning.reaches("no_session")
        assert (await morning.row())["detail"].startswith("logged out. Log in now: ")
        assert not broker.login.knows(broker.credentials["api_key"], token)


async def test_the_environment_makes_the_first_account(tmp_path: Path, broker: Zerodha) -> None:
    given = {"broker_api_key": "planted-key", "broker_api_secret": "planted-secret"}
    async with house(tmp_path, broker, **given) as morning:
        row = await morning.row()
        assert (row["account"], row["user"], row["broker"]) == ("me-zerodha", "me", "zerodha")
        await morning.reaches("no_session")
    async with house(tmp_path, broker, **given) as morning:
        assert len((await morning.admin("account/list"))["accounts"]) == 1
        await morning.admin("account/remove", account="me-zerodha")
    async with house(tmp_path, broker, **given) as morning:
        assert (await morning.admin("account/list"))["accounts"] == [], "what was removed does not come back"


async def test_an_open_socket_follows_its_users_accounts_and_default(tmp_path: Path) -> None:
    """A new account of the embedded market streams without any login, and the next request of a socket uses it."""
    async with house(tmp_path, Zerodha(), valid_brokers="paper") as morning:
        assert morning.app.run is not None
        assert morning.app.demo is not None
        async with connect(morning.app.run.websocket_url, proxy=None) as socket:

            async def ask(action: str, **fields: Any) -> dict[str, Any]:
                await socket.send(json.dumps({"action": action, "request_id": action, **fields}))
                async with asyncio.timeout(5):
                    while True:
                        told: dict[str, Any] = json.loads(await socket.recv())
                        if told.get("request_id") == action:
                            return told

            await ask("authenticate", api_key=morning.app.demo.api_key)
            added = (await morning.admin("account/add", broker="paper", user="demo"))["account"]
            await morning.admin("account/default", account=added)

            async def wants() -> dict[str, int]:
                return {row["id"]: row["wants"] for row in (await ask("get_broker_info"))["accounts"]}

            async def known() -> bool:
                return added in await wants()

            await wait_for(known, what="the socket to know the new account")
            await ask("subscribe", symbol="SBIN", exchange="NSE", mode="LTP")
            bound = "demo-paper"  # the demo's key is bound to its account and does not follow
            assert await wants() == {bound: 1, added: 0}
            key = (await morning.admin("key/create", user="demo"))["api_key"]
            await ask("authenticate", api_key=key)
            await ask("subscribe", symbol="TCS", exchange="NSE", mode="LTP")
            assert await wants() == {bound: 1, added: 1}
            await morning.admin("account/default", account=bound)
            await ask("subscribe", symbol="INFY", exchange="NSE", mode="LTP")
            assert await wants() == {bound: 2, added: 1}
