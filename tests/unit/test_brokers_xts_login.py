"""XTS: two sessions in one, hosts that a login tells, and what an answer means (xts.md, 2)."""

import json
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import msgspec
import pytest
from tests.canned import Canned, drive

from sangam.brokers import compositedge, ibulls, iifl, rmoney
from sangam.brokers.contract import EMPTY, BrokerSpec, Ctx, Grant, Reply, Request, Session, WireRequest
from sangam.model.errors import BrokerError, InvalidInput, RateLimited, Refused, SessionExpired, Unknown

CTX = Ctx(0, bytes)
KEYS = {"api_key": "k1", "api_secret": "s1", "market_key": "k2", "market_secret": "s2"}
KEPT = Session(account="a1", broker="x", generation=0, secrets=KEYS)
SESSION = msgspec.structs.replace(KEPT, generation=1, secrets={**KEYS, "access_token": "t1", "feed_token": "t2"})
DEALER = msgspec.structs.replace(SESSION, secrets={**SESSION.secrets, "client_code": "C9"})
READ = Request(method="GET", host="api", path="/orders")
WRITE = Request(method="POST", host="api", path="/orders", json={}, effect="write")
WIRE = WireRequest("GET", "https://x", {}, b"")
OPENED = {"token": "t1", "userID": "U1", "isInvestorClient": True}
DATA = {"token": "t2", "userID": "U2"}
SECRETS = {"access_token": "t1", "user_id": "U1", "feed_token": "t2", "feed_user": "U2"}


def success(result: Any, code: str = "s-user-0001") -> dict[str, Any]:
    return {"type": "success", "code": code, "description": "", "result": result}


def failure(code: str, text: str = "no", status: int = 400, *errors: str) -> Canned:
    result = {"errors": [{"messages": [each]} for each in errors]}
    return Canned({"type": "error", "code": code, "description": text, "result": result}, status)


def steps(spec: BrokerSpec, *replies: Any, session: Session = KEPT) -> tuple[Grant, list[Request]]:
    assert spec.login.steps is not None
    told = drive(spec, spec.login.steps.run(session, {}, {}, CTX), *replies)
    assert isinstance(told.result, Grant)
    return told.result, told.requests


# --- by keys ----------------------------------------------------------------------------------------------------------


def test_two_pairs_of_keys_make_two_tokens() -> None:
    grant, (orders, data) = steps(iifl.SPEC, success(OPENED), success(DATA, "e-response-0010"))
    assert grant == Grant(
        secrets=SECRETS,
        client_id="U1",
        hosts={
            "market": "https://ttblaze.iifl.com/apimarketdata",
            "stream": "wss://ttblaze.iifl.com/apimarketdata/socket.io/",
        },
    )
    assert (orders.path, orders.json) == ("/user/session", {"appKey": "k1", "secretKey": "s1", "source": "WEBAPI"})
    assert (data.path, data.json) == ("/auth/login", {"appKey": "k2", "secretKey": "s2", "source": "WEBAPI"})
    assert {orders.effect, data.effect} == {"write"}
    assert {orders.auth, data.auth} == {"none"}


def test_market_data_is_taken_where_it_is_served() -> None:
    nothing = Canned("<html>Cannot POST</html>", 404)
    grant, requests = steps(ibulls.SPEC, success(OPENED), nothing, success(DATA))
    assert [request.host for request in requests[1:]] == [
        "https://xts.ibullssecurities.com/apibinarymarketdata",
        "https://xts.ibullssecurities.com/apimarketdata",
    ]
    assert grant.hosts["market"] == "https://xts.ibullssecurities.com/apimarketdata"
    with pytest.raises(Unknown):
        steps(ibulls.SPEC, success(OPENED), nothing, nothing)


def test_a_host_that_refuses_the_keys_is_the_right_one() -> None:
    with pytest.raises(Refused, match="Invalid keys"):
        steps(ibulls.SPEC, success(OPENED), failure("e-auth-0001", "Invalid keys"))


def test_hosts_that_the_account_names_stand() -> None:
    session = msgspec.structs.replace(KEPT, hosts={"market": "http://127.0.0.1:1/apimarketdata", "stream": "ws://x"})
    grant, (_, data) = steps(ibulls.SPEC, success(OPENED), success(DATA), session=session)
    assert data.host == "http://127.0.0.1:1/apimarketdata"
    assert grant.hosts == {}


