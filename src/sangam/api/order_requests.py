"""Request bodies of orders and books (specs: REST contract, 3 and 4). What the schema calls required and every client
leaves out somewhere (`strategy`) may be left out; order prices keep their decimals."""

from decimal import Decimal, InvalidOperation
from typing import Annotated, Any, Literal

from pydantic import AliasChoices, BeforeValidator, Field

from sangam.model.enums import Action, Exchange, PriceType, Product
from sangam.model.order import MAX_CLIENT_ID, MAX_TAG, MAX_WAIT_MS, NOTHING, Change, Ticket, Validity

from .requests import Body, ExpiryText, Keyed, Symbol

MAX_DECIMALS = 8
MAX_BASKET = 100
MAX_LEGS = 20
MAX_POSITIONS = 50


def _decimal(value: Any) -> Decimal:
    """What was written, not the nearest binary number."""
    if isinstance(value, bool) or not isinstance(value, int | float | str | Decimal):
        raise ValueError("Not a valid number.")
    try:
        number = Decimal(str(value).strip())
    except InvalidOperation:
        raise ValueError("Not a valid number.") from None
    if not number.is_finite():
        raise ValueError("Special numeric values (nan or infinity) are not permitted.")
    exponent = number.normalize().as_tuple().exponent
    if isinstance(exponent, int) and not -MAX_DECIMALS <= exponent <= 12:
        raise ValueError("Not a valid number.")
    return number


def _units(value: Any) -> int:
    number = _decimal(value)
    if number != number.to_integral_value():
        raise ValueError(f"Fractional quantity ({number}) is not allowed for non-crypto exchanges.")
    return int(number)


def _price(value: Any) -> Decimal:
    """An empty text is no price, as a null is where it is allowed."""
    return Decimal(0) if value in ("", None) else _decimal(value)


Units = Annotated[int, BeforeValidator(_units), Field(le=10**12)]
Price = Annotated[Decimal, BeforeValidator(_decimal), Field(ge=0, le=10**9)]
MaybePrice = Annotated[Decimal, BeforeValidator(_price), Field(ge=0, le=10**9)]
Quantity = Annotated[Units, Field(gt=0)]
Side = Literal["BUY", "SELL", "buy", "sell"]
OrderId = Annotated[str, Field(min_length=1, max_length=64, description="The order's id, ours or the client's")]
ClientOrderId = Annotated[
    str, Field(max_length=MAX_CLIENT_ID, description="Makes the request repeatable; also Idempotency-Key")
]


class Strategic(Keyed):
    strategy: str = Field(default="", max_length=100)


class Idempotent(Strategic):
    client_order_id: ClientOrderId | None = None


class Pricing(Body):
    """`price_type` is taken for `pricetype`: a limit that is not seen would be a market order."""

    pricetype: PriceType = Field(
        default=PriceType.MARKET, validation_alias=AliasChoices("pricetype", "price_type"), examples=["LIMIT"]
    )
    product: Product = Product.MIS
    price: Price = NOTHING
    trigger_price: Price = NOTHING
    disclosed_quantity: Annotated[Units, Field(ge=0)] = 0
    validity: Validity = Validity.DAY
    tag: str = Field(default="", max_length=MAX_TAG, description="Your own word, echoed in books and events")
    timeout_ms: Annotated[Units, Field(ge=0, le=MAX_WAIT_MS)] | None = Field(
        default=None, description="How long it may wait for a slot of the rate limit"
    )

    def ticket(
        self, symbol: str, exchange: Exchange, action: str, quantity: int, strategy: str = "", client_order_id: str = ""
    ) -> Ticket:
        return Ticket(
            symbol=symbol,
            exchange=exchange,
            action=Action(action.upper()),
            quantity=quantity,
            price_type=self.pricetype,
            product=self.product,
            price=self.price,
            trigger_price=self.trigger_price,
            disclosed_quantity=self.disclosed_quantity,
            validity=self.validity,
            strategy=strategy,
            tag=self.tag,
            client_order_id=client_order_id,
            wait_ms=self.timeout_ms,
        )


class Terms(Pricing):
    exchange: Exchange = Field(examples=["NSE"])
    symbol: Symbol
    action: Side
    quantity: Quantity


class PlaceOrder(Idempotent, Terms):
    pass


class SmartOrder(Idempotent, Terms):
    quantity: Annotated[Units, Field(ge=0)]
    position_size: Units = Field(description="The net quantity to reach; negative is short")


