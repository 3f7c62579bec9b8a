"""Topic text, which exists at process borders only: ``{account}.{BROKER}_{EXCHANGE}_{SYMBOL}[:LEVEL]_{MODE}``.

Symbols may hold ``_``, and so do some exchanges, so a text is parsed from both ends: the mode is its last segment, the
broker and the exchange are the longest known names at its head."""

from collections.abc import Iterable
from typing import NamedTuple

from sangam.model.enums import Exchange, Mode
from sangam.model.instrument import split_depth_suffix

_EXCHANGES = sorted(Exchange, key=len, reverse=True)


class Topic(NamedTuple):
    """`account` and `broker` are empty where a text names none; `symbol` carries no depth suffix, `depth` 0 says that
    there was none."""

    symbol: str
    exchange: str
    mode: Mode
    depth: int = 0
    broker: str = ""
    account: str = ""


def topic_text(topic: Topic) -> str:
    """What `parse_topic` takes apart again."""
    account = f"{topic.account}." if topic.account else ""
    broker = f"{topic.broker.upper()}_" if topic.broker else ""
    depth = f":{topic.depth}" if topic.depth else ""
    return f"{account}{broker}{topic.exchange}_{topic.symbol}{depth}_{topic.mode.name}"


def parse_topic(text: str, brokers: Iterable[str] = ()) -> Topic | None:
    """The parts of a topic; None for what is none. Account and broker may be missing, the mode is of any case.

    Accounts hold no dot; a dot in a symbol is never taken for the account's, since a known name must follow it."""
    rest, underscore, label = text.rpartition("_")
    if not underscore or label.upper() not in Mode.__members__:
        return None
    mode = Mode[label.upper()]
    names = sorted((name.upper() for name in brokers), key=len, reverse=True)
    account, dot, behind = rest.partition(".")
    heads = [("", rest), (account, behind)] if dot and account else [("", rest)]
    for owner, head in heads:
        broker = next((name for name in names if head.startswith(f"{name}_") and _exchange(head[len(name) + 1 :])), "")
        tail = head[len(broker) + 1 :] if broker else head
        exchange = _exchange(tail)
        if exchange:
            symbol, depth = split_depth_suffix(tail[len(exchange) + 1 :])
            return Topic(symbol, exchange, mode, depth or 0, broker.lower(), owner)
    return None


def _exchange(text: str) -> str:
    """The longest exchange code that a text begins with, if a symbol follows it."""
    return next((code.value for code in _EXCHANGES if text.startswith(f"{code}_") and len(text) > len(code) + 1), "")
