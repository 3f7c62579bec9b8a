"""Where each broker stands: its simulator, and what no sheet lets it offer. A new broker adds one row to `STANDS`."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import httpx
from tests.conformance.matrix import World

from sangam.model.enums import Exchange as Code
from sangam.simulators import Exchange, Simulator
from sangam.simulators.angel import Angel
from sangam.simulators.dhan import Dhan
from sangam.simulators.dhan_sandbox import DhanSandbox
from sangam.simulators.fyers import Fyers
from sangam.simulators.iiflcapital import IiflCapital
from sangam.simulators.mastertrust import MasterTrust
from sangam.simulators.noren import SIMULATORS as NOREN
from sangam.simulators.noren import simulated
from sangam.simulators.noren_kinds import Kind
from sangam.simulators.paper import Paper
from sangam.simulators.pocketful import Pocketful
from sangam.simulators.tradelab import Tradelab
from sangam.simulators.upstox import Upstox
from sangam.simulators.xts import SIMULATORS as XTS
from sangam.simulators.xts import Variant, Xts
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


def _xts(name: str, **differences: str) -> Stand:
    """A broker of the family xts, with what its own installation does not offer."""
    absent = {
        "login page": f"its keys log in by themselves ({name}.md, 2)",
        "state that the login page returns": "the page brings the session alone (xts.md, 2.3)",
        "renewal of sessions": "a token ends within a day, and another login makes the next (xts.md, 2.5)",
        "book": "its books have five levels (xts.md, 5)",
        "second socket": "whether a token may have several is not known (xts.md, 7.3)",
        "exchange": f"it is not known to offer it ({name}.md, 1)",
        "stream": f"it is not known to offer it ({name}.md, 1)",
        "login by steps": f"its keys need the token of the page ({name}.md, 2)",
        "single order": "one order is told by its history, whose order of rows is not documented (xts.md, 3)",
        "limit of modifications": "none is documented (xts.md, 9)",
        "product NRML on MCX": "whether a quantity there is of lots or of units is not known (xts.md, 3)",
        "margin calculator": "only two installations are known to have it (xts.md, 3)",
        "GTT": "how a GTT is asked for is not known (xts.md, 3)",
        "OCO": "how a GTT is asked for is not known (xts.md, 3)",
        "webhook": "it has none (xts.md, 8)",
    }
    return Stand(
        open=partial(_open, next(kind for kind in XTS if kind.variant.name == name)),
        client=lambda xts: xts.user_id,
        too_many=lambda xts: xts.too_many,
        absent=absent | differences,
    )


def _noren(name: str, **more: Any) -> Stand:
    """A broker of the Noren family; `more` are its own absences, or the family's in other words."""
    (kind,) = (kind for kind in NOREN if kind.name == name)
    webhook = more.pop("webhook", _no_webhook)
    return Stand(
        open=partial(_open, kind),
        client=lambda noren: noren.user_id,
        webhook=webhook,
        too_many=lambda noren: noren.too_many,
        absent={
            "state that the login page returns": "it brings the code and nothing else (noren.md, 2)",
            "login by steps": "the login is a page, and has no other way (noren.md, 2)",
            "renewal of sessions": "no route that takes its refresh token is documented (noren.md, 2)",
            "exchange": "its masters list neither BCD nor NCO (noren.md, 6)",
            "stream": "its masters list neither BCD nor NCO (noren.md, 6)",
            "book": "its books have five levels (noren.md, 7)",
            "second socket": "one socket is all that is known to be allowed (noren.md, 7)",
            "sign of life on a quiet socket": "no answer to its heartbeat is documented (noren.md, 7)",
            "single order": "one order is told as its history; the book tells it, too (noren.md, 4)",
            "limit of modifications": "none is documented (noren.md, 9)",
            "OCO": "which of its values is the upper one is in doubt, and the wrong one fires at once (noren.md, 3)",
            "webhook": "it posts nothing (noren.md, 8)",
            "product NRML on MCX": "whether a quantity there is of lots or of units is not known (noren.md, 3)",
            **more,
        },
    )


_PAPER = "it has one token and no login of its own, being the house's market"

_NO_SOCKETS = "it has no sockets (dhan_sandbox.md, 7 and 8)"
_NO_LOGIN = "tokens are pasted, and made by hand in its portal (dhan_sandbox.md, 2)"

_TRADELAB = {
    "renewal of sessions": "refresh tokens are unknown (pocketful.md, 2)",
    "logout": "none is known (pocketful.md, 2; mastertrust.md, 2)",
    "quotes": "how they are answered is not published (pocketful.md, 5; mastertrust.md, 5)",
    "book": "its books have five levels (pocketful.md, 7)",
    "sign of life on a quiet socket": "what answers a heartbeat is not known (pocketful.md, 7; mastertrust.md, 7)",
    "second socket": "how many a user may have is not known (pocketful.md, 7; mastertrust.md, 7)",
    "single order": "the rows of an order's history are not documented (pocketful.md, 3)",
    "limit of modifications": "none is known (pocketful.md, 9; mastertrust.md, 9)",
    "margin calculator": "none is known (pocketful.md, 4)",
    "conversion of positions": "the body of that call is not known (pocketful.md, 4; mastertrust.md, 4)",
    "GTT": "the body of that call is not known (pocketful.md, 3; mastertrust.md, 3)",
    "webhook": "none is known (pocketful.md, 8; mastertrust.md, 8)",
}

