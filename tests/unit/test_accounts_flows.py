"""Every way to log in, against a broker that is really asked."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest
from tests.house import House, open_house
from tests.login_broker import OTP, PIN, SECRET, Bank, login_broker

from sangam.accounts.flows import TRIES
from sangam.accounts.pending import LIFETIME_MS, Flow
from sangam.accounts.sessions import End, Ended
from sangam.accounts.ways import Way, totp, ways
from sangam.brokers.registry import Registry
from sangam.logs import redactor
from sangam.model.clock import SystemClock
from sangam.model.errors import InvalidInput, NotSent, Refused, SessionExpired, Unknown
from sangam.transport.http import HttpDriver

BROKERS = (
    login_broker("echo"),
    login_broker("blind", echoes=False, ways="redirect paste"),
    login_broker("paste", ways="paste"),
    login_broker("auto", ways="automatic"),
    login_broker("plain", ways=""),
    login_broker("secret", ways="redirect paste secret"),
    login_broker("prepared", echoes=False, ways="redirect prepared"),
)


@pytest.fixture
async def bank() -> AsyncIterator[Bank]:
    async with Bank() as bank:
        yield bank


@pytest.fixture
async def house(tmp_path: Path) -> AsyncIterator[House]:
    driver = HttpDriver(SystemClock())
    house = open_house(tmp_path, registry=Registry(BROKERS), run=driver.run)
    yield house
    await driver.close()
    house.database.close()


def account(house: House, bank: Bank, name: str = "echo", **fields: str) -> str:
    given = {"pin": PIN} if any(field.name == "pin" for field in house.registry[name].login.kept) else {}
    bank.now = house.clock.now_ms() / 1000
    return house.accounts.create("asha", name, {**given, **fields}, bank.hosts).id


async def came_back(flow: Flow) -> dict[str, str]:
    """What the broker's page sends to us once somebody logged in there."""
    async with httpx.AsyncClient(trust_env=False) as http:
        location = (await http.get(flow.url)).headers["location"]
    assert location.startswith(f"http://sangam/{flow.session.broker}/callback?")
    return {name: values[0] for name, values in parse_qs(urlsplit(location).query).items()}


def secrets_of(house: House, name: str) -> dict[str, str]:
    session = house.accounts.session(name)
    assert session is not None
    return dict(session.secrets)


# --- pasted -----------------------------------------------------------------------------------------------------------


async def test_a_pasted_token_is_proven_before_the_session_opens(house: House, bank: Bank) -> None:
    name = account(house, bank, "paste")
    with pytest.raises(SessionExpired, match="the token is dead"):
        await house.desk.flows.begin(name, {"access_token": "planted-wrong"})
    assert house.accounts.session(name) is None
    token = bank.token()
    flow = await house.desk.flows.begin(name, {"access_token": token})
    assert (flow.open, flow.generation) == (False, 1)
    assert secrets_of(house, name)["access_token"] == token
    assert house.accounts[name].info.client_id == "EX1"
    assert "access_token" not in house.accounts[name].secrets, "what is of today is not kept with the account"


async def test_a_wrong_token_leaves_the_session_that_stands(house: House, bank: Bank) -> None:
    name = account(house, bank, "paste", api_key="first")
    await house.desk.flows.begin(name, {"access_token": bank.token()})
    standing = house.accounts.session(name)
    with pytest.raises(SessionExpired):
        await house.desk.flows.begin(name, {"access_token": "planted-wrong", "api_key": "second"})
    assert house.accounts.session(name) is standing
    assert house.accounts[name].secrets["api_key"] == "first"


async def test_only_what_is_missing_is_asked(house: House, bank: Bank) -> None:
    name = account(house, bank, "paste")
    flow = await house.desk.flows.begin(name)
    assert [field.name for field in flow.asks] == ["access_token"]
    with pytest.raises(InvalidInput, match=r"needs 'access_token' \(Access token\)"):
        await house.desk.flows.answer(flow.id, {})
    with pytest.raises(InvalidInput, match="no login field 'colour'"):
        await house.desk.flows.answer(flow.id, {"colour": "red"})
    await house.desk.flows.answer(flow.id, {"access_token": bank.token()})
    assert flow.generation == 1
    with pytest.raises(InvalidInput, match="answered already"):
        await house.desk.flows.answer(flow.id, {"access_token": bank.token()})


