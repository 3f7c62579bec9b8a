"""Where derivatives trade and their underlyings are quoted (specs: symbols.md, 1)."""

import pytest

from sangam.instruments.underlyings import derivatives_exchange, quote_exchange
from sangam.model.enums import Exchange


def test_derivatives_of_every_exchange() -> None:
    mapped = {exchange: derivatives_exchange(exchange) for exchange in Exchange}
    assert {exchange.value: to.value for exchange, to in mapped.items() if exchange is not to} == {
        "NSE": "NFO",
        "NSE_INDEX": "NFO",
        "BSE": "BFO",
        "BSE_INDEX": "BFO",
    }


@pytest.mark.parametrize(
    ("underlying", "exchange", "quoted"),
    [
        ("NIFTY", Exchange.NFO, Exchange.NSE_INDEX),
        ("NIFTYNXT50", Exchange.NFO, Exchange.NSE_INDEX),
        ("RELIANCE", Exchange.NFO, Exchange.NSE),
        ("SENSEX50", Exchange.BFO, Exchange.BSE_INDEX),
        ("NIFTY", Exchange.BFO, Exchange.BSE),
        ("CRUDEOIL", Exchange.MCX, None),
        ("USDINR", Exchange.CDS, None),
    ],
)
def test_where_an_underlying_is_quoted(underlying: str, exchange: Exchange, quoted: Exchange | None) -> None:
    assert quote_exchange(underlying, exchange) is quoted
