"""What an answer means: payload, refusal by evidence, or unknown (documents: introduction; SDK: _request)."""

from collections.abc import Mapping
from typing import Any, TypeVar

from sangam.brokers import rows
from sangam.brokers.contract import Reply, Request, Session
from sangam.brokers.evidence import json_object
from sangam.model.errors import InvalidInput, RateLimited, Refused, SessionExpired

from .member import Member
from .tables import DEAD, DEAD_TEXT, EVIDENCE

T = TypeVar("T")

TOKEN, CHANNEL_LOGIN, CHANNEL_CODE = "/oauth2/token", "/api/v3/user/login", "/api/v3/user/twofa"
TRADING_INFO, PROFILE = "/api/v1/user/trading_info", "/api/v1/user/profile"
_LOGINS = frozenset({TOKEN, CHANNEL_LOGIN, CHANNEL_CODE})
_PERSONS = frozenset({TRADING_INFO, PROFILE})


class Wire:
    """What every part of one broker's wire needs."""

    def __init__(self, member: Member) -> None:
        self.member = member
        self.title = member.title

    def check(self, request: Request, reply: Reply) -> Any:
        """The `data` of a success; the token of a login comes without an envelope."""
        if reply.status == 200 and request.reply == "file":
            return reply.payload
        envelope = json_object(reply.payload)
        if reply.status == 200 and envelope.get("status") == "success" and "data" in envelope:
            return envelope["data"]
        if reply.status == 200 and request.path == TOKEN and "access_token" in envelope:
            return envelope
        raise self._failure(request, reply, envelope)

    def _failure(self, request: Request, reply: Reply, envelope: Mapping[str, Any]) -> Exception:
        kind = str(envelope.get("error_type") or envelope.get("error_code") or envelope.get("error") or "")
        text = str(envelope.get("message") or envelope.get("error_description") or "")
        failure = EVIDENCE.failure(self.title, reply.status, kind, text)
        if isinstance(failure, RateLimited) or reply.status >= 500:
            return failure
        if request.path in _LOGINS:
            # A login makes a session or none: what is told instead of one is no reason to doubt.
            return Refused(str(failure), "INVALID_INPUT", kind)
        # Who has no session may be sent to the web page, which says so only where the answer must be a person.
        page = reply.status == 200 and request.path in _PERSONS and str(reply.payload).lstrip().startswith("<")
        if reply.status == 401 or kind == DEAD or DEAD_TEXT in text.casefold() or page:
            return SessionExpired(f"{failure}. Log in to {self.title} again.", kind)
        return failure

    def read(self, data: Any, kind: type[T], what: str) -> T:
        """`data` as it should be; numbers may be text. Raises Unknown."""
        return rows.read(data, kind, self.title, what, strict=False)

    def client(self, session: Session) -> str:
        """Whose account it is: nearly every call must say so."""
        if not (client := session.client_id or session.secrets.get("client_id", "")):
            raise InvalidInput(f"{self.title} needs 'client_id' (your client code there).")
        return client

    def asked(self, path: str, session: Session, **query: str) -> Request:
        return Request(method="GET", host="api", path=path, query={**query, "client_id": self.client(session)})
