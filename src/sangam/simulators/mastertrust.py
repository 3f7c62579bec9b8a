"""Master Trust as its clients see it: statuses in words, and much that elsewhere is a number as text."""

from .tradelab import Tradelab
from .tradelab_rows import SPOKEN, Variant


class MasterTrust(Tradelab):
    name = "mastertrust"
    variant = Variant(
        statuses=SPOKEN,
        funds=("v1", "Available", "Margin Used", "Collateral"),
        text=True,
        closes=True,
    )


SIMULATOR = MasterTrust
