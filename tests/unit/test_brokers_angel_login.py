"""Angel One: headers, envelope, and the ways to a session."""

from typing import Any
from urllib.parse import parse_qsl, urlsplit

import msgspec
import pytest
from tests.canned import Canned, drive

from sangam.brokers.angel import SPEC
from sangam.brokers.contract import Ctx, Grant, Reply, Request, Session, WireRequest
from sangam.model.errors import BrokerError, InvalidInput, RateLimited, Refused, SessionExpired, Unknown

CTX = Ctx(0, bytes)
KEPT = Session(
    account="a1",
    broker="angel",
    generation=0,
    secrets={"api_key": "key", "client_code": "A1", "pin": "1234", "totp": "SECRET"},
)
SESSION = msgspec.structs.replace(
    KEPT, generation=1, secrets={**KEPT.secrets, "access_token": "eyJ", "feed_token": "f", "refresh_token": "r"}
)
READ = Request(method="GET", host="api", path="/x")
WRITE = Request(method="POST", host="api", path="/x", json={}, effect="write")
WIRE = WireRequest("GET", "https://x", {}, b"")
TOKENS = {"jwtToken": "eyJ2", "refreshToken": "r2", "feedToken": "f2"}
GRANT = Grant(secrets={"access_token": "eyJ2", "refresh_token": "r2", "feed_token": "f2"}, client_id="A1")


def success(data: Any) -> dict[str, Any]:
    return {"status": True, "message": "SUCCESS", "errorcode": "", "data": data}


def failure(code: str, text: str = "no") -> dict[str, Any]:
    return {"status": False, "message": text, "errorcode": code, "data": None}


# --- headers ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("token", ["eyJ", "Bearer eyJ"])
def test_the_word_before_the_jwt_is_never_doubled(token: str) -> None:
    session = msgspec.structs.replace(SESSION, secrets={**SESSION.secrets, "access_token": token})
    headers = SPEC.authorize(session, READ, WIRE, CTX)
    assert headers["Authorization"] == "Bearer eyJ"
    assert headers["X-PrivateKey"] == "key"
    assert {"X-UserType", "X-SourceID", "X-ClientLocalIP", "X-ClientPublicIP", "X-MACAddress"} < headers.keys()


def test_a_login_sends_no_token() -> None:
    login = Request(method="POST", host="api", path="/x", auth="login")
    assert "Authorization" not in SPEC.authorize(KEPT, login, WIRE, CTX)


# --- the envelope -----------------------------------------------------------------------------------------------------


def test_a_success_is_its_data() -> None:
    assert SPEC.check(READ, Reply(200, {}, success({"a": 1}))) == {"a": 1}
    assert SPEC.check(READ, Reply(200, {}, {"success": True, "message": "SUCCESS", "errorCode": "", "data": [1]})) == [
        1
    ]
    file = Request(method="GET", host="files", path="/x", reply="file")
    assert SPEC.check(file, Reply(200, {}, b"[]")) == b"[]"


def error_of(request: Request, status: int, payload: Any) -> BrokerError:
    with pytest.raises(BrokerError) as caught:
        SPEC.check(request, Reply(status, {}, payload))
    return caught.value


@pytest.mark.parametrize("code", ["AG8001", "AG8002", "AG8003", "AG8004", "AB1010", "AB1011"])
@pytest.mark.parametrize("gateway", [True, False])
def test_a_dead_credential_is_told_by_code(code: str, gateway: bool) -> None:
    told = {"success": False, "message": "Invalid Token", "errorCode": code, "data": ""} if gateway else failure(code)
    for status in (200, 401, 403):
        caught = error_of(WRITE, status, told)
        assert isinstance(caught, SessionExpired)
        assert caught.broker_code == code
    assert isinstance(error_of(WRITE, 500, told), Unknown)


@pytest.mark.parametrize(
    "text", ["Access denied because of exceeding access rate", "Access denied because of exceeding rate limit."]
)
def test_throttling_is_a_plain_text_and_no_dead_session(text: str) -> None:
    for request in (READ, WRITE):
        caught = error_of(request, 403, text)
        assert type(caught) is RateLimited


@pytest.mark.parametrize("payload", [None, "<html>Request Rejected</html>", "", {}, [], {"message": "Forbidden"}])
def test_another_403_says_nothing_of_the_session(payload: Any) -> None:
    assert type(error_of(READ, 403, payload)) is Unknown


@pytest.mark.parametrize(
    ("payload", "code"),
    [
        (failure("AB1009", "Symbol Not Found"), "SYMBOL_NOT_FOUND"),
        (failure("AB1013"), "ORDER_ERROR"),
        (failure("AB4008"), "INVALID_ORDER"),
        (failure("AB4036"), "INVALID_ORDER"),
        (failure("AB9013"), "INVALID_INPUT"),
        (failure("AB2000", "Your order has been rejected due to Insufficient Funds."), "INSUFFICIENT_FUNDS"),
    ],
)
@pytest.mark.parametrize("status", [200, 400])
def test_a_refusal_has_evidence(payload: Any, code: str, status: int) -> None:
    caught = error_of(WRITE, status, payload)
    assert type(caught) is Refused
    assert caught.code == code


@pytest.mark.parametrize(
    ("status", "payload"),
    [
        (200, failure("AB1004", "Something Went Wrong, Please Try After Sometime")),
        (200, failure("AB1007", "AMX Error")),
        (200, failure("AB2000", "Error not specified")),
        (200, failure("AB2001", "Internal Error, Please try after sometime")),
        (200, failure("AB9000", "Internal Server Error")),
        (200, failure("AB1009", "Request timed out")),
        (200, failure("AB7777")),
        (502, failure("AB1009")),
        (200, {"status": "true", "data": {}}),
        (200, {"data": {"orderid": "1"}}),
        (200, {}),
        (200, None),
        (200, []),
        (500, "nonsense"),
    ],
)
def test_whatever_else_is_unknown(status: int, payload: Any) -> None:
    assert type(error_of(WRITE, status, payload)) is Unknown


