"""Fyers, API v3."""

from sangam.brokers.contract import BrokerSpec

from .answers import check
from .data import DATA
from .instruments import INSTRUMENTS
from .login import LOGIN, authorize
from .stream import CARRIED, HSM
from .tables import HOSTS, LIMITS, TITLE
from .tbt import TBT
from .trading import TRADING
from .updates import ORDERS

SPEC = BrokerSpec(
    name="fyers",
    title=TITLE,
    aliases=("fyers v3",),
    hosts=HOSTS,
    exchanges=CARRIED,
    login=LOGIN,
    authorize=authorize,
    check=check,
    streams=(HSM, TBT, ORDERS),
    instruments=INSTRUMENTS,
    data=DATA,
    trading=TRADING,
    limits=LIMITS,
    session_ends="06:00",  # of pasted tokens; those of the login page tell their own hour
    instruments_ready="08:30",
)
