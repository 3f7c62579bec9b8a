"""The strikes of one expiry seen from a price: ATM, ITM3, OTM10 (specs: contract-rest.md, 7)."""

import re
from collections.abc import Iterable

from sangam.model.enums import InstrumentType
from sangam.model.errors import InvalidInput

_OFFSET = re.compile(r"(ATM)|(ITM|OTM)([1-9]\d{0,2})")


class Ladder:
    """Steps are counted on the strikes that exist, whatever their distance. `strikes` must not be empty."""

    def __init__(self, strikes: Iterable[float], price: float) -> None:
        self.strikes = sorted(set(strikes))
        self._middle = min(range(len(self.strikes)), key=lambda step: abs(self.strikes[step] - price))

    @property
    def atm(self) -> float:
        """The strike nearest to the price, the lower one of two."""
        return self.strikes[self._middle]

    def strike(self, offset: str, right: InstrumentType) -> float:
        """The strike of ``ATM``, ``ITM3`` or ``OTM10``; InvalidInput when it is none of them or beyond the last strike.

        In the money lies below the price for a call, above it for a put."""
        match = _OFFSET.fullmatch(offset.strip().upper())
        if match is None:
            raise InvalidInput(f"Offset '{offset}' is not ATM, ITM1 to ITM50 or OTM1 to OTM50.")
        steps = int(match[3] or 0)
        upwards = (match[2] == "OTM") is (right is InstrumentType.CE)
        at = self._middle + (steps if upwards else -steps)
        if not 0 <= at < len(self.strikes):
            room = len(self.strikes) - 1 - self._middle if upwards else self._middle
            raise InvalidInput(
                f"Offset {offset} is beyond the last strike: there are {room} on that side of the money."
            )
        return self.strikes[at]

    def label(self, strike: float, right: InstrumentType) -> str:
        """The name of a strike's place: ``ATM``, ``ITM3``, ``OTM10``."""
        steps = self.strikes.index(strike) - self._middle
        if steps == 0:
            return "ATM"
        return f"{'OTM' if (steps > 0) is (right is InstrumentType.CE) else 'ITM'}{abs(steps)}"

    def around(self, count: int | None = None) -> list[float]:
        """The money and `count` strikes on each side of it; all of them without a count."""
        if count is None:
            return self.strikes
        return self.strikes[max(0, self._middle - count) : self._middle + count + 1]
