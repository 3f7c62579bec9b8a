"""Where the journal ends for clients: an event is journalled a moment before it is told."""

from collections.abc import Callable

from sangam.model.order import OrderNews


class Told:
    """Passes news of orders on to the doors. `newest` is the number up to which everything was told: begun with the
    journal's newest, before anything new can happen. A replay that told more would tell it twice."""

    def __init__(self, newest: int, tell: Callable[[OrderNews], object]) -> None:
        self.newest = newest
        self._tell = tell

    def __call__(self, news: OrderNews) -> None:
        self.newest = max(self.newest, news.seq)
        self._tell(news)
