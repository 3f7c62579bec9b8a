"""What cases may need of a broker, each read from its `BrokerSpec`."""

from collections.abc import Callable

from tests.conformance.matrix import Need

from sangam.brokers.contract import BrokerSpec, Data, Login, Stream, Trading
from sangam.model.enums import Exchange, Mode, Product


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

QUOTES = _data("quotes", lambda data: True)
CANDLES = _data("candles", lambda data: data.history)
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


HEARTBEAT = _stream("sign of life on a quiet socket", lambda stream: stream.silence)
SEVERAL_SOCKETS = _stream("second socket", lambda stream: stream.limits.sockets > 1)
ORDER_NEWS = _stream("stream of order news", lambda stream: stream.carries.orders)

ORDERS = _trading("orders", lambda trading: True)
TAG = _trading("tag", lambda trading: trading.tag.kind != "none")
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
