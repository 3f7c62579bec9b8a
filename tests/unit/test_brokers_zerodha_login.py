"""Credentials, header and envelope: which answers are payloads, refusals or unknown."""

import hashlib
import json
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import msgspec
import pytest
from tests.support import shared_data

from sangam.brokers.contract import Ctx, Grant, Operation, Reply, Request, Session, WireRequest
from sangam.brokers.zerodha import SPEC
from sangam.model.errors import BrokerError, InvalidInput, RateLimited, Refused, SessionExpired, Unknown

CTX = Ctx(0, bytes)
SESSION = Session(account="a1", broker="zerodha", generation=1, secrets={"api_key": "key", "access_token": "tok"})
KEPT = msgspec.structs.replace(SESSION, secrets={"api_key": "key", "api_secret": "secret"})
READ = Request(method="GET", host="api", path="/user/profile")
FILE = Request(method="GET", host="api", path="/instruments", reply="file")


def envelope(kind: str, message: str = "no") -> dict[str, Any]:
    return {"status": "error", "message": message, "data": None, "error_type": kind}


def test_profile_names_the_client() -> None:
    operation = SPEC.login.check(SESSION, CTX)
    request = next(operation)
    assert isinstance(request, Request)
    assert (request.method, request.host, request.path, request.effect) == ("GET", "api", "/user/profile", "read")
    mock = json.loads(shared_data("zerodha", "mocks", "profile.json").read_text())
    payload = SPEC.check(request, Reply(200, {}, mock))
    with pytest.raises(StopIteration) as stop:
        operation.send(payload)
    assert stop.value.value == "AB1234"


def test_a_profile_without_a_user_is_unknown() -> None:
    operation = SPEC.login.check(SESSION, CTX)
    next(operation)
    with pytest.raises(Unknown):
        operation.send(None)


def test_authorization_header() -> None:
    wire = WireRequest("GET", "https://api.kite.trade/user/profile", {}, b"")
    assert SPEC.authorize(SESSION, READ, wire, CTX) == {"X-Kite-Version": "3", "Authorization": "token key:tok"}


def test_login_form() -> None:
    form = [(field.name, field.kind.value, field.required, field.daily) for field in SPEC.login.fields]
    assert form == [
        ("api_key", "text", True, False),
        ("api_secret", "secret", False, False),
        ("access_token", "secret", True, True),
    ]
    assert (SPEC.session_ends, SPEC.instruments_ready) == ("06:00", "08:30")


def test_the_login_page_carries_our_state() -> None:
    assert SPEC.login.redirect is not None
    assert SPEC.login.redirect.echoes_state
    url = urlsplit(SPEC.login.redirect.url(SESSION, "signed & sealed", "http://127.0.0.1:5000/zerodha/callback"))
    assert (url.scheme, url.netloc, url.path) == ("https", "kite.zerodha.com", "/connect/login")
    query = dict(parse_qsl(url.query))
    assert (query["v"], query["api_key"]) == ("3", "key")
    assert dict(parse_qsl(query["redirect_params"])) == {"state": "signed & sealed"}
    elsewhere = msgspec.structs.replace(SESSION, hosts={"login": "http://127.0.0.1:9/"})
    assert SPEC.login.redirect.url(elsewhere, "s", "").startswith("http://127.0.0.1:9/connect/login?")


def grant(operation: Operation[Grant], payload: Any) -> Grant:
    with pytest.raises(StopIteration) as stop:
        operation.send(payload)
    found: Grant = stop.value.value
    return found


def test_the_request_token_is_traded_with_a_checksum() -> None:
    assert SPEC.login.redirect is not None
    callback = {"request_token": "rt", "action": "login", "status": "success"}
    operation = SPEC.login.redirect.exchange(KEPT, callback, CTX)
    request = next(operation)
    assert isinstance(request, Request)
    assert (request.method, request.path, request.effect, request.auth) == ("POST", "/session/token", "write", "none")
    assert request.form == {
        "api_key": "key",
        "request_token": "rt",
        "checksum": hashlib.sha256(b"keyrtsecret").hexdigest(),
    }
    assert request.headers == {"X-Kite-Version": "3"}
    mock = json.loads(shared_data("zerodha", "mocks", "generate_session.json").read_text())
    got = grant(operation, SPEC.check(request, Reply(200, {}, mock)))
    assert got == Grant(secrets={"access_token": "XXXXXX"}, client_id="XX0000"), "an empty refresh token is none"


@pytest.mark.parametrize("callback", [{}, {"request_token": ""}, {"request_token": "rt", "status": "cancelled"}])
def test_an_unfinished_login_asks_nothing(callback: dict[str, str]) -> None:
    assert SPEC.login.redirect is not None
    with pytest.raises(InvalidInput, match="Start it again"):
        next(SPEC.login.redirect.exchange(KEPT, callback, CTX))


