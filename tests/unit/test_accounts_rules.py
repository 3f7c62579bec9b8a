from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.house import FIELDS, House, broker, open_house

from sangam.accounts.rules import HOUSE
from sangam.model.enums import KeyMode, Product, Scope
from sangam.model.errors import InvalidInput
from sangam.model.rules import Rules


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    house = open_house(tmp_path)
    yield house
    house.database.close()


@pytest.fixture
def account(house: House) -> str:
    return house.accounts.create("asha", broker().name, FIELDS).id


def test_an_order_must_keep_the_tighter_figure(house: House) -> None:
    book = house.accounts.rules
    book.set(HOUSE, Rules(max_quantity=100, max_value=5e5, symbols=("NSE:*",), products=(Product.CNC,)))
    book.set("one", Rules(max_quantity=500, max_value=1e5, price_band=3.0, symbols=("NFO:NIFTY*",)))
    assert book.binding("one") == Rules(
        max_quantity=100, max_value=1e5, price_band=3.0, symbols=("NFO:NIFTY*",), products=(Product.CNC,)
    )
    assert book.binding("another") == book[HOUSE]


def test_rules_outlive_the_server(tmp_path: Path, house: House) -> None:
    house.accounts.rules.set("one", Rules(max_orders_per_day=50, killed=True))
    house.accounts.rules.set("two", Rules(max_quantity=1))
    house.accounts.rules.set("two", Rules())
    again = open_house(tmp_path)
    assert again.accounts.rules["one"] == Rules(max_orders_per_day=50, killed=True)
    assert again.accounts.rules["two"] == Rules()
    again.database.close()


@pytest.mark.parametrize("name", ["max_quantity", "max_value", "max_orders_per_day", "price_band"])
def test_a_limit_of_nothing_is_refused(house: House, name: str) -> None:
    with pytest.raises(InvalidInput, match="kill switch"):
        house.accounts.rules.set(HOUSE, Rules(**{name: 0}))  # type: ignore[arg-type]


async def test_rules_are_set_limit_by_limit(house: House, account: str) -> None:
    call = house.desk.admin.call
    await call("risk/set", {"account": account, "max_quantity": 10, "products": ["MIS"]})
    told = await call("risk/set", {"account": account, "max_value": 1000.5, "clear": ["products"]})
    assert told == {
        "account": account,
        "killed": False,
        "max_quantity": 10,
        "max_value": 1000.5,
        "max_orders_per_day": None,
        "symbols": [],
        "products": [],
        "price_band": None,
    }
    with pytest.raises(InvalidInput, match="No such limit: speed"):
        await call("risk/set", {"account": account, "clear": ["speed"]})
    with pytest.raises(InvalidInput, match="unknown"):
        await call("risk/set", {"account": "nobodys", "max_quantity": 1})
    shown = (await call("risk/show", {}))["rules"]
    assert [row["account"] for row in shown] == [HOUSE, account]


async def test_the_kill_switch_of_the_house_binds_every_account(house: House, account: str) -> None:
    await house.desk.admin.call("risk/kill", {})
    assert house.accounts.rules.binding(account).killed
    await house.desk.admin.call("risk/kill", {"on": False})
    assert not house.accounts.rules.binding(account).killed


async def test_the_analyzer_turns_keys_that_follow_it(house: House, account: str) -> None:
    keys = {}
    for mode in KeyMode:
        keys[mode], _ = house.accounts.keys.create("asha", [Scope.ORDERS_WRITE], mode=mode)
    heard: list[str] = []
    house.accounts.on_change(heard.append)

    def on_paper() -> dict[KeyMode, bool]:
        return {mode: house.accounts.authenticate(text).on_paper for mode, text in keys.items()}

    assert on_paper() == {KeyMode.FOLLOW: False, KeyMode.PAPER: True, KeyMode.LIVE: False}
    assert (await house.desk.admin.call("user/analyzer", {"user": "asha", "on": True}))["analyzer"] is True
    assert on_paper() == {KeyMode.FOLLOW: True, KeyMode.PAPER: True, KeyMode.LIVE: False}
    assert heard == ["asha"]
