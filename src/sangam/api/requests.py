"""Request bodies of `/api/v1`, and their faults in the words that clients know (specs: REST contract, 1.2).

Unknown keys are ignored. Numbers may come as texts. Field names are the wire's."""

import re
from collections.abc import Mapping, Sequence
from datetime import date
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from sangam.model.enums import Exchange

from .errors import ApiError, ErrorCode

MAX_SYMBOLS = 3000
MAX_GREEKS = 50


def _no_bool(value: Any) -> Any:
    if isinstance(value, bool):
        raise ValueError("Not a valid number.")
    return value


def _day(value: Any) -> Any:
    if not isinstance(value, str) or not re.fullmatch(r"\d{4}-\d\d-\d\d", value, re.ASCII):
        raise ValueError("Not a valid date.")
    return value


Number = Annotated[float, BeforeValidator(_no_bool), Field(allow_inf_nan=False)]
Whole = Annotated[int, BeforeValidator(_no_bool)]
Rate = Annotated[Number, Field(ge=0, le=100, description="Percent a year")]
Day = Annotated[date, BeforeValidator(_day)]
Symbol = Annotated[str, Field(min_length=1, max_length=64, examples=["RELIANCE"])]
ExpiryText = Annotated[str, Field(max_length=16, examples=["28OCT25"])]
Derivatives = Literal["NFO", "BFO", "MCX", "CDS", "NCO", "BCD", "NCDEX", "CRYPTO"]


class Body(BaseModel):
    model_config = ConfigDict(coerce_numbers_to_str=True)


class Keyed(Body):
    """`account` (an id) or `broker` names another of the key's user's accounts than its data account."""

    apikey: str = Field(min_length=1, max_length=256, description="The API key")
    account: str | None = Field(default=None, max_length=80, description="Another account of yours, by its id")
    broker: str | None = Field(default=None, max_length=32, description="Another account of yours, by its broker")


class Pair(Body):
    symbol: Symbol
    exchange: Exchange = Field(examples=["NSE"])


class Named(Keyed, Pair):
    pass


class Several(Keyed):
    symbols: list[Pair] = Field(min_length=1, max_length=MAX_SYMBOLS)


class Bars(Named):
    interval: str = Field(max_length=8, examples=["5m"], description="1m, 5m, 1h, D and others: see intervals")
    start_date: Day = Field(description="IST date of the first candle")
    end_date: Day = Field(description="IST date of the last candle")
    source: Literal["api", "db"] = "api"


class Query(Keyed):
    query: str = Field(default="", max_length=100, examples=["NIFTY 24000 CE"])
    exchange: Exchange | None = None


class Expiries(Keyed):
    symbol: Symbol
    exchange: Derivatives
    instrumenttype: Literal["futures", "options"]


class Listing(Keyed):
    exchange: Exchange | None = None
    format: Literal["json", "csv"] = "json"


class OfUnderlying(Keyed):
    underlying: str = Field(min_length=1, max_length=64, examples=["NIFTY", "NIFTY28OCT25FUT"])
    exchange: Exchange = Field(examples=["NSE_INDEX"])
    expiry_date: ExpiryText | None = Field(default=None, description="DDMMMYY; the nearest one where it is left out")


class Offset(OfUnderlying):
    offset: str = Field(max_length=8, examples=["ATM", "OTM2"])
    option_type: Literal["CE", "PE", "ce", "pe"]
    strike_int: Annotated[Whole, Field(ge=1)] | None = Field(default=None, description="Distance of a made-up ladder")


class Chain(OfUnderlying):
    strike_count: Annotated[Whole, Field(ge=1, le=100)] | None = Field(default=None, description="On each side of ATM")
    with_greeks: bool = False
    interest_rate: Rate = 0.0


class GreeksOf(Pair):
    exchange: Derivatives  # type: ignore[assignment]
    underlying_symbol: str | None = Field(default=None, max_length=64)
    underlying_exchange: Exchange | None = None


class GreeksTerms(Keyed):
    interest_rate: Rate | None = None
    expiry_time: str | None = Field(default=None, pattern=r"^([01]\d|2[0-3]):[0-5]\d$", description="HH:MM IST")


class Greeks(GreeksTerms, GreeksOf):
    forward_price: Annotated[Number, Field(ge=0)] | None = None


