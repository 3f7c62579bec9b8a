"""Kite's order forms, and how it words what is wrong with them."""

from collections.abc import Mapping
from typing import TypeVar

from sangam.model.enums import Action, PriceType, Product

from .orders import Validity
from .retail import Invalid

MAX_TAG = 20

Form = Mapping[str, str]
E = TypeVar("E", Action, PriceType, Product, Validity)


class Asked:
    """The fields of an order form that every variety has. Raises Invalid, with the first that is wrong."""

    def __init__(self, form: Form) -> None:
        self.action = one_of(Action, form, "transaction_type")
        self.price_type = one_of(PriceType, form, "order_type")
        self.product = one_of(Product, form, "product")
        self.validity = one_of(Validity, {"validity": form.get("validity") or "DAY"}, "validity")
        self.quantity = whole(form, "quantity")
        self.price = number(form, "price") if self.price_type.has_price else 0.0
        self.trigger_price = number(form, "trigger_price") if self.price_type.has_trigger else 0.0
        if self.quantity <= 0:
            raise Invalid("Invalid `quantity`.")
        if self.price_type.has_price and self.price <= 0:
            raise Invalid("Missing or empty field `price`")
        if self.price_type.has_trigger and self.trigger_price <= 0:
            raise Invalid("Missing or empty field `trigger_price`")
        self.tag = form.get("tag", "")
        if len(self.tag) > MAX_TAG or (self.tag and not (self.tag.isalnum() and self.tag.isascii())):
            raise Invalid(f"Invalid `tag`. It should be alphanumeric and at most {MAX_TAG} characters.")
        if self.product is Product.CNC and form.get("exchange") not in ("NSE", "BSE"):
            raise Invalid("Invalid `product`.")
        if self.product is Product.NRML and form.get("exchange") in ("NSE", "BSE"):
            raise Invalid("Invalid `product`.")


def required(form: Form, name: str) -> str:
    if not (value := form.get(name, "")):
        raise Invalid(f"Missing or empty field `{name}`")
    return value


def whole(form: Form, name: str, missing: str = "") -> int:
    text = form.get(name) or missing or required(form, name)
    if not text.isdecimal():
        raise Invalid(f"Invalid `{name}`.")
    return int(text)


def number(form: Form, name: str, missing: float = 0.0) -> float:
    try:
        value = float(form.get(name) or missing)
    except ValueError:
        raise Invalid(f"Invalid `{name}`.") from None
    if not abs(value) < 1e9:
        raise Invalid(f"Invalid `{name}`.")
    return value


def one_of(kind: type[E], form: Form, name: str) -> E:
    try:
        return kind(required(form, name))
    except ValueError:
        raise Invalid(f"Invalid `{name}`.") from None
