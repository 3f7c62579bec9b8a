"""IIFL Capital, Markets' APIs."""

from sangam.brokers.contract import BrokerSpec

from .answers import check
from .data import DATA
from .instruments import INSTRUMENTS
from .login import LOGIN, authorize
from .stream import FEED_STREAM
from .tables import CARRIED, HOSTS, LIMITS, TITLE
from .trading import TRADING

SPEC = BrokerSpec(
    name="iiflcapital",
    title=TITLE,
    aliases=("iifl capital",),
    hosts=HOSTS,
    exchanges=CARRIED,
    login=LOGIN,
    authorize=authorize,
    check=check,
    streams=(FEED_STREAM,),
    instruments=INSTRUMENTS,
    data=DATA,
    trading=TRADING,
    limits=LIMITS,
    session_ends="03:00",
    instruments_ready="08:30",
)
