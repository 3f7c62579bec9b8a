"""Sangam Paper: the house's own simulated exchange, spoken to over a wire like any broker's."""

from sangam.brokers.contract import BrokerSpec

from .data import DATA
from .instruments import INSTRUMENTS
from .login import LOGIN, authorize, check
from .stream import STREAM
from .tables import EXCHANGES, HOSTS

SPEC = BrokerSpec(
    name="paper",
    title="Sangam Paper",
    hosts=HOSTS,
    exchanges=EXCHANGES,
    login=LOGIN,
    authorize=authorize,
    check=check,
    streams=(STREAM,),
    instruments=INSTRUMENTS,
    data=DATA,
    simulated=True,
)
