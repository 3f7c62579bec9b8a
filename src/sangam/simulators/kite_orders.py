"""Kite's order routes: place, modify and cancel with its validations, limits and faults.

What the desk of the broker refuses (a wrong field, an unknown contract) is an error at once; what its risk checks or
the exchange refuse is an order of its own, REJECTED in the book."""

from typing import TYPE_CHECKING, Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from sangam.model.enums import Action, PriceType

from .desk import MAX_MODIFICATIONS, Refusal
from .kite_forms import Asked, Form, number, one_of, required, whole
from .kite_rest import form_of, kind_of, success
from .market import Market
from .orders import Order
from .retail import Invalid, largest

if TYPE_CHECKING:
    from .zerodha import Zerodha

VARIETIES = ("regular", "amo", "iceberg")
MAX_SLICES = 50
AUTOMATIC_PROTECTION = 2.0
"""Percent around the last price that a `market_protection` of -1 stands for."""


class KiteOrders:
    def __init__(self, kite: "Zerodha") -> None:
        self._kite = kite

    def routes(self) -> list[BaseRoute]:
        write = self._kite.write
        return [
            Route("/orders/{variety}", write(self._place), methods=["POST"]),
            Route("/orders/{variety}/{order_id}", write(self._modify), methods=["PUT"]),
            Route("/orders/{variety}/{order_id}", write(self._cancel), methods=["DELETE"]),
        ]

    # --- place --------------------------------------------------------------------------------------------------------

    async def _place(self, request: Request) -> Response:
        form = await form_of(request)
        variety = request.path_params["variety"]
        if variety not in VARIETIES:
            raise Invalid("Invalid `variety`.")
        if form.get("autoslice") == "true" and variety == "regular":
            return success(self._slices(form))
        return success({"order_id": self.enter(form, variety).order_id})

    def enter(self, form: Form, variety: str = "regular", quantity: int = 0, slice_of: str = "") -> Order:
        """Let an order in; `quantity` in place of the form's. Raises Invalid."""
        ask = Asked(form)
        quantity = quantity or ask.quantity
        market = self._market(form)
        price, trigger = ask.price, ask.trigger_price
        terms = self._terms(form, ask, variety, quantity)
        if slice_of:
            terms["slice_of"] = slice_of
        price_type = ask.price_type
        if (protection := float(terms.get("market_protection", 0))) and self._kite.protects_as_limit:
            price_type, price, terms["protection"] = _protected(market, ask.action, price_type, trigger, protection)
        return self._kite.enter(
            market,
            ask.action,
            quantity,
            price_type,
            ask.product,
            price=price,
            trigger_price=trigger,
            tag=ask.tag,
            validity=ask.validity,
            variety=variety,
            terms=terms,
            held=variety == "amo",
        )

    def _terms(self, form: Form, ask: "Asked", variety: str, quantity: int) -> dict[str, float | str]:
        terms: dict[str, float | str] = {}
        if disclosed := whole(form, "disclosed_quantity", "0"):
            terms["disclosed_quantity"] = disclosed
        protection = self._protection(form, ask.price_type)
        if protection and not ask.price_type.has_price:
            terms["market_protection"] = protection
        if variety == "iceberg":
            legs, each = whole(form, "iceberg_legs"), whole(form, "iceberg_quantity")
            if not 2 <= legs <= 50:
                raise Invalid("Invalid `iceberg_legs`.")
            if not quantity / legs <= each < quantity:
                raise Invalid("Invalid `iceberg_quantity`.")
            terms |= {"iceberg_legs": legs, "iceberg_quantity": each}
        return terms

    def _protection(self, form: Form, price_type: PriceType) -> float:
        protection = number(form, "market_protection")
        if not (protection == -1 or 0 <= protection <= 100):
            raise Invalid("Invalid `market_protection`.")
        if not protection and not price_type.has_price and self._kite.strict_protection:
            raise Invalid("Market orders without market protection are not allowed via API.")
        return protection

    def _slices(self, form: Form) -> dict[str, Any]:
        """An order above the freeze quantity, cut: each slice is an order, or an error in its place."""
        quantity, market = Asked(form).quantity, self._market(form)
        contract = market.contract
        most = largest(market, quantity) // contract.lot_size * contract.lot_size
        if quantity <= most:
            return {"order_id": self.enter(form).order_id}
        parts = [most] * (quantity // most) + ([quantity % most] if quantity % most else [])
        if len(parts) > MAX_SLICES:
            raise Invalid(f"Orders can be sliced {MAX_SLICES} times at most.")
        parent = self._kite.login.secret(19)
        children: list[dict[str, Any]] = []
        for part in parts:
            try:
                children.append({"order_id": self.enter(form, "regular", part, parent).order_id})
            except Invalid as invalid:
                told = {"code": invalid.status, "error_type": kind_of(invalid), "message": str(invalid), "data": None}
                children.append({"error": told})
        return {"order_id": parent, "children": children}

    def _market(self, form: Form) -> Market:
        name = f"{required(form, 'exchange')}:{required(form, 'tradingsymbol')}"
        market = self._kite.named(name)
        if market is None:
            raise Invalid("The instrument you are placing an order for has either expired or does not exist.")
        return market

    # --- modify, cancel -----------------------------------------------------------------------------------------------

    async def _modify(self, request: Request) -> Response:
        order = self._order(request)
        form = await form_of(request)
        price_type = one_of(PriceType, form, "order_type") if form.get("order_type") else order.price_type
        if form.get("validity", "DAY") not in ("DAY", "IOC"):
            raise Invalid("Invalid `validity`.")
        quantity = whole(form, "quantity") if form.get("quantity") else order.quantity
        price, trigger = number(form, "price", order.price), number(form, "trigger_price", order.trigger_price)
        if price_type.has_price and not price:
            raise Invalid("Missing or empty field `price`")
        if price_type.has_trigger and not trigger:
            raise Invalid("Missing or empty field `trigger_price`")
        protection = self._protection(form, price_type)
        if protection and not price_type.has_price and self._kite.protects_as_limit:
            market = self._kite.exchange.market(order.symbol, order.exchange)
            price_type, price, _ = _protected(market, order.action, price_type, trigger, protection)
        try:
            self._kite.exchange.modify(
                order.order_id,
                quantity=quantity,
                price=price if price_type.has_price else 0.0,
                trigger_price=trigger,
                price_type=price_type,
            )
        except Refusal as refused:
            raise self._unchanged(order, "modified", refused) from None
        return success({"order_id": order.order_id})

    async def _cancel(self, request: Request) -> Response:
        order = self._order(request)
        try:
            self._kite.exchange.cancel(order.order_id)
        except Refusal as refused:
            raise self._unchanged(order, "cancelled", refused) from None
        return success({"order_id": order.order_id})

    def _unchanged(self, order: Order, done: str, refused: Refusal) -> Invalid:
        """Kite words a change that comes too late as if the order were on its way still, with an InputException."""
        if order.status.is_final:
            return Invalid(f"Order cannot be {done} as it is being processed. Try later.")
        if order.modifications >= MAX_MODIFICATIONS:
            self._kite.too_many += 1
            return Invalid(f"{refused}.", "NetworkException", 429)
        return Invalid(f"{refused}.", "OrderException")

    def _order(self, request: Request) -> Order:
        """The order of the path, under its variety. Raises Invalid."""
        order = self._kite.order(request.path_params["order_id"])
        if order is None:
            raise Invalid("Couldn't find that `order_id`.", "OrderException")
        if request.path_params["variety"] != (order.variety or "regular"):
            raise Invalid("Invalid `variety`.")
        return order


def _protected(
    market: Market, action: Action, price_type: PriceType, trigger_price: float, protection: float
) -> tuple[PriceType, float, str]:
    """The limit order that a protected market order becomes: its type, its price, and the percent it allows."""
    percent = AUTOMATIC_PROTECTION if protection == -1 else protection
    around = trigger_price if price_type.has_trigger else market.rupees(market.ltp)
    wanted = around * (1 + (percent if action is Action.BUY else -percent) / 100)
    ticks = min(max(round(wanted / market.contract.tick_size), market.lower_circuit), market.upper_circuit)
    return (PriceType.SL if price_type.has_trigger else PriceType.LIMIT), market.rupees(ticks), f"{percent:.2f}"
