from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest
from tests.house import FIELDS, House, broker, open_house

from sangam.accounts.forms import check_hosts
from sangam.accounts.sessions import End, Ended
from sangam.brokers.contract import Grant, Session
from sangam.logs import redactor
from sangam.model.enums import Scope
from sangam.model.errors import AuthError, InvalidInput, UnknownBroker

LOGGED_OUT = Ended(End.LOGGED_OUT)


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    house = open_house(tmp_path)
    yield house
    house.database.close()


def test_a_user_may_hold_several_accounts_at_several_brokers(house: House) -> None:
    ids = [house.accounts.create("asha", name, FIELDS).id for name in ("Example", "other", "EXAMPLE")]
    assert ids == ["asha-example", "asha-other", "asha-example-2"]
    house.accounts.create("ravi", "other", FIELDS)
    assert [info.id for info in house.accounts.list("asha")] == ids
    assert len(house.accounts.list()) == 4
    assert house.accounts.users.names == {"asha", "ravi"}


@pytest.mark.parametrize(
    ("fields", "told"),
    [
        ({"api_key": "k"}, r"Example needs 'access_token' \(Access token\)"),
        ({**FIELDS, "access_token": " "}, "needs 'access_token'"),
        ({**FIELDS, "pin": "1"}, "no login field 'pin'. Its fields: api_key, access_token, user_id"),
    ],
)
def test_login_fields_are_the_brokers(house: House, fields: dict[str, str], told: str) -> None:
    with pytest.raises(InvalidInput, match=told):
        house.accounts.create("asha", "example", fields)
    assert house.accounts.users.names == frozenset()


@pytest.mark.parametrize(
    ("hosts", "told"),
    [
        ({"login": "https://x"}, "no host 'login'. Its hosts: api, stream"),
        ({"api": "127.0.0.1:80"}, "needs a whole URL"),
        ({"api": "file:///etc/passwd"}, "needs a whole URL"),
        ({"api": "http://api.example.com"}, "must be encrypted"),
        ({"stream": "ws://10.0.0.1"}, "must be encrypted"),
    ],
)
def test_credentials_travel_encrypted_to_known_hosts_only(house: House, hosts: dict[str, str], told: str) -> None:
    with pytest.raises(InvalidInput, match=told):
        house.accounts.create("asha", "example", FIELDS, hosts)


def test_a_sandbox_has_no_hosts_but_its_own_and_simulators() -> None:
    fixed = broker("practice", sandbox=True)
    check_hosts(fixed, {"api": "https://api.example.com", "stream": "ws://127.0.0.1:1"})
    with pytest.raises(InvalidInput, match=r"used at https://api.example.com or on this machine only"):
        check_hosts(fixed, {"api": "https://real.example.com"})


def test_names_are_checked(house: House) -> None:
    with pytest.raises(UnknownBroker, match="Known brokers: example, other, toy"):
        house.accounts.create("asha", "nobody", FIELDS)
    with pytest.raises(InvalidInput, match="User name 'A b' is not allowed"):
        house.accounts.create("A b", "example", FIELDS)
    with pytest.raises(InvalidInput, match="No account 'x'"):
        house.accounts.open_session("x")


def test_each_login_raises_the_generation_and_is_told(house: House) -> None:
    heard: list[tuple[str, int | None]] = []

    def listen(account: str, session: Session | None) -> None:
        heard.append((account, session.generation if session else None))

    stop = house.accounts.on_session(listen)
    account = house.accounts.create("asha", "example", FIELDS, {"api": "http://127.0.0.1:9"}).id
    assert house.accounts.session(account) is None
    session = house.accounts.open_session(account, {"feed_token": "ft-12345678"}, client_id="EX7")
    assert session.secrets == {**FIELDS, "feed_token": "ft-12345678"}
    assert session.hosts == {"api": "http://127.0.0.1:9"}
    assert (session.client_id, house.accounts.list()[0].client_id) == ("EX7", "EX7")
    assert house.accounts.session(account) is session
    house.accounts.admit(account, {"access_token": "tomorrows-token"}, {}, Grant(secrets={}, client_id="EX7"))
    house.accounts.end_session(account, LOGGED_OUT)
    house.accounts.end_session(account, LOGGED_OUT)
    stop()
    house.accounts.open_session(account)
    assert heard == [(account, 1), (account, 2), (account, None)]
    held = house.accounts.session(account)
    assert held is not None
    assert (held.generation, held.secrets["access_token"]) == (3, "tomorrows-token")


def test_sessions_survive_a_restart_until_their_hour(tmp_path: Path) -> None:
    house = open_house(tmp_path)
    account = house.accounts.create("asha", "example", FIELDS).id
    toy = house.accounts.create("asha", "toy", FIELDS).id
    opened = house.accounts.open_session(account, client_id="EX7")
    house.accounts.open_session(toy)
    house.database.close()

    again = open_house(tmp_path, house.clock)
    assert again.accounts.session(account) == opened
    assert opened.expires_at == house.clock.now_ms() + 20 * 3600_000
    house.clock.advance(20 * 3600 - 1)
    assert again.accounts.session(account) == opened
    house.clock.advance(1)
    assert again.accounts.session(account) is None
    assert again.accounts.session(toy) is not None
    assert again.accounts.open_session(account).generation == 2
    again.accounts.end_session(account, LOGGED_OUT)
    again.database.close()

    third = open_house(tmp_path, house.clock)
    assert third.accounts.session(account) is None
    assert third.accounts.open_session(account).generation == 3
    third.database.close()


