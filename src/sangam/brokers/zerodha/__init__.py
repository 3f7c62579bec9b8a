"""Zerodha, Kite Connect 3."""

from sangam.brokers.contract import BrokerSpec

from .answers import check
from .data import DATA
from .instruments import INSTRUMENTS
from .login import LOGIN, authorize
from .stream import CARRIED, TICKER
from .tables import HOSTS, LIMITS, TITLE
from .trading import TRADING

SPEC = BrokerSpec(
    name="zerodha",
    title=TITLE,
    aliases=("kite", "kite connect"),
    hosts=HOSTS,
    exchanges=CARRIED,
    login=LOGIN,
    authorize=authorize,
    check=check,
    streams=(TICKER,),
    instruments=INSTRUMENTS,
    data=DATA,
    trading=TRADING,
    limits=LIMITS,
    session_ends="06:00",
    instruments_ready="08:30",
)