class ManyGreeks(GreeksTerms):
    symbols: list[GreeksOf] = Field(min_length=1, max_length=MAX_GREEKS)


class Year(Body):
    year: Annotated[Whole, Field(ge=2020, le=2050)] | None = None


class OnDay(Body):
    date: Day


_WORDS = {
    "optionsorder": "Validation error",
    "optionsmultiorder": "Validation error",
    "optionsymbol": "Validation error",
    "optionchain": "Validation error",
    "syntheticfuture": "Validation error",
    "optiongreeks": "Validation failed",
    "multioptiongreeks": "Validation failed",
}
"""These answer with `errors` beside such a message; all others have the complaints as their message."""

_TEXTS = frozenset(
    (
        "placeorder", "placesmartorder", "modifyorder", "cancelorder", "cancelallorder", "closeposition", "basketorder",
        "splitorder", "placegttorder", "modifygttorder", "cancelgttorder", "orderstatus", "openposition", "margin",
        "analyzer", "toggle",
    )
)  # fmt: skip
"""Their message is a text: the complaints written out."""

ORDERS = _TEXTS | {"optionsorder", "optionsmultiorder"}
"""Paths that tell the mode in their errors, too."""


def explain(path: str, faults: Sequence[Mapping[str, Any]]) -> ApiError:
    """All faults of a request: a text where its body is no JSON object, else complaints by field, nested as they were
    sent."""
    fields: dict[str, Any] = {}
    for fault in faults:
        if fault["type"] == "json_invalid":
            reason = fault.get("ctx", {}).get("error", "")
            return ApiError(400, ErrorCode.INVALID_INPUT, f"The body is not valid JSON: {reason}.")
        names = [str(part) for part in fault["loc"][1:]]  # the first says where: body, query, path
        if not names:
            return ApiError(
                400, ErrorCode.INVALID_INPUT, "Send a JSON object with the header Content-Type: application/json."
            )
        *parents, last = names
        inside = fields
        for name in parents:
            inside = inside.setdefault(name, {})
        inside.setdefault(last, []).append(_complaint(fault))
    name = path.rstrip("/").rpartition("/")[2]
    if name in _TEXTS:
        return ApiError(400, ErrorCode.INVALID_INPUT, str(fields))
    word = _WORDS.get(name)
    if word is None:
        return ApiError(400, ErrorCode.INVALID_INPUT, fields)
    return ApiError(400, ErrorCode.INVALID_INPUT, word, errors=fields)


_COMPLAINTS = {
    "missing": "Missing data for required field.",
    "string_type": "Not a valid string.",
    "string_unicode": "Not a valid string.",
    "string_too_short": "Shorter than minimum length {min_length}.",
    "string_too_long": "Longer than maximum length {max_length}.",
    "string_pattern_mismatch": "String does not match expected pattern.",
    "int_type": "Not a valid integer.",
    "int_parsing": "Not a valid integer.",
    "int_from_float": "Not a valid integer.",
    "float_type": "Not a valid number.",
    "float_parsing": "Not a valid number.",
    "finite_number": "Special numeric values (nan or infinity) are not permitted.",
    "bool_type": "Not a valid boolean.",
    "bool_parsing": "Not a valid boolean.",
    "list_type": "Not a valid list.",
    "too_short": "Shorter than minimum length {min_length}.",
    "too_long": "Longer than maximum length {max_length}.",
    "model_attributes_type": "Invalid input type.",
    "greater_than": "Must be greater than {gt}.",
    "greater_than_equal": "Must be greater than or equal to {ge}.",
    "less_than_equal": "Must be less than or equal to {le}.",
    "date_from_datetime_parsing": "Not a valid date.",
}


def _complaint(fault: Mapping[str, Any]) -> str:
    if fault["type"] != "missing" and fault["input"] is None:
        return "Field may not be null."
    terms = fault.get("ctx", {})
    if fault["type"] in ("enum", "literal_error"):
        choices = re.findall("'([^']*)'", terms["expected"])
        return f"Must be one of: {', '.join(choices)}."
    known: str = _COMPLAINTS.get(fault["type"], fault["msg"].removeprefix("Value error, "))
    return known.format(**terms)
