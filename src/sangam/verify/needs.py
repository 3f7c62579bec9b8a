"""What is numbered, the groups of numbers, and what one may need of a broker, read from its `BrokerSpec`: of the checks
here, and of the conformance cases of tests/ that make the same claims."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

from sangam.brokers.contract import BrokerSpec, Data, Login, Stream, Trading
from sangam.model.enums import Exchange, Mode, Product

GROUPS = {
    "LOGIN": "the ways in and out",
    "INSTR": "the list of instruments",
    "DATA": "quotes and candles by request",
    "STREAM": "market data over sockets",
    "TRADE": "orders",
    "BOOKS": "what an account holds",
    "PUSH": "news of orders",
    "OUTCOME": "what is known of a write that went wrong",
}


@dataclass(frozen=True)
class Need:
    """Something a broker may offer. `kind` names it in general, `detail` says which one of the kind."""

    kind: str
    offered: Callable[[BrokerSpec], bool]
    detail: str = ""

    def __str__(self) -> str:
        return f"{self.kind} {self.detail}".strip()


@dataclass(frozen=True)
class Numbered:
    """A claim by its number, such as ``DATA-03``."""

    id: str
    title: str
    needs: tuple[Need, ...]

    @property
    def group(self) -> str:
        return self.id.partition("-")[0]

    def missing(self, spec: BrokerSpec) -> Need | None:
        """The first thing that the broker does not offer."""
        return next((need for need in self.needs if not need.offered(spec)), None)


N = TypeVar("N", bound=Numbered)


def enter(one: N, among: dict[str, N]) -> None:
    if one.id in among:
        raise ValueError(f"{one.id} is there already")
    among[one.id] = one


def title_of(act: Callable[..., object]) -> str:
    """The sentence of its docstring."""
    return " ".join((act.__doc__ or "").split()).removesuffix(".")


def _login(kind: str, part: Callable[[Login], object]) -> Need:
    return Need(kind, lambda spec: bool(part(spec.login)))


def _data(kind: str, part: Callable[[Data], object]) -> Need:
    return Need(kind, lambda spec: spec.data is not None and bool(part(spec.data)))


def _stream(kind: str, part: Callable[[Stream], object], detail: str = "") -> Need:
    return Need(kind, lambda spec: any(part(stream) for stream in spec.streams), detail)


def _trading(kind: str, part: Callable[[Trading], object], detail: str = "") -> Need:
    return Need(kind, lambda spec: spec.trading is not None and bool(part(spec.trading)), detail)


PAGE = _login("login page", lambda login: login.redirect)
STATE = _login("state that the login page returns", lambda login: login.redirect and login.redirect.echoes_state)
STEPS = _login("login by steps", lambda login: login.steps)
RENEWAL = _login("renewal of sessions", lambda login: login.renew)
LOGOUT = _login("logout", lambda login: login.logout)

QUOTES = _data("quotes", lambda data: data.quote_batch)
CANDLES = _data("candles", lambda data: data.history)
CANDLE_OI = _data("open interest of candles", lambda data: data.history and data.candle_oi)
LIMITS = Need("rate limits", lambda spec: bool(spec.limits))


def exchange(code: Exchange) -> Need:
    return Need("exchange", lambda spec: code in spec.exchanges, code.value)


def mode(wanted: Mode) -> Need:
    return _stream("mode", lambda stream: wanted in stream.carries.modes, wanted.label)


def book(levels: int) -> Need:
    return _stream(
        "book", lambda stream: levels in stream.carries.modes.get(Mode.DEPTH, ()), f"of {levels} levels streamed"
    )


def streamed(code: Exchange) -> Need:
    return _stream("stream", lambda stream: code in stream.carries.exchanges, f"of {code.value}")


EXCHANGES = {
    Exchange.NSE: "shares",
    Exchange.BSE: "shares",
    Exchange.NFO: "derivatives, with open interest",
    Exchange.BFO: "derivatives, with open interest",
    Exchange.CDS: "currencies keep four decimals",
    Exchange.BCD: "currencies keep four decimals",
    Exchange.MCX: "commodities",
    Exchange.NCO: "commodities",
    Exchange.NSE_INDEX: "indices, without volume and book",
    Exchange.BSE_INDEX: "indices, without volume and book",
}
"""Those that are tried one by one, in the order of their numbers, and what is special about their prices."""

STREAMS = _stream("stream", lambda stream: stream.carries.modes, "of market data")
HEARTBEAT = _stream("sign of life on a quiet socket", lambda stream: stream.silence)
SEVERAL_SOCKETS = _stream("second socket", lambda stream: stream.limits.sockets > 1)
ORDER_NEWS = _stream("stream of order news", lambda stream: stream.carries.orders)

ORDERS = _trading("orders", lambda trading: True)
TAG = _trading("tag", lambda trading: trading.tag.kind != "none")
TAGGED_NEWS = _trading("tag in news of orders", lambda trading: trading.tag.kind != "none" and trading.tag.in_news)
ONE_ORDER = _trading("single order", lambda trading: trading.order)
FEW_CHANGES = _trading("limit of modifications", lambda trading: trading.modifications)
MARGIN = _trading("margin calculator", lambda trading: trading.margin)
CONVERSION = _trading("conversion of positions", lambda trading: trading.convert)
GTT = _trading("GTT", lambda trading: trading.gtt)
OCO = _trading("OCO", lambda trading: trading.gtt and trading.gtt.oco)
WEBHOOK = _trading("webhook", lambda trading: trading.postback)


def product(wanted: Product, code: Exchange) -> Need:
    return _trading(
        "product", lambda trading: wanted in trading.products.get(code, ()), f"{wanted.value} on {code.value}"
    )


def immediate(code: Exchange) -> Need:
    return _trading("IOC", lambda trading: code not in trading.no_ioc, f"on {code.value}")


def orders_on(code: Exchange) -> Need:
    return _trading("orders", lambda trading: code in trading.products, f"on {code.value}")


def offered_modes(spec: BrokerSpec) -> dict[str, tuple[int, ...]]:
    """Mode labels with all depth levels over the broker's streams."""
    found: dict[Mode, set[int]] = {}
    for stream in spec.streams:
        for each, levels in stream.carries.modes.items():
            found.setdefault(each, set()).update(levels)
    return {each.label: tuple(sorted(levels)) for each, levels in sorted(found.items())}
