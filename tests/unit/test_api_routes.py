import json
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.house import FIELDS
from tests.served import FULL, Served

from sangam.model.enums import Scope
from sangam.model.errors import NotSent, RateLimited, Refused, SessionExpired, Unknown


async def test_ping_names_the_broker_in_compact_json(served: Served) -> None:
    reply = await served.post("ping")
    assert reply.status_code == 200
    assert reply.content == b'{"status":"success","data":{"message":"pong","broker":"example"}}'
    assert reply.headers["content-type"] == "application/json"


@pytest.mark.parametrize("path", ["/api/v1/ping", "/api/v1/ping/", "/api/v1/quotes/", "/api/v1/symbol/"])
async def test_a_slash_at_the_end_changes_nothing(served: Served, path: str) -> None:
    reply = await served.client.post(path, json={"apikey": served.key, "symbol": "SBIN", "exchange": "NSE"})
    assert reply.status_code == 200
    assert (await served.client.get("/health/")).status_code == 200
    assert (await served.client.get("/metrics/")).status_code == 200


async def test_a_streaming_symbol_is_quoted_from_the_feed_with_its_age(served: Served) -> None:
    served.stream({**FULL, "volume": 10, "oi": 20})
    reply = await served.post("quotes", symbol="SBIN", exchange="NSE")
    assert reply.json()["data"] == {
        "open": 1.0,
        "high": 2.0,
        "low": 0.5,
        "ltp": 1.5,
        "ask": 1.6,
        "bid": 1.4,
        "prev_close": 0.9,
        "volume": 10,
        "oi": 20,
        "age_ms": 1000,
    }
    for name in (b'"open":', b'"high":', b'"low":', b'"ltp":'):
        assert b"," in reply.content.split(name)[1].split(b"}")[0]


async def test_symbol_tells_the_masters_row(served: Served) -> None:
    data = (await served.post("symbol", symbol="SBIN", exchange="NSE")).json()["data"]
    assert isinstance(data.pop("id"), int)
    assert data == {
        "symbol": "SBIN",
        "brsymbol": "SBIN-EQ",
        "name": "SBI",
        "exchange": "NSE",
        "brexchange": "NSE",
        "token": "7",
        "expiry": "",
        "strike": 0.0,
        "lotsize": 1,
        "instrumenttype": "EQ",
        "tick_size": 0.05,
        "freeze_qty": 1,
    }


async def test_an_unknown_symbol(served: Served) -> None:
    reply = await served.post("symbol", symbol="XYZ", exchange="NSE")
    assert reply.status_code == 404
    assert reply.json() == {
        "status": "error",
        "message": "Symbol XYZ not found in exchange NSE",
        "error_code": "INVALID_INPUT",
        "broker": "example",
    }
    reply = await served.post("quotes", symbol="XYZ", exchange="NSE")
    assert reply.status_code == 400
    assert reply.json()["message"].startswith("Symbol 'XYZ' not found for exchange 'NSE'. Please verify")


@pytest.mark.parametrize(
    ("fault", "status", "code"),
    [
        (SessionExpired("log in again"), 403, "INVALID_TOKEN"),
        (RateLimited("slow down"), 429, "RATE_LIMITED"),
        (Refused("margin", "INSUFFICIENT_FUNDS"), 502, "INSUFFICIENT_FUNDS"),
        (Refused("odd", "ODD"), 502, "UNKNOWN_ERROR"),
        (NotSent("no route"), 502, "NETWORK_ERROR"),
        (Unknown("no answer"), 504, "NETWORK_ERROR"),
    ],
)
async def test_a_brokers_failure_has_a_status_and_a_code(
    served: Served, fault: Exception, status: int, code: str
) -> None:
    served.fault = fault
    reply = await served.post("quotes", symbol="SBIN", exchange="NSE")
    assert (reply.status_code, reply.json()["error_code"], reply.json()["broker"]) == (status, code, "example")
    figures = (await served.client.get("/metrics")).text
    assert f'sangam_api_errors_total{{broker="example",error_code="{code}"}} 1.0' in figures


@pytest.mark.parametrize("path", ["ping", "quotes", "symbol"])
@pytest.mark.parametrize("key", ["wrong", "sangam_00000000_x"])
async def test_a_wrong_key(served: Served, path: str, key: str) -> None:
    reply = await served.post(path, apikey=key, symbol="SBIN", exchange="NSE")
    assert reply.status_code == 403
    assert reply.json() == {"status": "error", "message": "Invalid openalgo apikey", "error_code": "INVALID_TOKEN"}


async def test_a_key_needs_the_scope(served: Served) -> None:
    served.key, _ = served.house.accounts.keys.create("asha", [Scope.ORDERS_READ])
    reply = await served.post("quotes", symbol="SBIN", exchange="NSE")
    assert (reply.status_code, reply.json()["error_code"]) == (403, "INSUFFICIENT_PERMISSION")
    assert (await served.post("ping")).status_code == 200


