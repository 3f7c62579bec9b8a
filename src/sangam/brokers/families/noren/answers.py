"""What is asked, and what an answer means: payload, an empty book, refusal by evidence, or unknown."""

from collections.abc import Mapping
from typing import Any, TypeVar
from urllib.parse import quote_plus

import msgspec

from sangam.brokers import rows
from sangam.brokers.contract import EMPTY, Ctx, Reply, Request, Session, WireRequest
from sangam.brokers.evidence import json_object
from sangam.model.errors import RateLimited, Refused, SessionExpired
from sangam.model.instrument import Instrument

from .member import Member
from .tables import DEAD, EVIDENCE, GTT_DONE, NOTHING, TOO_MANY

T = TypeVar("T")

TOKENS = ("/GenAcsTok", "/RefreshToken", "/trade/apitoken")
"""Where a session is made: whatever is told there in place of a token, none was made."""

NOTHING_MORE: Mapping[str, Any] = {}

_TEXT, _FORM = {"Content-Type": "text/plain"}, {"Content-Type": "application/x-www-form-urlencoded"}


def user(session: Session) -> str:
    return session.client_id or session.secrets["user_id"]


def contract(instrument: Instrument) -> dict[str, str]:
    """How orders name an instrument. The body is cut at every ``&``, so symbols are percent-encoded in their place
    within the JSON (M%26M-EQ), as the SDK does it."""
    return {"exch": instrument.brexchange, "tsym": quote_plus(instrument.brsymbol)}


class Wire:
    """The wire as one broker speaks it."""

    def __init__(self, member: Member) -> None:
        self.member = member
        self.title = member.title

    def asked(
        self, session: Session, route: str, told: Mapping[str, Any] = NOTHING_MORE, *, charts: bool = False
    ) -> Request:
        """A read: whose it is, and `told`. Where a body has its token, no header has it."""
        keyed = (self.member.charts if charts else self.member.body) == "jkey"
        return Request(
            method="POST",
            host="api",
            path=f"/{route}",
            content=body({"uid": user(session), **told}, session.secrets["access_token"] if keyed else ""),
            headers=_FORM if keyed else _TEXT,
            auth="body" if keyed else "default",
        )

    def write(self, session: Session, route: str, told: Mapping[str, Any], lane: str = "orders") -> Request:
        request = self.asked(session, route, told)
        request.effect, request.lane = "write", lane
        return request

    def authorize(self, session: Session, request: Request, wire: WireRequest, ctx: Ctx) -> Mapping[str, str]:
        if request.auth != "default":
            return {}
        return {"Authorization": f"Bearer {session.secrets['access_token']}"}

    def check(self, request: Request, reply: Reply) -> Any:
        """The answer as it is: an object that says Ok, or a bare list. Outcomes stand in the text; the HTTP status is
        200 for most of them."""
        if reply.status == 200 and request.reply == "file":
            return reply.payload
        data = reply.payload
        told = json_object(data[0] if isinstance(data, list) and data else data)
        state = str(told.get("stat") or told.get("status") or "").casefold()
        # Lists may come without `stat`.
        listed = isinstance(data, list) or (request.effect == "read" and "values" in told)
        if reply.status == 200 and (state == "ok" or state in GTT_DONE or (listed and state != "not_ok")):
            return data
        text = str(told.get("emsg") or "").strip() or (state if state not in ("not_ok", "ok") else "")
        words = text.casefold()
        if reply.status == 200 and request.effect == "read" and words.startswith(NOTHING):
            return EMPTY
        failure = EVIDENCE.failure(self.title, reply.status, "", text)
        if request.path.endswith(TOKENS) and reply.status < 500 and reply.status != 429:
            raise Refused(str(failure), "AUTHENTICATION_ERROR")
        if reply.status == 404 and request.effect == "read" and request.reply == "json":
            raise Refused(str(failure), "UNSUPPORTED")  # there is no such route
        if reply.status not in EVIDENCE.statuses or reply.status == 429:
            raise failure
        if all(phrase in words for phrase in TOO_MANY):
            raise RateLimited(str(failure))
        wordless = reply.status in (401, 403) and not text and request.auth != "none"
        if words.startswith(DEAD) or wordless:
            raise SessionExpired(f"{failure}. Log in to {self.title} again.")
        raise failure

    def read(self, data: Any, kind: type[T], what: str) -> T:
        """`data` as it should be; numbers are text. Raises Unknown."""
        return rows.read(plain(data), kind, self.title, what, strict=False)

    def rows(self, data: Any, kind: type[T], what: str) -> list[T]:
        """A book, which may be empty by an error."""
        if data is EMPTY:
            return []
        found = [plain(each) for each in data] if isinstance(data, list) else data
        return self.read(found, list[kind], what)  # type: ignore[valid-type]


def plain(row: Any) -> Any:
    """An empty text, and null, is nothing told."""
    return {name: value for name, value in row.items() if value not in ("", None)} if isinstance(row, dict) else row


def body(told: Mapping[str, Any], token: str = "") -> bytes:
    """``jData={...}``, and the token behind it where it goes there. Within the JSON ``&`` is escaped, lest the body be
    cut there."""
    text = b"jData=" + msgspec.json.encode(told).replace(b"&", rb"\u0026")
    return text + b"&jKey=" + token.encode() if token else text
