"""The verbs about instruments: whose master is meant, and what a mistake is answered with."""

from pathlib import Path
from typing import Any, cast

import pytest
from tests.instrument_rows import NEAR, future, master_of, share
from tests.toy_broker import toy_spec

from sangam.app.instruments import InstrumentDesk
from sangam.brokers.contract import BrokerSpec, RowRefused
from sangam.feed.adopt import Adopter
from sangam.feed.source import Progress
from sangam.instruments import Master, Masters
from sangam.model.errors import InvalidInput


class Source:
    def __init__(self, name: str, simulated: bool) -> None:
        self.name = name
        self.spec: BrokerSpec = toy_spec(name=name, simulated=simulated)

    def refresh(self) -> int:
        return 7

    def progress(self) -> Progress:
        return Progress(
            source=self.name, broker="toy", stage="idle", version="", rows=0, made_at=0, tried_at=0, trouble="HTTP 500"
        )


class House:
    """An adopter and masters of three sources, one of which has given nothing yet."""

    def __init__(self, path: Path) -> None:
        self.sources = [Source("play", True), Source("toy", False), Source("late", False)]
        self.masters = {
            "play": master_of(path / "play.db", share("PLAYTHING", "1")),
            "toy": master_of(
                path / "toy.db", share("SBIN", "1"), future("SBIN", NEAR, "2"), RowRefused("no tick", "x")
            ),
        }

    def sources_of(self, name: str | None) -> list[Source]:
        found = [source for source in self.sources if name in (None, source.name)]
        if not found:
            raise InvalidInput(f"No account of '{name}' is logged in.")
        return found

    def current(self, source: str) -> Master | None:
        return self.masters.get(source)


@pytest.fixture
def house(tmp_path: Path) -> House:
    return House(tmp_path)


async def ask(house: House, verb: str, **arguments: Any) -> Any:
    desk = InstrumentDesk(cast(Adopter, house), cast(Masters, house))
    assert f"instruments/{verb}" in desk
    return await desk.call(f"instruments/{verb}", arguments)


async def test_the_real_broker_is_meant_where_there_is_one(house: House) -> None:
    with pytest.raises(InvalidInput, match=r"several masters \(play, toy, late\): say whose \(--broker\)"):
        await ask(house, "search", query="sbin")
    house.sources.pop()
    found = await ask(house, "search", query="sbin")
    assert [row["symbol"] for row in found["instruments"]] == ["SBIN", "SBIN24NOV26FUT"]
    assert (found["version"], found["instruments"][1]["expiry"]) == ("toy", "2026-11-24")
    assert (await ask(house, "search", query="thing", name="play"))["instruments"][0]["symbol"] == "PLAYTHING"


async def test_refused_rows(house: House) -> None:
    told = await ask(house, "refused", name="toy")
    assert told == {"version": "toy", "stored": 2, "refused": [{"reason": "no tick", "total": 1, "rows": ["x"]}]}


async def test_a_broker_that_has_given_nothing_says_why(house: House) -> None:
    with pytest.raises(InvalidInput, match="Toy Broker has given no instruments yet: HTTP 500"):
        await ask(house, "search", query="sbin", name="late")


async def test_refresh_and_status_name_their_sources(house: House) -> None:
    assert await ask(house, "refresh", name="toy") == {"sources": [{"source": "toy", "from": 7}]}
    status = (await ask(house, "status"))["sources"]
    assert [one["source"] for one in status] == ["play", "toy", "late"]
    assert status[0]["trouble"] == "HTTP 500"


@pytest.mark.parametrize(
    ("verb", "arguments"),
    [("search", {}), ("search", {"query": 5}), ("search", {"query": "x", "limit": "y"}), ("refresh", {"nmae": "toy"})],
)
async def test_arguments_that_do_not_fit(house: House, verb: str, arguments: dict[str, Any]) -> None:
    with pytest.raises(InvalidInput, match=f"instruments/{verb}: "):
        await ask(house, verb, **arguments)
