"""Angel One, SmartAPI."""

from sangam.brokers.contract import BrokerSpec

from .answers import check
from .data import DATA
from .instruments import INSTRUMENTS
from .login import LOGIN, authorize
from .stream import BOOKS, FEED, NEWS
from .tables import CARRIED, HOSTS, LIMITS, TITLE
from .trading import TRADING

SPEC = BrokerSpec(
    name="angel",
    title=TITLE,
    aliases=("angel one", "angelone", "angel broking", "smartapi"),
    hosts=HOSTS,
    exchanges=CARRIED,
    login=LOGIN,
    authorize=authorize,
    check=check,
    streams=(FEED, BOOKS, NEWS),
    instruments=INSTRUMENTS,
    data=DATA,
    trading=TRADING,
    limits=LIMITS,
    session_ends="00:00",
    instruments_ready="08:30",
)
