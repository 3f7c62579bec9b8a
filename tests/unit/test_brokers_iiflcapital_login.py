"""IIFL Capital: headers, the envelope, and the way to a session."""

import base64
import hashlib
import json
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import msgspec
import pytest
from tests.canned import Canned, drive

from sangam.brokers.contract import EMPTY, Ctx, Grant, Reply, Request, Session, WireRequest
from sangam.brokers.iiflcapital import SPEC
from sangam.model.errors import BrokerError, InvalidInput, RateLimited, Refused, SessionExpired, Unknown

CTX = Ctx(0, bytes)
CLAIMS = base64.urlsafe_b64encode(json.dumps({"preferred_username": "31625881", "exp": 1}).encode()).decode()
TOKEN = f"eyJ.{CLAIMS.rstrip('=')}.sig"
KEPT = Session(account="a1", broker="iiflcapital", generation=0, secrets={"api_key": "key", "api_secret": "shh"})
SESSION = msgspec.structs.replace(KEPT, generation=1, secrets={**KEPT.secrets, "access_token": TOKEN})
READ = Request(method="GET", host="api", path="/orders")
OTHER = Request(method="POST", host="api", path="/marketdata/marketquotes", json=[])
WRITE = Request(method="POST", host="api", path="/orders", json=[], effect="write")
LOGIN = Request(method="POST", host="api", path="/getusersession", json={}, effect="write")
PROFILE = {"status": "Ok", "message": "Success", "result": {"clientId": "3******1", "clientName": "A TRADER"}}


def checked(request: Request, payload: Any, status: int = 200) -> Any:
    return SPEC.check(request, Reply(status, {}, payload))


def test_every_call_bears_the_session() -> None:
    headers = SPEC.authorize(SESSION, READ, WireRequest("GET", "https://x", {}, b""), CTX)
    assert headers == {"Authorization": f"Bearer {TOKEN}"}


# --- the envelope -----------------------------------------------------------------------------------------------------


def test_a_success_is_its_result_an_array_or_all_of_it() -> None:
    assert checked(READ, {"status": "Ok", "message": "Success", "result": [1]}) == [1]
    assert checked(READ, [1]) == [1]
    assert checked(OTHER, {"status": "Ok", "openInterest": 5}) == {"status": "Ok", "openInterest": 5}


@pytest.mark.parametrize("code", ["EC916", "EC918", "EC920", "EC922", "EC926"])
def test_a_book_without_rows_has_a_code_of_its_own(code: str) -> None:
    """Whether it comes with an error's status, or as the only row of a success."""
    told = {"status": code, "message": "No data"}
    assert checked(READ, told) is EMPTY
    assert checked(READ, told, 400) is EMPTY
    assert checked(READ, [told]) is EMPTY
    assert checked(READ, {"status": "Ok", "result": [told]}) is EMPTY


@pytest.mark.parametrize("code", ["EC915", "EC917", "EC921", "EC927", "EC901", "Not_Ok", ""])
def test_no_other_code_empties_a_book(code: str) -> None:
    assert SPEC.trading is not None
    told = {"status": code, "message": "No data"}
    for payload in (told, [told], {"status": "Ok", "result": [told]}):
        with pytest.raises(BrokerError):
            drive(SPEC, SPEC.trading.orders(SESSION, CTX), payload)


@pytest.mark.parametrize(
    "payload",
    [{"status": "Ok", "message": "Success"}, {"status": "Ok", "result": None}, None, {}],
)
def test_a_success_without_rows_is_no_empty_book(payload: Any) -> None:
    assert SPEC.trading is not None
    for read in (SPEC.trading.orders, SPEC.trading.trades, SPEC.trading.positions, SPEC.trading.holdings):
        with pytest.raises(Unknown):
            drive(SPEC, read(SESSION, CTX), payload)


def test_the_code_of_an_empty_book_is_none_of_other_calls() -> None:
    told = {"status": "EC916", "message": "No data"}
    for request in (OTHER, WRITE, LOGIN):
        with pytest.raises(Unknown):
            checked(request, told)
    with pytest.raises(Unknown):
        checked(READ, told, 503)


