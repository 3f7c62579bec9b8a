"""The whole server with a user's adapter in its home: an account like any other, and only it pays for its faults."""

import json
from pathlib import Path
from typing import Any

import httpx
import pytest
from tests.adapter_files import write_acme, write_faulty
from tests.server_process import ServerProcess
from tests.unit.test_app_server import admin, client, health, house, told

SUBSCRIBE = {"action": "subscribe", "symbol": "SBIN", "exchange": "NSE", "mode": "Quote"}


async def test_its_accounts_look_like_those_of_any_broker(tmp_path: Path) -> None:
    write_acme(tmp_path)
    write_faulty(tmp_path, "bad", initialize='raise ValueError("bad")', connect="import time; time.sleep(60)")
    async with house(tmp_path) as app:
        assert app.demo is not None
        fields = {"client_id": "C1", "auth_token": "t0"}
        account = (await admin(app, tmp_path, "account/add", broker="acme", user="demo", fields=fields))["account"]
        other = (await admin(app, tmp_path, "account/add", broker="bad", user="demo", fields={}))["account"]
        async with client(app) as socket:
            for name in (account, other):
                await socket.send(json.dumps({**SUBSCRIBE, "account": name}))
                assert (await told(socket, "subscribe"))["status"] == "success"  # kept until the login
            for name, given in ((account, {"auth_token": "t1"}), (other, {"auth_token": "t2"})):
                await admin(app, tmp_path, "account/login", account=name, fields=given)
            message = await told(socket, "market_data")
            assert (message["broker"], message["symbol"], message["mode"]) == ("acme", "SBIN", 2)
            assert message["data"]["ltp"] >= 100
            await socket.send(json.dumps({"action": "subscribe", "symbol": "TCS", "exchange": "NSE", "mode": "LTP"}))
            demo = [await told(socket, "market_data") for _ in range(50)]
            assert "paper" in {each["broker"] for each in demo}
            standing = {row["account"]: row for row in (await health(app, app.demo.api_key))["accounts"]}
            assert standing[account]["state"] in ("live", "closed_market")
            assert "initialize failed: ValueError: bad" in standing[other]["detail"]
            rows = {row["account"]: row for row in (await admin(app, tmp_path, "account/list"))["accounts"]}
            assert rows[account]["broker"] == "acme"
            assert "t1" not in json.dumps(rows)


async def test_a_file_that_cannot_be_loaded_does_not_keep_the_server_closed(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    write_acme(tmp_path)
    (tmp_path / "broker" / "acme" / "streaming" / "vendor.py").write_text("raise SystemExit(3)")
    async with house(tmp_path) as app, client(app) as socket:
        await socket.send(json.dumps({"action": "subscribe", "symbol": "SBIN", "exchange": "NSE", "mode": "LTP"}))
        assert (await told(socket, "market_data"))["symbol"] == "SBIN"
    assert "the broker 'acme' cannot be loaded and is skipped: SystemExit: 3" in caplog.text


def test_the_command_line_knows_it_and_a_split_server_serves_it(tmp_path: Path) -> None:
    home = tmp_path / "home"
    home.mkdir(mode=0o700)
    write_acme(home)
    with ServerProcess(home, options=("--split",)) as server:
        assert "\nacme " in server.cli("brokers")
        account = server.cli("account", "add", "acme", "--user", "asha", "--set", "auth_token=t0").strip()
        server.start()
        key = server.create_key("--user", "asha", "--account", account)
        streamed = server.cli("stream", "NSE:SBIN", "--key", key, "--count", "3")
        rows: list[dict[str, Any]] = [json.loads(line) for line in streamed.splitlines()]
        assert "asha-acme" in server.cli("doctor")
        body = {"apikey": key, "symbol": "SBIN", "exchange": "NSE"}
        reply = httpx.post(f"{server.api_url}/api/v1/quotes", json=body, trust_env=False, timeout=20)
        assert (reply.status_code, reply.json()["error_code"]) == (501, "UNSUPPORTED")
        assert "it can only be streamed" in reply.json()["message"]
        assert rows
        assert {row["symbol"] for row in rows} == {"SBIN"}