async def test_a_request_may_name_another_account_of_its_user_only(served: Served) -> None:
    accounts = served.house.accounts
    second, foreign = accounts.create("asha", "other", FIELDS), accounts.create("ravi", "other", FIELDS)
    for name in ({"account": second.id}, {"broker": "other"}):
        assert (await served.post("ping", **name)).json()["data"]["broker"] == "other"
    reply = await served.post("symbol", symbol="SBIN", exchange="NSE", account=foreign.id)
    assert (reply.status_code, reply.json()["message"]) == (404, "You have no account 'ravi-other'.")
    served.key, _ = accounts.keys.create("asha", [Scope.DATA], data_account="gone")
    reply = await served.post("quotes", symbol="SBIN", exchange="NSE")
    assert (reply.status_code, reply.json()["message"][:21]) == (403, "No broker account yet")


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ({}, {"apikey": ["Missing data for required field."], "symbol": ["Missing data for required field."]}),
        ({"apikey": None, "symbol": ""}, {"apikey": ["Field may not be null."], "symbol": ["Shorter than minimum"]}),
        ({"apikey": "x" * 257, "symbol": []}, {"apikey": ["Longer than maximum"], "symbol": ["Not a valid string."]}),
        ({"exchange": "nse"}, {"exchange": ["Must be one of: NSE, NFO, CDS"]}),
    ],
)
async def test_faults_are_told_by_field(served: Served, body: dict[str, Any], message: dict[str, list[str]]) -> None:
    reply = await served.client.post("/api/v1/quotes", json=body)
    assert reply.status_code == 400
    told = reply.json()["message"]
    for name, texts in message.items():
        assert told[name][0].startswith(texts[0])
    assert reply.json()["error_code"] == "INVALID_INPUT"


async def test_unknown_keys_are_ignored_and_numbers_taken_for_texts(served: Served) -> None:
    assert (await served.post("ping", target=5, stoploss="x")).status_code == 200
    reply = await served.post("symbol", symbol=500112, exchange="BSE")
    assert reply.json()["message"] == "Symbol 500112 not found in exchange BSE"


@pytest.mark.parametrize(
    ("content", "kind", "told"),
    [
        (b'{"apikey":', "application/json", "The body is not valid JSON"),
        (b"", "application/json", "Send a JSON object"),
        (b"[]", "application/json", "Send a JSON object"),
        (b"{}", "text/plain", "Send a JSON object"),
        (b"\xff\xfe", "application/json", ""),
        (b"[" * 100_000, "application/json", ""),
    ],
)
async def test_bad_bodies(served: Served, content: bytes, kind: str, told: str) -> None:
    reply = await served.client.post("/api/v1/ping", content=content, headers={"content-type": kind})
    assert reply.status_code == 400
    assert reply.json()["status"] == "error"
    assert told in reply.json()["message"]


async def test_a_body_that_is_too_large(served: Served) -> None:
    reply = await served.post("ping", junk="x" * (1 << 20))
    assert (reply.status_code, reply.json()["status"]) == (413, "error")

    async def pieces() -> AsyncIterator[bytes]:
        for _ in range(17):
            yield b" " * (1 << 16)

    reply = await served.client.post("/api/v1/ping", content=pieces(), headers={"content-type": "application/json"})
    assert (reply.status_code, reply.json()["message"]) == (413, "The body is larger than 1048576 bytes.")


async def test_unknown_paths_and_methods(served: Served) -> None:
    reply = await served.client.post("/api/v1/nothing", json={})
    assert (reply.status_code, reply.json()["message"]) == (404, "Not found")
    assert reply.json()["path"] == "/api/v1/nothing"
    reply = await served.client.get("/api/v1/ping")
    assert (reply.status_code, reply.json()["message"], reply.headers["allow"]) == (405, "Method Not Allowed", "POST")


async def test_a_caller_who_is_too_fast_is_told_when_to_come_back(served: Served) -> None:
    body = {"apikey": served.key}
    replies = [await served.client.post("/api/v1/ping", json=body) for _ in range(6)]
    assert [reply.status_code for reply in replies] == [200] * 5 + [429]
    assert replies[5].json() == {
        "status": "error",
        "message": "Rate limit exceeded. Please slow down your requests.",
        "error_code": "RATE_LIMITED",
        "retry_after": 1,
    }
    assert replies[5].headers["retry-after"] == "1"
    other, _ = served.house.accounts.keys.create("asha", [Scope.DATA])
    assert (await served.client.post("/api/v1/ping", json={"apikey": other})).status_code == 200
    for _ in range(5):
        assert (await served.client.post("/api/v1/ping", json={"apikey": "guess"})).status_code == 403
    assert (await served.client.post("/api/v1/ping", json={"apikey": "guess"})).status_code == 429
    served.house.clock.advance(1)
    assert (await served.client.post("/api/v1/ping", json=body)).status_code == 200


