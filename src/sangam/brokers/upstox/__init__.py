"""Upstox, REST v2 and v3 with Market Data Feed V3."""

from sangam.brokers.contract import BrokerSpec

from .answers import check
from .data import DATA
from .instruments import INSTRUMENTS
from .login import LOGIN, authorize
from .stream import FEED
from .tables import HOSTS, LIMITS, SEGMENTS, TITLE
from .trading import TRADING
from .updates import NEWS

SPEC = BrokerSpec(
    name="upstox",
    title=TITLE,
    hosts=HOSTS,
    exchanges=frozenset(SEGMENTS.values()),
    login=LOGIN,
    authorize=authorize,
    check=check,
    streams=(FEED, NEWS),
    instruments=INSTRUMENTS,
    data=DATA,
    trading=TRADING,
    limits=LIMITS,
    session_ends="03:30",
    instruments_ready="06:30",
)
