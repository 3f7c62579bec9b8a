"""Secrets at rest: AES-256-GCM under one key, from `SANGAM_KEY` or from ``vault.key`` in the home folder.

The database keeps a sealed proof, so that a wrong or lost key is told at the start and never overwrites anything."""

import base64
import binascii
import os
from collections.abc import Mapping

import msgspec
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from sqlalchemy import insert, select

from sangam.logs import redactor
from sangam.model.errors import ConfigError
from sangam.store.database import Database
from sangam.store.home import Home
from sangam.store.tables import vault as vault_table

KEY_FILE = "vault.key"
_NONCE = 12
_PROOF = {"proof": "sangam"}


class Vault:
    """Seals and opens small mappings. `context` binds a blob to its row: moved elsewhere it does not open."""

    def __init__(self, key: bytes) -> None:
        self._key = key
        self._cipher = AESGCM(key)

    def seal(self, values: Mapping[str, str], context: str) -> bytes:
        nonce = os.urandom(_NONCE)
        return nonce + self._cipher.encrypt(nonce, msgspec.json.encode(values), context.encode())

    def open(self, blob: bytes, context: str) -> dict[str, str]:
        """Raises ConfigError where the key is not the one that sealed, or the blob was altered."""
        try:
            text = self._cipher.decrypt(blob[:_NONCE], blob[_NONCE:], context.encode())
        except (InvalidTag, ValueError):
            raise ConfigError(
                f"The secrets of {context} cannot be opened with this key: "
                f"restore the SANGAM_KEY or {KEY_FILE} they were stored with."
            ) from None
        return msgspec.json.decode(text, type=dict[str, str])

    def derive(self, purpose: str) -> bytes:
        """A key of its own for another use; it tells nothing about the vault's."""
        return HKDF(SHA256(), length=32, salt=None, info=purpose.encode()).derive(self._key)


def open_vault(database: Database, home: Home, given: str | None = None) -> Vault:
    """The vault of this database. `given` is `SANGAM_KEY`; without it the key file is used, or made for a new database.

    Raises ConfigError for a key that is malformed, lost, or not this database's."""
    with database.begin() as connection:
        proof = connection.execute(select(vault_table.c.value).where(vault_table.c.name == "proof")).scalar()
    source = "SANGAM_KEY" if given else str(home.path / KEY_FILE)
    text = given or home.read(KEY_FILE)
    if text is None:
        if proof is not None:
            raise ConfigError(
                f"{source} is missing, but the database holds secrets that were sealed with it. "
                "Restore the file from a backup or set SANGAM_KEY; to start anew, move the database away."
            )
        text = base64.urlsafe_b64encode(os.urandom(32)).decode()
        home.write_private(KEY_FILE, text)
    redactor.add(text)
    vault = Vault(_parse(text, source))
    if proof is None:
        with database.begin() as connection:
            connection.execute(insert(vault_table).values(name="proof", value=vault.seal(_PROOF, "proof")))
        return vault
    try:
        vault.open(proof, "proof")
    except ConfigError:
        raise ConfigError(
            f"{source} is not the key this database was made with. Set SANGAM_KEY to the right key "
            f"or restore {KEY_FILE} from a backup."
        ) from None
    return vault


def _parse(text: str, source: str) -> bytes:
    try:
        key = base64.b64decode(text.translate({ord("-"): "+", ord("_"): "/"}), validate=True)
    except (binascii.Error, ValueError):
        key = b""
    if len(key) != 32:
        raise ConfigError(
            f"{source} must hold 32 random bytes in base64. Make one with: "
            'python -c "import base64, os; print(base64.urlsafe_b64encode(os.urandom(32)).decode())"'
        )
    return key
