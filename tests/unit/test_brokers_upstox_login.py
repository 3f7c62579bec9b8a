"""The ways in and out: the page, the exchange of its code, headers, logout."""

from collections.abc import Mapping
from urllib.parse import parse_qs, urlsplit

import pytest
from tests.canned import Canned, drive

from sangam.brokers.contract import Ctx, Grant, Request, Session, WireRequest
from sangam.brokers.upstox import SPEC
from sangam.model.errors import InvalidInput, Refused, SessionExpired, Unknown

CTX = Ctx(0, bytes)
BACK = "http://127.0.0.1:5000/upstox/callback"
KEPT = {"api_key": "key", "api_secret": "s&cret", "redirect_uri": BACK}
LOGIN = SPEC.login
assert LOGIN.redirect is not None
REDIRECT = LOGIN.redirect
assert LOGIN.logout is not None
logout = LOGIN.logout

GRANTED = {
    "email": "x", "exchanges": ["NSE"], "products": ["D"], "broker": "UPSTOX", "user_id": "2VABCD", "user_name": "X",
    "order_types": ["LIMIT"], "user_type": "individual", "poa": False, "is_active": True, "access_token": "tok",
    "extended_token": None,
}  # fmt: skip


def session(**secrets: str) -> Session:
    return Session(account="a1", broker="upstox", generation=1, secrets={**KEPT, **secrets})


def test_the_page_names_the_registered_address_and_our_state() -> None:
    url = urlsplit(REDIRECT.url(session(), "our state", "http://elsewhere"))
    assert (url.netloc, url.path) == ("api.upstox.com", "/v2/login/authorization/dialog")
    assert parse_qs(url.query) == {
        "response_type": ["code"],
        "client_id": ["key"],
        "redirect_uri": [BACK],
        "state": ["our state"],
    }
    assert REDIRECT.echoes_state
    assert set(REDIRECT.needs) == set(KEPT)


def test_the_code_is_exchanged_once() -> None:
    grant, (request,) = drive(SPEC, REDIRECT.exchange(session(), {"code": "c", "state": "s"}, CTX), GRANTED)
    assert grant == Grant(secrets={"access_token": "tok"}, client_id="2VABCD")
    assert (request.method, request.path, request.effect, request.auth) == (
        "POST", "/v2/login/authorization/token", "write", "none",
    )  # fmt: skip
    assert request.form == {
        "code": "c",
        "client_id": "key",
        "client_secret": "s&cret",
        "redirect_uri": BACK,
        "grant_type": "authorization_code",
    }


@pytest.mark.parametrize("callback", [{}, {"code": ""}, {"error": "access_denied"}])
def test_a_login_that_was_broken_off(callback: Mapping[str, str]) -> None:
    with pytest.raises(InvalidInput):
        drive(SPEC, REDIRECT.exchange(session(), callback, CTX))


@pytest.mark.parametrize("code", ["UDAPI100057", "UDAPI100069", "UDAPI100070"])
def test_a_code_or_secret_that_is_wrong(code: str) -> None:
    reply = Canned({"status": "error", "errors": [{"errorCode": code, "message": "no"}]}, 401)
    with pytest.raises(Refused) as caught:
        drive(SPEC, REDIRECT.exchange(session(), {"code": "c"}, CTX), reply)
    assert not isinstance(caught.value, SessionExpired)


def test_an_answer_without_a_token_is_unknown() -> None:
    with pytest.raises(Unknown):
        drive(SPEC, REDIRECT.exchange(session(), {"code": "c"}, CTX), {"status": "success", "data": {}})


def test_the_header_of_every_request_and_the_algo_of_orders() -> None:
    wire = WireRequest("GET", "https://x", {}, b"")
    read = Request(method="GET", host="api", path="/")
    order = Request(method="POST", host="orders", path="/", lane="orders")
    plain = {"Accept": "application/json", "Authorization": "Bearer tok"}
    assert SPEC.authorize(session(access_token="tok"), order, wire, CTX) == plain
    registered = session(access_token="tok", algo_name="mean")
    assert SPEC.authorize(registered, read, wire, CTX) == plain
    assert SPEC.authorize(registered, order, wire, CTX) == plain | {"X-Algo-Name": "mean"}


def test_a_session_is_proved_by_its_profile() -> None:
    client, (request,) = drive(SPEC, LOGIN.check(session(), CTX), {"status": "success", "data": {"user_id": "2VABCD"}})
    assert (client, request.path) == ("2VABCD", "/v2/user/profile")
    with pytest.raises(Unknown):
        drive(SPEC, LOGIN.check(session(), CTX), {"status": "success", "data": {}})


def test_a_logout_and_one_too_many() -> None:
    _, (request,) = drive(SPEC, logout(session(), CTX), {"status": "success", "data": True})
    assert (request.method, request.path, request.effect) == ("DELETE", "/v2/logout", "write")
    dead = Canned({"status": "error", "errors": [{"error_code": "UDAPI100050", "message": "no"}]}, 401)
    drive(SPEC, logout(session(), CTX), dead)


def test_a_pasted_token_is_enough() -> None:
    assert [field.name for field in LOGIN.daily] == ["access_token"]
    assert not any(field.required for field in LOGIN.kept)
    assert SPEC.session_ends == "03:30"