# --- the ways in ------------------------------------------------------------------------------------------------------


def test_the_form() -> None:
    form = [(field.name, field.kind.value, field.required, field.daily) for field in SPEC.login.fields]
    assert form == [
        ("api_key", "secret", True, False),
        ("client_code", "text", True, False),
        ("pin", "secret", False, False),
        ("totp", "totp", False, False),
        ("access_token", "secret", True, True),
        ("feed_token", "secret", True, True),
        ("refresh_token", "secret", False, True),
    ]
    assert (SPEC.session_ends, SPEC.instruments_ready) == ("00:00", "08:30")


def test_a_login_by_pin_and_authenticator() -> None:
    steps = SPEC.login.steps
    assert steps is not None
    assert steps.automatic
    told = drive(SPEC, steps.run(KEPT, {"totp": "123456"}, {}, CTX), success({**TOKENS, "state": "live"}))
    assert told.result == GRANT
    assert (told.request.method, told.request.host, told.request.effect) == ("POST", "api", "write")
    assert told.request.path == "/rest/auth/angelbroking/user/v1/loginByPassword"
    assert told.request.json == {"clientcode": "A1", "password": "1234", "totp": "123456"}
    assert told.request.auth == "login"


def test_a_login_without_a_pin_says_what_to_do() -> None:
    steps = SPEC.login.steps
    assert steps is not None
    bare = msgspec.structs.replace(KEPT, secrets={"api_key": "key", "client_code": "A1"})
    with pytest.raises(InvalidInput, match="needs 'pin'"):
        next(steps.run(bare, {"totp": "1"}, {}, CTX))


@pytest.mark.parametrize(
    ("reply", "error"),
    [
        (failure("AB1007", "Login Id or password is invalid"), Refused),
        (failure("AB1050", "Invalid totp"), Refused),
        ({"status": "false", "message": "Login Id or password is invalid", "errorcode": "AB1007"}, Refused),
        (failure("AB1004"), Unknown),
        (Canned("Access denied because of exceeding access rate", 403), RateLimited),
        (success({"jwtToken": "x"}), Unknown),
        (success(None), Unknown),
        (success([]), Unknown),
    ],
)
def test_a_login_that_fails(reply: Any, error: type[BrokerError]) -> None:
    steps = SPEC.login.steps
    assert steps is not None
    with pytest.raises(error):
        drive(SPEC, steps.run(KEPT, {"totp": "123456"}, {}, CTX), reply)


def test_the_publishers_page() -> None:
    way = SPEC.login.redirect
    assert way is not None
    url = urlsplit(way.url(KEPT, "signed state", "http://127.0.0.1:5000/angel/callback"))
    assert (url.scheme, url.netloc, url.path) == ("https", "smartapi.angelone.in", "/publisher-login")
    asked = {"api_key": "key", "redirect_url": "http://127.0.0.1:5000/angel/callback", "state": "signed state"}
    assert dict(parse_qsl(url.query)) == asked
    brought = {"auth_token": "eyJ2", "feed_token": "f2", "refresh_token": "r2", "state": "signed state"}
    told = drive(SPEC, way.exchange(KEPT, brought, CTX), success({"clientcode": "A1", "name": "x"}))
    assert told.result == GRANT
    assert told.request.headers == {"Authorization": "Bearer eyJ2"}
    assert told.request.auth == "login"


@pytest.mark.parametrize(
    "brought", [{}, {"auth_token": "x"}, {"feed_token": "x"}, {"auth_token": "", "feed_token": "f"}]
)
def test_a_page_that_gave_no_tokens(brought: dict[str, str]) -> None:
    way = SPEC.login.redirect
    assert way is not None
    with pytest.raises(InvalidInput, match="not finished"):
        next(way.exchange(KEPT, brought, CTX))


def test_a_session_is_proved_prolonged_and_ended() -> None:
    assert SPEC.login.renew is not None
    assert SPEC.login.logout is not None
    told = drive(SPEC, SPEC.login.check(SESSION, CTX), success({"clientcode": "A1"}))
    assert (told.result, told.request.path) == ("A1", "/rest/secure/angelbroking/user/v1/getProfile")
    told = drive(SPEC, SPEC.login.renew(SESSION, CTX), success(TOKENS))
    assert told.result == GRANT
    assert (told.request.json, told.request.auth) == ({"refreshToken": "r"}, "default")
    told = drive(SPEC, SPEC.login.logout(SESSION, CTX), success(None))
    assert (told.request.json, told.request.effect) == ({"clientcode": "A1"}, "write")
    assert drive(SPEC, SPEC.login.logout(SESSION, CTX), failure("AG8001")).result is None
    with pytest.raises(InvalidInput, match="no refresh token"):
        next(SPEC.login.renew(KEPT, CTX))
    with pytest.raises(Unknown):
        drive(SPEC, SPEC.login.check(SESSION, CTX), success({}))


@pytest.mark.parametrize("code", ["AB8050", "AB8051"])
def test_a_refresh_token_that_is_no_good_does_not_end_the_session(code: str) -> None:
    """Whatever is called SessionExpired stops every order of the account, though the jwt lives."""
    assert SPEC.login.renew is not None
    with pytest.raises(Refused) as caught:
        drive(SPEC, SPEC.login.renew(SESSION, CTX), failure(code, "Invalid Refresh Token"))
    assert type(caught.value) is Refused
    assert caught.value.code == "AUTHENTICATION_ERROR"
