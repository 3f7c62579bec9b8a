"""Credentials, header and envelope: which answers are payloads, refusals or unknown."""

import json
from typing import Any

import pytest
from tests.support import shared_data

from sangam.brokers.contract import Ctx, Reply, Request, Session, WireRequest
from sangam.brokers.zerodha import SPEC
from sangam.model.errors import BrokerError, RateLimited, Refused, SessionExpired, Unknown

CTX = Ctx(0, bytes)
SESSION = Session(account="a1", broker="zerodha", generation=1, secrets={"api_key": "key", "access_token": "tok"})
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
    assert [(field.name, field.required) for field in SPEC.login.fields] == [("api_key", True), ("access_token", True)]
    assert SPEC.session_ends == "06:00"


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
