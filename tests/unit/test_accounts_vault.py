import base64
import os
import stat
from pathlib import Path

import pytest
from tests.house import FIELDS, open_house

from sangam.accounts.vault import Vault, open_vault
from sangam.model.errors import ConfigError
from sangam.store.database import Database
from sangam.store.home import Home

KEY = base64.urlsafe_b64encode(bytes(range(32))).decode()
OTHER = base64.b64encode(b"\xff" * 32).decode()


def test_what_is_sealed_opens_only_in_its_place() -> None:
    vault = Vault(bytes(32))
    blob = vault.seal({"pin": "1234"}, "account a")
    assert vault.open(blob, "account a") == {"pin": "1234"}
    assert b"1234" not in blob
    assert vault.seal({"pin": "1234"}, "account a") != blob
    for wrong, context in (
        (blob, "account b"),
        (blob[:-1] + bytes([blob[-1] ^ 1]), "account a"),
        (b"short", "account a"),
    ):
        with pytest.raises(ConfigError, match=context):
            vault.open(wrong, context)
    with pytest.raises(ConfigError):
        Vault(b"\x01" * 32).open(blob, "account a")


def test_the_key_file_is_made_once_and_for_its_owner(tmp_path: Path) -> None:
    house = open_house(tmp_path)
    key = (tmp_path / "vault.key").read_text()
    assert len(base64.urlsafe_b64decode(key)) == 32
    if os.name != "nt":
        assert stat.S_IMODE((tmp_path / "vault.key").stat().st_mode) == 0o600
    house.database.close()
    open_house(tmp_path).database.close()
    assert (tmp_path / "vault.key").read_text() == key


def test_no_secret_lies_in_the_files(tmp_path: Path) -> None:
    house = open_house(tmp_path)
    account = house.accounts.create("asha", "example", FIELDS)
    house.accounts.open_session(account.id, {"feed_token": "planted-feed-token"})
    text, _ = house.accounts.keys.create("asha", ["data"])  # type: ignore[list-item]
    house.database.close()
    everything = b"".join(file.read_bytes() for file in tmp_path.iterdir() if file.is_file())
    assert b"planted" not in everything
    assert text.encode() not in everything
    assert text.split("_", 2)[2].encode() not in everything


def test_a_key_from_the_environment_leaves_no_file(tmp_path: Path) -> None:
    database = Database(f"sqlite:///{tmp_path}/s.db")
    blob = open_vault(database, Home(tmp_path), KEY).seal({}, "x")
    assert open_vault(database, Home(tmp_path), KEY).open(blob, "x") == {}
    assert not (tmp_path / "vault.key").exists()
    with pytest.raises(ConfigError, match="SANGAM_KEY is not the key this database was made with"):
        open_vault(database, Home(tmp_path), OTHER)
    with pytest.raises(ConfigError, match=r"vault\.key is missing"):
        open_vault(database, Home(tmp_path))
    assert not (tmp_path / "vault.key").exists()
    database.close()


@pytest.mark.parametrize("text", ["short", "!" * 44, base64.b64encode(b"x" * 16).decode(), "é" * 43])
def test_a_malformed_key_is_told_with_a_way_to_make_one(tmp_path: Path, text: str) -> None:
    database = Database(f"sqlite:///{tmp_path}/s.db")
    with pytest.raises(ConfigError, match=r"SANGAM_KEY must hold 32 random bytes[\s\S]*os\.urandom") as caught:
        open_vault(database, Home(tmp_path), text)
    assert text not in str(caught.value)
    database.close()
