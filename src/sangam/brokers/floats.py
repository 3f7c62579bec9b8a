"""Prices that a wire tells as floats, most of them of single precision."""

_KEPT = 50_000


class Rounded(dict[float, float]):
    """A raw float's price, rounded to a segment's decimals. A market tells the same prices over and over, and to look
    one up takes a third of the time of rounding it. What is no number raises ValueError or OverflowError."""

    def __init__(self, decimals: int) -> None:
        self._scale = 10.0**decimals

    def __missing__(self, raw: float) -> float:
        if len(self) >= _KEPT:
            self.clear()
        price = self[raw] = round(raw * self._scale) / self._scale
        return price
