"""The six digits of an authenticator: judged by the house's own, which a standard library makes."""

from hypothesis import given
from hypothesis import strategies as st

from sangam.accounts.ways import totp
from sangam.simulators.authenticator import Authenticator


@given(st.text("abcdefghijklmnopqrstuvwxyz0123456789", min_size=16, max_size=40), st.integers(0, 4_000_000_000))
def test_codes_are_those_of_the_standard(seed: str, seconds: int) -> None:
    app = Authenticator(seed, lambda: seconds * 1000)
    assert app.code() == totp(app.secret, seconds)


def test_neighbouring_codes_are_taken_and_others_are_not() -> None:
    app = Authenticator("a seed of sixteen", lambda: 1_800_000_000_000)
    assert [app.proves(app.code(steps)) for steps in (-2, -1, 0, 1, 2)] == [False, True, True, True, False]
    assert not app.proves(None)
