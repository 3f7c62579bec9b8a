"""Kambala's Noren OMS, as several brokers run it: one wire, and for each broker a table.

`Member` is what differs between them, all of it plain data; `broker` makes the whole broker of it."""

from sangam.brokers.contract import BrokerSpec, Data, Instruments

from .answers import Wire
from .data import Market
from .instruments import Masters
from .login import login
from .member import LANES, Member
from .stream import feed
from .trading import Desk

__all__ = ["LANES", "Member", "broker"]


def broker(member: Member) -> BrokerSpec:
    """The broker that a table describes."""
    wire = Wire(member)
    market, masters = Market(wire), Masters(wire)
    return BrokerSpec(
        name=member.name,
        title=member.title,
        aliases=member.aliases,
        hosts=member.all_hosts,
        exchanges=member.carried,
        login=login(wire),
        authorize=wire.authorize,
        check=wire.check,
        streams=(feed(member),),
        instruments=Instruments(download=masters.download, parse=masters.parse),
        data=Data(quotes=market.quotes, quote_batch=1, history=market.history, intervals=market.intervals),
        trading=Desk(wire).trading(),
        limits=member.limits,
        session_ends=member.session_ends,
        instruments_ready="08:30",
    )
