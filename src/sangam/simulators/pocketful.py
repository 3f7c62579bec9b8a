"""Pocketful as its clients see it: by the documented OAuth, and by the channel login of the official SDK."""

from .tradelab import Tradelab
from .tradelab_rows import CONFIRMED, Variant


class Pocketful(Tradelab):
    name = "pocketful"
    variant = Variant(
        statuses=CONFIRMED,
        funds=("v2", "Available Margin", "Margin Used", "Total Pledge Collateral"),
        repeats=("exchange_order_id", "filled_quantity", "remaining_quantity", "last_activity_reference"),
        apart=True,
        channel=True,
    )


SIMULATOR = Pocketful