async def test_another_client_is_refused_once_the_account_knows_its_own(house: House, bank: Bank) -> None:
    name = account(house, bank, "paste")
    await house.desk.flows.begin(name, {"access_token": bank.token()})
    standing = house.accounts.session(name)
    bank.client = "ZZ9"
    with pytest.raises(InvalidInput, match="says that ZZ9 logged in, but asha-paste belongs to EX1"):
        await house.desk.flows.begin(name, {"access_token": bank.token()})
    assert house.accounts.session(name) is standing
    bank.client = " ex1 "
    assert (await house.desk.flows.begin(name, {"access_token": bank.token()})).generation == 2


async def test_a_broker_out_of_order_opens_nothing_and_may_be_asked_again(house: House, bank: Bank) -> None:
    name = account(house, bank, "paste")
    bank.broken = True
    with pytest.raises(Unknown, match="out of order"):
        await house.desk.flows.begin(name, {"access_token": bank.token()})
    assert house.accounts.session(name) is None
    bank.broken = False
    assert (await house.desk.flows.begin(name, {"access_token": bank.token()})).generation == 1
    nowhere = house.accounts.create("asha", "paste", {}, {"api": "http://127.0.0.1:9"}).id
    with pytest.raises(NotSent, match="cannot be reached"):
        await house.desk.flows.begin(nowhere, {"access_token": "planted-any"})


# --- by redirect ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["echo", "blind"])
async def test_a_redirect_login(house: House, bank: Bank, name: str) -> None:
    known = account(house, bank, name)
    flow = await house.desk.flows.begin(known, way=Way.REDIRECT)
    parameters = await came_back(flow)
    found, proven = house.desk.callbacks.arrived(name, None, parameters)
    assert (found, proven) == (flow, name == "echo")
    await house.desk.flows.brought(flow, parameters)
    assert secrets_of(house, known)["access_token"] in bank.good
    assert house.accounts[known].info.client_id == "EX1"
    assert redactor(f"saw {parameters['code']}") == "saw ***"
    with pytest.raises(InvalidInput, match=r"answered already|No login waits"):
        house.desk.callbacks.arrived(name, None, parameters)
    assert house.accounts.sessions.generation(known) == 1


async def test_a_broker_may_be_told_of_a_login_before_its_page_is_opened(house: House, bank: Bank) -> None:
    known = account(house, bank, "prepared")
    flow = await house.desk.flows.begin(known)
    assert parse_qs(urlsplit(flow.url).query)["ticket"] == ["planted-ticket"]
    await house.desk.flows.brought(flow, await came_back(flow))
    assert bank.heard == ["begin", "exchange"]
    assert "ticket" not in secrets_of(house, known)


async def test_a_login_that_the_broker_will_not_hear_of_is_over(house: House, bank: Bank) -> None:
    bank.broken = True
    known = account(house, bank, "prepared")
    with pytest.raises(Unknown, match="out of order"):
        await house.desk.flows.begin(known)
    assert not house.desk.flows.pending.under_way(known)


async def test_a_callback_is_good_for_one_try(house: House, bank: Bank) -> None:
    known = account(house, bank)
    flow = await house.desk.flows.begin(known, way=Way.REDIRECT)
    parameters = await came_back(flow)
    with pytest.raises(Refused, match="that is wrong"):
        await house.desk.flows.brought(flow, {**parameters, "code": "planted-forged"})
    with pytest.raises(InvalidInput, match=r"This login failed \(Bank: that is wrong\)"):
        house.desk.callbacks.arrived("echo", None, parameters)
    assert house.accounts.session(known) is None


async def test_somebody_else_at_the_brokers_page_is_refused(house: House, bank: Bank) -> None:
    known = account(house, bank)
    house.accounts.name_client(known, "EX1")
    bank.client = "ZZ9"
    flow = await house.desk.flows.begin(known, way=Way.REDIRECT)
    with pytest.raises(InvalidInput, match="ZZ9 logged in"):
        await house.desk.flows.brought(flow, await came_back(flow))
    assert "ZZ9 logged in" in flow.error
    assert house.accounts.session(known) is None


@pytest.mark.parametrize("change", ["missing", "altered", "other broker", "other account", "late"])
async def test_a_callback_needs_our_state(house: House, bank: Bank, change: str) -> None:
    known, other = account(house, bank), account(house, bank)
    flow = await house.desk.flows.begin(known, way=Way.REDIRECT)
    parameters, broker, named = await came_back(flow), "echo", known
    match change:
        case "missing":
            del parameters["state"]
        case "altered":
            parameters["state"] = parameters["state"][:-2] + ("AA" if parameters["state"][-2:] != "AA" else "BB")
        case "other broker":
            broker = "blind"
        case "other account":
            named = other
        case "late":
            house.clock.advance(LIFETIME_MS / 1000)
    with pytest.raises(InvalidInput):
        house.desk.callbacks.arrived(broker, named, parameters)
    assert flow.open or change == "late"