@pytest.mark.parametrize(
    "found",
    [
        success({"uniqueKey": "q", "connectionString": "https://h.example:7/orders/"}),
        success([{"UniqueKey": "q", "connectionString": "https://h.example:7/orders"}]),
        {
            "type": "info",
            "code": "s-hostlookup-0001",
            "description": "Hostlookup successful",
            "result": {"uniqueKey": "q", "connectionString": "https://h.example:7/orders"},
        },
        [success({"uniqueKey": "q", "connectionString": "https://h.example:7/orders"})],
    ],
)
def test_the_host_of_orders_is_looked_up(found: Any) -> None:
    grant, (lookup, orders, _) = steps(rmoney.SPEC, found, success(OPENED), success(DATA))
    assert (lookup.host, lookup.path) == ("lookup", "/hostlookup")
    assert lookup.json == {"accesspassword": "2021HostLookUpAccess", "version": "interactive_1.0.1"}
    assert orders.host == "https://h.example:7/orders"
    assert orders.json["uniqueKey"] == "q"
    assert grant.hosts["api"] == "https://h.example:7/orders"
    assert grant.hosts["orders"] == "wss://h.example:7/orders/socket.io/"


def test_keys_go_to_no_host_that_is_not_encrypted() -> None:
    found = success({"uniqueKey": "q", "connectionString": "http://h.example/orders"})
    with pytest.raises(InvalidInput, match="must be encrypted"):
        steps(rmoney.SPEC, found)
    with pytest.raises(Unknown):
        steps(rmoney.SPEC, success({"uniqueKey": "q"}))


def test_a_dealer_must_say_whose_orders_it_is_about() -> None:
    opened = success(OPENED | {"isInvestorClient": False})
    with pytest.raises(InvalidInput, match="need the client's code"):
        steps(iifl.SPEC, opened)
    session = msgspec.structs.replace(KEPT, secrets={**KEYS, "client_code": "C9"})
    grant, _ = steps(iifl.SPEC, opened, success(DATA), session=session)
    assert grant.client_id == "C9"
    with pytest.raises(InvalidInput, match="investor have none"):
        steps(iifl.SPEC, success(OPENED), session=session)


# --- by the page ------------------------------------------------------------------------------------------------------


def exchange(spec: BrokerSpec, callback: dict[str, str], *replies: Any) -> tuple[Grant, list[Request]]:
    assert spec.login.redirect is not None
    told = drive(spec, spec.login.redirect.exchange(KEPT, callback, CTX), *replies)
    return told.result, told.requests


def test_the_page_is_told_where_to_return() -> None:
    redirect = compositedge.SPEC.login.redirect
    assert redirect is not None
    parts = urlsplit(redirect.url(KEPT, "state", "https://me.example/compositedge/callback"))
    assert parts.geturl().startswith("https://xts.compositedge.com/interactive/thirdparty?")
    assert dict(parse_qsl(parts.query)) == {"appKey": "k1", "returnURL": "https://me.example/compositedge/callback"}


@pytest.mark.parametrize("layers", [1, 2])
def test_the_pages_token_is_traded_for_a_session(layers: int) -> None:
    text: Any = {"accessToken": "a", "userID": "U1"}
    for _ in range(layers):
        text = json.dumps(text)
    grant, (orders, _) = exchange(compositedge.SPEC, {"session": text}, success(OPENED), success(DATA))
    assert orders.json == {"appKey": "k1", "secretKey": "s1", "accessToken": "a"}
    assert grant.secrets == SECRETS


def test_the_page_may_bring_the_session_itself() -> None:
    text = json.dumps(json.dumps(OPENED))
    grant, (data,) = exchange(rmoney.SPEC, {"session": text}, success(DATA))
    assert data.path == "/auth/login"
    assert (grant.secrets, grant.client_id) == (SECRETS, "U1")


@pytest.mark.parametrize(
    "text", ["", "x", "[]", "{}", '"' * 3, '{"token":""}', "5", "[" * 100_000, '{"token":"\\ud800"}']
)
def test_a_login_that_brings_nothing_was_not_finished(text: str) -> None:
    for spec in (compositedge.SPEC, rmoney.SPEC):
        with pytest.raises(InvalidInput, match="was not finished"):
            exchange(spec, {"session": text})


# --- sessions ---------------------------------------------------------------------------------------------------------


def test_each_service_has_its_token_bare() -> None:
    assert iifl.SPEC.authorize(SESSION, READ, WIRE, CTX) == {"Authorization": "t1"}
    market = msgspec.structs.replace(READ, auth="market")
    assert iifl.SPEC.authorize(SESSION, market, WIRE, CTX) == {"Authorization": "t2"}


