"""What a broker's page sends back through somebody's browser: which login it belongs to, and who may complete it.

A callback that carries our signed state proves itself. Where the broker does not echo it, anybody could send one: it
must come from the browser that began the login (`mark`), or be confirmed by the account's user."""

import hashlib
from collections.abc import Mapping
from urllib.parse import parse_qsl, urlsplit

from sangam.brokers.registry import Registry
from sangam.model.errors import InvalidInput

from .flows import Flows, usable
from .pending import LIFETIME_MS, Flow
from .signing import Signer
from .ways import Way, offered

_LATE = "This link is not ours, or came too late. Begin the login again."
_SECONDS = LIFETIME_MS // 1000


class Callbacks:
    def __init__(self, flows: Flows, registry: Registry, signer: Signer) -> None:
        self._flows = flows
        self._registry = registry
        self._signer = signer

    def ticket(self, flow: Flow) -> str:
        """Lets one browser, with nobody signed in there, go to the broker's page for this login."""
        return self._signer.sign(f"ticket/{flow.id}", _SECONDS)

    def admitted(self, ticket: str) -> Flow:
        return self._signed("ticket", ticket)

    def mark(self, flow: Flow) -> str:
        """What the browser that begins a login keeps."""
        return self._signer.sign(f"browser/{flow.id}", _SECONDS)

    def is_marked(self, flow: Flow, mark: str) -> bool:
        return self._signer.open(mark) == f"browser/{flow.id}"

    def arrived(self, broker: str, account: str | None, parameters: Mapping[str, str]) -> tuple[Flow, bool]:
        """The login that a callback belongs to, and whether it proves so itself."""
        spec = self._registry[broker]
        redirect = offered(spec, spec.login.redirect, Way.REDIRECT)
        if redirect.echoes_state:
            flow = self._signed("state", parameters.get("state", ""))
            if flow.session.broker != spec.name or account not in (None, flow.account):
                raise InvalidInput("This callback belongs to another login. Begin again.")
        else:
            flow = self._flows.pending.open(spec.name, account)
        usable(flow)
        return flow, redirect.echoes_state

    def typed(self, account: str, address: str) -> tuple[Flow, dict[str, str]]:
        """The address that a browser ended at, as its user copied it: what it brings, and for which login."""
        spec = self._flows.spec(account)
        parts = urlsplit(address.strip())
        parameters = dict(parse_qsl(parts.query) + parse_qsl(parts.fragment))
        if not parameters:
            raise InvalidInput("This address brings nothing: copy it whole from the browser, with all behind the '?'.")
        flow, _ = self.arrived(spec.name, account, parameters)
        return flow, parameters

    def hold(self, flow: Flow, parameters: Mapping[str, str]) -> str:
        """Keep what came until the account's user confirms it. The result names exactly this."""
        flow.brought = dict(parameters)
        return self._signer.sign(f"confirm/{flow.id}/{_digest(parameters)}", _SECONDS)

    def confirmed(self, token: str) -> Flow:
        """The login whose held callback is to be completed."""
        identifier, _, digest = (self._open("confirm", token)).partition("/")
        flow = self._flows.pending[identifier]
        usable(flow)
        if _digest(flow.brought) != digest:
            raise InvalidInput("Another callback came meanwhile. Begin the login again.")
        return flow

    def _signed(self, purpose: str, text: str) -> Flow:
        return self._flows.pending[self._open(purpose, text)]

    def _open(self, purpose: str, text: str) -> str:
        kind, _, rest = (self._signer.open(text) or "").partition("/")
        if kind != purpose:
            raise InvalidInput(_LATE)
        return rest


def _digest(parameters: Mapping[str, str]) -> str:
    return hashlib.sha256(repr(sorted(parameters.items())).encode()).hexdigest()
