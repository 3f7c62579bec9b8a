"""Freeze quantities: what ships, and what the home folder says instead."""

from pathlib import Path

import pytest

from sangam.instruments import freeze
from sangam.model.errors import ConfigError


def test_the_shipped_limits(tmp_path: Path) -> None:
    limits = freeze.load(tmp_path)
    assert limits["NIFTY", "NFO"] == 1800
    assert limits["BANKNIFTY", "NFO"] == 600
    assert limits["SENSEX", "BFO"] == 1000
    assert ("RELIANCE", "NFO") not in limits


def test_the_home_folder_overrides_rows(tmp_path: Path) -> None:
    (tmp_path / "freeze.csv").write_text("\ufeffexchange,underlying,quantity\nNFO,banknifty,900\nNFO,RELIANCE,20000\n")
    limits = freeze.load(tmp_path)
    assert (limits["BANKNIFTY", "NFO"], limits["RELIANCE", "NFO"], limits["NIFTY", "NFO"]) == (900, 20000, 1800)


@pytest.mark.parametrize("line", ["NFO,NIFTY", "NFO,NIFTY,many", "NFO,NIFTY,0", "NFO,NIFTY,-5", "NIFTY", ",,"])
def test_a_bad_line_is_named(tmp_path: Path, line: str) -> None:
    (tmp_path / "freeze.csv").write_text(f"exchange,underlying,quantity\nNFO,FINNIFTY,1200\n{line}\n")
    with pytest.raises(ConfigError, match=r"freeze.csv, line 3: write exchange,underlying,quantity"):
        freeze.load(tmp_path)
