"""Who lends its streams to an account whose broker has none."""

from pathlib import Path

import pytest
from tests.house import FIELDS, House, broker, open_house
from tests.toy_broker import toy_stream

from sangam.app.lending import Lending
from sangam.brokers.registry import Registry
from sangam.model.identity import AccountInfo

STREAMS = (toy_stream(),)


@pytest.fixture
def house(tmp_path: Path) -> House:
    registry = Registry(
        [
            broker("quiet"),
            broker("real", streams=STREAMS),
            broker("other", streams=STREAMS),
            broker("toy", streams=STREAMS, simulated=True),
        ]
    )
    return open_house(tmp_path, registry=registry)


def lent(house: House, account: str, former: str = "") -> str | None:
    return Lending(house.accounts, house.registry).lender(account, former)


def opened(house: House, account: AccountInfo) -> None:
    house.accounts.sessions.open(account, secrets=FIELDS, hosts={}, egress="", expires_at=None)


def test_the_data_account_of_its_user(house: House) -> None:
    quiet, real, other = (house.accounts.create("u", name, FIELDS) for name in ("quiet", "real", "other"))
    opened(house, real)
    house.accounts.choose("u", data_account=other.id)
    assert lent(house, quiet.id) == other.id
    house.accounts.choose("u", data_account=quiet.id)  # it cannot lend to itself
    assert lent(house, quiet.id) == real.id


def test_else_one_of_the_users_that_is_logged_in_else_the_simulated_market(house: House) -> None:
    quiet, real, _ = (house.accounts.create("u", name, FIELDS) for name in ("quiet", "real", "other"))
    stranger = house.accounts.create("v", "real", FIELDS)
    opened(house, stranger)
    assert lent(house, quiet.id) is None
    market = house.accounts.create("demo", "toy", FIELDS)
    assert lent(house, quiet.id) == market.id
    opened(house, real)
    assert lent(house, quiet.id) == real.id


def test_the_first_account_is_the_data_account_where_none_is_chosen(house: House) -> None:
    first, quiet, real = (house.accounts.create("u", name, FIELDS) for name in ("toy", "quiet", "real"))
    opened(house, real)
    assert lent(house, quiet.id) == first.id


def test_who_hears_real_prices_is_not_handed_simulated_ones_by_a_log_out(house: House) -> None:
    quiet, real, other = (house.accounts.create("u", name, FIELDS) for name in ("quiet", "real", "other"))
    market = house.accounts.create("demo", "toy", FIELDS)
    assert lent(house, quiet.id, former=real.id) == real.id  # it will log in again
    opened(house, other)
    assert lent(house, quiet.id, former=real.id) == other.id
    opened(house, real)
    assert lent(house, quiet.id, former=other.id) == other.id
    house.accounts.remove(real.id)
    house.accounts.remove(other.id)
    assert lent(house, quiet.id, former=real.id) == market.id


def test_an_account_that_is_gone_borrows_nothing(house: House) -> None:
    quiet = house.accounts.create("u", "quiet", FIELDS)
    house.accounts.create("demo", "toy", FIELDS)
    house.accounts.remove(quiet.id)
    assert lent(house, quiet.id) is None
