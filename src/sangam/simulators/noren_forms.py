"""The envelope of Noren's requests and answers: ``jData={...}``, perhaps with ``&jKey=...``, and objects that say Ok or
Not_Ok."""

from collections.abc import Mapping
from typing import Any, TypeVar
from urllib.parse import unquote_plus

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from .noren_rows import clock
from .retail import Invalid

Form = dict[str, Any]
T = TypeVar("T")

WRONG = 'Error Occurred : 2 "invalid input"'
NO_DATA = 'Error Occurred : 5 "no data"'


async def form_of(request: Request) -> Form:
    """The object of a body, which is cut at every ``&``; a form's is percent-encoded. Raises Invalid."""
    body = (await request.body()).partition(b"&")[0].decode("utf-8", "replace")
    if request.headers.get("content-type", "").startswith("application/x-www-form-urlencoded"):
        body = unquote_plus(body)
    try:
        if not body.startswith("jData="):
            raise ValueError(body)
        return msgspec.json.decode(body[6:], type=Form)
    except (msgspec.DecodeError, ValueError):
        raise Invalid("Invalid Input : jData is not valid json object") from None


def symbol_of(form: Mapping[str, Any]) -> tuple[str, str]:
    """Exchange and trading symbol of an order's form, in which the symbol is percent-encoded once more."""
    return str(form.get("exch", "")), unquote_plus(str(form.get("tsym", "")))


def one_of(known: Mapping[str, T], form: Mapping[str, Any], name: str) -> T:
    if (value := known.get(str(form.get(name, "")))) is None:
        raise Invalid(f"Invalid Input :  Invalid {name}")
    return value


def whole(form: Mapping[str, Any], name: str) -> int:
    text = form.get(name, "")
    if not isinstance(text, str) or not text.isdecimal():
        raise Invalid(f"Invalid Input :  {name} is not in string format")
    return int(text)


def amount(form: Mapping[str, Any], name: str, most: float = 1e9) -> float:
    try:
        value = float(form.get(name, ""))
    except (TypeError, ValueError):
        value = 0.0
    if not 0 < value < most:
        raise Invalid(f"Invalid Input :  {name} is invalid")
    return value


def second(form: Mapping[str, Any], name: str) -> int:
    """An epoch second, which the clients write as 1763706000.0."""
    return int(amount(form, name, 1e11))


def success(now_ms: int, **told: Any) -> Response:
    return _json({"request_time": clock(now_ms), "stat": "Ok", **told})


def rows(found: list[Any]) -> Response:
    """A bare list; an empty one is an error."""
    return _json(found) if found else failed(NO_DATA)


def failed(text: str, status: int = 200) -> Response:
    return _json({"stat": "Not_Ok", "emsg": text}, status)


def raw(told: Any) -> Response:
    return _json(told)


def _json(told: Any, status: int = 200) -> Response:
    return Response(msgspec.json.encode(told), status, media_type="application/json")
