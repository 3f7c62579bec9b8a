"""The tree of errors: what each one says and promises."""

from sangam.model import errors
from sangam.model.errors import (
    BrokerError,
    NotSent,
    RateLimited,
    Refused,
    SangamError,
    SessionExpired,
    SymbolNotFound,
    Unknown,
    UnknownBroker,
)


def test_every_error_is_of_the_tree_and_stands_at_its_head() -> None:
    for name, value in vars(errors).items():
        if isinstance(value, type) and issubclass(value, Exception):
            assert issubclass(value, SangamError)
            assert value.code.isupper()
            assert errors.__doc__ is not None
            assert name in errors.__doc__


def test_only_not_sent_promises_that_nothing_left() -> None:
    assert not NotSent("x").sent
    assert all(error.sent for error in (BrokerError("x"), Refused("x"), Unknown("x"), SessionExpired("x")))


def test_refusals_carry_codes() -> None:
    refused = Refused("no", "INVALID_INPUT", "InputException")
    assert (str(refused), refused.code, refused.broker_code) == ("no", "INVALID_INPUT", "InputException")
    assert SessionExpired("no", "TokenException").code == "INVALID_TOKEN"
    assert RateLimited("no").code == "RATE_LIMITED"


def test_texts_say_what_to_do() -> None:
    assert str(UnknownBroker("x", ["a", "b"])) == "Unknown broker 'x'. Known brokers: a, b."
    missing = SymbolNotFound("SBIN", "NSE")
    assert "'SBIN'" in str(missing)
    assert "master contracts are downloaded" in str(missing)
    assert (missing.symbol, missing.exchange) == ("SBIN", "NSE")
