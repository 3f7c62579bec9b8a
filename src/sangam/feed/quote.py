"""One price for somebody who does not stream: a want that lives until the instrument has told everything."""

import asyncio

from sangam.model.enums import Mode
from sangam.model.errors import BrokerError, SymbolNotFound
from sangam.model.instrument import Level
from sangam.prices.last import Last

from .feed import Feed
from .port import Refused

WAIT_SECONDS = 3.0
_LOOK_SECONDS = 0.01


async def quote(feed: Feed, account: str, symbol: str, exchange: str) -> Last:
    """The state of an instrument, book included where the broker streams one.

    Raises SymbolNotFound, or BrokerError when the account's feed tells nothing within `WAIT_SECONDS`."""
    answer = feed.want(account, symbol, exchange, Level(Mode.DEPTH))
    if isinstance(answer, Refused) and answer.code != SymbolNotFound.code:
        answer = feed.want(account, symbol, exchange, Level(Mode.QUOTE))
    if isinstance(answer, Refused):
        if answer.code == SymbolNotFound.code:
            raise SymbolNotFound(symbol, exchange)
        raise BrokerError(answer.reason)
    try:
        async with asyncio.timeout(WAIT_SECONDS):
            while True:
                last = feed.last(account, symbol, exchange)
                if last is not None and last.tells(answer.level.mode):
                    return last
                await asyncio.sleep(_LOOK_SECONDS)
    except TimeoutError:
        state = feed.health(account).state.value
        raise BrokerError(f"No price of {exchange}:{symbol} within {WAIT_SECONDS:g} s; the feed is {state}.") from None
    finally:
        feed.release(answer.want)
