"""What a contract's quantity is worth: exchanges quote commodities and currencies per gram, barrel or dollar, while
brokers count their orders in lots (lot size 1) or in units of a lot.

The table tells how many rupees one lot gains when its price gains one, as two brokers' masters of August 2026 tell it
alike (columns `qty_multiplier`, and `LotSize` times `GNGD`)."""

from collections.abc import Mapping
from decimal import Decimal

from sangam.model.enums import Exchange
from sangam.model.instrument import Instrument

ONE = Decimal(1)

LOTS: Mapping[str, int] = {
    "ALUMINI": 1000, "ALUMINIUM": 5000, "CARDAMOM": 100, "COPPER": 2500, "COTTON": 25, "COTTONCNDY": 12,
    "COTTONOIL": 500, "CRUDEOIL": 100, "CRUDEOILM": 10, "ELECDMBL": 50, "GOLD": 100, "GOLDGUINEA": 1, "GOLDM": 10,
    "GOLDPETAL": 1, "GOLDTEN": 1, "KAPAS": 200, "LEAD": 5000, "LEADMINI": 1000, "MCXBULLDEX": 30, "MCXMETLDEX": 40,
    "MENTHAOIL": 360, "NATGASMINI": 250, "NATURALGAS": 1250, "NICKEL": 250, "SILVER": 30, "SILVER100": 10,
    "SILVERM": 5, "SILVERMIC": 1, "STEELREBAR": 5, "ZINC": 5000, "ZINCMINI": 1000,
    "EURINR": 1000, "GBPINR": 1000, "JPYINR": 1000, "USDINR": 1000,
}  # fmt: skip

_COUNTED = (Exchange.MCX, Exchange.CDS, Exchange.BCD)


def multiplier(instrument: Instrument) -> Decimal:
    """Rupees that one unit of an order's quantity gains when the price gains one; 1 where nothing else is known."""
    lot = LOTS.get("".join(instrument.name.split()).upper()) if instrument.exchange in _COUNTED else None
    return ONE if lot is None else Decimal(lot) / instrument.lot_size
