"""The page about paper trading says what the code does."""

import re
from decimal import Decimal

import pytest
from tests.support import ROOT

from sangam.model.enums import Exchange
from sangam.model.errors import InvalidInput
from sangam.paper import units
from sangam.paper.admission import SETTLEMENTS
from sangam.paper.charges import GST, SEBI, TABLE
from sangam.paper.config import MORNING, Config, changed

PAGE = (ROOT / "docs/paper.md").read_text(encoding="utf-8")


def table(title: str) -> list[list[str]]:
    """The cells of a section's table, without its head."""
    section = PAGE.split(f"\n## {title}\n")[1].split("\n## ")[0]
    rows = [[cell.strip(" `") for cell in row.strip("|").split("|")] for row in section.splitlines() if row[:1] == "|"]
    return rows[2:]


def shown(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def test_every_setting_stands_there_with_its_default_and_its_values() -> None:
    rows = {name: (default, may) for name, default, may in table("Settings")}
    assert list(rows) == list(Config.__struct_fields__)
    for name, (default, may) in rows.items():
        assert default == shown(getattr(Config(), name))
        bounds = re.match(r"(\d+) to (\d+)", may)
        if bounds:
            low, high = map(int, bounds.groups())
            assert changed(Config(), {name: low})
            assert changed(Config(), {name: high})
            for wrong in (low - 1, high + 1):
                with pytest.raises(InvalidInput, match=f"between {low} and {high}"):
                    changed(Config(), {name: wrong})
        elif name.endswith("_time"):
            assert may == ("a time like 15:15" if name == "reset_time" else f"a time after {MORNING:%H:%M}")
        else:
            with pytest.raises(InvalidInput) as refused:
                changed(Config(), {name: "no such value" if name != "starting_capital" else 1})
            assert may in str(refused.value).lower() or may in str(refused.value)


def test_the_rates_of_the_charges_are_those_that_are_taken() -> None:
    told = {(Exchange(row[0]), row[1]): tuple(row[2:]) for row in table("Charges")}
    assert told == {key: tuple(rates) for key, rates in TABLE.items()}
    assert {"SEBI": Decimal(10), "GST": Decimal(18)} == {"SEBI": SEBI * 10_000_000, "GST": GST * 100}


def test_the_hours_are_those_of_the_clock() -> None:
    day = " ".join(" ".join(row) for row in table("The day"))
    hours = {SETTLEMENTS[Exchange.NFO], SETTLEMENTS[Exchange.CDS], SETTLEMENTS[Exchange.MCX]}
    hours |= {at for exchange in Exchange if (at := Config().square_off(exchange)) is not None}
    assert all(f"{at:%H:%M}" in day for at in hours)


def test_the_example_of_a_lots_worth_is_right() -> None:
    assert f"CRUDEOIL gains ₹ {units.LOTS['CRUDEOIL']} when its price gains one rupee" in PAGE
