"""docs/capabilities.md, written from the brokers' tables, the cases and the stands."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import groupby

from tests.conformance.cases import CASES
from tests.conformance.matrix import Case, skip
from tests.conformance.stands import STANDS
from tests.support import ROOT

from sangam.accounts.ways import ways
from sangam.brokers import registry
from sangam.brokers.contract import BrokerSpec, Trading
from sangam.brokers.declared import Unconfigured
from sangam.model.enums import Exchange, PriceType, Product
from sangam.verify.needs import GROUPS, offered_modes

PAGE = ROOT / "docs" / "capabilities.md"

_HEAD = """# Capabilities

What each broker can do, and what was tried of it. `make matrix` runs the conformance cases and writes this page from
the brokers' tables and the list of cases; a test fails when it is out of date.
[Adding a broker](adding-a-broker.md#conformance) says how a broker joins.
"""

_MATRIX = """## The matrix

Each case runs against the broker's simulator, through the real rooms of the house. A cell has the cases that run, of
all of the group; what runs passes, else `make test` fails. Against brokers' own servers nothing of this was tried;
[`sangam verify`](operations.md#verify) lets whoever has an account do it.
What is skipped names the section of the broker's sheet, our summary of its documentation.
"""

_UNTOLD = """## Not configured

Known by name and not supported: nobody has told yet which wire these brokers speak, and where. To choose one says what
to ask it for ([how](adding-a-broker.md#not-configured)).
"""


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = ["| " + " | ".join(row) + " |" for row in rows]
    return "\n".join(["| " + " | ".join(head) + " |", "|" + "---|" * len(head), *lines]) + "\n"


def _names(values: Iterable[object]) -> str:
    return ", ".join(str(value) for value in values) or "none"


# --- what a broker can do ---------------------------------------------------------------------------------------------


def _exchanges(spec: BrokerSpec) -> str:
    return _names(code for code in Exchange if code in spec.exchanges)


def _streams(spec: BrokerSpec) -> str:
    modes = [f"{label} ({_names(levels)} levels)" if levels else label for label, levels in offered_modes(spec).items()]
    return _names(modes)


def _room(spec: BrokerSpec) -> str:
    rooms = [stream for stream in spec.streams if stream.carries.modes]
    return _names(f"{each.limits.sockets} × {each.limits.symbols_per_socket}" for each in rooms)


def _quotes(spec: BrokerSpec) -> str:
    return f"{spec.data.quote_batch} in a request" if spec.data is not None and spec.data.quote_batch else "no"


def _candles(spec: BrokerSpec) -> str:
    return "no" if spec.data is None or spec.data.history is None else _names(spec.data.intervals)


def _login(spec: BrokerSpec) -> str:
    more = (("renewal", spec.login.renew), ("logout", spec.login.logout))
    return _names([*(way.value for way in ways(spec.login)), *(name for name, there in more if there)])


def _limits(spec: BrokerSpec) -> str:
    lanes = groupby(spec.limits, key=lambda limit: limit.lane)
    told = [f"{lane} {_names(f'{row.count} in {row.window:g} s' for row in rows)}" for lane, rows in lanes]
    return "; ".join(told) or "none"


def _session(spec: BrokerSpec) -> str:
    return f"until {spec.session_ends} IST" if spec.session_ends else "no hour"


def _order_news(spec: BrokerSpec) -> str:
    ways_of_news = [("stream", any(stream.carries.orders for stream in spec.streams))]
    if (trading := spec.trading) is not None:
        ways_of_news += [("webhook", trading.postback is not None), ("order book", True)]
    return _names(name for name, there in ways_of_news if there)


def _of_orders(tell: Callable[[Trading], str]) -> Callable[[BrokerSpec], str]:
    return lambda spec: "on paper" if spec.trading is None else tell(spec.trading)


def _price_types(trading: Trading) -> str:
    taken = [price_type.value for price_type in PriceType if trading.takes(price_type)]
    protected = [price_type.value for price_type in PriceType if not trading.takes(price_type)]
    return ", ".join(taken) + (f"; {_names(protected)} with our protection" if protected else "")


def _products(trading: Trading) -> str:
    """Exchanges with the same products together."""
    groups: dict[tuple[Product, ...], list[str]] = {}
    for code, products in sorted(trading.products.items(), key=lambda row: list(Exchange).index(row[0])):
        groups.setdefault(tuple(each for each in Product if each in products), []).append(code.value)
    return "; ".join(f"{_names(products)} on {_names(codes)}" for products, codes in groups.items())


def _validity(trading: Trading) -> str:
    return "DAY, IOC" + (f" (not on {_names(sorted(trading.no_ioc))})" if trading.no_ioc else "")


def _gtt(trading: Trading) -> str:
    return "no" if trading.gtt is None else "single, OCO" if trading.gtt.oco else "single"


def _tag(trading: Trading) -> str:
    unit = "digits" if trading.tag.kind == "int" else "characters"
    return "no" if trading.tag.kind == "none" else f"{trading.tag.length} {unit}"


_ROWS: dict[str, Callable[[BrokerSpec], str]] = {
    "Exchanges": _exchanges,
    "Streams": _streams,
    "Sockets × instruments": _room,
    "Quotes": _quotes,
    "Candles": _candles,
    "Login": _login,
    "Session": _session,
    "Order types": _of_orders(_price_types),
    "Products": _of_orders(_products),
    "Validity": _of_orders(_validity),
    "Changes of one order": _of_orders(lambda trading: str(trading.modifications or "any number")),
    "Our tag comes back": _of_orders(_tag),
    "GTT": _of_orders(_gtt),
    "Margin calculator": _of_orders(lambda trading: "yes" if trading.margin else "no"),
    "Conversion of positions": _of_orders(lambda trading: "yes" if trading.convert else "no"),
    "Order news": _order_news,
    "Rate limits": _limits,
}


# --- the matrix -------------------------------------------------------------------------------------------------------


def _counts(spec: BrokerSpec, cases: Sequence[Case]) -> str:
    running = sum(skip(case, spec, STANDS[spec.name].absent) is None for case in cases)
    return f"{running} of {len(cases)}"


def _skips(spec: BrokerSpec) -> list[str]:
    """One line for each reason, with its cases."""
    found: dict[str, list[str]] = {}
    for case in CASES.values():
        if skipped := skip(case, spec, STANDS[spec.name].absent):
            found.setdefault(skipped.reason, []).append(case.id)
    return [f"- {reason}: {_names(_runs(ids))}" for reason, ids in found.items()]


def _runs(ids: Sequence[str]) -> Iterator[str]:
    """Neighbours in the list of cases as one."""
    every = list(CASES)
    for _, run in groupby(enumerate(ids), key=lambda row: (every.index(row[1]) - row[0], row[1].split("-")[0])):
        names = [each for _, each in run]
        yield f"{names[0]} to {names[-1].split('-')[1]}" if len(names) > 2 else _names(names)


def _untold(ones: Iterable[Unconfigured]) -> str:
    """Each with what somebody must ask it for."""
    rows = [[f"{one.title} (`{one.name}`)", ", ".join(f"`{key}`" for key in one.asks)] for one in ones]
    return _table(["broker", "what its declaration lacks"], rows)


def _broker(spec: BrokerSpec) -> str:
    """What one offers, and what is skipped of it."""
    offers = _table(["offers", ""], ([name, tell(spec)] for name, tell in _ROWS.items()))
    skips = "\n".join(_skips(spec))
    return f"### {_title(spec)}\n\n{offers}" + (f"\nSkipped:\n\n{skips}\n" if skips else "")


def _title(spec: BrokerSpec) -> str:
    return f"{spec.title} (`{spec.name}`{', simulated' if spec.simulated else ''})"


def text() -> str:
    house = registry.load()
    specs = list(house)
    groups = {group: [case for case in CASES.values() if case.group == group] for group in GROUPS}
    parts = [
        _HEAD,
        _MATRIX,
        _table(["group", "about"], ([f"`{name}`", about] for name, about in GROUPS.items())),
        _table(
            ["broker", *(f"`{name}`" for name in groups), "all"],
            (
                [_title(spec), *(_counts(spec, cases) for cases in (*groups.values(), list(CASES.values())))]
                for spec in specs
            ),
        ),
        *((_UNTOLD, _untold(house.unconfigured)) if house.unconfigured else ()),
        "## Each broker\n",
        *map(_broker, specs),
        "## The cases\n",
        _table(["id", "what must hold"], ([f"`{case.id}`", case.title] for case in CASES.values())),
    ]
    return "\n".join(parts)
