"""Credentials and the envelope: which answers are payloads, refusals or unknown."""

import hashlib
from base64 import urlsafe_b64encode
from typing import Any
from urllib.parse import parse_qs, urlsplit

import msgspec
import pytest
from tests.canned import conduct, result

from sangam.brokers.contract import Ctx, Grant, Reply, Request, Session, WireRequest
from sangam.brokers.fyers import SPEC
from sangam.model.errors import BrokerError, InvalidInput, RateLimited, Refused, SessionExpired, Unknown

CTX = Ctx(0, bytes)
KEPT = {"api_key": "ABCD12-100", "api_secret": "secret", "pin": "1234"}
SESSION = Session(account="a1", broker="fyers", generation=1, secrets={**KEPT, "access_token": "tok"})
READ = Request(method="GET", host="api", path="/api/v3/orders")
WRITE = Request(method="POST", host="api", path="/api/v3/orders/sync", effect="write")
PROFILE = {"s": "ok", "code": 200, "message": "", "data": {"name": "JXXX", "fy_id": "FX0011", "totp": True}}
LOGIN = SPEC.login
assert LOGIN.redirect is not None
REDIRECT = LOGIN.redirect


def kept(**secrets: str) -> Session:
    return msgspec.structs.replace(SESSION, secrets={**KEPT, **secrets})


def token(**claims: object) -> str:
    return f"e30.{urlsafe_b64encode(msgspec.json.encode(claims)).decode().rstrip('=')}.sig"


def failed(status: int, payload: Any, request: Request = WRITE) -> BrokerError:
    with pytest.raises(BrokerError) as caught:
        SPEC.check(request, Reply(status, {}, payload))
    return caught.value


def refusal(code: int | str, message: str = "no") -> dict[str, Any]:
    return {"s": "error", "code": code, "message": message}


def test_the_header_has_app_and_token_without_bearer() -> None:
    wire = WireRequest("GET", "https://api-t1.fyers.in/api/v3/profile", {}, b"")
    assert SPEC.authorize(SESSION, READ, wire, CTX) == {"version": "3", "Authorization": "ABCD12-100:tok"}


def test_the_profile_names_the_client() -> None:
    asked, client = conduct(SPEC, LOGIN.check(SESSION, CTX), (200, PROFILE))
    assert (asked[0].method, asked[0].path, client) == ("GET", "/api/v3/profile", "FX0011")
    for odd in ({"s": "ok"}, {"s": "ok", "data": {}}, {"s": "ok", "data": []}):
        with pytest.raises(Unknown):
            result(SPEC, LOGIN.check(SESSION, CTX), (200, odd))


def test_the_page_gets_our_state_and_address() -> None:
    url = urlsplit(REDIRECT.url(kept(), "our state", "http://127.0.0.1:5000/fyers/callback"))
    assert f"{url.scheme}://{url.netloc}{url.path}" == "https://api-t1.fyers.in/api/v3/generate-authcode"
    assert parse_qs(url.query) == {
        "client_id": ["ABCD12-100"],
        "redirect_uri": ["http://127.0.0.1:5000/fyers/callback"],
        "response_type": ["code"],
        "state": ["our state"],
    }
    assert REDIRECT.echoes_state


def test_an_auth_code_becomes_a_grant_that_knows_its_end() -> None:
    access = token(exp=1_787_000_000, hsm_key="k")
    answer = {"s": "ok", "code": 200, "message": "", "access_token": access, "refresh_token": "later"}
    callback = {"s": "ok", "code": "200", "auth_code": "abc", "state": "x"}
    asked, grant = conduct(SPEC, REDIRECT.exchange(kept(), callback, CTX), (200, answer), (200, PROFILE))
    assert grant == Grant(
        secrets={"access_token": access, "refresh_token": "later"}, client_id="FX0011", expires_at=1_787_000_000_000
    )
    exchange, profile = asked
    digest = hashlib.sha256(b"ABCD12-100:secret").hexdigest()
    assert exchange.json == {"grant_type": "authorization_code", "code": "abc", "appIdHash": digest}
    assert (exchange.path, exchange.auth, exchange.effect) == ("/api/v3/validate-authcode", "none", "write")
    assert (profile.auth, profile.headers["Authorization"]) == ("none", f"ABCD12-100:{access}")


def test_a_token_that_tells_no_end_has_the_hour_of_the_table() -> None:
    answer = {"s": "ok", "access_token": "opaque"}
    grant = result(SPEC, REDIRECT.exchange(kept(), {"auth_code": "abc"}, CTX), (200, answer), (200, PROFILE))
    assert (grant.expires_at, grant.secrets) == (None, {"access_token": "opaque"})
    assert SPEC.session_ends == "06:00"


@pytest.mark.parametrize("callback", [{}, {"s": "error", "auth_code": "abc"}, {"s": "ok"}])
def test_a_login_that_was_broken_off_asks_nothing(callback: dict[str, str]) -> None:
    with pytest.raises(InvalidInput, match="no auth_code"):
        result(SPEC, REDIRECT.exchange(kept(), callback, CTX))


def test_the_page_needs_the_secret() -> None:
    with pytest.raises(InvalidInput, match="secret"):
        result(SPEC, REDIRECT.exchange(kept(api_secret=""), {"auth_code": "abc"}, CTX))


def test_an_auth_code_is_good_once() -> None:
    with pytest.raises(Refused, match="invalid auth code"):
        result(SPEC, REDIRECT.exchange(kept(), {"auth_code": "abc"}, CTX), (400, refusal(-437, "invalid auth code")))