class SplitOrder(PlaceOrder):
    splitsize: Annotated[Units, Field(ge=1)]


class ModifyOrder(Strategic):
    orderid: OrderId
    exchange: Exchange
    symbol: Symbol
    action: Side
    product: Product
    pricetype: PriceType = Field(validation_alias=AliasChoices("pricetype", "price_type"))
    price: Price
    quantity: Quantity
    disclosed_quantity: Annotated[Units, Field(ge=0)] = 0
    trigger_price: Price = NOTHING
    validity: Validity = Validity.DAY

    def change(self) -> Change:
        return Change(
            quantity=self.quantity,
            price_type=self.pricetype,
            price=self.price,
            trigger_price=self.trigger_price,
            disclosed_quantity=self.disclosed_quantity,
            validity=self.validity,
        )


class OneOrder(Strategic):
    orderid: OrderId


class BasketLeg(Terms):
    client_order_id: ClientOrderId = ""


class Basket(Idempotent):
    orders: list[BasketLeg] = Field(min_length=1, max_length=MAX_BASKET)


class OfOption(Body):
    offset: str = Field(max_length=8, examples=["ATM", "OTM2"])
    option_type: Literal["CE", "PE", "ce", "pe"]
    action: Side
    quantity: Quantity
    splitsize: Annotated[Units, Field(ge=0)] | None = Field(default=0, description="Largest slice; 0 is one order")
    expiry_date: ExpiryText | None = Field(default=None, description="DDMMMYY; the nearest one where it is left out")
    product: Literal[Product.MIS, Product.NRML] = Product.MIS


class OptionLegs(Idempotent):
    underlying: str = Field(min_length=1, max_length=64, examples=["NIFTY", "NIFTY28OCT25FUT"])
    exchange: Exchange = Field(examples=["NSE_INDEX"])
    strike_int: Annotated[Units, Field(ge=1)] | None = Field(default=None, description="Distance of a made-up ladder")


class OptionsOrder(OptionLegs, OfOption, Pricing):
    pass


class OptionLeg(OfOption, Pricing):
    pass


class OptionsMultiOrder(OptionLegs):
    expiry_date: ExpiryText | None = None
    legs: list[OptionLeg] = Field(min_length=1, max_length=MAX_LEGS)


class OpenPosition(Strategic):
    symbol: Symbol
    exchange: Exchange
    product: Product


class Conversion(Keyed):
    symbol: Symbol
    exchange: Exchange
    product: Product = Field(description="What the position is in")
    to_product: Product
    quantity: Quantity = Field(description="How much of it, in units")


class MarginPosition(Body):
    symbol: Symbol
    exchange: Exchange
    action: Side
    quantity: Quantity
    product: Product
    pricetype: PriceType = Field(validation_alias=AliasChoices("pricetype", "price_type"))
    price: Price = NOTHING
    trigger_price: Price = NOTHING


class MarginOf(Keyed):
    positions: list[MarginPosition] = Field(min_length=1, max_length=MAX_POSITIONS)


class Switch(Keyed):
    mode: bool = Field(description="true: orders go to paper")


class GttTerms(Strategic):
    trigger_type: Annotated[Literal["SINGLE", "OCO"], BeforeValidator(lambda value: str(value).upper())]
    exchange: Exchange
    symbol: Symbol
    action: Side
    quantity: Quantity
    product: Literal[Product.CNC, Product.NRML]
    pricetype: Literal[PriceType.LIMIT, PriceType.MARKET] = Field(
        default=PriceType.LIMIT, validation_alias=AliasChoices("pricetype", "price_type")
    )
    price: Price
    triggerprice_sl: MaybePrice = NOTHING
    triggerprice_tg: MaybePrice = NOTHING
    stoploss: MaybePrice = NOTHING
    target: MaybePrice = NOTHING


class PlaceGtt(GttTerms, Idempotent):
    expires_at: Literal[""] | None = Field(default=None, description="Brokers keep triggers for a year; leave it out")


class ModifyGtt(GttTerms):
    trigger_id: OrderId


class OneGtt(Strategic):
    trigger_id: OrderId


class Resolve(OneOrder):
    outcome: Literal["open", "complete", "cancelled", "rejected"]
    note: str = Field(min_length=1, max_length=500, description="How you know; it stays on the record")


class Since(Keyed):
    since: Annotated[Units, Field(ge=0)] = Field(default=0, description="The number of the last event you have")
