"""Settings of the paper book and the values they may take."""

from datetime import time
from decimal import Decimal
from typing import Any

import pytest

from sangam.model.enums import Exchange
from sangam.model.errors import InvalidInput
from sangam.paper.config import Config, changed


def test_some_settings_change_and_the_rest_stays() -> None:
    config = changed(
        Config(),
        {"starting_capital": "500000", "futures_leverage": 12.5, "mcx_square_off_time": "23:00", "reset_day": "Sunday"},
    )
    assert (config.starting_capital, config.futures_leverage) == (Decimal(500_000), Decimal("12.5"))
    assert (config.mcx_square_off_time, config.reset_day) == ("23:00", "Sunday")
    assert config.equity_mis_leverage == 5


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("starting_capital", 123),
        ("starting_capital", "NaN"),
        ("starting_capital", None),
        ("reset_day", "sunday"),
        ("reset_time", "24:00"),
        ("reset_time", "9:00"),
        ("reset_time", 900),
        ("equity_mis_leverage", 0),
        ("equity_mis_leverage", 51),
        ("equity_mis_leverage", "much"),
        ("order_check_interval", 0),
        ("order_check_interval", 1.5),
        ("mtm_update_interval", 61),
        ("option_expiry_settlement", "intrinsic"),
        ("nse_bse_square_off_time", "09:00"),  # from which on intraday orders are taken again
        ("mcx_square_off_time", "00:30"),
        ("charges", "yes"),
        ("charges", 1),
        ("depth_fills", 0.0),
        ("starting_capital", True),
        ("option_expiry_settlement", ["ltp"]),
        ("no_such", 1),
    ],
)
def test_other_values_are_refused_by_name(name: str, value: Any) -> None:
    with pytest.raises(InvalidInput, match=name):
        changed(Config(), {name: value})


@pytest.mark.parametrize(
    ("exchange", "at"),
    [
        (Exchange.NSE, time(15, 15)),
        (Exchange.BFO, time(15, 15)),
        (Exchange.CDS, time(16, 45)),
        (Exchange.MCX, time(23, 30)),
        (Exchange.NCDEX, time(17, 0)),
        (Exchange.NCO, None),
        (Exchange.CRYPTO, None),
    ],
)
def test_each_exchange_has_its_square_off(exchange: Exchange, at: time | None) -> None:
    assert Config().square_off(exchange) == at
