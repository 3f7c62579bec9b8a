import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from tests.house import open_house

from sangam.model.enums import Scope
from sangam.model.errors import AuthError, InvalidInput, StoreError
from sangam.model.identity import key_hash


def test_a_key_is_shown_once_and_found_again_after_a_restart(tmp_path: Path) -> None:
    house = open_house(tmp_path)
    house.accounts.users.add("asha")
    text, key = house.accounts.keys.create("asha", [Scope.DATA, Scope.DATA], label="excel", interval_ms=0)
    assert re.fullmatch(rf"sangam_{key.id}_[\w-]{{43}}", text)
    assert key.scopes == (Scope.DATA,)
    assert text not in repr(key)
    house.database.close()

    again = open_house(tmp_path)
    assert again.accounts.keys.verify(text).id == key.id
    assert [(row.label, row.interval_ms) for row in again.accounts.keys.list("asha")] == [("excel", 0)]
    assert again.accounts.keys.list("nobody") == []
    again.database.close()


def test_unknown_altered_and_revoked_keys_open_nothing(tmp_path: Path) -> None:
    house = open_house(tmp_path)
    house.accounts.users.add("asha")
    keys = house.accounts.keys
    text, key = keys.create("asha", [Scope.DATA])
    for wrong in ("", "x", text[:-1], text + "x", text.upper(), "\ud800"):
        with pytest.raises(AuthError, match="Invalid API key"):
            keys.verify(wrong)
    assert keys.revoke(key.id).revoked_at == house.clock.now_ms()
    first = keys.revoke(key.id).revoked_at
    house.clock.advance(5)
    assert keys.revoke(key.id).revoked_at == first
    with pytest.raises(AuthError):
        keys.verify(text)
    house.database.close()
    again = open_house(tmp_path)
    with pytest.raises(AuthError):
        again.accounts.keys.verify(text)
    again.database.close()


def test_last_use_is_remembered_to_the_minute(tmp_path: Path) -> None:
    house = open_house(tmp_path)
    house.accounts.users.add("asha")
    text, _ = house.accounts.keys.create("asha", [Scope.DATA])
    start = house.clock.now_ms()
    assert house.accounts.keys.verify(text).last_used_at == start
    house.clock.advance(59)
    assert house.accounts.keys.verify(text).last_used_at == start
    house.clock.advance(1)
    assert house.accounts.keys.verify(text).last_used_at == start + 60_000
    house.database.close()


def test_a_key_is_good_while_the_database_takes_no_note_of_its_use(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """A full disk must not lock everybody out."""
    house = open_house(tmp_path)
    house.accounts.users.add("asha")
    text, key = house.accounts.keys.create("asha", [Scope.DATA])

    @contextmanager
    def full() -> Iterator[None]:
        raise StoreError("The database did not take it: disk is full")
        yield

    monkeypatch.setattr(house.database, "begin", full)
    for _ in range(3):
        assert house.accounts.keys.verify(text).id == key.id
    assert [record.message for record in caplog.records] == [
        f"The use of API key {key.id} cannot be noted: The database did not take it: disk is full"
    ]
    with pytest.raises(StoreError):
        house.accounts.keys.revoke(key.id)
    assert house.accounts.keys.verify(text).revoked_at is None
    house.database.close()


def test_keys_that_make_no_sense_are_refused(tmp_path: Path) -> None:
    house = open_house(tmp_path)
    house.accounts.users.add("asha")
    with pytest.raises(InvalidInput, match="at least one scope: data, orders:read"):
        house.accounts.keys.create("asha", [])
    with pytest.raises(InvalidInput, match="Interval 70 is not allowed: 0, 50, 100"):
        house.accounts.keys.create("asha", [Scope.DATA], interval_ms=70)
    with pytest.raises(InvalidInput, match="No API key with id 'zzz'"):
        house.accounts.keys.revoke("zzz")
    assert house.accounts.keys.list() == []
    house.database.close()


def test_a_door_elsewhere_knows_the_good_keys_and_tells_their_use(tmp_path: Path) -> None:
    house = open_house(tmp_path)
    keys = house.accounts.keys
    made: list[str] = []
    keys.on_created(made.append)
    house.accounts.users.add("asha")
    text, key = keys.create("asha", [Scope.DATA])
    assert made == [key.id]
    assert keys.good() == {key_hash(keys.pepper, text): key.id}
    keys.used(key.id)
    keys.used("unknown")
    assert keys.list()[0].last_used_at == house.clock.now_ms()
    keys.revoke(key.id)
    assert keys.good() == {}
    house.database.close()