def test_a_key_sees_its_users_accounts_only(house: House) -> None:
    own = [house.accounts.create("asha", name, FIELDS) for name in ("example", "other")]
    house.accounts.create("ravi", "other", FIELDS)
    plain, _ = house.accounts.keys.create("asha", [Scope.DATA], interval_ms=100)
    bound, _ = house.accounts.keys.create("asha", [Scope.DATA], data_account=own[1].id, order_account=own[1].id)
    identity = house.accounts.authenticate(plain)
    assert identity.accounts == tuple(own)
    assert (identity.data_account, identity.order_account, identity.interval_ms) == (own[0], own[0], 100)
    assert house.accounts.authenticate(bound).data_account == own[1]
    with pytest.raises(AuthError):
        house.accounts.authenticate("nonsense")


def test_a_key_bound_to_a_removed_account_never_falls_back_to_another(house: House) -> None:
    first, second = (house.accounts.create("asha", name, FIELDS).id for name in ("example", "other"))
    bound, _ = house.accounts.keys.create("asha", [Scope.DATA], data_account=second, order_account=second)
    house.accounts.open_session(second)
    heard: list[Session | None] = []
    house.accounts.on_session(lambda account, session: heard.append(session))
    house.accounts.remove(second)
    assert heard == [None]
    identity = house.accounts.authenticate(bound)
    assert [info.id for info in identity.accounts] == [first]
    assert identity.data_account is None
    assert identity.order_account is None
    again = house.accounts.create("asha", "other", FIELDS).id
    assert again not in (first, second)
    assert house.accounts.authenticate(bound).data_account is None
    assert house.accounts.open_session(again).generation == 1


def test_a_removed_default_is_not_replaced_by_another_account(house: House) -> None:
    first, second = (house.accounts.create("asha", name, FIELDS).id for name in ("example", "other"))
    house.accounts.choose("asha", order_account=second)
    house.accounts.remove(second)
    data, order = house.accounts.default("asha")
    assert data is not None
    assert (data.id, order) == (first, None)
    assert house.accounts.create("asha", "other", FIELDS).id != second
    assert house.accounts.default("asha") == (data, None)


def test_the_end_of_an_account_is_told_whether_it_had_a_session_or_not(house: House) -> None:
    heard: list[tuple[str, Session | None]] = []
    house.accounts.on_session(lambda account, session: heard.append((account, session)))
    account = house.accounts.create("asha", "example", FIELDS).id
    house.accounts.remove(account)
    assert heard == [(account, None)]


def test_secrets_show_in_no_text(house: House) -> None:
    account = house.accounts.create("asha", "example", {**FIELDS, "user_id": "AB1234"})
    session = house.accounts.open_session(account.id, {"feed_token": "planted-feed-token"})
    for thing in (account, house.accounts[account.id], session):
        assert "planted" not in repr(thing)
    assert redactor("seen planted-feed-token of AB1234") == "seen *** of AB1234"


def test_the_brokers_name_for_the_user_is_kept_without_a_new_session(tmp_path: Path) -> None:
    house = open_house(tmp_path)
    account = house.accounts.create("asha", "example", FIELDS).id
    session = house.accounts.open_session(account)
    assert house.accounts.name_client(account, "EX9").info.client_id == "EX9"
    assert house.accounts.session(account) is session
    house.database.close()
    again = open_house(tmp_path, house.clock)
    assert again.accounts.list()[0].client_id == "EX9"
    assert again.accounts[account].secrets == FIELDS
    again.database.close()


def test_an_account_leaves_from_where_its_user_says(tmp_path: Path) -> None:
    house = open_house(tmp_path)
    account, other = (house.accounts.create("asha", name, FIELDS).id for name in ("example", "other"))
    told: list[Session | None] = []
    house.accounts.leave_from(account, "203.0.113.7")
    house.accounts.open_session(other)
    first = house.accounts.open_session(account, {"feed_token": "f"}, expires_at=house.clock.now_ms() + 1000)
    assert first.egress == "203.0.113.7"
    house.accounts.on_session(lambda name, session: told.append(session))
    proxy = "http://me:planted-password@10.0.0.2:3128"
    house.accounts.leave_from(account, proxy)
    assert told == [msgspec.structs.replace(first, egress=proxy, generation=2)], "an open session goes on from there"
    with pytest.raises(InvalidInput, match="IP address of this machine"):
        house.accounts.leave_from(account, "the office")
    house.accounts.name_client(account, "AB1234")
    house.database.close()
    assert b"planted-password" not in b"".join(file.read_bytes() for file in tmp_path.iterdir() if file.is_file())

    again = open_house(tmp_path, house.clock)
    session, untouched = again.accounts.session(account), again.accounts.session(other)
    assert session is not None
    assert untouched is not None
    assert (session.egress, session.generation, untouched.egress) == (proxy, 2, "")
    again.accounts.leave_from(account, "")
    assert again.accounts.open_session(account).egress == ""
    again.database.close()
