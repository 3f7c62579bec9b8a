"""`sangam stream` into a pipe, as scripts use it."""

import asyncio
import contextlib
import json
import sys

from websockets.asyncio.server import ServerConnection, serve
from websockets.exceptions import ConnectionClosed


async def test_a_reader_that_has_seen_enough_ends_it_quietly() -> None:
    async def price_without_end(line: ServerConnection) -> None:
        tick = {"type": "market_data", "symbol": "SBIN", "exchange": "NSE", "mode": 1, "data": {"ltp": 1.0}}
        with contextlib.suppress(ConnectionClosed):
            while True:
                await line.send(json.dumps(tick))
                await asyncio.sleep(0.01)

    async with serve(price_without_end, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        shown = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "sangam.cli.main", "stream", "NSE:SBIN"),
            *("--key", "k", "--url", f"ws://127.0.0.1:{port}"),
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        assert shown.stdout is not None
        assert shown.stderr is not None
        assert json.loads(await shown.stdout.readline()) == {"ltp": 1.0}
        shown._transport.get_pipe_transport(1).close()  # type: ignore[attr-defined]
        complaint = await asyncio.wait_for(shown.stderr.read(), 20)
    assert (await shown.wait(), complaint) == (0, b"")
