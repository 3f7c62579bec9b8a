"""Noren's orders, books, conversions, margins and triggers.

What the OMS refuses (a wrong field, an unknown contract) is an error at once; what the risk checks or the exchange
refuse is an order of its own, rejected in the book."""

from typing import TYPE_CHECKING, Any

import msgspec
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from sangam.model.enums import Action, PriceType, Product

from . import noren_rows
from .desk import Refusal
from .market import Market
from .noren_forms import WRONG, Form, amount, form_of, one_of, raw, rows, success, symbol_of, whole
from .orders import Order, Validity
from .portfolio import Wish
from .retail import Invalid
from .triggers import Trigger, Triggers

if TYPE_CHECKING:
    from .noren import Noren

ACTIONS = {"B": Action.BUY, "S": Action.SELL}
PRODUCTS = {theirs: ours for ours, theirs in noren_rows.PRODUCTS.items()}
PRICE_TYPES = {theirs: ours for ours, theirs in noren_rows.PRICE_TYPES.items()}
RETENTION = {each.value: each for each in Validity}
NOT_FOUND = "Rejected : ORA:Order not found"
CONDITIONS = {"LTP_A_O": True, "LTP_B_O": False}
"""Whether a trigger waits for the price above its value."""
STATED = ("trantype", "prctyp", "prd", "ret", "qty", "prc", "d", "ai_t", "validity")
"""What of a trigger is told as it was given."""


