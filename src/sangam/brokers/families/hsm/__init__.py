"""HSM, the binary protocol of data sockets that more than one broker bought (Fyers' official SDK, data_ws.py; Kotak's
older one). Big-endian throughout.

Requests and their answers are fields of (id, length, value). Data are records: a snapshot gives a topic its number on
this socket and the scale of its prices; updates and lite records go by that number and tell what changed. `Dialect` is
what differs between brokers."""

from .codec import Dialect, HsmCodec, cost
from .frames import MODE, request
from .records import LEVELS, Table

__all__ = ["LEVELS", "MODE", "Dialect", "HsmCodec", "Table", "cost", "request"]
