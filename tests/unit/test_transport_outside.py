"""What the world says our address is."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from sangam.model.errors import InvalidInput, NotSent
from sangam.transport.egress import Egress
from sangam.transport.outside import public_address


@asynccontextmanager
async def service(answer: str | None = None) -> AsyncIterator[str]:
    """Tells callers where they come from, or always the same."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        text = answer if answer is not None else writer.get_extra_info("peername")[0] + "\n"
        writer.write(f"HTTP/1.1 200 OK\r\nContent-Length: {len(text)}\r\nConnection: close\r\n\r\n{text}".encode())
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/"


async def test_an_account_is_seen_where_it_leaves_from() -> None:
    async with service() as url:
        assert await public_address(Egress(), url) == "127.0.0.1"
        try:
            seen = await public_address(Egress(address="127.0.0.2"), url)
        except NotSent:
            pytest.skip("this system has only 127.0.0.1")
        assert seen == "127.0.0.2"


async def test_an_answer_that_is_no_address() -> None:
    async with service("<html>welcome</html>") as url:
        with pytest.raises(InvalidInput, match="no address"):
            await public_address(Egress(), url)


async def test_a_service_that_is_not_there() -> None:
    with pytest.raises(NotSent, match="PUBLIC_IP_URL cannot be asked from any address"):
        await public_address(Egress(), "http://127.0.0.1:1/")
