"""What the verbs of administration take."""

import msgspec

from sangam.model.enums import KeyMode, Product, Scope

from .ways import Way

TRADING_SCOPES = (Scope.DATA, Scope.ORDERS_READ, Scope.ORDERS_WRITE)


class Arguments(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """A mapping that does not fit raises InvalidInput."""


class AddAccount(Arguments):
    broker: str
    fields: dict[str, str] = {}
    hosts: dict[str, str] = {}
    user: str | None = None


class LogIn(Arguments):
    account: str
    fields: dict[str, str] = {}
    hosts: dict[str, str] = {}
    way: Way | None = None


class Answer(Arguments):
    login: str
    fields: dict[str, str]


class GiveAddress(Arguments):
    account: str
    address: str


class NameLogin(Arguments):
    login: str


class ChooseDefault(Arguments):
    account: str
    data: bool = True
    orders: bool = True


class LeaveFrom(Arguments):
    account: str
    egress: str | None = None
    registered: str | None = None


class AskOutside(Arguments):
    account: str
    url: str


class NameUser(Arguments):
    name: str
    password: str | None = None


class NameAccount(Arguments):
    account: str


class OfUser(Arguments):
    user: str | None = None


class CreateKey(Arguments):
    user: str | None = None
    label: str = ""
    scopes: tuple[Scope, ...] = TRADING_SCOPES
    account: str | None = None
    interval_ms: int | None = None
    mode: KeyMode = KeyMode.FOLLOW


class SwitchAnalyzer(Arguments):
    on: bool
    user: str | None = None


class OfAccount(Arguments):
    """Without an account: all accounts of the house."""

    account: str | None = None


class SetRules(OfAccount):
    """What is left out stays as it is; ``clear`` names limits that end."""

    max_quantity: int | None = None
    max_value: float | None = None
    max_orders_per_day: int | None = None
    price_band: float | None = None
    symbols: tuple[str, ...] | None = None
    products: tuple[Product, ...] | None = None
    clear: tuple[str, ...] = ()


class Kill(OfAccount):
    on: bool = True


class NameKey(Arguments):
    id: str