class NorenOrders:
    def __init__(self, noren: "Noren") -> None:
        self._noren = noren
        self.triggers = Triggers(noren.exchange, self._fire, first=210_415_000_000_010)

    def routes(self) -> list[BaseRoute]:
        signed, write, root = self._noren.signed, self._noren.write, f"/{self._noren.kind.root}"
        writes = {
            "PlaceOrder": self._place,
            "ModifyOrder": self._modify,
            "CancelOrder": self._cancel,
            "ProductConversion": self._convert,
            "PlaceGTTOrder": self._set,
            "ModifyGTTOrder": self._change,
            "CancelGTTOrder": self._delete,
        }
        reads = {
            "OrderBook": self._order_book,
            "TradeBook": self._trade_book,
            "PositionBook": self._positions,
            "Holdings": self._holdings,
            "Limits": self._limits,
            "SingleOrdHist": self._history,
            "GetOrderMargin": self._order_margin,
            "GetBasketMargin": self._basket_margin,
            "GetPendingGTTOrder": self._pending,
        }
        return [
            *(Route(f"{root}/{name}", write(handler), methods=["POST"]) for name, handler in writes.items()),
            *(Route(f"{root}/{name}", signed(handler), methods=["POST"]) for name, handler in reads.items()),
        ]

    def _success(self, **told: Any) -> Response:
        return success(self._noren.exchange.now_ms, **told)

    # --- orders -------------------------------------------------------------------------------------------------------

    async def _place(self, request: Request) -> Response:
        return self._success(norenordno=self.enter(await form_of(request)).order_id)

    def enter(self, form: Form) -> Order:
        """Let an order in. Raises Invalid."""
        market = self._market(form)
        action, product = one_of(ACTIONS, form, "trantype"), one_of(PRODUCTS, form, "prd")
        price_type, price, trigger, quantity = self._terms(form)
        if product is (Product.NRML if market.contract.expiry is None else Product.CNC):
            raise Invalid("Invalid Input :  Invalid product")
        if form.get("amo") not in (None, "Yes"):
            raise Invalid("Invalid AMO")
        return self._noren.enter(
            market,
            action,
            quantity,
            price_type,
            product,
            price=price,
            trigger_price=trigger,
            tag=str(form.get("remarks") or ""),
            validity=one_of(RETENTION, form, "ret"),
            terms={"dscqty": form.get("dscqty") or "0"},
        )

    @staticmethod
    def _terms(form: Form) -> tuple[PriceType, float, float, int]:
        """Type, price, trigger and quantity. Raises Invalid."""
        price_type = one_of(PRICE_TYPES, form, "prctyp")
        if not price_type.has_price:
            raise Invalid("ALGO_CHK: MKT Order type not allowed for API order")
        trigger = form.get("trgprc")
        if not price_type.has_trigger and trigger not in (None, "None", "", "0"):
            raise Invalid(f"Trigger price invalid - {trigger}")
        stop = amount(form, "trgprc") if price_type.has_trigger else 0.0
        return price_type, amount(form, "prc"), stop, whole(form, "qty")

    async def _modify(self, request: Request) -> Response:
        form = await form_of(request)
        order = self._order(form)
        if self._noren.listed(order)[0] is not self._market(form).contract:
            raise Invalid(NOT_FOUND)
        price_type, price, trigger, quantity = self._terms(form)
        try:
            self._noren.exchange.modify(
                order.order_id, quantity=quantity, price=price, trigger_price=trigger, price_type=price_type
            )
        except Refusal as refused:
            raise Invalid(NOT_FOUND if order.status.is_final else f"Invalid Input :  {refused}") from None
        return self._success(result=order.order_id)

    async def _cancel(self, request: Request) -> Response:
        order = self._order(await form_of(request))
        try:
            self._noren.exchange.cancel(order.order_id)
        except Refusal:
            raise Invalid(f"{NOT_FOUND} to Cancel") from None
        return self._success(result=order.order_id)

    def _order(self, form: Form) -> Order:
        order = self._noren.order(str(form.get("norenordno", "")))
        if order is None:
            raise Invalid(NOT_FOUND)
        return order

    def _market(self, form: Form) -> Market:
        market = self._noren.symbols.find(symbol_of(form))
        if market is None:
            raise Invalid(WRONG)
        return market

    # --- books --------------------------------------------------------------------------------------------------------

    async def _order_book(self, request: Request) -> Response:
        return rows([msgspec.Raw(row) for row in self._noren.order_rows()])

    async def _history(self, request: Request) -> Response:
        """Each state of one order, newest first."""
        order = self._order(await form_of(request))
        entries = self._noren.exchange.ledger.history(order.order_id)
        return rows([self._noren.order_row(entry.order) for entry in reversed(entries)])

    async def _trade_book(self, request: Request) -> Response:
        told = []
        for trade, order in self._noren.todays_trades():
            contract = self._noren.listed(order)[0]
            token = self._noren.names.of(contract)[1]
            told.append(noren_rows.trade_row(trade, order, contract, token, self._noren.user_id))
        return rows(told)

    async def _positions(self, request: Request) -> Response:
        found = self._noren.positions()
        token, user = self._noren.token, self._noren.user_id
        return rows([noren_rows.position_row(each.row, each.market, token(each.market), user) for each in found])

    async def _holdings(self, request: Request) -> Response:
        found, token = self._noren.holdings(), self._noren.token
        return rows([noren_rows.holding_row(each.row, each.market, token(each.market), used) for each, used in found])

    async def _limits(self, request: Request) -> Response:
        return raw(noren_rows.limits_row(self._noren.portfolio.funds(), self._noren.exchange.now_ms))

    async def _convert(self, request: Request) -> Response:
        form = await form_of(request)
        market = self._market(form)
        old, new = one_of(PRODUCTS, form, "prevprd"), one_of(PRODUCTS, form, "prd")
        if form.get("postype") not in ("Day", "CF"):
            raise Invalid("Invalid Input :  Invalid Position Type")
        if not self._noren.portfolio.convert(market.contract, old, new, whole(form, "qty")):
            raise Invalid("Invalid Input :  Quantity is more than the position")
        return self._success()

    # --- margins ------------------------------------------------------------------------------------------------------

    def _needed(self, form: Form) -> float:
        """What one order needs; a price of 0 stands for the last one."""
        price = float(form.get("prc") or 0)
        quantity = whole(form, "qty")
        wish = Wish(one_of(ACTIONS, form, "trantype"), quantity, one_of(PRODUCTS, form, "prd"), price)
        return self._noren.portfolio.required(self._market(form), wish)

    async def _order_margin(self, request: Request) -> Response:
        form = await form_of(request)
        funds, needed = self._noren.portfolio.funds(), self._needed(form)
        told = {"cash": f"{funds.available:.2f}", "marginused": f"{needed:.2f}", "ordermargin": f"{needed:.2f}"}
        return self._success(**told, marginusedprev=f"{funds.used:.2f}", remarks="")

    async def _basket_margin(self, request: Request) -> Response:
        """Of the account, when everything has traded."""
        form = await form_of(request)
        used = self._noren.portfolio.funds().used
        total = used + sum(self._needed(leg) for leg in (form, *form.get("basketlists", ())))
        told = {"marginused": f"{total:.2f}", "marginusedtrade": f"{total:.2f}"}
        return self._success(**told, marginusedprev=f"{used:.2f}", remarks="")

    # --- triggers -----------------------------------------------------------------------------------------------------

    async def _set(self, request: Request) -> Response:
        form = await form_of(request)
        market, value = self._watched(form)
        return self._done("Oi created", self.triggers.add(market, [value], [form]))

    async def _change(self, request: Request) -> Response:
        form = await form_of(request)
        trigger = self._waiting(form)
        market, value = self._watched(form)
        if form["ai_t"] != trigger.legs[0]["ai_t"]:
            raise Invalid("Invalid Oi")
        self.triggers.change(trigger, market, [value], [trigger.legs[0] | form])
        return self._done("Oi Replaced", trigger)

    async def _delete(self, request: Request) -> Response:
        trigger = self._waiting(await form_of(request))
        self.triggers.delete(trigger)
        return self._done("Oi delete success", trigger)

    async def _pending(self, request: Request) -> Response:
        waiting = [trigger for trigger in self.triggers.all.values() if trigger.status == "active"]
        return rows([self._row(trigger) for trigger in waiting])

    def _watched(self, form: Form) -> tuple[Market, float]:
        """The market of a trigger and its value, which must lie on the side that the condition says."""
        market, value = self._market(form), amount(form, "d")
        one_of(ACTIONS, form, "trantype")
        if one_of(CONDITIONS, form, "ai_t") != (value > market.rupees(market.ltp)):
            raise Invalid("Invalid Oi")
        return market, value

    def _done(self, state: str, trigger: Trigger) -> Response:
        listed = self._noren.kind.listed
        told = {"stat": state, "Al_id" if listed else "al_id": str(trigger.number)}
        told = {"request_time": noren_rows.clock(self._noren.exchange.now_ms)} | told
        return raw([told] if listed else told)

    def _waiting(self, form: Form) -> Trigger:
        number = str(form.get("al_id", ""))
        trigger = self.triggers.waiting(int(number)) if number.isdecimal() else None
        if trigger is None:
            raise Invalid("Invalid Oi")
        return trigger

    def _row(self, trigger: Trigger) -> noren_rows.Row:
        form = trigger.legs[0]
        exchange, symbol = symbol_of(form)
        told = {
            "stat": "Ok",
            "al_id": str(trigger.number),
            "exch": exchange,
            "tsym": symbol,
            "actid": self._noren.user_id,
        }
        told |= {"token": self._noren.token(trigger.market), "remarks": "", "ordersource": "API"}
        told |= {name: form.get(name, "") for name in STATED}
        told["norentm"] = noren_rows.clock(trigger.created)
        if not self._noren.kind.listed:
            return told
        renamed = {"al_id": "Al_id", "token": "Token", "qty": "Qty", "prc": "Prc", "remarks": "Remarks"}
        return {renamed.get(name, name): int(text) if name == "qty" else text for name, text in told.items()}

    def _fire(self, trigger: Trigger, leg: int) -> None:
        self.enter(trigger.legs[leg])
