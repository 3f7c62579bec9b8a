"""Headers, the profile, and every way to a token."""

from typing import Any
from urllib.parse import parse_qs, urlsplit

import msgspec
import pytest

from sangam.brokers.contract import Ctx, Grant, Operation, Reply, Request, Session, WireRequest
from sangam.brokers.dhan import SPEC
from sangam.model.errors import BrokerError, InvalidInput, RateLimited, Refused, Unknown

CTX = Ctx(0, bytes)
KEPT = Session(
    account="a1",
    broker="dhan",
    generation=0,
    secrets={"client_id": "1000000401", "pin": "471100", "api_key": "key", "api_secret": "secret"},
)
SESSION = msgspec.structs.replace(KEPT, generation=1, secrets={**KEPT.secrets, "access_token": "jwt"})
GRANTED = {
    "dhanClientId": "1000000401", "dhanClientName": "JOHN DOE", "dhanClientUcc": "ABCD12345E",
    "givenPowerOfAttorney": False, "accessToken": "eyJ...", "expiryTime": "2026-01-01T00:00:00.000",
}  # fmt: skip
NEW_YEAR = 1_767_205_800_000
"""Midnight in India."""

LOGIN = SPEC.login
assert LOGIN.redirect is not None
assert LOGIN.redirect.prepare is not None
assert LOGIN.steps is not None
assert LOGIN.renew is not None
PAGE, ANNOUNCE, STEPS, RENEW = LOGIN.redirect, LOGIN.redirect.prepare, LOGIN.steps, LOGIN.renew


def asked(operation: Operation[Any]) -> Request:
    request = next(operation)
    assert isinstance(request, Request)
    return request


def granted(operation: Operation[Any], payload: Any = GRANTED) -> Any:
    request = asked(operation)
    with pytest.raises(StopIteration) as stop:
        operation.send(SPEC.check(request, Reply(200, {}, payload)))
    return stop.value.value


def test_headers() -> None:
    wire = WireRequest("GET", "https://api.dhan.co/v2/orders", {}, b"")
    headers = SPEC.authorize(SESSION, Request(method="GET", host="api", path="/orders"), wire, CTX)
    assert headers == {"access-token": "jwt", "client-id": "1000000401"}


def test_the_profile_names_the_client() -> None:
    operation = LOGIN.check(SESSION, CTX)
    assert granted(operation, {"dhanClientId": "1100003626", "tokenValidity": "30/03/2025 15:37"}) == "1100003626"
    operation = LOGIN.check(SESSION, CTX)
    next(operation)
    with pytest.raises(Unknown):
        operation.send({})


def test_pin_and_authenticator() -> None:
    operation = STEPS.run(KEPT, {"totp": "123456"}, {}, CTX)
    request = asked(operation)
    assert (request.method, request.host, request.path) == ("POST", "auth", "/app/generateAccessToken")
    assert request.query == {"dhanClientId": "1000000401", "pin": "471100", "totp": "123456"}
    assert (request.auth, request.effect) == ("none", "write")
    grant = granted(STEPS.run(KEPT, {"totp": "123456"}, {}, CTX))
    assert grant == Grant(secrets={"access_token": "eyJ..."}, client_id="1000000401", expires_at=NEW_YEAR)
    assert STEPS.automatic
    for session, answers in ((KEPT, {}), (msgspec.structs.replace(KEPT, secrets={"client_id": "1"}), {"totp": "1"})):
        with pytest.raises(InvalidInput, match="'pin' and 'totp'"):
            next(STEPS.run(session, answers, {}, CTX))


@pytest.mark.parametrize(
    ("status", "payload", "expected"),
    [
        (200, {"message": "Invalid TOTP", "status": "error"}, Refused),
        (200, {"message": "Token can be generated once every 2 minutes.", "status": "error"}, RateLimited),
        (400, {"message": "Invalid Pin", "status": "error"}, Refused),
        (429, {"message": "Too many requests", "status": "error"}, RateLimited),
        (400, "no", Refused),
        (503, {"message": "later", "status": "error"}, Unknown),
    ],
)
def test_a_login_makes_a_token_or_none(status: int, payload: Any, expected: type[BrokerError]) -> None:
    request = asked(STEPS.run(KEPT, {"totp": "123456"}, {}, CTX))
    with pytest.raises(expected) as caught:
        SPEC.check(request, Reply(status, {}, payload))
    assert type(caught.value) is expected


def test_an_answer_without_a_token_is_unknown() -> None:
    operation = STEPS.run(KEPT, {"totp": "123456"}, {}, CTX)
    next(operation)
    with pytest.raises(Unknown):
        operation.send({"dhanClientId": "1"})


def test_the_page_wants_to_be_told_of_a_login() -> None:
    operation = ANNOUNCE(KEPT, CTX)
    request = asked(operation)
    assert (request.method, request.path, request.auth) == ("POST", "/app/generate-consent", "none")
    assert request.query == {"client_id": "1000000401"}
    assert request.headers == {"app_id": "key", "app_secret": "secret"}
    consent = "940b0ca1-3ff4-4476-b46e-03a3ce7dc55d"
    told = {"consentAppId": consent, "consentAppStatus": "GENERATED", "status": "success"}
    with pytest.raises(StopIteration) as stop:
        operation.send(SPEC.check(request, Reply(200, {}, told)))
    session = msgspec.structs.replace(KEPT, secrets={**KEPT.secrets, **stop.value.value})
    url = urlsplit(PAGE.url(session, "state", "http://back"))
    assert f"{url.scheme}://{url.netloc}{url.path}" == "https://auth.dhan.co/login/consentApp-login"
    assert parse_qs(url.query) == {"consentAppId": [consent]}
    assert not PAGE.echoes_state
    assert PAGE.needs == ("api_key", "api_secret")


def test_what_the_page_brings_is_exchanged() -> None:
    operation = PAGE.exchange(KEPT, {"tokenId": "t1"}, CTX)
    request = asked(operation)
    assert (request.method, request.path, request.query) == ("GET", "/app/consumeApp-consent", {"tokenId": "t1"})
    assert (request.effect, request.auth) == ("write", "none")  # it is good for one try
    assert request.headers == {"app_id": "key", "app_secret": "secret"}
    assert granted(PAGE.exchange(KEPT, {"tokenId": "t1"}, CTX)).expires_at == NEW_YEAR
    with pytest.raises(InvalidInput, match="not finished"):
        next(PAGE.exchange(KEPT, {"status": "cancelled"}, CTX))


def test_renewal() -> None:
    operation = RENEW(SESSION, CTX)
    request = asked(operation)
    assert (request.method, request.host, request.path, request.effect) == ("GET", "api", "/RenewToken", "write")
    assert request.headers == {"dhanClientId": "1000000401"}
    assert granted(RENEW(SESSION, CTX)).secrets == {"access_token": "eyJ..."}
    bare = granted(RENEW(SESSION, CTX), {"token": "new"})
    assert bare == Grant(secrets={"access_token": "new"}, client_id="1000000401")
    assert LOGIN.logout is None
