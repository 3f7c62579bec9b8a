"""A family for the tests of declarations: its brokers differ in what families' brokers differ in."""

from collections.abc import Mapping
from enum import StrEnum

import msgspec
from tests.house import broker as plain
from tests.toy_broker import toy_stream

from sangam.brokers.contract import BrokerSpec, Limit
from sangam.model.enums import Exchange

LANES = frozenset({"orders", "data", "login"})


class Way(StrEnum):
    PAGE = "page"
    STEPS = "steps"


class Segment(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    code: int
    lots: bool = False


class Member(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    name: str
    title: str
    aliases: tuple[str, ...] = ()
    hosts: Mapping[str, str]
    login: Way
    exchanges: frozenset[Exchange]
    segments: Mapping[Exchange, Segment] = {}
    limits: tuple[Limit, ...] = (Limit("orders", 5, 1.0), Limit("login", 1, 1.0))
    session_ends: str = ""

    sockets: int = 1

    def __post_init__(self) -> None:
        if self.title.isupper():
            raise ValueError("the title shouts")


def broker(member: Member) -> BrokerSpec:
    if "api" not in member.hosts:
        raise LookupError("'hosts' lacks api")
    return plain(
        member.name,
        title=member.title,
        aliases=member.aliases,
        hosts=member.hosts,
        exchanges=member.exchanges,
        limits=member.limits,
        session_ends=member.session_ends,
        streams=(toy_stream(sockets=member.sockets),),
    )
