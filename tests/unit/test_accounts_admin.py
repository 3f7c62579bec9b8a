from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.house import FIELDS, House, open_house

from sangam.accounts.admin import ensure_admin_key
from sangam.accounts.demo import ensure_demo
from sangam.model.enums import Scope
from sangam.model.errors import AuthError, InvalidInput


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    house = open_house(tmp_path)
    yield house
    house.database.close()


async def test_an_account_is_added_logged_in_listed_and_removed(house: House) -> None:
    admin = house.desk.admin
    added = await admin.call(
        "account/add", {"broker": "example", "fields": FIELDS, "hosts": {"api": "http://127.0.0.1:9"}}
    )
    assert (added["account"], added["user"], added["session"], added["ended"]) == ("me-example", "me", False, None)
    made = await admin.call("account/login", {"account": "Example"})
    assert (made["open"], made["error"], made["generation"], made["client_id"]) == (False, "", 1, "EX1")
    again = await admin.call("account/login", {"account": "Example", "fields": {"access_token": "next-token"}})
    assert again["generation"] == 2
    session = house.accounts.session("me-example")
    assert session is not None
    assert session.secrets["access_token"] == "next-token"
    listed = await admin.call("account/list", {})
    assert [row["account"] for row in listed["accounts"]] == ["me-example"]
    assert "planted" not in repr((added, made, again, listed))
    out = await admin.call("account/logout", {"account": "me-example"})
    assert (out["session"], out["ended"], out["untold"]) == (False, "logged_out", "")
    await admin.call("account/remove", {"account": "me-example"})
    assert await admin.call("account/list", {}) == {"accounts": []}


async def test_keys_are_made_for_an_account_listed_and_revoked(house: House) -> None:
    admin = house.desk.admin
    await admin.call("account/add", {"broker": "example", "fields": FIELDS})
    await admin.call("account/add", {"broker": "other", "fields": FIELDS})
    made = await admin.call("key/create", {"account": "other", "label": "excel", "interval_ms": 0})
    identity = house.accounts.authenticate(made["api_key"])
    assert identity.data_account is not None
    assert (identity.data_account.id, identity.interval_ms) == ("me-other", 0)
    assert identity.scopes == {Scope.DATA, Scope.ORDERS_READ, Scope.ORDERS_WRITE}
    (listed,) = (await admin.call("key/list", {}))["keys"]
    assert (listed["id"], listed["label"]) == (made["id"], "excel")
    assert made["api_key"] not in repr(listed)
    await admin.call("key/revoke", {"id": made["id"]})
    with pytest.raises(AuthError):
        house.accounts.authenticate(made["api_key"])


@pytest.mark.parametrize(
    ("verb", "arguments", "told"),
    [
        ("account/fly", {}, "No such action 'account/fly'. Known: account/add"),
        ("account/add", {}, "missing required field `broker`"),
        ("account/add", {"broker": 5}, "Expected `str`, got `int`"),
        ("account/add", {"broker": "example", "colour": "red"}, "unknown field `colour`"),
        ("key/create", {"scopes": ["everything"]}, "Invalid enum value 'everything'"),
        ("key/create", {"account": "nowhere"}, "Account 'nowhere' is unknown. Accounts: none yet"),
        ("account/login", {"account": "nowhere"}, "unknown"),
    ],
)
async def test_bad_arguments_are_told(house: House, verb: str, arguments: dict[str, Any], told: str) -> None:
    with pytest.raises(InvalidInput, match=told):
        await house.desk.admin.call(verb, arguments)


async def test_who_is_meant_must_be_clear(house: House) -> None:
    admin = house.desk.admin
    for user in ("asha", "ravi"):
        await admin.call("account/add", {"broker": "example", "fields": FIELDS, "user": user})
    with pytest.raises(InvalidInput, match=r"several users \(asha, ravi\)"):
        await admin.call("key/create", {})
    with pytest.raises(InvalidInput, match=r"not clear\. Accounts: asha-example, ravi-example"):
        await admin.call("account/login", {"account": "example"})
    assert (await admin.call("key/create", {"user": "ravi", "account": "example"}))["data_account"] == "ravi-example"
    assert [row["user"] for row in (await admin.call("account/list", {"user": "ravi"}))["accounts"]] == ["ravi"]


def test_the_admin_key_is_kept_and_replaced_when_it_died(house: House) -> None:
    text = ensure_admin_key(house.accounts, house.home)
    assert ensure_admin_key(house.accounts, house.home) == text
    identity = house.accounts.authenticate(text)
    assert identity.scopes == {Scope.ADMIN}
    assert identity.accounts == ()
    house.accounts.keys.revoke(identity.key_id)
    assert ensure_admin_key(house.accounts, house.home) != text


def test_the_demo_is_made_once_in_an_empty_house(tmp_path: Path, house: House) -> None:
    ensure_admin_key(house.accounts, house.home)
    demo = ensure_demo(house.accounts, house.home, "toy", FIELDS)
    assert demo is not None
    assert demo.created
    assert demo.account is not None
    assert (demo.account.user, demo.account.broker) == ("demo", "toy")
    assert demo.api_key not in repr(demo)
    identity = house.accounts.authenticate(demo.api_key)
    assert identity.order_account == demo.account
    assert not identity.may(Scope.ADMIN)
    house.database.close()

    again = open_house(tmp_path)
    second = ensure_demo(again.accounts, again.home, "toy", FIELDS)
    assert second is not None
    assert (second.api_key, second.account, second.created) == (demo.api_key, demo.account, False)
    (tmp_path / "demo.key").unlink()
    third = ensure_demo(again.accounts, again.home, "toy", FIELDS)
    assert third is not None
    assert third.account == demo.account
    again.accounts.keys.revoke(again.accounts.authenticate(third.api_key).key_id)
    assert ensure_demo(again.accounts, again.home, "toy", FIELDS) is None
    again.database.close()


def test_a_house_with_people_in_it_gets_no_demo(house: House) -> None:
    house.accounts.create("asha", "example", FIELDS)
    assert ensure_demo(house.accounts, house.home, "toy", FIELDS) is None
    assert house.home.read("demo.key") is None
