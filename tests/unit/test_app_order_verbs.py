"""What the command line is told of the paper book: every setting, the untouched ones too."""

import msgspec

from sangam.app.order_verbs import _plain
from sangam.paper.config import Config


class Told(msgspec.Struct):
    cash: float
    config: Config
    rows: tuple[Config, ...] = ()


def test_settings_are_told_as_they_are_by_default() -> None:
    told = _plain(Told(5.0, Config(charges=True)))
    assert (told["cash"], told["rows"]) == (5.0, ())
    assert list(told["config"]) == list(Config.__struct_fields__)
    assert told["config"]["charges"] is True
    assert told["config"]["nse_bse_square_off_time"] == "15:15"