def test_without_the_secret_only_pasting_works() -> None:
    assert SPEC.login.redirect is not None
    with pytest.raises(InvalidInput, match="paste an access token"):
        next(SPEC.login.redirect.exchange(SESSION, {"request_token": "rt"}, CTX))


@pytest.mark.parametrize("payload", [None, [], {}, {"access_token": 7}])
def test_an_odd_grant_is_unknown(payload: Any) -> None:
    assert SPEC.login.redirect is not None
    operation = SPEC.login.redirect.exchange(KEPT, {"request_token": "rt"}, CTX)
    next(operation)
    with pytest.raises(Unknown):
        operation.send(payload)


def test_renewal_where_a_refresh_token_was_granted() -> None:
    assert SPEC.login.renew is not None
    with pytest.raises(InvalidInput, match="no refresh token"):
        next(SPEC.login.renew(KEPT, CTX))
    session = msgspec.structs.replace(KEPT, client_id="AB1", secrets={**KEPT.secrets, "refresh_token": "old"})
    operation = SPEC.login.renew(session, CTX)
    request = next(operation)
    assert isinstance(request, Request)
    assert request.path == "/session/refresh_token"
    checksum = hashlib.sha256(b"keyoldsecret").hexdigest()
    assert request.form == {"api_key": "key", "refresh_token": "old", "checksum": checksum}
    got = grant(operation, {"access_token": "new", "refresh_token": "next"})
    assert got == Grant(secrets={"access_token": "new", "refresh_token": "next"}, client_id="AB1")


def test_logout_and_a_session_that_was_over_already() -> None:
    assert SPEC.login.logout is not None
    operation = SPEC.login.logout(SESSION, CTX)
    request = next(operation)
    assert isinstance(request, Request)
    assert (request.method, request.path, request.effect) == ("DELETE", "/session/token", "write")
    assert request.query == {"api_key": "key", "access_token": "tok"}
    mock = json.loads(shared_data("zerodha", "mocks", "session_logout.json").read_text())
    with pytest.raises(StopIteration):
        operation.send(SPEC.check(request, Reply(200, {}, mock)))
    again = SPEC.login.logout(SESSION, CTX)
    next(again)
    with pytest.raises(StopIteration):
        again.throw(SessionExpired("gone"))


@pytest.mark.parametrize(
    ("status", "kind", "error", "code"),
    [
        (403, "TokenException", SessionExpired, "INVALID_TOKEN"),
        (429, "NetworkException", RateLimited, "RATE_LIMITED"),
        (403, "PermissionException", Refused, "INSUFFICIENT_PERMISSION"),
        (400, "InputException", Refused, "INVALID_INPUT"),
        (400, "MarginException", Refused, "INSUFFICIENT_FUNDS"),
        (500, "OrderException", Unknown, "OUTCOME_UNKNOWN"),
        (503, "NetworkException", Unknown, "OUTCOME_UNKNOWN"),
        (502, "DataException", Unknown, "OUTCOME_UNKNOWN"),
        (500, "GeneralException", Unknown, "OUTCOME_UNKNOWN"),
        (200, "GeneralException", Unknown, "OUTCOME_UNKNOWN"),
    ],
)
def test_error_types(status: int, kind: str, error: type[BrokerError], code: str) -> None:
    with pytest.raises(error) as caught:
        SPEC.check(READ, Reply(status, {}, envelope(kind, "the broker's text")))
    assert type(caught.value) is error
    assert caught.value.code == code
    assert "the broker's text" in str(caught.value)


def test_a_timed_out_text_is_never_a_refusal() -> None:
    with pytest.raises(Unknown):
        SPEC.check(READ, Reply(400, {}, envelope("InputException", "Request timed out, check the order book")))


@pytest.mark.parametrize("payload", [None, [], "gateway", b"<html>", {}, {"status": "error"}, {"status": "success"}])
def test_odd_answers_are_unknown(payload: Any) -> None:
    with pytest.raises(Unknown):
        SPEC.check(READ, Reply(502, {}, payload))


def test_files_pass_and_their_errors_are_read() -> None:
    assert SPEC.check(FILE, Reply(200, {}, b"instrument_token,...")) == b"instrument_token,..."
    with pytest.raises(SessionExpired):
        SPEC.check(FILE, Reply(403, {}, json.dumps(envelope("TokenException")).encode()))
    with pytest.raises(Unknown):
        SPEC.check(FILE, Reply(502, {}, b"\xff\xfe"))


def test_download_asks_for_one_file() -> None:
    operation = SPEC.instruments.download(SESSION, CTX)
    request = next(operation)
    assert isinstance(request, Request)
    assert (request.path, request.reply) == ("/instruments", "file")
    with pytest.raises(StopIteration) as stop:
        operation.send(b"csv")
    assert stop.value.value == [b"csv"]
