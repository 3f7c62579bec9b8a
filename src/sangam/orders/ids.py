"""The names of our orders: the mode, a hyphen, and the tag that a broker is given to echo."""

from collections.abc import Callable

from sangam.brokers.contract import Tag
from sangam.model.order import TradingMode

ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
"""Crockford's base 32: no letter is taken for a digit, and no word is spelt by accident."""

LETTERS = 10
LOWEST, HIGHEST = 100_000_000, 999_999_999
"""A tag of digits never loses a leading zero."""

_PREFIXES = {TradingMode.LIVE: "L-", TradingMode.PAPER: "P-"}


def new_id(mode: TradingMode, tag: Tag, random: Callable[[int], bytes], taken: Callable[[str], bool]) -> str:
    """An id that is not `taken`: ``L-`` or ``P-`` and 10 characters of base 32, or 9 digits where the broker's field
    takes only a number."""
    while True:
        number = int.from_bytes(random(8))
        text = str(LOWEST + number % (HIGHEST - LOWEST + 1)) if tag.kind == "int" else _base32(number)
        if not taken(found := _PREFIXES[mode] + text):
            return found


def new_act_id(random: Callable[[int], bytes]) -> str:
    """The name of a write that is no placement; only the journal knows it."""
    return "A-" + _base32(int.from_bytes(random(8)))


def mode_of(id: str) -> TradingMode | None:
    """What an id tells of its order; None for a text that is no id of ours."""
    prefix, hyphen, tag = id.partition("-")
    mode = next((mode for mode, its in _PREFIXES.items() if its == prefix + hyphen), None)
    return mode if tag else None


def _base32(number: int) -> str:
    return "".join(ALPHABET[number >> 5 * place & 31] for place in range(LETTERS))
