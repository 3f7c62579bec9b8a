"""What an answer means: payload, refusal by evidence, or unknown (Upstox docs: Response structure; Error codes)."""

from typing import Any, Literal, TypeVar

import msgspec

from sangam.brokers import rows
from sangam.brokers.contract import Endpoint, Operation, Reply, Request
from sangam.brokers.evidence import json_object
from sangam.brokers.master_files import plain_name
from sangam.model.errors import SessionExpired, Unknown

from .tables import DEAD, EVIDENCE, SEGMENT_OF, TITLE

T = TypeVar("T")


def check(request: Request, reply: Reply) -> Any:
    """The `data` of a success; the token of a login comes without an envelope."""
    if reply.status == 200 and request.reply != "json":
        return reply.payload
    envelope = json_object(reply.payload)
    if reply.status == 200 and envelope.get("status") == "success":
        return envelope.get("data")
    if reply.status == 200 and "access_token" in envelope:
        return envelope
    code, text = _first(envelope.get("errors"))
    failure = EVIDENCE.failure(TITLE, reply.status, code, text)
    if (code in DEAD and 400 <= reply.status < 500) or (reply.status == 401 and code not in EVIDENCE.kinds):
        raise SessionExpired(f"{failure}. Log in to Upstox again.", code)
    raise failure


def _first(errors: Any) -> tuple[str, str]:
    """Code and text of the first error; its name is told in two spellings."""
    error = next((each for each in errors if isinstance(each, dict)), {}) if isinstance(errors, list) else {}
    return str(error.get("error_code") or error.get("errorCode") or ""), str(error.get("message") or "")


def read(data: Any, kind: type[T], what: str) -> T:
    """`data` as it should be. Raises Unknown."""
    return rows.read(data, kind, TITLE, what)


NAMES = {
    "token": "instrument_token",
    "brexchange": "exchange",
    "brsymbol": "trading_symbol",
    "action": "transaction_type",
    "price_type": "order_type",
    "ltp": "last_price",
    "rejection_reason": "status_message",
}
"""Our names of fields that Upstox calls otherwise."""


class Named(msgspec.Struct, kw_only=True, rename=NAMES):
    """How rows name an instrument: by its key, and beside it by symbols that are not the instruments file's. Trades may
    have a number of another age for a key (docs: Get trades); then exchange and symbol tell. A symbol that nobody needs
    may be null."""

    token: str = ""
    brexchange: str = ""
    brsymbol: str | None = ""
    tradingsymbol: str | None = ""

    def __post_init__(self) -> None:
        segment, joint, _ = self.token.partition("|")
        if joint:
            self.brexchange, self.brsymbol = segment, ""
        else:
            self.brexchange, self.token = SEGMENT_OF.get(self.brexchange, self.brexchange), ""
            self.brsymbol = plain_name(self.brsymbol or self.tradingsymbol or "")


class _Taken(msgspec.Struct):
    """Orders answer with one of the first two, GTTs with the last."""

    order_id: str = ""
    order_ids: list[str] = []
    gtt_order_ids: list[str] = []


def number(data: Any) -> str:
    """The one number in the answer to a write. Raises Unknown."""
    taken = read(data, _Taken, "the answer to an order")
    numbers = taken.order_ids or taken.gtt_order_ids or [taken.order_id]
    if len(numbers) != 1 or not numbers[0]:
        raise Unknown(f"{TITLE}: an order was answered with other than one number: {', '.join(numbers)}")
    return numbers[0]


def write(method: Literal["POST", "PUT", "DELETE"], path: str, *, host: str = "api", **more: Any) -> Request:
    return Request(method=method, host=host, path=path, effect="write", lane="orders", **more)


class _Address(msgspec.Struct):
    """The documents' spelling and the SDK's."""

    authorized_redirect_uri: str = ""
    authorizedRedirectUri: str = ""  # noqa: N815 - the wire's name


def one_time(path: str, **query: str) -> Operation[Endpoint]:
    """An address for one connection of a feed. It carries its own proof, which says nothing about the session: whether
    that is dead is told by the call that gives the address."""
    data = yield Request(method="GET", host="api", path=path, query=query or None)
    told = read(data, _Address, "the address of a feed")
    url = told.authorized_redirect_uri or told.authorizedRedirectUri
    if not url.startswith(("wss://", "ws://")):
        raise Unknown("Upstox: the answer names no address of a feed.")
    return Endpoint(url=url, dead_credential=frozenset())
