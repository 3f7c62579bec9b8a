"""DhanHQ API 2, as Dhan and its sandbox speak it over REST: instruments, candles, orders, books, forever orders.

`Wire` is what differs between them; everything else takes one."""

from .answers import Wire
from .history import history
from .instruments import INSTRUMENTS
from .login import authorize
from .trading import Desk
from .updates import postback

__all__ = ["INSTRUMENTS", "Desk", "Wire", "authorize", "history", "postback"]
