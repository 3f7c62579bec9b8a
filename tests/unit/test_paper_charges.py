"""What trades cost: worked by hand from the published rates."""

from decimal import Decimal

import pytest
from tests.paper_rig import ALUMINIUM, CALL, CRUDE, FUTURE, SBIN, instrument

from sangam.model.enums import Action, Exchange, Product
from sangam.model.instrument import Instrument
from sangam.paper.charges import TABLE, charges

BUY, SELL = Action.BUY, Action.SELL


@pytest.mark.parametrize(
    ("of", "product", "action", "turnover", "expected"),
    [
        (SBIN, Product.CNC, BUY, 100_000, ("100.00", "3.07", "0.10", "15.00", "0.57")),
        (SBIN, Product.CNC, SELL, 100_000, ("100.00", "3.07", "0.10", "0", "0.57")),
        (SBIN, Product.MIS, BUY, 100_000, ("0", "3.07", "0.10", "3.00", "0.57")),
        (SBIN, Product.MIS, SELL, 100_000, ("25.00", "3.07", "0.10", "0", "0.57")),
        (FUTURE, Product.NRML, SELL, 2_000_000, ("1000.00", "36.60", "2.00", "0", "6.95")),
        (CALL, Product.MIS, SELL, 10_000, ("15.00", "3.55", "0.01", "0", "0.64")),
        (CRUDE, Product.NRML, BUY, 1_000_000, ("0", "21.00", "1.00", "20.00", "3.96")),
        (ALUMINIUM, Product.NRML, SELL, 1_000_000, ("100.00", "21.00", "1.00", "0", "3.96")),
        (instrument("BTCUSDFUT", Exchange.CRYPTO), Product.NRML, SELL, 1_000_000, ("0",) * 5),
    ],
)
def test_a_trade_costs_what_the_table_says(
    of: Instrument, product: Product, action: Action, turnover: int, expected: tuple[str, ...]
) -> None:
    cost = charges(of, product, action, Decimal(turnover))
    assert cost[1:] == tuple(Decimal(part) for part in expected)
    assert cost.brokerage == 0
    assert cost.total == sum(Decimal(part) for part in expected)


def test_every_tradable_exchange_has_its_rates() -> None:
    with_rates = {exchange for exchange, _ in TABLE}
    assert with_rates == {one for one in Exchange if not one.is_index} - {Exchange.CRYPTO}