def test_a_session_is_prolonged_by_refresh_token_and_pin() -> None:
    assert LOGIN.renew is not None
    answer = {"s": "ok", "code": 200, "message": "", "access_token": "new"}
    asked, grant = conduct(SPEC, LOGIN.renew(kept(refresh_token="r"), CTX), (200, answer), (200, PROFILE))
    assert asked[0].path == "/api/v3/validate-refresh-token"
    assert {name: asked[0].json[name] for name in ("grant_type", "refresh_token", "pin")} == {
        "grant_type": "refresh_token", "refresh_token": "r", "pin": "1234",
    }  # fmt: skip
    assert grant.secrets == {"access_token": "new"}
    closed = refusal(-16, "Refresh token API is currently disabled to comply with SEBI regulations.")
    with pytest.raises(SessionExpired, match="disabled"):
        result(SPEC, LOGIN.renew(kept(refresh_token="r"), CTX), (401, closed))
    for lacking in (kept(), kept(refresh_token="r", pin="")):
        with pytest.raises(InvalidInput):
            result(SPEC, LOGIN.renew(lacking, CTX))


def test_logout() -> None:
    assert LOGIN.logout is not None
    asked, _ = conduct(SPEC, LOGIN.logout(SESSION, CTX), (200, {"s": "ok", "code": 200, "message": "bye"}))
    assert (asked[0].method, asked[0].path, asked[0].effect) == ("POST", "/api/v3/logout", "write")
    assert result(SPEC, LOGIN.logout(SESSION, CTX), (401, refusal(-17))) is None


# --- the envelope -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("code", [200, 1101, 1102, 1103])
def test_a_success_is_told_by_its_state(code: int) -> None:
    assert SPEC.check(WRITE, Reply(200, {}, {"s": "ok", "code": code, "id": "7"}))["id"] == "7"


def test_a_request_in_transit_is_unknown() -> None:
    assert type(failed(200, {"s": "ok", "code": 201, "message": "", "id": "7"})) is Unknown


@pytest.mark.parametrize(
    ("status", "code", "text", "ours"),
    [
        (400, -50, "StopLoss not a multiple of tick size 0.0500", "INVALID_ORDER"),
        (400, -50, "Invalid input", "INVALID_INPUT"),
        (200, -50, "Invalid input", "INVALID_INPUT"),
        (400, -51, "no such order", "ORDER_ERROR"),
        (400, -52, "Not a pending order", "ORDER_ERROR"),
        (400, -53, "no such position", "ORDER_ERROR"),
        (200, -300, "Invalid symbol provided", "INVALID_INPUT"),
        (400, -310, "Please provide valid symbols", "INVALID_INPUT"),
        (200, -99, "RED:Margin Shortfall:INR 305.36 Available:INR 7.00", "INSUFFICIENT_FUNDS"),
        (200, -99, "RED:RULE:{Check circuit limit including square off order}", "ORDER_ERROR"),
    ],
)
def test_refusals_by_evidence(status: int, code: int, text: str, ours: str) -> None:
    error = failed(status, refusal(code, text))
    assert isinstance(error, Refused)
    assert (error.code, error.broker_code) == (ours, str(code))


@pytest.mark.parametrize(
    ("status", "payload"),
    [
        (200, refusal(-99, "internal server error")),
        (200, refusal(-99, "something that nobody has seen")),
        (500, refusal(-50, "Invalid input")),
        (400, refusal(-50, "Request timed out. Please check the orderbook.")),
        (502, "<html>Bad gateway</html>"),
        (200, "<html>Back soon</html>"),
        (200, {"s": "no_data"}),
        (200, {"code": 1101, "data": []}),
        (400, None),
        (400, {"s": "error", "code": "what", "message": None}),
        (400, {"s": "error", "code": [-8], "message": "a list"}),
        (200, {"s": ["ok"], "code": {"-429": 1}}),
    ],
)
def test_what_proves_nothing_is_unknown(status: int, payload: Any) -> None:
    assert type(failed(status, payload)) is Unknown


@pytest.mark.parametrize(("status", "code"), [(401, -8), (401, -15), (403, -16), (401, -17), (200, -17)])
def test_a_dead_credential(status: int, code: int) -> None:
    assert isinstance(failed(status, refusal(code)), SessionExpired)
    assert type(failed(500, refusal(code))) is Unknown


def test_who_is_not_authenticated_has_no_session_whatever_the_envelope() -> None:
    """HTTP 401: "User could not be authenticated" (documentation: HTTP Status Codes)."""
    for payload in ({"message": "Unauthorized"}, "<html>", refusal(-1)):
        assert isinstance(failed(401, payload), SessionExpired)
    assert isinstance(failed(401, refusal(-437, "invalid auth code")), Refused)
    assert isinstance(failed(401, refusal("-17")), SessionExpired)


def test_too_many_requests() -> None:
    assert isinstance(failed(429, refusal(-429)), RateLimited)
    assert isinstance(failed(200, refusal(-429)), RateLimited)
    assert isinstance(failed(429, "<html>"), RateLimited)
    assert type(failed(503, refusal(-429))) is Unknown


def test_files_are_taken_as_they_come() -> None:
    request = Request(method="GET", host="public", path="/sym_details/NSE_CM.csv", reply="file")
    assert SPEC.check(request, Reply(200, {}, b"1010")) == b"1010"
    assert SPEC.check(READ, Reply(200, {}, {"s": "no_data", "candles": []})) == {"s": "no_data", "candles": []}
