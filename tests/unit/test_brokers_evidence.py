"""Evidence: only what proves a refusal is called one."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sangam.brokers.evidence import Evidence, json_object
from sangam.model.errors import RateLimited, Refused, Unknown

TABLE = Evidence(kinds={"Input": "INVALID_INPUT"}, texts={"no money": "INSUFFICIENT_FUNDS"})


@pytest.mark.parametrize(
    ("status", "kind", "text", "error", "code"),
    [
        (400, "Input", "bad quantity", Refused, "INVALID_INPUT"),
        (400, "General", "There is NO MONEY left", Refused, "INSUFFICIENT_FUNDS"),
        (400, "Input", "no money", Refused, "INSUFFICIENT_FUNDS"),  # the text says more than the type
        (429, "General", "slow down", RateLimited, "RATE_LIMITED"),
        (400, "General", "odd", Unknown, None),
        (200, "Input", "bad quantity", Unknown, None),
        (500, "Input", "no money", Unknown, None),
        (302, "", "", Unknown, None),
    ],
)
def test_a_refusal_needs_a_client_error_and_proof(
    status: int, kind: str, text: str, error: type[Exception], code: str | None
) -> None:
    failure = TABLE.failure("Acme", status, kind, text)
    assert type(failure) is error
    assert code is None or failure.code == code
    assert str(failure).startswith(f"Acme: {text or 'no reason given'} (HTTP {status}")


def test_a_broker_may_refuse_with_http_200() -> None:
    table = TABLE._replace(statuses={200, 400})
    assert isinstance(table.failure("Acme", 200, "Input", "bad quantity"), Refused)
    assert isinstance(table.failure("Acme", 200, "Odd", "bad quantity"), Unknown)
    assert isinstance(table.failure("Acme", 404, "Input", "bad quantity"), Unknown)


@given(kind=st.sampled_from(["Input", "General"]), before=st.text(max_size=20), after=st.text(max_size=20))
@pytest.mark.parametrize("doubt", ["Timed out", "TIMEOUT", "time out", "timed-out"])
def test_the_text_of_a_time_out_is_never_a_refusal(doubt: str, kind: str, before: str, after: str) -> None:
    assert TABLE.code(kind, f"{before}{doubt}{after} no money") is None


@pytest.mark.parametrize("payload", [None, 7, [], "text", b"\xff", "[1]", "", "[" * 100_000, {1, 2}])
def test_what_is_no_object_is_an_empty_envelope(payload: object) -> None:
    assert json_object(payload) == {}


def test_an_envelope_may_come_as_text() -> None:
    assert json_object('{"status": "error"}') == json_object(b'{"status": "error"}') == {"status": "error"}
    assert json_object({"status": "error"}) == {"status": "error"}
