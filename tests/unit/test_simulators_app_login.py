"""An app's codes and its session."""

from sangam.simulators.app_login import AppLogin


def test_a_code_is_good_once_and_for_a_few_minutes() -> None:
    now = [0]
    login = AppLogin("seed", lambda: now[0])
    code, late = login.code(), login.code()
    assert login.redeem(code)
    assert not login.redeem(code)
    now[0] = 5 * 60_000
    assert not login.redeem(late)
    assert not login.redeem("")


def test_a_session_ends_at_its_hour_and_begins_anew() -> None:
    now = [1000]
    login = AppLogin("seed", lambda: now[0], ends=lambda ms: ms + 500, key_length=8)
    first = login.access_token
    assert (login.alive, login.outlived, login.expires, len(login.api_key)) == (True, False, 1500, 8)
    now[0] = 1500
    assert login.outlived
    login.begin()
    assert (login.alive, login.outlived) == (True, False)
    assert login.access_token != first


def test_equal_seeds_make_equal_keys() -> None:
    keys = {AppLogin(seed, lambda: 0).api_key for seed in ("a", "a", "b")}
    assert len(keys) == 2