_LOTS = "orders there count lots, and whether its books do is not told (iiflcapital.md, 3 and 4)"

STANDS: dict[str, Stand] = {
    "angel": Stand(
        open=partial(_open, Angel),
        client=lambda angel: angel.user_id,
        answers=lambda angel: {"totp": angel.login.authenticator.code()},
        webhook=lambda angel, order_id: angel.webhook(order_id),
        too_many=lambda angel: angel.too_many,
        absent={
            "exchange": "it offers neither BCD nor NCO (angel.md, 3)",
            "stream": "it offers neither BCD nor NCO (angel.md, 3)",
            "book": "its books have five levels, those of NSE twenty, too (angel.md, 7)",
            "single order": "one order is read by another id than its number, and the book tells it, too (angel.md, 3)",
            "limit of modifications": "it names none (angel.md, 9)",
            "OCO": "its rules have one trigger (angel.md, 3)",
        },
    ),
    "upstox": Stand(
        open=partial(_open, Upstox),
        client=lambda upstox: upstox.user_id,
        webhook=lambda upstox, order_id: upstox.webhook(order_id),
        too_many=lambda upstox: upstox.too_many,
        absent={
            "login by steps": "the login is a page, and has no other way (upstox.md, 2)",
            "renewal of sessions": "a token ends at 03:30, whenever it was made (upstox.md, 2)",
            "book": "its books have five levels, or 30 (upstox.md, 7)",
            "sign of life on a quiet socket": "its sockets have no heartbeat: quiet markets are silent (upstox.md, 7)",
            "orders on MCX": "its orders by API are disabled (upstox.md, 3)",
            "product NRML on MCX": "its orders by API are disabled (upstox.md, 3)",
            "limit of modifications": "none is documented (upstox.md, 3)",
            "OCO": "a GTT of several rules has an entry (upstox.md, 3)",
        },
    ),
    "fyers": Stand(
        open=partial(_open, partial(Fyers, renewable=True)),
        client=lambda fyers: fyers.user_id,
        webhook=lambda fyers, order_id: fyers.webhook(order_id),
        too_many=lambda fyers: fyers.too_many,
        absent={
            "login by steps": "the login is a page, and has no other way (fyers.md, 2)",
            "book": "its books have five levels, or fifty of NSE's shares and derivatives (fyers.md, 7a and 7b)",
            "exchange": "no symbol master lists BCD (fyers.md, 6)",
            "stream": "no symbol master lists BCD (fyers.md, 6)",
            "limit of modifications": "Fyers names none (fyers.md, 9)",
        },
    ),
    "dhan": Stand(
        open=partial(_open, Dhan),
        client=lambda dhan: dhan.user_id,
        answers=lambda dhan: {"totp": dhan.login.authenticator.code()},
        webhook=lambda dhan, order_id: dhan.webhook(order_id),
        too_many=lambda dhan: dhan.too_many,
        absent={
            "state that the login page returns": "it brings a tokenId and nothing else (dhan.md, 2)",
            "logout": "there is no logout (dhan.md, 2)",
            "sign of life on a quiet socket": "it is WebSocket's own ping, which no codec hears (dhan.md, 7)",
            "book of 30 levels streamed": "its books have 5, 20 and 200 levels (dhan.md, 7)",
            "book of 50 levels streamed": "its books have 5, 20 and 200 levels (dhan.md, 7)",
            "exchange NCO": "NSE's commodities have no segment code and no rows (dhan.md, 3 and 6)",
            "stream of NCO": "NSE's commodities have no segment code and no rows (dhan.md, 3 and 6)",
        },
    ),
    "dhan_sandbox": Stand(
        open=partial(_open, DhanSandbox),
        client=lambda dhan: dhan.user_id,
        too_many=lambda dhan: dhan.too_many,
        absent={
            "login page": _NO_LOGIN,
            "state that the login page returns": _NO_LOGIN,
            "login by steps": _NO_LOGIN,
            "renewal of sessions": _NO_LOGIN,
            "logout": "there is none (dhan_sandbox.md, 2)",
            "quotes": "it answers none (dhan_sandbox.md, 5)",
            "webhook": "whether the sandbox posts is not known (dhan_sandbox.md, 8)",
            "exchange NCO": "NSE's commodities have no segment code and no rows (dhan.md, 3 and 6)",
            **dict.fromkeys(
                (
                    "stream", "mode", "book", "sign of life on a quiet socket", "second socket",
                    "stream of order news",
                ),
                _NO_SOCKETS,
            ),
        },
    ),
    "iiflcapital": Stand(
        open=partial(_open, IiflCapital),
        client=lambda iifl: iifl.user_id,
        too_many=lambda iifl: iifl.too_many,
        absent={
            "state that the login page returns": "it brings authCode and clientId and no more (iiflcapital.md, 2)",
            "login by steps": "the login is a page, and has no other way (iiflcapital.md, 2)",
            "renewal of sessions": "each trading day begins with a new login (iiflcapital.md, 2)",
            "open interest of candles": "its candles have none (iiflcapital.md, 5)",
            "book": "its books have five levels (iiflcapital.md, 7.2)",
            "second socket": "its 6,000 topics are a client's, on however many (iiflcapital.md, 7.2)",
            "product NRML on MCX": _LOTS,
            "single order": "an order's number leads to its history, of unknown order (iiflcapital.md, 4)",
            "limit of modifications": "none is documented (iiflcapital.md, 3)",
            "tag in news of orders": "only the book has it (iiflcapital.md, 8)",
            "conversion of positions": "its portal says to use the app (iiflcapital.md, 3)",
            "GTT": "there are none (iiflcapital.md, 3)",
            "OCO": "there are no GTTs (iiflcapital.md, 3)",
            "webhook": "none is documented (iiflcapital.md, 8)",
        },
    ),
    **{
        name: _xts(name)
        for name in ("fivepaisaxts", "compositedge", "ibulls", "iifl", "wisdom", "jainamxts", "rmoney")
    },
    "flattrade": _noren(
        "flattrade",
        webhook=lambda noren, order_id: noren.webhook(order_id),
        **{
            "renewal of sessions": "a token is cleared in the morning, and has no other way (flattrade.md, 2)",
            "tick sizes": "its files have no ticks (flattrade.md, 6)",
        },
    ),
    "shoonya": _noren("shoonya"),
    "tradesmart": _noren(
        "tradesmart",
        logout="no route ends a session (tradesmart.md, 3)",
        GTT="it has no triggers (tradesmart.md, 3)",
        OCO="it has no triggers (tradesmart.md, 3)",
        **{
            "conversion of positions": "it has no conversion (tradesmart.md, 3)",
            "exchange BSE_INDEX": "no file and no route lists BSE's indices (tradesmart.md, 3 and 6)",
            "stream of BSE_INDEX": "no file and no route lists BSE's indices (tradesmart.md, 3 and 6)",
        },
    ),
    "zebu": _noren("zebu", **{"margin calculator": "it has none but a span calculator (zebu.md, 3)"}),
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
    "pocketful": Stand(
        open=partial(_open, Pocketful),
        client=lambda broker: broker.user_id,
        answers=lambda broker: {"totp": broker.login.authenticator.code()},
        too_many=lambda broker: broker.too_many,
        absent={
            **_TRADELAB,
            "candles": "there is no API for them (pocketful.md, 5)",
            **dict.fromkeys(("exchange", "stream"), "no contract file lists CDS, BCD and NCO (pocketful.md, 6)"),
            "exchange MCX": "the scale of its streamed prices is not stated (pocketful.md, 7)",
            "stream of MCX": "the scale of its streamed prices is not stated (pocketful.md, 7)",
            "product NRML on MCX": "the scale of its streamed prices is not stated (pocketful.md, 7)",
        },
    ),
    "mastertrust": Stand(
        open=partial(_open, MasterTrust),
        client=lambda broker: broker.user_id,
        too_many=lambda broker: broker.too_many,
        absent={
            **_TRADELAB,
            "login by steps": "the login is a page, and has no other way (mastertrust.md, 2)",
            "candles": "codes, times and zone of the call are not known (mastertrust.md, 5)",
            **dict.fromkeys(("exchange", "stream"), "no contract file lists CDS, BCD and NCO (mastertrust.md, 6)"),
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


class Lotus(Tradelab):
    """As docs/adding-a-broker.md declares it."""

    name = "lotus"
    variant = MasterTrust.variant._replace(
        exchanges=MasterTrust.variant.exchanges - {Code.MCX}, funds=Pocketful.variant.funds
    )


def _declared(like: Stand, kind: Callable[..., Simulator]) -> Stand:
    silent = dict.fromkeys(("exchange", "stream", "product"), "its file names no such exchange")
    return replace(like, open=partial(_open, kind), absent={**like.absent, **silent})


_ACME = Kind(
    "acme",
    renews=True,
    exchanges=frozenset({Code.NSE, Code.BSE, Code.NFO, Code.BFO}),
    lacks=frozenset({"GetBasketMargin"}),
    limits={"orders": ((8, 1.0), (100, 60.0)), "default": ((20, 1.0),)},
)


class Bharat(Xts):
    name = "bharat"
    variant = Variant(
        "bharat",
        prefix="/apibinarymarketdata",
        wire="wide",
        exchanges=frozenset({Code.NSE, Code.NFO, Code.NSE_INDEX}),
        symbols=200,
    )


DECLARED: dict[str, Stand] = {
    "acme": _declared(STANDS["shoonya"], simulated(_ACME)),
    "bharat": _declared(STANDS["ibulls"], Bharat),
    "lotus": _declared(STANDS["mastertrust"], Lotus),
}
"""Of the brokers that docs/adding-a-broker.md declares: the family's simulator, told the same of the broker."""
