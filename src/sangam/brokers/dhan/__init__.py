"""Dhan, DhanHQ API 2."""

from sangam.brokers.contract import BrokerSpec
from sangam.brokers.families.dhan import INSTRUMENTS, Desk, authorize, postback
from sangam.brokers.families.dhan.tables import EXCHANGES

from .data import DATA
from .login import LOGIN
from .stream import STREAMS
from .tables import HOSTS, LIMITS, WIRE
from .updates import ORDERS

SPEC = BrokerSpec(
    name="dhan",
    title=WIRE.title,
    aliases=("dhanhq",),
    hosts=HOSTS,
    exchanges=EXCHANGES,
    login=LOGIN,
    authorize=authorize,
    check=WIRE.check,
    streams=(*STREAMS, ORDERS),
    instruments=INSTRUMENTS,
    data=DATA,
    trading=Desk(WIRE).trading(postback=postback(WIRE)),
    limits=LIMITS,
    instruments_ready="08:30",
)
