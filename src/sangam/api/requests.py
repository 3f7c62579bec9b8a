"""Request bodies of `/api/v1`, and their faults in the words that clients know (specs: REST contract, 1.2).

Unknown keys are ignored. Field names are the wire's."""

from collections.abc import Mapping, Sequence
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from sangam.model.enums import Exchange

from .errors import ApiError, ErrorCode


class Keyed(BaseModel):
    """`account` (an id) or `broker` names another of the key's user's accounts than its data account."""

    model_config = ConfigDict(coerce_numbers_to_str=True)

    apikey: str = Field(min_length=1, max_length=256, description="The API key")
    account: str | None = Field(default=None, max_length=80, description="Another account of yours, by its id")
    broker: str | None = Field(default=None, max_length=32, description="Another account of yours, by its broker")


class Named(Keyed):
    symbol: str = Field(min_length=1, max_length=64, examples=["RELIANCE"])
    exchange: Exchange = Field(examples=["NSE"])


def explain(faults: Sequence[Mapping[str, Any]]) -> ApiError:
    """All faults of a body: a text where it is no JSON object, else complaints by field."""
    fields: dict[str, list[str]] = {}
    for fault in faults:
        if fault["type"] == "json_invalid":
            reason = fault.get("ctx", {}).get("error", "")
            return ApiError(400, ErrorCode.INVALID_INPUT, f"The body is not valid JSON: {reason}.")
        names = [str(part) for part in fault["loc"] if part != "body"]
        if not names:
            return ApiError(
                400, ErrorCode.INVALID_INPUT, "Send a JSON object with the header Content-Type: application/json."
            )
        fields.setdefault(names[0], []).append(_complaint(fault))
    return ApiError(400, ErrorCode.INVALID_INPUT, fields)


_COMPLAINTS = {
    "missing": "Missing data for required field.",
    "enum": f"Must be one of: {', '.join(Exchange)}.",
    "string_type": "Not a valid string.",
    "string_unicode": "Not a valid string.",
    "string_too_short": "Shorter than minimum length {min_length}.",
    "string_too_long": "Longer than maximum length {max_length}.",
}


def _complaint(fault: Mapping[str, Any]) -> str:
    if fault["type"] != "missing" and fault["input"] is None:
        return "Field may not be null."
    known: str = _COMPLAINTS.get(fault["type"], fault["msg"])
    return known.format(**fault.get("ctx", {}))
