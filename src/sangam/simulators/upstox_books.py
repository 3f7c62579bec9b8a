"""Upstox' books: orders, trades, positions, holdings, funds, margins, and the conversion of positions."""

from typing import TYPE_CHECKING

import msgspec
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from sangam.model.enums import Action

from . import upstox_rows
from .orders import Order, Trade
from .portfolio import Funds, Wish
from .retail import Invalid
from .upstox_orders import asked, product_of
from .upstox_rest import success

if TYPE_CHECKING:
    from .upstox import Upstox

MAX_MARGINS = 20
_NO_MONEY = Funds(0.0, 0.0, 0.0, 0.0, 0.0, 0.0)


class Convert(msgspec.Struct):
    instrument_token: str
    new_product: str
    old_product: str
    transaction_type: Action
    quantity: int


class MarginLeg(msgspec.Struct):
    instrument_key: str
    quantity: int
    product: str
    transaction_type: Action
    price: float = 0.0


class Margins(msgspec.Struct):
    instruments: list[MarginLeg]


class UpstoxBooks:
    def __init__(self, upstox: "Upstox") -> None:
        self._upstox = upstox

    def routes(self) -> list[BaseRoute]:
        signed = self._upstox.signed
        return [
            Route("/v2/order/retrieve-all", signed(self._order_book)),
            Route("/v2/order/details", signed(self._details)),
            Route("/v2/order/history", signed(self._history)),
            Route("/v2/order/trades", signed(self._order_trades)),
            Route("/v2/order/trades/get-trades-for-day", signed(self._trades)),
            Route("/v2/portfolio/short-term-positions", signed(self._positions)),
            Route("/v2/portfolio/long-term-holdings", signed(self._holdings)),
            Route("/v2/portfolio/convert-position", self._upstox.write(self._convert, "default"), methods=["PUT"]),
            Route("/v2/user/get-funds-and-margin", signed(self._funds)),
            Route("/v2/charges/margin", signed(self._margin), methods=["POST"]),
        ]

    # --- orders and trades --------------------------------------------------------------------------------------------

    async def _order_book(self, request: Request) -> Response:
        rows = b",".join(self._upstox.order_rows())
        return Response(b'{"status":"success","data":[' + rows + b"]}", media_type="application/json")

    async def _details(self, request: Request) -> Response:
        order = self._upstox.known(request.query_params.get("order_id", ""))
        return success(self._upstox.order_row(order))

    async def _history(self, request: Request) -> Response:
        """By number, or by a whole tag: of all orders that have it."""
        query, ledger = request.query_params, self._upstox.exchange.ledger
        if order_id := query.get("order_id"):
            orders = [self._upstox.known(order_id)]
        elif tag := query.get("tag"):
            orders = ledger.tagged(self._upstox.user_id, tag)
        else:
            raise Invalid("At least one of order_id or tag is required", "UDAPI100059")
        return success(
            [
                row
                for order in orders
                for row in upstox_rows.history(ledger.history(order.order_id), *self._upstox.listed(order))
            ]
        )

    async def _order_trades(self, request: Request) -> Response:
        order = self._upstox.known(request.query_params.get("order_id", ""))
        return success([self._trade(trade, order) for trade in self._upstox.exchange.ledger.trades_of(order.order_id)])

    async def _trades(self, request: Request) -> Response:
        return success([self._trade(trade, order) for trade, order in self._upstox.todays_trades()])

    def _trade(self, trade: Trade, order: Order) -> upstox_rows.Row:
        return upstox_rows.trade_row(trade, order, *self._upstox.listed(order))

    # --- the portfolio ------------------------------------------------------------------------------------------------

    async def _positions(self, request: Request) -> Response:
        return success([upstox_rows.position_row(*owned) for owned in self._upstox.positions()])

    async def _holdings(self, request: Request) -> Response:
        return success([upstox_rows.holding_row(*owned, used) for owned, used in self._upstox.holdings()])

    async def _convert(self, request: Request) -> Response:
        form = asked(await request.body(), Convert)
        contract = self._upstox.market(form.instrument_token).contract
        old, new = product_of(form.old_product, contract), product_of(form.new_product, contract)
        if not self._upstox.portfolio.convert(contract, old, new, form.quantity):
            raise Invalid("No positions match the instrument and product", "UDAPI1035")
        return success({"status": "complete"})

    async def _funds(self, request: Request) -> Response:
        """All money is in the equity segment, the commodity one is open and empty."""
        segments = {"equity": self._upstox.portfolio.funds(), "commodity": _NO_MONEY}
        only = {"SEC": "equity", "COM": "commodity"}.get(request.query_params.get("segment", ""))
        return success({name: upstox_rows.funds_row(each) for name, each in segments.items() if only in (None, name)})

    async def _margin(self, request: Request) -> Response:
        legs = asked(await request.body(), Margins).instruments
        if len(legs) > MAX_MARGINS:
            raise Invalid(f"More than {MAX_MARGINS} instruments", "UDAPI1102")
        rows = []
        for leg in legs:
            market = self._upstox.market(leg.instrument_key)
            product = product_of(leg.product, market.contract)
            wish = Wish(leg.transaction_type, leg.quantity, product, leg.price)
            total = self._upstox.portfolio.required(market, wish)
            place = "equity_margin" if market.contract.expiry is None else "span_margin"
            names = ("equity_margin", "span_margin", "exposure_margin", "net_buy_premium", "additional_margin")
            rows.append(dict.fromkeys(names, 0.0) | {place: total, "total_margin": total, "tender_margin": 0.0})
        total = round(sum(row["total_margin"] for row in rows), 4)
        return success({"required_margin": total, "final_margin": total, "margins": rows})
