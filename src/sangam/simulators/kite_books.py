"""Kite's books: orders, trades, positions, holdings and funds, and the conversion of positions."""

from typing import TYPE_CHECKING, Any

import msgspec
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from sangam.model.enums import Product

from . import kite_rows
from .kite_forms import Invalid
from .kite_orders import KiteOrders
from .kite_rest import error, form_of, success
from .orders import Order, Trade
from .portfolio import Funds

if TYPE_CHECKING:
    from .kite_rest import KiteRest
    from .zerodha import Zerodha

_NO_MONEY = Funds(0.0, 0.0, 0.0, 0.0, 0.0, 0.0)


class KiteBooks:
    """A row of the order book is encoded once per change of its order, the book once per change of anything."""

    def __init__(self, kite: "Zerodha", rest: "KiteRest", orders: KiteOrders) -> None:
        self._kite = kite
        self._signed = rest.signed
        self._orders = orders
        self._rows: dict[str, tuple[int, bytes]] = {}
        self._book: tuple[object, bytes] = (None, b"")

    def routes(self) -> list[BaseRoute]:
        signed = self._signed
        return [
            Route("/orders", signed(self._order_book)),
            Route("/orders/{order_id}", signed(self._history)),
            Route("/orders/{order_id}/trades", signed(self._order_trades)),
            Route("/trades", signed(self._trades)),
            Route("/portfolio/positions", signed(self._positions)),
            Route("/portfolio/positions", self._orders.write(self._convert, "default"), methods=["PUT"]),
            Route("/portfolio/holdings", signed(self._holdings)),
            Route("/portfolio/holdings/auctions", signed(self._auctions)),
            Route("/user/margins", signed(self._margins)),
            Route("/user/margins/{segment}", signed(self._margins)),
        ]

    # --- orders and trades --------------------------------------------------------------------------------------------

    async def _order_book(self, request: Request) -> Response:
        state = (len(self._kite.exchange.ledger.entries), self._kite.exchange.day)
        if self._book[0] != state:
            rows = b",".join(self._row(order) for order in self._kite.todays_orders())
            self._book = (state, b'{"status":"success","data":[' + rows + b"]}")
        return Response(self._book[1], media_type="application/json")

    def _row(self, order: Order) -> bytes:
        known = self._rows.get(order.order_id)
        if known is None or known[0] != order.changes:
            row = kite_rows.order_row(order, *self._kite.listed(order))
            known = self._rows[order.order_id] = (order.changes, msgspec.json.encode(row))
        return known[1]

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
        return success([self._trade(trade) for trade in self._kite.exchange.ledger.trades_of(order.order_id)])

    async def _trades(self, request: Request) -> Response:
        ledger = self._kite.exchange.ledger
        found = (trade for order in self._kite.todays_orders() for trade in ledger.trades_of(order.order_id))
        return success([self._trade(trade) for trade in sorted(found, key=lambda trade: trade.trade_id)])

    def _trade(self, trade: Trade) -> kite_rows.Row:
        order = self._kite.exchange.ledger.orders[trade.order_id]
        return kite_rows.trade_row(trade, order, *self._kite.listed(order))

    # --- the portfolio ------------------------------------------------------------------------------------------------

    async def _positions(self, request: Request) -> Response:
        net: list[Any] = []
        day: list[Any] = []
        self._kite.portfolio.read()
        for row in self._kite.portfolio.positions.values():
            market, token = self._kite.exchange.market(*row.contract.id), self._kite.exchange.token(row.contract)
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
        books, rows = self._kite.portfolio, []
        books.read()
        for held in books.holdings.values():
            sold = books.positions.get((*held.contract.id, Product.CNC))
            used = max(-sold.quantity, 0) if sold is not None else 0
            market, token = self._kite.exchange.market(*held.contract.id), self._kite.exchange.token(held.contract)
            rows.append(kite_rows.holding_row(held, market, token, used))
        return success(rows)

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
