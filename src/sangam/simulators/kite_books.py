"""Kite's books: orders, trades, positions, holdings and funds, and the conversion of positions."""

from typing import TYPE_CHECKING, Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from sangam.model.enums import Product

from . import kite_rows
from .kite_rest import error, form_of, success
from .orders import Order, Trade
from .portfolio import Funds
from .retail import Invalid

if TYPE_CHECKING:
    from .zerodha import Zerodha

_NO_MONEY = Funds(0.0, 0.0, 0.0, 0.0, 0.0, 0.0)


class KiteBooks:
    """The order book is joined once per change of anything."""

    def __init__(self, kite: "Zerodha") -> None:
        self._kite = kite
        self._book: tuple[object, bytes] = (None, b"")

    def routes(self) -> list[BaseRoute]:
        signed = self._kite.signed
        return [
            Route("/orders", signed(self._order_book)),
            Route("/orders/{order_id}", signed(self._history)),
            Route("/orders/{order_id}/trades", signed(self._order_trades)),
            Route("/trades", signed(self._trades)),
            Route("/portfolio/positions", signed(self._positions)),
            Route("/portfolio/positions", self._kite.write(self._convert, "default"), methods=["PUT"]),
            Route("/portfolio/holdings", signed(self._holdings)),
            Route("/portfolio/holdings/auctions", signed(self._auctions)),
            Route("/user/margins", signed(self._margins)),
            Route("/user/margins/{segment}", signed(self._margins)),
        ]

    # --- orders and trades --------------------------------------------------------------------------------------------

    async def _order_book(self, request: Request) -> Response:
        state = (len(self._kite.exchange.ledger.entries), self._kite.exchange.day)
        if self._book[0] != state:
            rows = b",".join(self._kite.order_rows())
            self._book = (state, b'{"status":"success","data":[' + rows + b"]}")
        return Response(self._book[1], media_type="application/json")

    async def _history(self, request: Request) -> Response:
        order = self._kite.order(request.path_params["order_id"])
        if order is None:
            return _unknown()
        entries = self._kite.exchange.ledger.history(order.order_id)
        return success(list(kite_rows.history(entries, *self._kite.listed(order))))

    async def _order_trades(self, request: Request) -> Response:
        order = self._kite.order(request.path_params["order_id"])
        if order is None:
            return _unknown()
        return success([self._trade(trade, order) for trade in self._kite.exchange.ledger.trades_of(order.order_id)])

    async def _trades(self, request: Request) -> Response:
        return success([self._trade(trade, order) for trade, order in self._kite.todays_trades()])

    def _trade(self, trade: Trade, order: Order) -> kite_rows.Row:
        return kite_rows.trade_row(trade, order, *self._kite.listed(order))

    # --- the portfolio ------------------------------------------------------------------------------------------------

    async def _positions(self, request: Request) -> Response:
        net: list[Any] = []
        day: list[Any] = []
        for row, market, token in self._kite.positions():
            net.append(kite_rows.position_row(row, market, token))
            if row.buy_quantity or row.sell_quantity:
                day.append(kite_rows.position_row(row, market, token, day=True))
        return success({"net": net, "day": day})

    async def _convert(self, request: Request) -> Response:
        form = await form_of(request)
        try:
            old, new = Product(form["old_product"]), Product(form["new_product"])
            quantity = int(form["quantity"])
        except (KeyError, ValueError):
            raise Invalid("Missing or invalid field in the conversion of a position") from None
        market = self._kite.named(f"{form.get('exchange')}:{form.get('tradingsymbol')}")
        if market is None or form.get("position_type") not in ("day", "overnight"):
            raise Invalid("Invalid `tradingsymbol` or `position_type`.")
        if not self._kite.portfolio.convert(market.contract, old, new, quantity):
            raise Invalid("There is no such quantity to convert.")
        return success(True)

    async def _holdings(self, request: Request) -> Response:
        rows = self._kite.holdings()
        return success([kite_rows.holding_row(*owned, used) for owned, used in rows])

    async def _auctions(self, request: Request) -> Response:
        return success([])

    async def _margins(self, request: Request) -> Response:
        """All money is in the equity segment, the commodity one is open and empty."""
        segments = {"equity": self._kite.portfolio.funds(), "commodity": _NO_MONEY}
        rows = {name: kite_rows.funds_row(funds) for name, funds in segments.items()}
        segment = request.path_params.get("segment")
        if segment is None:
            return success(rows)
        if segment not in rows:
            return error(400, "InputException", "Invalid `segment`.")
        return success(rows[segment])


def _unknown() -> Response:
    return error(404, "OrderException", "Couldn't find that `order_id`.")
