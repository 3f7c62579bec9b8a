"""The client protocol without I/O: what a frame asks, and what is answered (docs/websocket.md)."""

import re
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

import msgspec

from sangam.feed.port import AccountHealth, Dialect
from sangam.model.enums import INTERVALS_MS, Mode
from sangam.model.errors import InvalidInput, SangamError
from sangam.orders.actions import SCOPES

Fields = Mapping[str, Any]

FEATURES = frozenset({"conflated", "refusals", "feed_state", "order_events"})
"""Message types that official clients do not know; a socket gets those it lists when it authenticates."""

_ALIASES = {"auth": "authenticate", "authentication": "authenticate", "subscription": "subscribe"}
_SIDES = ("BUY", "SELL", "buy", "sell")
_MODES = {"ltp": Mode.LTP, "quote": Mode.QUOTE, "depth": Mode.DEPTH}
_MODES |= {"1": Mode.LTP, "2": Mode.QUOTE, "3": Mode.DEPTH, "4": Mode.DEPTH}
_DEFAULT_DEPTH = 5

_names_action = re.compile(rb'"(?:%s)"' % "|".join(SCOPES).encode()).search

_decode = msgspec.json.Decoder().decode
_encode = msgspec.json.Encoder().encode


class Reject(InvalidInput):
    """A request that cannot be taken; `code` is one of the protocol's error codes."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


class Message(NamedTuple):
    """One request: `action` with its aliases resolved, and all its fields."""

    action: str
    fields: Fields


class Credentials(NamedTuple):
    api_key: str
    features: frozenset[str]
    dialect: Dialect | None


class Entry(NamedTuple):
    """One instrument of a subscribe or unsubscribe; `error` tells why it cannot be taken."""

    symbol: str
    exchange: str
    mode: Mode
    depth: int = _DEFAULT_DEPTH
    interval: int | None = None
    error: Reject | None = None


def text_frame(payload: bytes) -> bytes:
    """A finished server-to-client text frame: unmasked, so that the same bytes serve every client (RFC 6455, 5.2)."""
    size = len(payload)
    if size < 126:
        return bytes((0x81, size)) + payload
    if size < 65536:
        return b"\x81\x7e" + size.to_bytes(2, "big") + payload
    return b"\x81\x7f" + size.to_bytes(8, "big") + payload


def decode(data: bytes) -> Message | None:
    """Read one frame; None for the bare ``ping`` and ``pong`` texts that some clients send and nobody answers.

    Raises `Reject` for anything that is not a JSON object with an action."""
    if data.strip() in (b"ping", b"pong"):
        return None
    try:
        fields = _decode(data)
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError):
        raise Reject("INVALID_JSON", "Invalid JSON message") from None
    if not isinstance(fields, dict):
        raise Reject("SERVER_ERROR", "A message must be a JSON object")
    action = fields.get("action") or fields.get("type")
    if action in _SIDES and isinstance(fields.get("type"), str):  # an order's side, as other wires call it
        action = fields["type"]
    if not isinstance(action, str):
        raise invalid_action(action)
    return Message(_ALIASES.get(action, action), fields)


def order_action(data: bytes) -> Message | None:
    """The order action in a frame; None for any other frame, damaged ones included. A glance tells most of them."""
    if _names_action(data) is None:
        return None
    try:
        read = decode(data)
    except Reject:
        return None
    return read if read is not None and read.action in SCOPES else None


def invalid_action(action: object) -> Reject:
    return Reject("INVALID_ACTION", f"Invalid action: {_shown(action)}")


def parse_credentials(fields: Fields) -> Credentials:
    key = fields.get("api_key") or fields.get("apikey")
    if not isinstance(key, str) or not key.strip():
        raise Reject("AUTHENTICATION_ERROR", "API key is required")
    features = fields.get("features")
    listed = (
        frozenset(name for name in features if isinstance(name, str)) if isinstance(features, list) else frozenset()
    )
    return Credentials(key.strip(), listed & FEATURES, Dialect.FLAT if fields.get("format") == "flat" else None)


def parse_mode(value: object) -> Mode:
    """1 to 3 or LTP, Quote, Depth in any case; 4 is an older spelling of Depth. Strings of digits are taken too."""
    if isinstance(value, str):
        mode = _MODES.get(value.strip().lower())
    elif isinstance(value, int) and not isinstance(value, bool) and 1 <= value <= 4:
        mode = Mode(min(value, 3))
    else:
        mode = None
    if mode is None:
        raise Reject("INVALID_MODE", f"Invalid mode {_shown(value)}; expected 1 (LTP), 2 (Quote), or 3 (Depth)")
    return mode


def parse_subscribe(fields: Fields) -> list[Entry]:
    """The instruments a subscribe names. One mode serves the whole request; depth and interval may be per entry."""
    mode = parse_mode(fields.get("mode", Mode.QUOTE))
    depth = _depth(fields, _DEFAULT_DEPTH)
    interval = _interval(fields, None)
    entries = []
    for row in _instruments(fields):
        symbol, exchange = _names(row)
        if not symbol or not exchange:
            continue
        try:
            entry = Entry(symbol, exchange, mode, _depth(row, depth), _interval(row, interval))
        except Reject as error:
            entry = Entry(symbol, exchange, mode, error=error)
        entries.append(entry)
    if not entries:
        raise Reject("INVALID_PARAMETERS", "At least one symbol must be specified")
    return entries


def parse_unsubscribe(fields: Fields) -> list[Entry]:
    """The instruments an unsubscribe names; the mode is the entry's, else the request's, else Quote."""
    mode = parse_mode(fields.get("mode", Mode.QUOTE))
    entries = []
    for row in _instruments(fields):
        symbol, exchange = _names(row)
        if not symbol or not exchange:
            continue
        try:
            entry = Entry(symbol, exchange, parse_mode(row.get("mode", mode)))
        except Reject as error:
            entry = Entry(symbol, exchange, mode, error=error)
        entries.append(entry)
    if not entries:
        raise Reject("INVALID_PARAMETERS", "Either symbols or unsubscribe_all is required")
    return entries


def parse_since(fields: Fields) -> int | None:
    """The number of the last event that the client saw, None for one that wants to hear from now on."""
    value = fields.get("since")
    if value is None:
        return None
    text = str(value).strip()
    if isinstance(value, bool) or not isinstance(value, int | str) or not text.isdecimal() or len(text) > 18:
        raise Reject("INVALID_PARAMETERS", f"since must be the number of an event, not {_shown(value)}")
    return int(text)


def parse_account(fields: Fields) -> str | None:
    """The account a request names by id or broker, None for the key's data account."""
    name = fields.get("account") or fields.get("broker")
    if name is None or isinstance(name, str):
        return name
    raise Reject("INVALID_PARAMETERS", f"account must be the id or broker of one of your accounts, not {_shown(name)}")


