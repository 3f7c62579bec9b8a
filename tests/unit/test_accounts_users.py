import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.house import FIELDS, House, broker, open_house

from sangam.accounts.admin import ensure_admin_key
from sangam.accounts.first import ensure_first
from sangam.accounts.users import LONGEST_PASSWORD, SHORTEST_PASSWORD, hash_password
from sangam.brokers.registry import Registry
from sangam.model.enums import Scope
from sangam.model.errors import AuthError, InvalidInput

PASSWORD = "planted password"


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    house = open_house(tmp_path)
    yield house
    house.database.close()


def test_passwords_are_kept_as_hashes(tmp_path: Path, house: House) -> None:
    users = house.accounts.users
    users.add("asha")
    assert not users.knows("asha", "")
    hashed = hash_password(PASSWORD)
    assert hashed.startswith("$argon2id$")
    users.set_password("asha", hashed)
    assert "argon2" not in repr(users["asha"])
    house.database.close()
    again = open_house(tmp_path)
    assert again.accounts.users.knows("asha", PASSWORD)
    assert not again.accounts.users.knows("asha", PASSWORD + " ")
    assert not again.accounts.users.knows("nobody", PASSWORD)
    assert not again.accounts.users.knows("nobody", "nobody has this password")
    again.database.close()


@pytest.mark.parametrize("length", [0, SHORTEST_PASSWORD - 1, LONGEST_PASSWORD + 1])
def test_passwords_have_a_length(length: int) -> None:
    with pytest.raises(InvalidInput, match="8 to 256 characters"):
        hash_password("x" * length)


async def test_signing_in_tells_nothing_of_what_was_wrong(house: House) -> None:
    users = house.accounts.users
    users.add("asha")
    users.set_password("asha", await asyncio.to_thread(hash_password, PASSWORD))
    users.add("ravi")
    cookie = await house.desk.sign_in.enter("asha", PASSWORD)
    assert house.desk.sign_in.user(cookie) == "asha"
    told = set()
    for name, password in (("asha", "wrong"), ("nobody", PASSWORD), ("ravi", ""), ("asha", "x" * 10_000)):
        with pytest.raises(AuthError) as caught:
            await house.desk.sign_in.enter(name, password)
        told.add(str(caught.value))
    assert told == {"Wrong user name or password."}


async def test_users_are_added_and_listed(house: House) -> None:
    admin = house.desk.admin
    ensure_admin_key(house.accounts, house.home)
    await admin.call("user/add", {"name": "asha", "password": PASSWORD})
    with pytest.raises(InvalidInput, match="There is a user 'asha' already"):
        await admin.call("user/add", {"name": "asha"})
    with pytest.raises(InvalidInput, match="8 to 256"):
        await admin.call("user/add", {"name": "ravi", "password": "short"})
    with pytest.raises(InvalidInput, match="No user 'ravi'"):
        await admin.call("user/passwd", {"name": "ravi", "password": PASSWORD})
    account = (await admin.call("account/add", {"broker": "example", "user": "asha", "fields": FIELDS}))["account"]
    (row,) = (await admin.call("user/list", {}))["users"]
    assert row | {"created_at": 0} == {
        "user": "asha",
        "created_at": 0,
        "password": True,
        "accounts": 1,
        "data_account": account,
        "order_account": account,
        "analyzer": False,
    }


# --- default accounts -------------------------------------------------------------------------------------------------


def test_keys_that_are_bound_to_none_follow_the_default_at_once(tmp_path: Path, house: House) -> None:
    accounts = house.accounts
    first, second = (accounts.create("asha", name, FIELDS) for name in ("example", "other"))
    free, _ = accounts.keys.create("asha", [Scope.DATA])
    bound, _ = accounts.keys.create("asha", [Scope.DATA], data_account=first.id, order_account=first.id)
    heard: list[str] = []
    stop = accounts.on_change(heard.append)
    accounts.choose("asha", data_account=second.id)
    identity = accounts.authenticate(free)
    assert (identity.data_account, identity.order_account) == (second, first)
    accounts.choose("asha", order_account=second.id)
    assert accounts.authenticate(free).order_account == second
    assert accounts.authenticate(bound).data_account == first
    assert accounts.identity(identity.key_id).data_account == second
    assert heard == ["asha"] * 2
    stop()
    house.database.close()

    again = open_house(tmp_path)
    assert again.accounts.default("asha") == (second, second)
    again.accounts.remove(second.id)
    assert again.accounts.default("asha") == (None, None)
    third = again.accounts.create("asha", "other", FIELDS)
    assert third.id != second.id
    assert again.accounts.default("asha") == (None, None), "nothing takes a removed default's place by itself"
    again.accounts.choose("asha", data_account=first.id)
    assert again.accounts.default("asha") == (first, None)
    again.database.close()


def test_a_default_is_one_of_ones_own(house: House) -> None:
    own, foreign = (house.accounts.create(user, "example", FIELDS).id for user in ("asha", "ravi"))
    for account in (foreign, "nowhere"):
        with pytest.raises(InvalidInput):
            house.accounts.choose("asha", data_account=own, order_account=account)
    assert house.accounts.users["asha"].data_account is None


def test_a_revoked_key_stands_for_nobody(house: House) -> None:
    _, key = house.accounts.keys.create(house.accounts.users.add("asha").name, [Scope.DATA])
    house.accounts.keys.revoke(key.id)
    for name in (key.id, "00000000"):
        with pytest.raises(AuthError):
            house.accounts.identity(name)


# --- the first account ------------------------------------------------------------------------------------------------


def test_the_environment_makes_the_first_account_of_an_empty_house_only(tmp_path: Path) -> None:
    one = Registry([broker()])
    house = open_house(tmp_path, registry=one)
    ensure_admin_key(house.accounts, house.home)
    accounts = house.accounts
    assert ensure_first(accounts, Registry([broker(), broker("other")]), "k", "s") is None
    assert ensure_first(accounts, one, "", "s") is None
    assert ensure_first(accounts, one, "k", "s") is None, "this broker needs more than the environment tells"
    assert accounts.list() == []
    house.database.close()
