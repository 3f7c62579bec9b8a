"""What the command line asks about instruments, as verbs with plain arguments and plain answers."""

import asyncio
from typing import Any

import msgspec

from sangam.accounts.verbs import Verbs
from sangam.feed.adopt import Adopter
from sangam.feed.source import Source
from sangam.instruments.master import Master
from sangam.instruments.masters import Masters
from sangam.model.errors import InvalidInput


class _Arguments(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """`name` is an account or a broker, and may be left out where one source of instruments is in use."""

    name: str | None = None


class _Search(_Arguments):
    query: str
    exchange: str | None = None
    limit: int = 50


class InstrumentDesk(Verbs):
    """`call` runs a verb; all errors are SangamErrors."""

    def __init__(self, adopter: Adopter, masters: Masters) -> None:
        self._adopter = adopter
        self._masters = masters
        super().__init__(
            {
                "instruments/refresh": (_Arguments, self._refresh),
                "instruments/status": (_Arguments, self._status),
                "instruments/search": (_Search, self._search),
                "instruments/refused": (_Arguments, self._refused),
            }
        )

    async def _refresh(self, wanted: _Arguments) -> dict[str, Any]:
        """Begins it; `instruments/status` tells when `made_at` has reached `from`, or `tried_at` with a trouble."""
        return {
            "sources": [{"source": one.name, "from": one.refresh()} for one in self._adopter.sources_of(wanted.name)]
        }

    async def _status(self, wanted: _Arguments) -> dict[str, Any]:
        return {"sources": [msgspec.to_builtins(one.progress()) for one in self._adopter.sources_of(wanted.name)]}

    async def _search(self, wanted: _Search) -> dict[str, Any]:
        master = self._master(wanted.name)
        found = await asyncio.to_thread(master.search, wanted.query, wanted.exchange, wanted.limit)
        return {"version": master.version, "instruments": [msgspec.to_builtins(instrument) for instrument in found]}

    async def _refused(self, wanted: _Arguments) -> dict[str, Any]:
        master = self._master(wanted.name)
        refused = [{"reason": reason, **told._asdict()} for reason, told in master.refused().items()]
        return {"version": master.version, "stored": master.count, "refused": refused}

    def _master(self, name: str | None) -> Master:
        """The standing master that is meant; a real broker's where nobody says which."""
        sources = self._adopter.sources_of(name)
        if len(sources) > 1:
            sources = [one for one in sources if not one.spec.simulated]
        if len(sources) != 1:
            names = ", ".join(one.name for one in self._adopter.sources_of(name))
            raise InvalidInput(f"There are several masters ({names}): say whose (--broker).")
        return self._standing(sources[0])

    def _standing(self, source: Source) -> Master:
        master = self._masters.current(source.name)
        if master is None:
            raise InvalidInput(
                f"{source.spec.title} has given no instruments yet: {source.progress().trouble or 'wait'}"
            )
        return master
