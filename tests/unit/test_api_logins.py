"""The pages of a broker login, as browsers and strangers see them."""

import asyncio
import logging
import re
from collections.abc import AsyncIterator
from html import unescape
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import argon2
import httpx
import pytest
from fastapi import FastAPI
from tests.house import broker, open_house
from tests.login_broker import OTP, PIN, Bank, login_broker
from tests.served import Served

from sangam.accounts import users
from sangam.accounts.pending import Flow
from sangam.accounts.signin import SIGNED_IN_SECONDS
from sangam.accounts.users import hash_password
from sangam.accounts.ways import Way
from sangam.api.logins import PASSWORD_TRIES, make_login_router
from sangam.api.server import serve_api
from sangam.brokers.registry import Registry
from sangam.logs import HumanFormatter
from sangam.model.clock import SystemClock
from sangam.transport.http import HttpDriver

PASSWORD = "planted password"
BROKERS = (
    broker(),
    broker("other"),
    login_broker("echo"),
    login_broker("blind", echoes=False, ways="redirect"),
)


class Site(Served):
    """The API with users asha and ravi, who have the same password, and the broker that it asks."""

    bank: Bank

    async def people(self) -> None:
        hashed = await asyncio.to_thread(hash_password, PASSWORD)
        for name in ("asha", "ravi"):
            self.house.accounts.users.add(name)
            self.house.accounts.users.set_password(name, hashed)

    def add(self, name: str, user: str = "asha") -> str:
        fields = {"pin": PIN} if name == "echo" else {}
        return self.house.accounts.create(user, name, fields, self.bank.hosts).id

    async def begin(self, account: str, way: Way = Way.REDIRECT) -> tuple[Flow, str]:
        """As the command line does; the flow, and the path of its link."""
        told = await self.house.desk.admin.call("account/login", {"account": account, "way": way.value})
        return self.house.desk.flows.pending[told["login"]], told["link"].removeprefix("http://sangam")

    async def at_the_broker(self, page: str) -> str:
        """Log in there; the path and query at which the browser comes back."""
        async with httpx.AsyncClient(trust_env=False) as http:
            back = (await http.get(page)).headers["location"]
        return back.removeprefix("http://sangam")

    async def sign_in(self, name: str, password: str = PASSWORD, following: str = "") -> httpx.Response:
        return await self.client.post("/signin", data={"name": name, "password": password, "next": following})

    def logged_in(self, account: str) -> bool:
        return self.house.accounts.session(account) is not None


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Passwords are hashed as slowly as they should be elsewhere: here they only have to be right or wrong."""
    monkeypatch.setattr(users, "_hasher", argon2.PasswordHasher(time_cost=1, memory_cost=8, parallelism=1))


@pytest.fixture
async def site(tmp_path: Path) -> AsyncIterator[Site]:
    driver = HttpDriver(SystemClock())
    house = open_house(tmp_path, registry=Registry(BROKERS), run=driver.run)
    site = Site(house)
    async with Bank() as site.bank:
        await site.people()
        yield site
        await site.client.aclose()
        await driver.close()
    house.database.close()


def text_of(reply: httpx.Response) -> str:
    assert reply.headers["content-type"] == "text/html; charset=utf-8"
    assert reply.headers["cache-control"] == "no-store"
    assert "planted-code" not in reply.text
    assert "planted-token" not in reply.text
    return unescape(re.sub(r"<style>.*?</style>|<[^>]+>", " ", reply.text))


def hidden(reply: httpx.Response) -> dict[str, str]:
    return dict(re.findall(r'type="hidden" name="(\w+)" value="([^"]*)"', reply.text))


@pytest.mark.parametrize("name", ["echo", "blind"])
@pytest.mark.parametrize("method", ["GET", "POST"])
async def test_the_browser_that_began_completes_the_login(site: Site, name: str, method: str) -> None:
    account = site.add(name)
    flow, link = await site.begin(account)
    reply = await site.client.get(link)
    assert (reply.status_code, reply.headers["location"]) == (303, flow.url)
    back = urlsplit(await site.at_the_broker(flow.url))
    if method == "GET":
        reply = await site.client.get(f"{back.path}?{back.query}")
    else:
        reply = await site.client.post(f"{back.path}/{account}", data=dict(parse_qs(back.query)))
    assert reply.status_code == 200
    assert f"{account} is logged in at {name.title()} as EX1. You may close this window." in text_of(reply)
    assert site.logged_in(account)
    again = await site.client.get(f"{back.path}?{back.query}")
    assert again.status_code == 400
    assert "answered already" in text_of(again) or "No login waits" in text_of(again)


async def test_a_link_is_good_for_ten_minutes(site: Site) -> None:
    _, link = await site.begin(site.add("echo"))
    site.house.clock.advance(601)
    reply = await site.client.get(link)
    assert reply.status_code == 400
    assert "came too late" in text_of(reply)


async def test_a_callback_without_state_from_elsewhere_must_be_confirmed(site: Site) -> None:
    account = site.add("blind")
    flow, _ = await site.begin(account)
    path = await site.at_the_broker(flow.url)
    asked = await site.client.get(path)
    assert f"Did you just log in for the account {account}?" in text_of(asked)
    assert not site.logged_in(account)
    form = hidden(asked)
    for who, password, told in (
        ("asha", "wrong password", "Wrong user name or password."),
        ("nobody", PASSWORD, "Wrong user name or password."),
        ("ravi", PASSWORD, f"{account} is not an account of ravi."),
    ):
        reply = await site.client.post("/login/confirm", data={**form, "name": who, "password": password})
        assert (reply.status_code, site.logged_in(account)) == (403, False)
        assert told in text_of(reply)
    reply = await site.client.post("/login/confirm", data={**form, "name": "asha", "password": PASSWORD})
    assert "is logged in" in text_of(reply)
    assert site.logged_in(account)
    assert (await site.client.post("/login/confirm", data={"token": "forged"})).status_code == 400


async def test_who_is_signed_in_confirms_with_a_click(site: Site) -> None:
    account = site.add("blind")
    flow, _ = await site.begin(account)
    assert (await site.sign_in("asha")).status_code == 200
    asked = await site.client.get(await site.at_the_broker(flow.url))
    assert "password" not in asked.text
    await site.client.post("/login/confirm", data=hidden(asked))
    assert site.logged_in(account)


async def test_a_strangers_callback_takes_no_part_in_the_confirmation(site: Site) -> None:
    account = site.add("blind")
    flow, _ = await site.begin(account)
    mine = hidden(await site.client.get(await site.at_the_broker(flow.url)))
    await site.client.get("/blind/callback?code=of-the-stranger")
    reply = await site.client.post("/login/confirm", data={**mine, "name": "asha", "password": PASSWORD})
    assert "Another callback came meanwhile" in text_of(reply)
    assert site.bank.heard == []


async def test_a_signed_in_user_begins_in_the_browser(site: Site) -> None:
    account = site.add("blind")
    path = f"/blind/login/{account}"
    reply = await site.client.get(path)
    assert (reply.status_code, reply.headers["location"]) == (303, f"/signin?next={path}")
    form = await site.client.get(reply.headers["location"])
    reply = await site.sign_in("asha", following=hidden(form)["next"])
    assert (reply.status_code, reply.headers["location"]) == (303, path)
    reply = await site.client.get(path)
    assert reply.headers["location"].startswith(f"{site.bank.url}/page?")
    await site.client.get(await site.at_the_broker(reply.headers["location"]))
    assert site.logged_in(account)


async def test_questions_are_asked_on_a_page(site: Site) -> None:
    account = site.add("echo")
    await site.sign_in("asha")
    asked = await site.client.get(f"/echo/login/{account}")
    assert "Code from the message" in text_of(asked)
    assert "planted-ticket" not in asked.text
    wrong = await site.client.post(f"/echo/login/{account}", data={**hidden(asked), "otp": "111111"})
    assert (wrong.status_code, "that is wrong" in text_of(wrong)) == (400, True)
    reply = await site.client.post(f"/echo/login/{account}", data={**hidden(asked), "otp": OTP})
    assert "is logged in" in text_of(reply)


@pytest.mark.parametrize("path", ["/blind/login/ravi-blind", "/blind/login/nowhere", "/echo/login/asha-blind"])
async def test_others_accounts_are_as_unknown_as_none(site: Site, path: str) -> None:
    site.add("blind")
    site.add("blind", user="ravi")
    await site.sign_in("asha")
    reply = await site.client.get(path)
    assert reply.status_code == 403
    assert site.bank.heard == []
    assert not site.house.desk.flows.pending.under_way("ravi-blind")


async def test_a_login_of_another_user_takes_no_answers(site: Site) -> None:
    flow, _ = await site.begin(site.add("echo", user="ravi"), Way.STEPS)
    await site.sign_in("asha")
    reply = await site.client.post("/echo/login/ravi-echo", data={"login": flow.id, "otp": OTP})
    assert (reply.status_code, site.logged_in("ravi-echo")) == (403, False)


async def test_an_admin_key_gets_the_address(site: Site) -> None:
    account = site.add("blind")
    reply = await site.client.get(f"/blind/login/{account}", headers={"X-API-KEY": site.admin_key})
    assert reply.json()["data"]["url"].startswith(f"{site.bank.url}/page?")
    refused = await site.client.get(f"/blind/login/{account}", headers={"X-API-KEY": site.key})
    assert (refused.status_code, refused.json()["error_code"]) == (403, "INSUFFICIENT_PERMISSION")
    unknown = await site.client.get(f"/blind/login/{account}", headers={"X-API-KEY": "nonsense"})
    assert unknown.status_code == 403


async def test_signing_in_lasts_until_the_password_or_the_hour_changes(site: Site) -> None:
    assert site.house.desk.sign_in.user("") is None
    for change in ("password", "hour", "out"):
        await site.sign_in("asha")
        cookie = site.client.cookies["sangam_user"]
        assert site.house.desk.sign_in.user(cookie) == "asha"
        if change == "password":
            hashed = await asyncio.to_thread(hash_password, "another one")
            site.house.accounts.users.set_password("asha", hashed)
            assert site.house.desk.sign_in.user(cookie) is None
            site.house.accounts.users.set_password("asha", await asyncio.to_thread(hash_password, PASSWORD))
        elif change == "hour":
            site.house.clock.advance(SIGNED_IN_SECONDS)
            assert site.house.desk.sign_in.user(cookie) is None
        else:
            await site.client.post("/signout")
            assert "sangam_user" not in site.client.cookies


async def test_cookies_stay_with_https_where_browsers_use_it(site: Site) -> None:
    app = FastAPI()
    app.include_router(make_login_router(site.house.desk, site.house.clock, secure=True))
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="https://sangam") as browser:
        reply = await browser.post("/signin", data={"name": "asha", "password": PASSWORD})
    cookie = reply.headers["set-cookie"].lower()
    assert all(word in cookie for word in ("secure", "httponly", "samesite=lax"))


async def test_passwords_cannot_be_tried_without_end(site: Site) -> None:
    for _ in range(PASSWORD_TRIES):
        assert "Wrong user name" in text_of(await site.sign_in("asha", "wrong password"))
    reply = await site.sign_in("asha")
    assert (reply.status_code, "Too many tries" in text_of(reply)) == (403, True)
    site.house.clock.advance(60)
    assert (await site.sign_in("asha")).status_code == 200


@pytest.mark.parametrize("elsewhere", ["https://evil.example", "//evil.example", "/\\evil.example", "evil", "/a\nb"])
async def test_signing_in_leads_nowhere_else(site: Site, elsewhere: str) -> None:
    reply = await site.sign_in("asha", following=elsewhere)
    assert "location" not in reply.headers


async def test_what_strangers_send_is_shown_as_text(site: Site) -> None:
    for path in ("/blind/callback?code=<script>", "/<script>/callback?code=x", "/blind/callback/<script>?code=x"):
        reply = await site.client.get(path)
        assert reply.status_code == 400
        assert "<script>" not in reply.text
    assert "script-src" not in reply.headers["content-security-policy"]
    assert reply.headers["content-security-policy"].startswith("default-src 'none'")


async def test_pages_cannot_be_asked_without_end(site: Site) -> None:
    codes = [(await site.client.get("/blind/callback?code=x")).status_code for _ in range(40)]
    assert codes.count(400) == 30
    assert codes[-1] == 403


async def test_no_log_line_shows_what_a_callback_brought(site: Site, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("DEBUG")
    server = await serve_api(site.app, "127.0.0.1", 0)
    flow, _ = await site.begin(site.add("echo"))
    query = urlsplit(await site.at_the_broker(flow.url)).query
    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{server.port}", trust_env=False) as http:
        await http.get("/echo/callback?request_token=forged-1234&code=forged-5678&other=forged-90")
        await http.get(f"/echo/callback?{query}")
    await server.stop()
    formatter = HumanFormatter(coloured=False)
    lines = [formatter.format(record) for record in caplog.records if record.name.startswith(("uvicorn", "sangam"))]
    assert [line for line in lines if "GET /echo/callback?***" in line]
    assert not [line for line in lines if re.search(r"forged|planted|state=(?!\*)", line)]
    logging.getLogger("uvicorn.access").propagate = True
