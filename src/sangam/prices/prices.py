"""Every `Last` of the house, found by (account, symbol, exchange)."""

from .last import Last

PriceKey = tuple[str, str, str]
"""(account, unified symbol, exchange)"""


class Prices:
    """Only what is subscribed has a row, so memory is bounded by subscriptions."""

    def __init__(self) -> None:
        self._rows: dict[PriceKey, Last] = {}

    def put(self, key: PriceKey, last: Last) -> None:
        self._rows[key] = last

    def drop(self, key: PriceKey) -> None:
        self._rows.pop(key, None)

    def get(self, account: str, symbol: str, exchange: str) -> Last | None:
        """The state of an instrument that is being listened to, else None."""
        return self._rows.get((account, symbol, exchange))

    def __len__(self) -> int:
        return len(self._rows)
