"""Both ways in, the headers of their sessions, and what an answer means."""

from typing import Any
from urllib.parse import parse_qs, urlsplit

import msgspec
import pytest
from tests.canned import conduct, result

from sangam.brokers import mastertrust
from sangam.brokers.contract import Ctx, Grant, Reply, Request, Session, WireRequest
from sangam.brokers.pocketful import SPEC
from sangam.model.errors import BrokerError, InvalidInput, RateLimited, Refused, SessionExpired, Unknown
from sangam.transport.encoding import decode

CTX = Ctx(0, bytes)
APP = {"api_key": "app", "api_secret": "secret", "redirect_uri": "http://127.0.0.1:5000/pocketful/callback"}
KEPT = Session(
    account="a1",
    broker="pocketful",
    generation=0,
    secrets={"client_id": "YG1234", **APP, "channel_secret": "channel"},
)
SESSION = msgspec.structs.replace(KEPT, generation=1, secrets={**KEPT.secrets, "access_token": "token"})
CHANNEL = msgspec.structs.replace(SESSION, secrets={**SESSION.secrets, "front": "channel"})
PERSON = {"status": "success", "message": "", "data": {"client_id": "YG1234", "status": "active"}}
TOKEN = {"access_token": "o9_l.Ht38", "expires_in": 86399, "scope": "orders holdings", "token_type": "bearer"}
ASKED = {
    "status": "success",
    "data": {"twofa": {"twofa_token": "t1", "questions": [{"question_id": "100", "question": "TOTP"}]}},
}
ENTERED = {"status": "success", "data": {"auth_token": "eyJ"}}
UNAUTHORISED = {"status": "error", "message": "Request Unauthorised", "error_code": 40000, "data": {}}

LOGIN = SPEC.login
assert LOGIN.redirect is not None
assert LOGIN.steps is not None
PAGE, STEPS = LOGIN.redirect, LOGIN.steps
READ = Request(method="GET", host="api", path="/api/v1/trades")
WRITE = Request(method="POST", host="api", path="/api/v1/orders", effect="write")


def headers(session: Session) -> dict[str, str]:
    return dict(SPEC.authorize(session, READ, WireRequest("GET", "https://x", {}, b""), CTX))


def test_each_front_has_its_own_header() -> None:
    assert headers(SESSION)["Authorization"] == "Bearer token"
    told = headers(CHANNEL)
    assert told["x-authorization-token"] == "token"
    assert "Authorization" not in told


def test_the_page_is_told_who_asks_and_where_to_return() -> None:
    url = urlsplit(PAGE.url(KEPT, "our state", "http://elsewhere/callback"))
    assert f"{url.scheme}://{url.netloc}{url.path}" == "https://trade.pocketful.in/oauth2/auth"
    assert parse_qs(url.query) == {
        "scope": ["orders holdings"],
        "state": ["our state"],
        "redirect_uri": [APP["redirect_uri"]],
        "response_type": ["code"],
        "client_id": ["app"],
    }


def test_the_code_is_traded_once_and_the_broker_says_whose_it_is() -> None:
    requests, grant = conduct(SPEC, PAGE.exchange(KEPT, {"code": "c1"}, CTX), (200, TOKEN), (200, PERSON))
    assert grant == Grant(secrets={"access_token": "o9_l.Ht38"}, client_id="YG1234")
    token, person = requests
    assert (token.path, token.effect, token.auth) == ("/oauth2/token", "write", "none")
    assert token.form == {"grant_type": "authorization_code", "code": "c1", "redirect_uri": APP["redirect_uri"]}
    assert token.headers["Authorization"] == "Basic YXBwOnNlY3JldA=="
    assert person.headers["Authorization"] == "Bearer o9_l.Ht38"


@pytest.mark.parametrize(
    ("status", "payload", "error"),
    [
        (401, {"error": "invalid_client", "error_description": "Client authentication failed"}, Refused),
        (400, {"error": "invalid_grant"}, Refused),
        (200, "<html>", Refused),
        (429, {}, RateLimited),
        (503, "<html>", Unknown),
    ],
)
def test_no_token_is_no_login(status: int, payload: Any, error: type[BrokerError]) -> None:
    with pytest.raises(error) as caught:
        result(SPEC, PAGE.exchange(KEPT, {"code": "c1"}, CTX), (status, payload))
    assert type(caught.value) is error


def test_a_login_that_was_broken_off_asks_nothing() -> None:
    with pytest.raises(InvalidInput, match="no code"):
        next(PAGE.exchange(KEPT, {"error": "access_denied"}, CTX))


def test_the_channel_login_answers_its_question_and_moves_to_its_own_hosts() -> None:
    requests, grant = conduct(SPEC, STEPS.run(KEPT, {"totp": "123456"}, {}, CTX), (200, ASKED), (200, ENTERED))
    assert grant == Grant(
        secrets={"access_token": "eyJ", "front": "channel"},
        client_id="YG1234",
        hosts={"api": "https://algo.pocketful.in", "stream": "wss://algo.pocketful.in"},
    )
    first, second = requests
    assert (first.host, first.path) == ("channel", "/api/v3/user/login")
    assert first.json == {"channel_id": "YG1234", "channel_secret": "channel"}
    assert (second.path, second.effect) == ("/api/v3/user/twofa", "write")
    assert second.json == {
        "login_id": "YG1234",
        "twofa": [{"question_id": "100", "answer": "123456"}],
        "twofa_token": "t1",
        "type": "TOTP",
        "device_type": "web",
    }


