"""Market data whose subscriptions are asked for by HTTP requests, while the socket only tells.

They belong to the broker's session, so that an earlier socket may have left some: a codec takes over what its
predecessor held, and leaves what is not wanted any more. Each is of a `kind` (XTS: a message code); an instrument may
need several. Requests go out one by one: two about the same instrument must not pass each other. What was subscribed
already is left and subscribed anew, since only a new subscription brings a snapshot."""

from collections import deque
from collections.abc import Iterable, Mapping
from typing import Any, Literal, NamedTuple, cast

from sangam.model.errors import BrokerError, RateLimited, Refused
from sangam.model.instrument import Level
from sangam.model.market import Key

from .operation import EMPTY, Operation, Request
from .stream import BaseCodec, Call, Codec, Confirmed, Notice, Refusal, Result, batches

Kind = int | str


class _Job(NamedTuple):
    """One request. `again` marks the second attempt at what was subscribed already."""

    action: Literal["subscribe", "leave"]
    kind: Kind
    keys: tuple[Key, ...]
    again: bool = False


class RestSubscriptions(BaseCodec):
    """The half of a codec that subscribes; `received` is the broker's own. `kinds` are those wanted of each instrument
    now, `held` those that the broker's session may have; `fresh` still wait for their snapshot: what the socket tells
    first is newer, so that it removes them."""

    batch = 50
    """Instruments in one request."""

    def __init__(self) -> None:
        super().__init__()
        self.kinds: dict[Key, tuple[Kind, ...]] = {}
        self.held: dict[Key, tuple[Kind, ...]] = {}
        self.fresh: set[Key] = set()
        self._jobs: deque[_Job] = deque()
        self._job: _Job | None = None
        self._failed: list[_Job] = []
        self._inherited: dict[Key, tuple[Kind, ...]] = {}

    # --- what each broker says ----------------------------------------------------------------------------------------

    def kinds_of(self, key: Key, level: Level) -> tuple[Kind, ...]:
        """What tells a level: beside the last one, which has the prices, an instrument can live without."""
        raise NotImplementedError

    def request(self, action: Literal["subscribe", "leave"], kind: Kind, keys: tuple[Key, ...]) -> Request:
        """A write, lest it be taken for an equal one a moment ago."""
        raise NotImplementedError

    def there(self, keys: tuple[Key, ...], payload: Any) -> tuple[Key, ...]:
        """Those of a subscription that were subscribed already, of which the answer tells nothing. Raises BrokerError
        for what is no answer."""
        return keys if payload is EMPTY else ()

    def subscribed(self, kind: Kind, keys: tuple[Key, ...], payload: Any) -> Iterable[Result]:
        """The answer to a subscription: snapshots, what is left of a limit. EMPTY where it was there already and could
        not be left. Raises BrokerError for what is no answer."""
        raise NotImplementedError

    # --- one by one ---------------------------------------------------------------------------------------------------

    def follow(self, before: Codec) -> None:
        self.held = dict(cast(RestSubscriptions, before).held)
        self._inherited = dict(self.held)

    def update(self, wanted: Mapping[Key, Level]) -> Iterable[Result]:
        self.changes(wanted)
        before, self.kinds = self.kinds, {key: self.kinds_of(key, level) for key, level in wanted.items()}
        inherited, self._inherited = self._inherited, {}
        self._ask("leave", inherited or before, self.kinds)
        self._ask("subscribe", self.kinds, before)
        return self._next()

    def _ask(
        self,
        action: Literal["subscribe", "leave"],
        those: Mapping[Key, tuple[Kind, ...]],
        others: Mapping[Key, tuple[Kind, ...]],
    ) -> None:
        """Requests for the kinds of `those` that `others` have not."""
        found: dict[tuple[Kind, ...], list[Key]] = {}
        for key, kinds in those.items():
            if missing := tuple(kind for kind in kinds if kind not in others.get(key, ())):
                found.setdefault(missing, []).append(key)
        for missing, keys in found.items():
            for some in batches(keys, self.batch):
                self._jobs.extend(_Job(action, kind, tuple(some)) for kind in missing)

    def _is_vital(self, job: _Job) -> bool:
        """Whether the instruments' fate hangs on a request."""
        return job.action == "subscribe" and any(self.kinds.get(key, ())[-1:] == (job.kind,) for key in job.keys)

    def _next(self) -> Iterable[Result]:
        """Only what is wanted still is subscribed, and only what may be there is left."""
        while self._job is None and self._jobs:
            job = self._jobs.popleft()
            where = self.held if job.action == "leave" else self.kinds
            if not (keys := tuple(key for key in job.keys if job.kind in where.get(key, ()))):
                continue
            self._job = job = job._replace(keys=keys)
            vital = keys if self._is_vital(job) else ()
            self.fresh.update(vital)
            if job.action == "subscribe":
                self._hold(job)
            return (Call(_asked(self.request(job.action, job.kind, keys)), vital, f"{job.action} {job.kind}"),)
        return ()

    def _hold(self, job: _Job, held: bool = True) -> None:
        """The broker may have what a request is about, or surely has it no more."""
        for key in job.keys:
            kinds = tuple(kind for kind in self.held.get(key, ()) if kind != job.kind)
            if held or kinds:
                self.held[key] = (*kinds, job.kind) if held else kinds
            else:
                self.held.pop(key, None)

    def replied(self, call: Call, payload: Any) -> Iterable[Result]:
        job = cast(_Job, self._job)
        results: list[Result] = []
        if job.action == "leave":
            self._hold(job, False)
        else:
            try:
                there = () if job.again else self.there(job.keys, payload)
                if there:
                    # An earlier process may have left whatever is wanted now.
                    self.held |= {key: kinds for key, kinds in self.kinds.items() if key not in self.held}
                if len(there) < len(job.keys):
                    taken = tuple(key for key in call.keys if key not in there)
                    results = [Confirmed(taken), *self.subscribed(job.kind, job.keys, payload)]
                    self.fresh.difference_update(taken)
            except BrokerError as error:  # an answer that nobody can read
                return self.failed(call, error)
            old = job._replace(keys=there)
            self._jobs.extendleft((old._replace(again=True), old._replace(action="leave")) if there else ())
        self._job = None
        return (*results, *self._next())

    def failed(self, call: Call, error: BrokerError) -> Iterable[Result]:
        """A refusal of many may be about one of them: they are asked for in halves. Where nobody knows what became of
        it, it is asked again a while later."""
        job, self._job = cast(_Job, self._job), None
        results: list[Result] = []
        if not isinstance(error, Refused) or isinstance(error, RateLimited):
            self._failed.append(job)
        elif job.action == "subscribe":
            self._hold(job, False)
            results = self._refused(job, call, error)
        return (*results, *self._next())

    def _refused(self, job: _Job, call: Call, error: BrokerError) -> list[Result]:
        if len(job.keys) > 1:
            half = len(job.keys) // 2
            self._jobs.extendleft(job._replace(keys=some) for some in (job.keys[half:], job.keys[:half]))
            return []
        if not call.keys:
            return [Notice("warning", f"no {job.kind}: {error}")]
        (key,) = job.keys
        self.sent.pop(key, None)
        self.kinds.pop(key, None)
        self._jobs.extend(_Job("leave", kind, (key,)) for kind in self.held.get(key, ()))
        return [Refusal(key, str(error))]

    def heartbeat(self) -> Iterable[Result]:
        """Asks again for what failed, as far as it is still wanted so."""
        failed, self._failed = self._failed, []
        for job in failed:
            wanted = job.action == "subscribe"
            if keys := tuple(key for key in job.keys if (job.kind in self.kinds.get(key, ())) is wanted):
                self._jobs.append(job._replace(keys=keys))
        return self._next()


def _asked(request: Request) -> Operation[Any]:
    return (yield request)
