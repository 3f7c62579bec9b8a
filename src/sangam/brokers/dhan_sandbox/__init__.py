"""Dhan's sandbox: DhanHQ API 2 at a host of its own, for the flow of orders alone. It has neither sockets nor quotes,
and its prices mean nothing (sheet: dhan_sandbox.md)."""

from sangam.brokers.contract import (
    BrokerSpec,
    Ctx,
    Data,
    Interval,
    Limit,
    Login,
    LoginField,
    Operation,
    Request,
    Session,
)
from sangam.brokers.families.dhan import INSTRUMENTS, Desk, Wire, authorize, history
from sangam.brokers.families.dhan.login import CLIENT_ID
from sangam.brokers.families.dhan.tables import EXCHANGES, INTERVALS
from sangam.model.clock import IST_SECONDS

WIRE = Wire("Dhan Sandbox", behind=IST_SECONDS * 1000, baskets=False)

HOSTS = {"api": "https://sandbox.dhan.co/v2", "files": "https://images.dhan.co"}
"""Instruments are those of the real broker."""

SPAN = 5
"""Days of minute candles in one request: what is known to work."""

DAYS = INTERVALS["D"]


def _check(session: Session, ctx: Ctx) -> Operation[str]:
    """The profile is none of the sandbox's operations, and the funds often fail; nothing tells whose the token is."""
    yield Request(method="GET", host="api", path="/orders")
    return session.secrets["client_id"]


SPEC = BrokerSpec(
    name="dhan_sandbox",
    title=WIRE.title,
    hosts=HOSTS,
    sandbox=True,
    instruments_ready="08:30",
    exchanges=EXCHANGES,
    login=Login(
        fields=(CLIENT_ID, LoginField("access_token", "Access token (valid for 30 days)", daily=True)), check=_check
    ),
    authorize=authorize,
    check=WIRE.check,
    streams=(),
    instruments=INSTRUMENTS,
    data=Data(
        history=history(WIRE),
        intervals={name: Interval(each.native, SPAN) for name, each in INTERVALS.items()} | {"D": DAYS},
    ),
    trading=Desk(WIRE).trading(),
    limits=(
        Limit("data", 5, 1.0),
        Limit("orders", 10, 1.0, reserve=2),
        Limit("default", 20, 1.0),
    ),
)
