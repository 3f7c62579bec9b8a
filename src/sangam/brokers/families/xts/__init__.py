"""Symphony XTS, as several brokers run it: two services with a session each, subscriptions by REST, Socket.IO 2.

A broker of the family is a `Member`, which is plain data; `broker` makes its specification."""

from sangam.brokers.contract import BrokerSpec

from .answers import Wire
from .data import data
from .instruments import instruments
from .login import Entrance, authorize
from .member import EXCHANGES, LANES, Member
from .stream import streams
from .trading import Desk

__all__ = ["EXCHANGES", "LANES", "Member", "broker"]


def broker(member: Member) -> BrokerSpec:
    wire = Wire(member.title)
    return BrokerSpec(
        name=member.name,
        title=member.title,
        aliases=member.aliases,
        hosts=member.hosts,
        exchanges=frozenset(member.exchanges),
        login=Entrance(member, wire).login(),
        authorize=authorize,
        check=wire.check,
        streams=streams(member, wire),
        instruments=instruments(member),
        data=data(wire),
        trading=Desk(wire).trading(member),
        limits=member.limits,
        session_ends=member.session_ends,
        instruments_ready=member.instruments_ready,
    )
