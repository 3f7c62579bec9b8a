"""Noren's ways to a session: OAuth with a checksum, Flattrade's own service, renewal, logout."""

import hashlib
import json
from typing import Any

import pytest
from tests.canned import Canned, drive

from sangam.brokers.contract import BrokerSpec, Ctx, Grant, Session
from sangam.brokers.families.noren import Member, broker
from sangam.model.errors import BrokerError, InvalidInput, Refused, SessionExpired, Unknown

CTX = Ctx(0, bytes)
OAUTH = broker(Member(name="toy", title="Toy", host="toy.example", renews=True))
PI = broker(
    Member(
        name="pi",
        title="Pi",
        host="pi.example",
        login="pi",
        body="jkey",
        hosts={"login": "https://auth.pi.example", "token": "https://authapi.pi.example"},
    )
)
KEPT = {"user_id": "FA1", "api_key": "ABC", "api_secret": "123"}
SESSION = Session(account="a1", broker="toy", generation=0, secrets=KEPT)
GRANTED = {"stat": "Ok", "access_token": "ea97", "refresh_token": "b314", "uid": "FA1", "actid": "FA1"}


def exchanged(spec: BrokerSpec, brought: dict[str, str], reply: Any) -> tuple[Any, Grant]:
    assert spec.login.redirect is not None
    told = drive(spec, spec.login.redirect.exchange(SESSION, brought, CTX), reply)
    return told.request, told.result


def test_the_pages() -> None:
    pages = [spec.login.redirect.url(SESSION, "s", "b") for spec in (OAUTH, PI) if spec.login.redirect is not None]
    assert pages == [
        "https://toy.example/OAuthlogin/authorize/oauth?client_id=ABC",
        "https://auth.pi.example?app_key=ABC",
    ]


def test_the_checksum_of_the_portals_example() -> None:
    """shoonya.md, 2: ABC, 123 and x1y2z3."""
    request, grant = exchanged(OAUTH, {"code": "x1y2z3"}, GRANTED)
    assert (request.path, request.auth, request.effect) == ("/GenAcsTok", "none", "write")
    checksum = hashlib.sha256(b"ABC123x1y2z3").hexdigest()
    assert json.loads(request.content.removeprefix(b"jData=")) == {"code": "x1y2z3", "checksum": checksum}
    assert grant == Grant(secrets={"access_token": "ea97", "refresh_token": "b314"}, client_id="FA1")


@pytest.mark.parametrize("name", ["code", "request_code"])
@pytest.mark.parametrize("state", ["status", "stat"])
def test_flattrades_service_speaks_json(name: str, state: str) -> None:
    request, grant = exchanged(
        PI, {name: "R", "client": "FA1"}, {"token": "t", "client": "FA1", state: "Ok", "emsg": ""}
    )
    assert (request.host, request.path) == ("token", "/trade/apitoken")
    proof = hashlib.sha256(b"ABCR123").hexdigest()
    assert request.json == {"api_key": "ABC", "request_code": "R", "api_secret": proof}
    assert grant == Grant(secrets={"access_token": "t"}, client_id="FA1")


@pytest.mark.parametrize("spec", [OAUTH, PI])
@pytest.mark.parametrize(
    "reply",
    [
        {"stat": "Not_Ok", "emsg": "Invalid Input : INVALID_VERIFIER", "uid": "TEST"},
        Canned({"stat": "Not_Ok", "emsg": "Invalid authorization code"}, 401),
        {"token": "", "client": "", "status": "Not_Ok", "emsg": "no"},
        {"stat": "Ok"},
    ],
)
def test_a_code_that_leads_to_no_session_is_refused(spec: BrokerSpec, reply: Any) -> None:
    with pytest.raises(Refused) as caught:
        exchanged(spec, {"code": "x"}, reply)
    assert not isinstance(caught.value, SessionExpired)


def test_whose_the_session_is_says_the_broker() -> None:
    assert exchanged(OAUTH, {"code": "x"}, {**GRANTED, "actid": "FA2"})[1].client_id == "FA2"
    assert exchanged(OAUTH, {"code": "x"}, {"stat": "Ok", "access_token": "t"})[1].client_id == "FA1"
    untold = {"stat": "Ok", "access_token": "t", "actid": None, "uid": "", "refresh_token": None}
    assert exchanged(OAUTH, {"code": "x"}, untold)[1] == Grant(secrets={"access_token": "t"}, client_id="FA1")


def test_a_broken_off_login_and_a_broken_broker_are_told_apart() -> None:
    with pytest.raises(InvalidInput):
        exchanged(OAUTH, {}, GRANTED)
    for reply in (Canned("", 502), Canned(GRANTED, 503)):
        with pytest.raises(Unknown):
            exchanged(OAUTH, {"code": "x"}, reply)


def test_a_refresh_token_makes_a_new_session_where_there_is_one() -> None:
    assert OAUTH.login.renew is not None
    session = Session(account="a1", broker="toy", generation=1, secrets={**KEPT, "refresh_token": "old"})
    told = drive(OAUTH, OAUTH.login.renew(session, CTX), GRANTED)
    assert told.request.content == b'jData={"refresh_token":"old"}'
    assert told.result.secrets == {"access_token": "ea97", "refresh_token": "b314"}
    with pytest.raises(InvalidInput):
        drive(OAUTH, OAUTH.login.renew(SESSION, CTX))
    assert PI.login.renew is None


def test_a_session_is_proved_by_the_profile_and_ended_twice_without_an_error() -> None:
    session = Session(account="a1", broker="toy", generation=1, secrets={**KEPT, "access_token": "t"})
    assert drive(OAUTH, OAUTH.login.check(session, CTX), {"stat": "Ok", "uid": "FA1", "actid": "FA1"}).result == "FA1"
    assert OAUTH.login.logout is not None
    dead = {"stat": "Not_Ok", "emsg": "Session Expired : Invalid Session Key"}
    for reply in ({"stat": "Ok"}, dead):
        told = drive(OAUTH, OAUTH.login.logout(session, CTX), reply)
        assert told.request.content == b'jData={"uid":"FA1","ordersource":"API"}'
    with pytest.raises(BrokerError):
        drive(OAUTH, OAUTH.login.check(session, CTX), dead)
