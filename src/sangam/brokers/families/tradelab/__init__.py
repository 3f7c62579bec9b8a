"""Tradelab, the platform that several brokers bought under names of their own: OAuth 2, REST, one binary socket.

`Member` is what differs between them; `broker` makes one of it. Quotes and candles by request are not offered: how they
are answered is not published."""

from sangam.brokers.contract import BrokerSpec

from .instruments import Contracts
from .login import Door, authorize
from .member import LANES, Member
from .stream import Feed
from .trading import Desk

__all__ = ["LANES", "Member", "broker"]


def broker(member: Member) -> BrokerSpec:
    desk = Desk(member)
    return BrokerSpec(
        name=member.name,
        title=member.title,
        aliases=member.aliases,
        hosts=member.hosts,
        exchanges=frozenset(member.exchanges),
        login=Door(member).login(),
        authorize=authorize,
        check=desk.check,
        streams=(Feed(member).stream(),),
        instruments=Contracts(member).instruments(),
        trading=desk.trading(),
        limits=member.limits,
        session_ends=member.session_ends,
        instruments_ready=member.instruments_ready,
    )