async def test_health_and_metrics(served: Served) -> None:
    assert (await served.client.get("/health")).json() == {
        "status": "ok",
        "websocket_port": 8765,
        "feeds": {},
        "alerts": {},
    }
    served.state = {"status": "down"}
    assert (await served.client.get("/health")).status_code == 503
    figures = (await served.client.get("/metrics")).text
    assert "sangam_websocket_clients 3.0" in figures
    assert "sangam_messages_out_total 7.0" in figures
    assert 'sangam_api_requests_total{path="/health",status="503"} 1.0' in figures
    assert "process_cpu_seconds_total" in figures


async def test_health_shows_accounts_to_their_user_only(served: Served) -> None:
    own = {"account": served.account.id, "state": "live"}
    foreign = {"account": "someone-toy", "state": "stale"}
    served.state = {"status": "degraded", "accounts": [own, foreign]}

    async def told(key: str) -> Any:
        return (await served.client.get("/health", headers={"X-API-KEY": key})).json()

    anonymous = (await served.client.get("/health")).json()
    assert anonymous == {"status": "degraded", "feeds": {"live": 1, "stale": 1}, "alerts": {}}
    assert (await told(served.key))["accounts"] == [own]
    assert (await told(served.admin_key))["accounts"] == [own, foreign]
    assert (await served.client.get("/health", headers={"X-API-KEY": "guess"})).status_code == 403


async def test_the_api_describes_itself(served: Served) -> None:
    described = (await served.client.get("/openapi.json")).json()
    names = "ping quotes multiquotes depth history intervals symbol search expiry instruments optionsymbol optionchain"
    others = "optiongreeks multioptiongreeks syntheticfuture market/holidays market/timings ticker/{name}"
    known = {f"/api/v1/{name}" for name in f"{names} {others}".split()} | {"/health", "/metrics"}
    assert known <= set(described["paths"])
    assert "swagger" in (await served.client.get("/docs")).text


async def test_administration_needs_the_admin_key(served: Served) -> None:
    async def call(key: str, verb: str, **arguments: Any) -> httpx.Response:
        served.house.clock.advance(1)
        headers = {"x-api-key": key} if key else {}
        return await served.client.post(f"/api/v1/admin/{verb}", json=arguments, headers=headers)

    for key in ("", "wrong"):
        assert (await call(key, "key/list")).status_code == 403
    assert (await call(served.key, "key/list")).json()["error_code"] == "INSUFFICIENT_PERMISSION"
    made = (await call(served.admin_key, "key/create", user="asha", label="x")).json()["data"]
    assert served.house.accounts.authenticate(made["api_key"]).user == "asha"
    added = await call(served.admin_key, "account/add", broker="toy", user="asha", fields=FIELDS)
    assert added.json()["data"]["account"] == "asha-toy"
    reply = await call(served.admin_key, "account/add", broker="nobody")
    assert (reply.status_code, reply.json()["message"]) == (
        400,
        "Unknown broker 'nobody'. Known brokers: example, other, toy.",
    )
    assert (await call(served.admin_key, "nonsense")).status_code == 400


async def test_a_fault_of_our_own_says_nothing_of_its_inside(served: Served) -> None:
    served.fault = ZeroDivisionError("inner detail")
    reply = await served.post("symbol", symbol="SBIN", exchange="NSE")
    assert reply.status_code == 500
    assert reply.json() == {
        "status": "error",
        "message": "An unexpected error occurred",
        "error_code": "UNKNOWN_ERROR",
    }


ANY_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=10,
)


@given(
    path=st.sampled_from(["ping", "quotes", "symbol", "admin/key/create", "admin/account/add"]),
    body=ANY_JSON | st.fixed_dictionaries({}, optional=dict.fromkeys(["apikey", "symbol", "exchange"], ANY_JSON)),
)
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
async def test_bad_input_is_never_our_fault(served: Served, path: str, body: object) -> None:
    served.house.clock.advance(1)
    content = json.dumps(body).encode("utf-8", "replace")
    for key in ("", served.admin_key):
        headers = {"content-type": "application/json", "x-api-key": key}
        reply = await served.client.post(f"/api/v1/{path}", content=content, headers=headers)
        assert reply.status_code in (200, 400, 403)


@given(content=st.binary())
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
async def test_garbage_is_never_our_fault(served: Served, content: bytes) -> None:
    reply = await served.client.post("/api/v1/quotes", content=content, headers={"content-type": "application/json"})
    assert reply.status_code == 400
    assert reply.json()["status"] == "error"