def test_both_tokens_are_proved() -> None:
    profile = success({"ClientId": "U1", "ClientName": "x"})
    told = drive(iifl.SPEC, iifl.SPEC.login.check(DEALER, CTX), profile, success({}))
    assert told.result == "U1"
    assert [(request.path, request.auth) for request in told.requests] == [
        ("/user/profile", "default"),
        ("/config/clientConfig", "market"),
    ]
    assert told.requests[0].query == {"clientID": "C9"}
    with pytest.raises(SessionExpired):
        drive(iifl.SPEC, iifl.SPEC.login.check(SESSION, CTX), profile, failure("e-session-0007", "Invalid Token"))


def test_a_logout_ends_both_and_one_that_has_ended_is_out() -> None:
    logout = iifl.SPEC.login.logout
    assert logout is not None
    told = drive(iifl.SPEC, logout(SESSION, CTX), failure("e-session-0007", "Invalid Token"), success({}))
    assert [(request.method, request.path, request.effect) for request in told.requests] == [
        ("DELETE", "/user/session", "write"),
        ("DELETE", "/auth/logout", "write"),
    ]


# --- the envelope -----------------------------------------------------------------------------------------------------


def checked(request: Request, reply: Canned) -> Any:
    return iifl.SPEC.check(request, Reply(reply.status, {}, reply.payload))


@pytest.mark.parametrize(
    ("reply", "error"),
    [
        (failure("e-session-0007", "Invalid Token"), SessionExpired),
        (failure("e-x", "Invalid Token", 200), SessionExpired),
        (failure("e-token-0002", "Please Provide token to Authenticate"), SessionExpired),
        (failure("", "", 401), SessionExpired),
        (failure("e-apirl-0004", "Rate Limit reached"), RateLimited),
        (Canned("slow down", 429), RateLimited),
        (failure("e-x", "Bad Request", 400, "orderQuantity must be a number"), Refused),
        (failure("e-x", "Bad Request", 200), Refused),
        (failure("e-orders-0005", "Order rejected"), Unknown),
        (failure("e-x", "Bad Request", 500), Unknown),
        (failure("e-x", "Bad Request", 400, "Request timed out"), Unknown),
        (failure("e-x", "something"), Unknown),
        (failure("e-session-0007", "Invalid Token", 503), Unknown),
        (Canned("<html>", 502), Unknown),
        (Canned({}, 200), Unknown),
        (Canned([], 200), Unknown),
    ],
)
def test_what_a_failed_write_proves(reply: Canned, error: type[BrokerError]) -> None:
    with pytest.raises(error) as caught:
        checked(WRITE, reply)
    assert type(caught.value) is error


def test_a_refusal_says_what_was_wrong_and_missing_money_has_its_code() -> None:
    with pytest.raises(Refused, match="orderQuantity must be a number"):
        checked(WRITE, failure("e-x", "Bad Request", 400, "orderQuantity must be a number"))
    with pytest.raises(Refused) as caught:
        checked(WRITE, failure("e-x", "Bad Request", 400, "Insufficient funds"))
    assert caught.value.code == "INSUFFICIENT_FUNDS"


def test_an_empty_book_needs_its_own_code_and_the_words() -> None:
    nothing = "Data Not Available"
    assert checked(READ, failure("e-orders-0005", nothing)) is EMPTY
    for reply in (
        failure("e-orders-0005", "Order book failed"),
        failure("e-tradebook-0005", nothing),
        failure("e-property-validation-failed", nothing),
        failure("e-orders-0005", nothing, 500),
    ):
        with pytest.raises(Unknown):
            checked(READ, reply)
    with pytest.raises(Unknown):
        checked(WRITE, failure("e-orders-0005", nothing))


def test_a_master_is_handed_on_as_it_is_unless_it_is_an_error() -> None:
    master = Request(method="POST", host="market", path="/instruments/master", reply="file")
    short, long = (b'{"type":"success","result":"%s"}' % (b"x" * count) for count in (5, 5000))
    for content in (short, long, b"<html>"):
        assert checked(master, Canned(content)) == content
    with pytest.raises(SessionExpired):
        checked(master, Canned(json.dumps(failure("e-session-0007", "Invalid Token").payload).encode(), 200))
    with pytest.raises(Unknown):
        checked(master, Canned(b"busy", 503))
