"""Large answers in pieces and long work in turns, so that the loop never waits for one request."""

import asyncio
from collections.abc import AsyncIterator, Iterable, Iterator
from typing import Any, TypeVar

import msgspec

T = TypeVar("T")


def json_list(head: bytes, batches: Iterable[Any]) -> Iterator[bytes]:
    """A JSON object whose last value is a list: `head` ends with its opening bracket, each batch is a list of rows."""
    piece = head
    for batch in batches:
        rows = msgspec.json.encode(batch)[1:-1]
        if rows:
            yield piece + rows
            piece = b","
    yield (b"" if piece == b"," else piece) + b"]}"


async def in_turns(items: Iterable[T], at_once: int) -> AsyncIterator[T]:
    """Everybody else has a turn after so many items."""
    for number, item in enumerate(items, 1):
        yield item
        if number % at_once == 0:
            await asyncio.sleep(0)


async def paced(pieces: Iterable[bytes]) -> AsyncIterator[bytes]:
    """Everybody else has a turn after each piece."""
    for piece in pieces:
        yield piece
        await asyncio.sleep(0)


async def threaded(pieces: Iterator[bytes]) -> AsyncIterator[bytes]:
    """Each piece is made in a thread."""
    while (piece := await asyncio.to_thread(next, pieces, None)) is not None:
        yield piece
