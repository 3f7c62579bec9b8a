"""Prices for the paper book never cost the feed anything."""

from types import SimpleNamespace
from typing import Any

import pytest
from tests.toy_broker import toy_instrument

from sangam.app.paper_prices import PaperPrices
from sangam.feed.port import Granted
from sangam.model.instrument import Level
from sangam.prices.last import Last


class Stream:
    """A feed that streams everything and keeps who listens."""

    def __init__(self) -> None:
        self.looks: list[Any] = []

    def session(self, account: str) -> None: ...

    def master(self, account: str) -> None: ...

    def want(self, account: str, symbol: str, exchange: str, level: Level) -> Granted:
        return Granted(1, level)

    def watch(self, account: str, symbol: str, exchange: str, look: Any) -> None:
        self.looks.append(look)

    def release(self, want: int) -> None: ...

    def current(self, *_: Any) -> Last:
        return Last()


def test_a_defect_of_the_paper_book_is_told_once_and_reaches_nobody(caplog: pytest.LogCaptureFixture) -> None:
    feed = Stream()
    account = SimpleNamespace(info=SimpleNamespace(user="u"))
    accounts: Any = type("Accounts", (dict,), {"list": lambda self, user: []})({"u-toy": account})
    prices = PaperPrices(feed, None, accounts)  # type: ignore[arg-type]

    def broken(*_: Any) -> None:
        raise ValueError("a defect")

    prices.on_price = broken
    end = prices.watch("u-toy", toy_instrument("SBIN"))
    for _ in range(3):
        feed.looks[0]()
    assert caplog.text.count("a price of NSE:SBIN was not taken") == 1
    end()
    assert feed.looks[-1] is None


def test_real_and_simulated_accounts_have_no_prices_for_each_other() -> None:
    told = {"u-demo": Last(), "u-toy": Last(), "u-other": None}
    infos = [SimpleNamespace(id=id, user="u") for id in told]
    accounts: Any = type("Accounts", (dict,), {"list": lambda self, user: infos})(
        {info.id: SimpleNamespace(info=info) for info in infos}
    )
    feed = SimpleNamespace(current=lambda account, *rest: told[account])
    prices = PaperPrices(feed, None, accounts, lambda account: account == "u-demo")  # type: ignore[arg-type]
    share = toy_instrument("SBIN")
    assert prices.quote("u-other", share) is told["u-toy"]
    told["u-toy"] = None
    assert prices.quote("u-other", share) is None
    assert prices.quote("u-demo", share) is told["u-demo"]