async def test_without_state_the_one_login_under_way_is_meant(house: House, bank: Bank) -> None:
    first, second = account(house, bank, "blind"), account(house, bank, "blind")
    begun = await house.desk.flows.begin(first)
    callbacks = house.desk.callbacks
    assert callbacks.arrived("blind", None, {"code": "x"}) == (begun, False)
    other = await house.desk.flows.begin(second)
    with pytest.raises(InvalidInput, match="Several logins are under way"):
        callbacks.arrived("blind", None, {"code": "x"})
    assert callbacks.arrived("blind", second, {"code": "x"}) == (other, False)
    house.clock.advance(LIFETIME_MS / 1000)
    with pytest.raises(InvalidInput, match="No login waits"):
        callbacks.arrived("blind", first, {"code": "x"})


async def test_signed_texts_are_good_for_their_purpose_only(house: House, bank: Bank) -> None:
    flow = await house.desk.flows.begin(account(house, bank), way=Way.REDIRECT)
    callbacks = house.desk.callbacks
    state = (await came_back(flow))["state"]
    assert callbacks.admitted(callbacks.ticket(flow)) is flow
    assert callbacks.is_marked(flow, callbacks.mark(flow))
    for text in (state, callbacks.mark(flow), "", "x", "ä"):
        with pytest.raises(InvalidInput, match="This link is not ours"):
            callbacks.admitted(text)
    assert not callbacks.is_marked(flow, callbacks.ticket(flow))
    token = callbacks.hold(flow, {"code": "mine"})
    assert callbacks.confirmed(token) is flow
    callbacks.hold(flow, {"code": "theirs"})
    with pytest.raises(InvalidInput, match="Another callback came meanwhile"):
        callbacks.confirmed(token)


async def test_an_address_may_be_copied_instead(house: House, bank: Bank) -> None:
    known = account(house, bank)
    flow = await house.desk.flows.begin(known, way=Way.REDIRECT)
    parameters = await came_back(flow)
    with pytest.raises(InvalidInput, match="brings nothing"):
        house.desk.callbacks.typed(known, "https://example.com/callback")
    text = f" https://elsewhere.example/cb?code={parameters['code']}#state={parameters['state']} "
    answer = await house.desk.admin.call("account/address", {"account": known, "address": text})
    assert (answer["open"], answer["generation"]) == (False, 1)


# --- by answers -------------------------------------------------------------------------------------------------------


async def test_questions_are_asked_one_after_the_other(house: House, bank: Bank) -> None:
    known = account(house, bank, totp=SECRET)
    flow = await house.desk.flows.begin(known)
    assert (flow.way, [field.name for field in flow.asks]) == (Way.STEPS, ["otp"])
    assert "planted-ticket" not in repr(flow)
    with pytest.raises(Refused, match="that is wrong"):
        await house.desk.flows.answer(flow.id, {"otp": "111111"})
    assert flow.open
    await house.desk.flows.answer(flow.id, {"otp": OTP})
    assert flow.generation == 1
    assert bank.heard == ["login", "otp", "otp"]
    assert set(house.accounts[known].secrets) == {"pin", "totp"}


async def test_three_wrong_answers_end_a_login(house: House, bank: Bank) -> None:
    flow = await house.desk.flows.begin(account(house, bank))
    for _ in range(TRIES):
        with pytest.raises(Refused):
            await house.desk.flows.answer(flow.id, {"otp": "111111"})
    with pytest.raises(InvalidInput, match="This login failed"):
        await house.desk.flows.answer(flow.id, {"otp": OTP})
    assert bank.heard.count("otp") == TRIES
    assert flow.carried == {}


async def test_a_login_half_done_is_forgotten(house: House, bank: Bank) -> None:
    known = account(house, bank)
    flow = await house.desk.flows.begin(known)
    later = await house.desk.flows.begin(known)
    with pytest.raises(InvalidInput, match="another one took its place"):
        await house.desk.flows.answer(flow.id, {"otp": OTP})
    house.clock.advance(LIFETIME_MS / 1000)
    with pytest.raises(InvalidInput, match="This login is over"):
        await house.desk.flows.answer(later.id, {"otp": OTP})


def test_the_codes_of_an_authenticator() -> None:
    """RFC 6238, appendix B, the last six of eight digits."""
    secret = "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ"
    assert [totp(secret, now) for now in (59, 1111111109, 20000000000)] == ["287082", "081804", "353130"]
    assert totp(secret.lower()[:16], 59).isdecimal()


