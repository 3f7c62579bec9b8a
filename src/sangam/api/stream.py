"""Large answers in pieces and long work in turns, so that the loop never waits for one request."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable, Iterator
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


async def encoded(items: Iterable[T], row: Callable[[T], Any], at_once: int = 50) -> msgspec.Raw:
    """A JSON list of many rows for a larger answer, made in turns."""
    pieces = []
    batch: list[Any] = []
    async for item in in_turns(items, at_once):
        batch.append(row(item))
        if len(batch) == at_once:
            pieces.append(msgspec.json.encode(batch)[1:-1])
            batch = []
    if batch:
        pieces.append(msgspec.json.encode(batch)[1:-1])
    return msgspec.Raw(b"[" + b",".join(pieces) + b"]")
