"""What an API key may do and which accounts it names."""

import pytest

from sangam.model.enums import Scope
from sangam.model.errors import InvalidInput
from sangam.model.identity import AccountInfo, Identity

ONE = AccountInfo(id="a1", user="u", broker="zerodha")
TWO = AccountInfo(id="a2", user="u", broker="paper")
IDENTITY = Identity(
    user="u", key_id="k", scopes=frozenset({Scope.DATA}), accounts=(ONE, TWO), data_account=ONE, order_account=TWO
)


@pytest.mark.parametrize(
    ("name", "account"),
    [(None, ONE), ("", ONE), ("a2", TWO), ("A2", TWO), ("Paper", TWO), ("zerodha", ONE), ("dhan", None), ("a3", None)],
)
def test_accounts_by_id_or_broker(name: str | None, account: AccountInfo | None) -> None:
    assert IDENTITY.account(name) == account


def test_of_two_accounts_of_a_broker_the_keys_own_is_meant() -> None:
    """Prices, and one day orders, must not go through whichever account happens to be older."""
    other = AccountInfo(id="a3", user="u", broker="zerodha")
    identity = Identity(
        user="u", key_id="k", scopes=frozenset({Scope.DATA}), accounts=(ONE, TWO, other), data_account=other
    )
    assert identity.account("zerodha") == other
    assert identity.account("a1") == ONE


def test_orders_never_go_through_an_account_that_was_guessed() -> None:
    other = AccountInfo(id="a3", user="u", broker="zerodha")
    identity = Identity(
        user="u", key_id="k", scopes=frozenset({Scope.ORDERS_WRITE}), accounts=(ONE, TWO, other), order_account=TWO
    )
    assert identity.order_target(None) == TWO
    assert identity.order_target("PAPER") == TWO
    assert identity.order_target("A3") == other
    assert identity.order_target("nobodys") is None
    with pytest.raises(InvalidInput, match=r"several accounts at 'Zerodha'.*a1, a3"):
        identity.order_target("Zerodha")
    bound = Identity(user="u", key_id="k", scopes=frozenset(), accounts=(ONE, TWO, other), order_account=other)
    assert bound.order_target("zerodha") == other


def test_scopes() -> None:
    assert IDENTITY.may(Scope.DATA)
    assert not IDENTITY.may(Scope.ORDERS_WRITE)
    admin = Identity(user="u", key_id="k", scopes=frozenset({Scope.ADMIN}))
    assert all(admin.may(scope) for scope in Scope)