def test_another_question_wants_the_pin() -> None:
    asked = {"status": "success", "data": {"twofa": {"twofa_token": "t1", "questions": [{"question_id": "7"}]}}}
    requests, _ = conduct(SPEC, STEPS.run(KEPT, {"totp": "4711"}, {}, CTX), (200, asked), (200, ENTERED))
    assert requests[1].json["type"] == "PIN"


def test_without_secret_or_code_the_channel_is_not_asked() -> None:
    for session, answers in ((KEPT, {}), (msgspec.structs.replace(KEPT, secrets={"client_id": "1"}), {"totp": "1"})):
        with pytest.raises(InvalidInput, match="'channel_secret' and 'totp'"):
            next(STEPS.run(session, answers, {}, CTX))


def test_only_pocketful_has_a_channel() -> None:
    assert mastertrust.SPEC.login.steps is None
    assert {field.name for field in mastertrust.SPEC.login.fields} == {"client_id", *APP, "access_token"}


def test_the_session_is_proved_by_the_question_that_its_front_knows() -> None:
    requests, client = conduct(SPEC, LOGIN.check(SESSION, CTX), (200, PERSON))
    assert (client, requests[0].path, requests[0].query) == ("YG1234", "/api/v1/user/trading_info", None)
    requests, client = conduct(SPEC, LOGIN.check(CHANNEL, CTX), (200, PERSON))
    assert (requests[0].path, requests[0].query) == ("/api/v1/user/profile", {"client_id": "YG1234"})


def test_a_call_without_a_client_is_not_made() -> None:
    bare = msgspec.structs.replace(CHANNEL, secrets={"access_token": "t", "front": "channel"})
    with pytest.raises(InvalidInput, match="client_id"):
        next(LOGIN.check(bare, CTX))


@pytest.mark.parametrize(
    ("status", "payload"),
    [(401, UNAUTHORISED), (200, UNAUTHORISED), (401, ""), (403, {"status": "error", "error_type": "TokenException"})],
)
@pytest.mark.parametrize("request_", [READ, WRITE])
def test_a_dead_session_is_told_as_such(status: int, payload: Any, request_: Request) -> None:
    with pytest.raises(SessionExpired, match="Log in to Pocketful again"):
        SPEC.check(request_, Reply(status, {}, payload))


def test_a_page_in_place_of_the_person_is_a_dead_session_and_elsewhere_nothing_certain() -> None:
    def told(request: Any) -> Any:
        return SPEC.check(request, decode(request, 200, {}, content))

    content = b"\n<!doctype html><title>Login</title>"
    for session in (SESSION, CHANNEL):
        with pytest.raises(SessionExpired):
            told(next(LOGIN.check(session, CTX)))
    for request in (READ, WRITE):
        with pytest.raises(Unknown) as caught:
            told(request)
        assert type(caught.value) is Unknown
    content = b""
    with pytest.raises(Unknown):
        told(next(LOGIN.check(SESSION, CTX)))


def test_the_person_is_read_as_it_comes() -> None:
    for session in (SESSION, CHANNEL):
        operation = LOGIN.check(session, CTX)
        request: Any = next(operation)
        data = SPEC.check(request, decode(request, 200, {}, msgspec.json.encode(PERSON)))
        with pytest.raises(StopIteration) as done:
            operation.send(data)
        assert done.value.value == "YG1234"


@pytest.mark.parametrize(
    ("status", "payload", "code"),
    [
        (400, {"status": "error", "message": "`price` can't be blank", "error_code": 44000}, "INVALID_INPUT"),
        (400, {"status": "error", "message": "wrong", "error_type": "InputException"}, "INVALID_INPUT"),
        (403, {"message": "no", "error_type": "PermissionException"}, "INSUFFICIENT_PERMISSION"),
        (400, {"message": "RMS:Margin Exceeds,Required:2, Available:1", "error_code": 1}, "INSUFFICIENT_FUNDS"),
        (400, {"message": "RMS:Rule: ... No Holdings Present", "error_code": 1}, "INSUFFICIENT_HOLDINGS"),
    ],
)
def test_what_proves_that_nothing_was_done(status: int, payload: Any, code: str) -> None:
    with pytest.raises(Refused) as caught:
        SPEC.check(WRITE, Reply(status, {}, payload))
    assert caught.value.code == code


@pytest.mark.parametrize(
    ("status", "payload"),
    [
        (400, {"status": "error", "message": "Request timed out", "error_code": 44000}),
        (500, {"status": "error", "message": "`price` can't be blank", "error_code": 44000}),
        (400, {"status": "error", "message": "x", "error_type": "OrderException"}),
        (400, {"status": "error", "message": "x", "error_type": "NetworkException"}),
        (403, {"status": "error", "message": "Request forbidden", "error_code": 40000}),
        (200, {"status": "error", "message": "x", "error_code": 44000}),
        (200, {"status": "success"}),
        (200, {"data": {"oms_order_id": "1"}}),
        (200, []),
        (200, "null"),
        (502, "<html>"),
    ],
)
def test_all_else_proves_nothing(status: int, payload: Any) -> None:
    with pytest.raises(Unknown) as caught:
        SPEC.check(WRITE, Reply(status, {}, payload))
    assert type(caught.value) is Unknown