def message(kind: str, fields: Fields | None = None, /, **values: object) -> bytes:
    """A reply of a type, with the request's ``request_id`` when it has one."""
    return _encode({"type": kind, **values, **_request_id(fields)})


def feed_state(health: AccountHealth) -> bytes:
    """How an account's feed does, for sockets that listed the feature."""
    told = {name: getattr(health, name) for name in ("account", "broker", "state", "detail", "since")}
    return message("feed_state", **told)


def flat(fields: Fields | None = None, /, **values: object) -> bytes:
    """A reply of the flat dialect, which knows no types."""
    return _encode({**values, **_request_id(fields)})


def error(code: str, text: str, fields: Fields | None = None, /, **values: object) -> bytes:
    return _encode({"status": "error", "code": code, "message": text, **values, **_request_id(fields)})


def internal_error() -> SangamError:
    return Reject("SERVER_ERROR", "Internal error; the server's log has the details")


def order_identity(data: bytes) -> tuple[str, str, int] | None:
    """What makes an order update a repeat of another: (orderid, order_status, filled_quantity)."""
    try:
        order = _order_decode(data)
    except msgspec.DecodeError:
        return None
    return order.orderid, order.order_status, order.filled_quantity


class _OrderIdentity(msgspec.Struct):
    orderid: str
    order_status: str
    filled_quantity: int = 0


_order_decode = msgspec.json.Decoder(_OrderIdentity).decode


def _request_id(fields: Fields | None) -> dict[str, Any]:
    return {"request_id": fields["request_id"]} if fields and "request_id" in fields else {}


def _instruments(fields: Fields) -> Iterable[Fields]:
    rows = fields.get("symbols") or fields.get("instruments")
    if not rows:
        return (fields,)
    if not isinstance(rows, list):
        raise Reject("INVALID_PARAMETERS", "symbols must be a list of objects with symbol and exchange")
    return (row for row in rows if isinstance(row, dict))


def _names(row: Fields) -> tuple[str, str]:
    """Symbol and exchange as the client spells them. The SDK's callers may give a token in place of the symbol."""
    symbol = row.get("symbol") or row.get("exchange_token")
    exchange = row.get("exchange")
    if isinstance(symbol, int) and not isinstance(symbol, bool):
        symbol = str(symbol)
    return (symbol, exchange) if isinstance(symbol, str) and isinstance(exchange, str) else ("", "")


def _depth(row: Fields, default: int) -> int:
    value = row.get("depth", row.get("depth_level"))
    return default if value is None else _whole("depth", value)


def _interval(row: Fields, default: int | None) -> int | None:
    value = row.get("interval")
    if value is None:
        return default
    interval = _number(value)
    if interval not in INTERVALS_MS:
        allowed = ", ".join(map(str, INTERVALS_MS))
        raise Reject("INVALID_PARAMETERS", f"Invalid interval {_shown(value)}; allowed are {allowed} milliseconds")
    return interval


def _whole(name: str, value: object) -> int:
    number = _number(value)
    if number is None:
        raise Reject("INVALID_PARAMETERS", f"{name} must be a whole number, not {_shown(value)}")
    return number


def _number(value: object) -> int | None:
    """A whole number, as a number or as a text."""
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    if isinstance(value, str) and value.strip().isdecimal() and len(value) < 10:
        return int(value)
    return None


def _shown(value: object) -> str:
    text = str(value)
    return text if len(text) <= 40 else text[:37] + "..."
