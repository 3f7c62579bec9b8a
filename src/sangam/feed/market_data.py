"""Market data by request: any number of instruments and any span of days, cut as the broker's table asks."""

from collections.abc import Iterator, Sequence
from datetime import date, timedelta
from typing import Protocol, TypeVar

from sangam.brokers.contract import BrokerSpec, Candle, Ctx, Data, Operation, Session, batches
from sangam.model.errors import BrokerError, InvalidInput
from sangam.model.instrument import Instrument
from sangam.model.market import Patch

T = TypeVar("T")

MAX_REQUESTS = 40
"""One call for candles asks a broker at most so often: memory and the broker's patience both end somewhere."""


class Driver(Protocol):
    """Runs operations: the server's HTTP driver, or canned answers."""

    def ctx(self) -> Ctx: ...
    async def run(self, spec: BrokerSpec, session: Session, operation: Operation[T]) -> T: ...


async def quotes(
    driver: Driver, spec: BrokerSpec, session: Session, instruments: Sequence[Instrument], *, deep: bool = False
) -> dict[Instrument, Patch]:
    """What the broker tells of these instruments, in their order; one that it does not know is missing. With `deep`
    they are asked in as small batches as their books need.

    Raises BrokerError, also where the broker answers no quotes."""
    data = _data(spec)
    if not data.quote_batch:
        raise BrokerError(f"{spec.title} answers no quotes.")
    found: dict[Instrument, Patch] = {}
    size = data.depth_batch if deep and data.depth_batch else data.quote_batch
    for batch in batches(list(dict.fromkeys(instruments)), size):
        patches = await driver.run(spec, session, data.quotes(batch, session, driver.ctx()))
        told = {patch.key: patch for patch in patches}
        found.update((instrument, told[instrument]) for instrument in batch if instrument in told)
    return found


async def history(
    driver: Driver, spec: BrokerSpec, session: Session, instrument: Instrument, interval: str, start: date, end: date
) -> list[Candle]:
    """The candles of the IST dates `start` to `end`, both included: ascending, each once.

    Raises InvalidInput for an interval that the broker has not, for dates in the wrong order or a span too long, and
    BrokerError, also where the broker answers no history."""
    data = _data(spec)
    if data.history is None:
        raise BrokerError(f"{spec.title} offers no history.")
    if (terms := data.intervals.get(interval)) is None:
        raise InvalidInput(f"{spec.title} has no interval '{interval}'. Its intervals: {', '.join(data.intervals)}.")
    if start > end:
        raise InvalidInput(f"The start date {start} is after the end date {end}.")
    if (end - start).days >= MAX_REQUESTS * terms.days:
        raise InvalidInput(f"Ask for at most {MAX_REQUESTS * terms.days} days of {interval} candles at once.")
    candles: dict[int, Candle] = {}
    for first, last in spans(start, end, terms.days):
        operation = data.history(instrument, interval, first, last, session, driver.ctx())
        candles.update((candle.timestamp, candle) for candle in await driver.run(spec, session, operation))
    return [candles[second] for second in sorted(candles)]


def spans(start: date, end: date, days: int) -> Iterator[tuple[date, date]]:
    """`start` to `end` in pieces of at most `days` dates, oldest first."""
    while start <= end:
        last = min(end, start + timedelta(days=days - 1))
        yield start, last
        start = last + timedelta(days=1)


def _data(spec: BrokerSpec) -> Data:
    if spec.data is None:
        raise BrokerError(f"{spec.title} offers no market data by request.")
    return spec.data
