"""Where each broker stands: its simulator, and what no sheet lets it offer. A new broker adds one row to `STANDS`."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import httpx
from tests.conformance.matrix import World

from sangam.simulators import Exchange, Simulator
from sangam.simulators.paper import Paper
from sangam.simulators.zerodha import Zerodha


async def follow(url: str) -> Mapping[str, str]:
    """A browser at a login page that asks nothing: what it brings back to us."""
    async with httpx.AsyncClient(trust_env=False) as browser:
        answer = await browser.get(url)
    return dict(parse_qsl(urlsplit(answer.headers["location"]).query))


def _none(simulator: Simulator) -> int:
    return 0


def _no_answers(simulator: Simulator) -> Mapping[str, str]:
    return {}


def _no_webhook(simulator: Simulator, order_id: str) -> bytes:
    raise NotImplementedError


@dataclass(frozen=True, kw_only=True)
class Stand:
    """What cases ask of a broker's simulator besides what every `Simulator` has (exchange, faults, logins).

    `open` makes it on an exchange, for a world; `client` is the id of the account there, and the owner of its orders;
    `browse` takes a browser through the login page, `answers` are those to a login by steps; `webhook` is what the
    broker would post about an order; `too_many` counts the requests that were over its limits. `absent` says for each
    kind of need that the broker has not why, and where its sheet says so."""

    open: Callable[[Exchange, World], Simulator]
    client: Callable[[Any], str]
    browse: Callable[[str], Awaitable[Mapping[str, str]]] = follow
    answers: Callable[[Any], Mapping[str, str]] = _no_answers
    webhook: Callable[[Any, str], bytes] = _no_webhook
    too_many: Callable[[Any], int] = _none
    absent: dict[str, str] = field(default_factory=dict)


def _open(kind: Callable[..., Simulator], exchange: Exchange, world: World) -> Simulator:
    """The options that simulators of brokers with orders share."""
    return kind(
        exchange,
        cash=world.cash,
        holdings=world.holdings,
        limits=world.limits,
        refuses_early=world.early,
        heartbeat=0.02,
    )


_PAPER = "it has one token and no login of its own, being the house's market"

STANDS: dict[str, Stand] = {
    "zerodha": Stand(
        open=partial(_open, partial(Zerodha, renewable=True)),
        client=lambda kite: kite.user_id,
        webhook=lambda kite, order_id: kite.webhook(order_id),
        too_many=lambda kite: kite.too_many,
        absent={
            "login by steps": "the login is a page, and has no other way (zerodha.md, 2)",
            "book": "its books have five levels (zerodha.md, 7)",
        },
    ),
    "paper": Stand(
        open=lambda exchange, world: Paper(exchange, heartbeat=0.02),
        client=lambda paper: paper.client_id,
        absent={
            "login page": _PAPER,
            "state that the login page returns": _PAPER,
            "login by steps": _PAPER,
            "renewal of sessions": _PAPER,
            "logout": _PAPER,
            "rate limits": "it keeps no rate limits: it runs beside the server",
            "book": "its books have five levels",
            **dict.fromkeys(
                (
                    "orders", "tag", "single order", "limit of modifications", "margin calculator",
                    "conversion of positions", "GTT", "OCO", "webhook", "product", "IOC",
                ),
                "orders of its accounts go to the paper book (symbols.md, 5)",
            ),
        },
    ),
}  # fmt: skip
