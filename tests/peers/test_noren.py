"""The judges of the simulated Noren brokers: Kambala's own clients log in, ask, trade and stream against them, with
nothing changed but their addresses. The newest speaks the OAuth generation to the end; the one before it does not know
how its socket is greeted today; the first proves its session behind the body, as Flattrade still has it."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from tests.peers.environments import peer_report
from tests.simulator_thread import SimulatorThread

from sangam.model.enums import Exchange as Code
from sangam.simulators import Exchange

CLIENT = Path(__file__).with_name("noren_client.py")


class Judge(NamedTuple):
    """A client's environment, and the broker that it judges."""

    peer: str
    broker: str
    generation: str = "oauth"
    hears_open: bool = True
    charts: bool = True


JUDGES = (
    Judge("noren", "zebu"),
    Judge("noren-early", "shoonya", hears_open=False, charts=False),
    Judge("noren-jkey", "flattrade", generation="jkey", hears_open=False),
)


class Verdict(NamedTuple):
    judge: Judge
    report: dict[str, Any]
    broker: SimulatorThread


@pytest.fixture(scope="module", params=JUDGES, ids=lambda judge: judge.peer)
def verdict(request: pytest.FixtureRequest) -> Iterator[Verdict]:
    judge: Judge = request.param
    with SimulatorThread(judge.broker, exchange=Exchange(pace=10.0), run=True) as broker:
        asked = broker.call(lambda: plan(broker.simulator, judge))
        yield Verdict(judge, peer_report(judge.peer, CLIENT, asked), broker)


def plan(simulator: Any, judge: Judge) -> dict[str, Any]:
    exchange: Exchange = simulator.exchange
    share, other = exchange.market("SBIN", Code.NSE), exchange.market("M&M", Code.NSE)
    future = next(row for row in exchange.contracts if row.exchange is Code.NFO and row.symbol.startswith("NIFTY"))
    around = {"low": 0.95, "lower": 0.94, "high": 1.05, "higher": 1.06}
    prices = {name: str(share.rupees(round(share.ltp * factor))) for name, factor in around.items()}
    prices["m&m"] = str(other.rupees(round(other.ltp * 0.95)))
    known: dict[str, Any] = simulator.credentials | simulator.hosts | prices | {"code": simulator.login.code()}
    told = {"future": str(exchange.token(future)), "client": judge.generation, "hears_open": judge.hears_open}
    return known | told


def test_a_code_is_a_session_and_a_wrong_one_is_none(verdict: Verdict) -> None:
    if verdict.judge.generation == "oauth":
        assert verdict.report["wrong_code"] is None
        token, user, refresh, account = verdict.report["granted"]
        assert token
        assert refresh
        assert user == account == "FA12345"
    assert verdict.report["out"]["stat"] == "Ok"
    assert not verdict.broker.simulator.login.alive


def test_orders_of_every_kind(verdict: Verdict) -> None:
    told = verdict.report["orders"]
    book = {row["norenordno"]: row for row in verdict.report["books"]["orders"]}
    assert {name: book[number]["status"] for name, number in told["placed"].items()} == {
        "limit": "CANCELED",
        "taken": "COMPLETE",
        "stop": "TRIGGER_PENDING",
        "ioc": "CANCELED",
        "ampersand": "OPEN",
        "dear": "REJECTED",
    }
    limit = book[told["placed"]["limit"]]
    assert (limit["qty"], limit["cancelqty"], limit["remarks"]) == ("20", "20", "one")
    assert book[told["placed"]["ampersand"]]["tsym"] == "M&M-EQ"
    assert "Margin Shortfall" in book[told["placed"]["dear"]]["rejreason"]
    assert told["changed"]["result"] == told["cancelled"]["result"] == told["placed"]["limit"]
    assert [told[name] for name in ("again", "market", "stranger")] == [None, None, None]
    assert [row["rpt"] for row in told["history"]] == ["Canceled", "Replaced", "New"]
    assert [order.order_id for order in verdict.broker.ledger().tags("FA12345")["taken"]] == [told["placed"]["taken"]]


def test_the_books(verdict: Verdict) -> None:
    books = verdict.report["books"]
    assert sum(int(row["flqty"]) for row in books["trades"]) == 10
    (position,) = books["positions"]
    assert (position["prd"], position["netqty"]) == ("I", "10")
    assert books["converted"]["stat"] == "Ok"
    assert {row["prd"]: row["netqty"] for row in books["after"]} == {"I": "6", "C": "4"}
    assert books["too_much"] is None
    assert {row["exch_tsym"][0]["tsym"]: row["npoadqty"] for row in books["holdings"]} == {
        "SBIN-EQ": "100",
        "INFY-EQ": "50",
    }
    assert float(books["limits"]["marginused"]) > 0


def test_market_data(verdict: Verdict) -> None:
    data = verdict.report["data"]
    quote = data["quote"]
    assert float(quote["bp1"]) < float(quote["sp1"])
    assert quote["lp"]
    assert quote["So5"]
    assert (data["index"]["stat"], "v" in data["index"]) == ("Ok", False)
    assert int(data["future"]["oi"]) > 0
    assert data["unknown"] is None
    assert data["security"]["ti"] == "0.1"
    assert data["search"] is None or "M&M-EQ" in {row["tsym"] for row in data["search"]["values"]}


def test_candles_newest_first(verdict: Verdict) -> None:
    data = verdict.report["data"]
    if not verdict.judge.charts:
        assert (data["minutes"], data["days"]) == (None, None), "candles want the token behind the body there"
        return
    minutes = [int(row["ssboe"]) for row in data["minutes"]]
    assert minutes == sorted(minutes, reverse=True)
    days = [json.loads(row) for row in data["days"]]
    assert len(days) >= 5
    assert int(days[0]["ssboe"]) % 86_400 == 0
    assert float(days[0]["intl"]) <= float(days[0]["intc"]) <= float(days[0]["inth"])


def test_the_socket(verdict: Verdict) -> None:
    told = verdict.report["streams"]
    assert told["opened"] is (verdict.judge.hears_open or verdict.judge.generation == "jkey")
    assert told["errors"] == []
    first = {(row["t"], row["tk"]): row for row in reversed(told["ticks"])}
    touch, deep, index = first["tk", "3045"], first["dk", "3045"], first["tk", "26000"]
    assert (touch["ts"], "bp2" in touch, "v" in index) == ("SBIN-EQ", False, False)
    assert all(f"{side}{what}{level}" in deep for side in "bs" for what in "pqo" for level in range(1, 6))
    changes = [row for row in told["ticks"] if row["t"] in ("tf", "df")]
    assert changes
    assert all("ts" not in row for row in changes)


def test_news_of_an_order(verdict: Verdict) -> None:
    news = verdict.report["streams"]["news"]
    assert [(row["status"], row["reporttype"], row["qty"]) for row in news] == [
        ("OPEN", "New", "10"),
        ("OPEN", "Replaced", "20"),
        ("CANCELED", "Canceled", "20"),
    ]
    product = "pcode" if verdict.judge.broker == "flattrade" else "prd"
    assert all(row[product] == "I" and row["remarks"] == "pushed" for row in news)