@pytest.mark.parametrize(
    ("status", "payload", "error"),
    [
        (401, {"status": "EC044", "message": "Invalid token"}, SessionExpired),
        (400, {"status": "EC044", "message": "Invalid token"}, SessionExpired),
        (200, {"status": "EC044", "message": "Invalid token"}, SessionExpired),
        (401, "Unauthorized", SessionExpired),
        (503, {"status": "EC044", "message": "Invalid token"}, Unknown),
        (429, "", RateLimited),
        (429, {"status": "EC044"}, RateLimited),
        (400, {"status": "EC901", "message": "Invalid parameter: 'exchange'"}, Refused),
        (400, {"status": "EC901", "message": "Request timed out"}, Unknown),
        (400, {"status": "EC960", "message": "who knows"}, Unknown),
        (500, {"status": "EC901", "message": "Invalid parameter"}, Unknown),
        (200, "<html>", Unknown),
    ],
)
@pytest.mark.parametrize("request_", [READ, WRITE])
def test_what_an_error_proves(status: int, payload: Any, error: type[BrokerError], request_: Request) -> None:
    with pytest.raises(error) as caught:
        checked(request_, payload, status)
    assert type(caught.value) is error


# --- the way in -------------------------------------------------------------------------------------------------------


def test_the_page() -> None:
    assert SPEC.login.redirect is not None
    url = urlsplit(SPEC.login.redirect.url(KEPT, "state", "http://127.0.0.1:5000/iiflcapital/callback"))
    assert url.netloc == "markets.iiflcapital.com"
    assert dict(parse_qsl(url.query)) == {
        "v": "1", "appkey": "key", "redirecturl": "http://127.0.0.1:5000/iiflcapital/callback"
    }  # fmt: skip


@pytest.mark.parametrize("names", [("authCode", "clientId"), ("authcode", "clientid")])
def test_a_code_is_traded_for_a_session_by_a_checksum(names: tuple[str, str]) -> None:
    assert SPEC.login.redirect is not None
    brought = dict(zip(names, ("c0de", "31625881"), strict=True))
    operation = SPEC.login.redirect.exchange(KEPT, brought, CTX)
    told = drive(SPEC, operation, {"status": "Ok", "userSession": TOKEN})
    assert told.request.json == {"checkSum": hashlib.sha256(b"31625881c0deshh").hexdigest()}
    assert (told.request.path, told.request.auth, told.request.effect) == ("/getusersession", "none", "write")
    assert told.result == Grant(secrets={"access_token": TOKEN}, client_id="31625881")


@pytest.mark.parametrize(
    ("payload", "status", "error"),
    [
        ({"status": "Not_Ok", "message": "Invalid checkSum"}, 200, Refused),
        ({"status": "EC054", "message": "Invalid appKey"}, 400, Refused),
        ({"status": "EC044", "message": "Invalid token"}, 401, Refused),
        ({"status": "Ok"}, 200, Unknown),
        ({"status": "Ok", "userSession": "no-jwt"}, 200, Unknown),
        ({"status": "Not_Ok"}, 502, Unknown),
    ],
)
def test_a_login_without_a_session(payload: Any, status: int, error: type[BrokerError]) -> None:
    assert SPEC.login.redirect is not None
    operation = SPEC.login.redirect.exchange(KEPT, {"authCode": "c", "clientId": "1"}, CTX)
    with pytest.raises(error) as caught:
        drive(SPEC, operation, Canned(payload, status))
    assert type(caught.value) is error


@pytest.mark.parametrize("brought", [{}, {"authCode": "c"}, {"clientId": "1"}])
def test_a_login_that_was_broken_off(brought: dict[str, str]) -> None:
    assert SPEC.login.redirect is not None
    with pytest.raises(InvalidInput):
        drive(SPEC, SPEC.login.redirect.exchange(KEPT, brought, CTX))


def test_the_token_says_whose_it_is_and_the_profile_that_it_lives() -> None:
    assert drive(SPEC, SPEC.login.check(SESSION, CTX), PROFILE).result == "31625881"
    with pytest.raises(SessionExpired):
        drive(SPEC, SPEC.login.check(SESSION, CTX), Canned({"status": "EC044"}, 401))


@pytest.mark.parametrize("token", ["", "abc", "a.b.c", "a.e30.c", "a.bnVsbA.c", "a.\xff.c"])
def test_a_token_that_tells_nobody_is_no_session(token: str) -> None:
    session = msgspec.structs.replace(SESSION, secrets={"access_token": token})
    with pytest.raises(Unknown, match="whose it is"):
        drive(SPEC, SPEC.login.check(session, CTX), PROFILE)


def test_who_is_out_is_out() -> None:
    assert SPEC.login.logout is not None
    for reply in (PROFILE, Canned({"status": "EC044"}, 401)):
        told = drive(SPEC, SPEC.login.logout(SESSION, CTX), reply)
        assert (told.request.method, told.request.path) == ("POST", "/profile/logout")