async def test_a_typed_code_is_used_and_not_kept(house: House, bank: Bank) -> None:
    known = account(house, bank)
    now = house.clock.now_ms() // 1000
    flow = await house.desk.flows.begin(known, {"totp": totp(SECRET, now)})
    assert [field.name for field in flow.asks] == ["otp"]
    await house.desk.flows.answer(flow.id, {"otp": OTP})
    assert "totp" not in house.accounts[known].secrets


async def test_the_kept_secret_makes_the_code(house: House, bank: Bank) -> None:
    known = account(house, bank, "auto", totp=SECRET.lower())
    assert (await house.desk.flows.begin(known)).generation == 1
    wrong = account(house, bank, "auto", totp="not base32!")
    with pytest.raises(InvalidInput, match="not an authenticator's secret"):
        await house.desk.flows.begin(wrong)


# --- which way --------------------------------------------------------------------------------------------------------


def test_the_most_convenient_way_comes_first() -> None:
    offered = {spec.name: list(ways(spec.login)) for spec in BROKERS}
    assert offered == {
        "echo": [Way.STEPS, Way.REDIRECT, Way.PASTE],
        "blind": [Way.REDIRECT, Way.PASTE],
        "paste": [Way.PASTE],
        "auto": [Way.STEPS],
        "plain": [Way.PASTE],
        "secret": [Way.REDIRECT, Way.PASTE],
        "prepared": [Way.REDIRECT],
    }


async def test_a_redirect_that_needs_more_than_is_kept_is_not_the_first_choice(house: House, bank: Bank) -> None:
    name = account(house, bank, "secret")
    assert (await house.desk.flows.begin(name)).way is Way.PASTE
    flow = await house.desk.flows.begin(name, way=Way.REDIRECT)
    assert (flow.url, [field.name for field in flow.asks]) == ("", ["api_secret"])
    with pytest.raises(InvalidInput, match="needs 'api_secret'"):
        await house.desk.flows.answer(flow.id, {"api_secret": " "})
    await house.desk.flows.answer(flow.id, {"api_secret": "planted-secret"})
    await house.desk.flows.brought(flow, await came_back(flow))
    assert house.accounts[name].secrets["api_secret"] == "planted-secret"
    assert (await house.desk.flows.begin(name)).way is Way.REDIRECT


async def test_a_way_that_is_not_offered_is_told(house: House, bank: Bank) -> None:
    with pytest.raises(InvalidInput, match=r"Paste offers no login by steps\. Its ways: paste"):
        await house.desk.flows.begin(account(house, bank, "paste"), way=Way.STEPS)
    with pytest.raises(InvalidInput, match="Paste offers no login by redirect"):
        house.desk.callbacks.arrived("paste", None, {"code": "x"})


# --- sessions that stand ----------------------------------------------------------------------------------------------


async def test_renewal_is_the_next_generation(house: House, bank: Bank) -> None:
    known = account(house, bank)
    with pytest.raises(InvalidInput, match="no session that can be prolonged"):
        await house.desk.flows.renew(known)
    await house.desk.flows.begin(known, {"access_token": bank.token()})
    before = secrets_of(house, known)["access_token"]
    assert (await house.desk.flows.renew(known)).generation == 2
    assert secrets_of(house, known)["access_token"] != before


@pytest.mark.parametrize("trouble", ["none", "dead already", "out of order"])
async def test_logout(house: House, bank: Bank, trouble: str) -> None:
    known = account(house, bank)
    token = bank.token()
    await house.desk.flows.begin(known, {"access_token": token})
    if trouble == "dead already":
        bank.good.clear()
    bank.broken = trouble == "out of order"
    untold = await house.desk.flows.log_out(known)
    assert untold == ("Bank: out of order" if bank.broken else "")
    assert house.accounts.session(known) is None
    assert house.accounts.sessions.ended(known) == Ended(End.LOGGED_OUT)
    assert (token in bank.good) is bank.broken
    assert house.accounts[known].secrets["pin"] == PIN, "what the account keeps stays"
    assert await house.desk.flows.log_out(known) == ""


async def test_no_secret_is_told(house: House, bank: Bank, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("DEBUG")
    known = account(house, bank, totp=SECRET)
    told: list[Any] = [await house.desk.admin.call("account/login", {"account": known})]
    told.append(await house.desk.admin.call("account/answer", {"login": told[0]["login"], "fields": {"otp": OTP}}))
    told.append(await house.desk.admin.call("account/list", {}))
    told.append(await house.desk.admin.call("user/list", {}))
    everything = repr(told) + redactor(caplog.text)
    assert not [word for word in ("planted", SECRET, OTP) if word in everything]
