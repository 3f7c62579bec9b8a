import asyncio
import socket

import pytest

from sangam.listening import hold, listen
from sangam.model.errors import ConfigError


def test_a_port_is_ours_alone() -> None:
    with listen("127.0.0.1", 0, "API") as first:
        port = first.getsockname()[1]
        with pytest.raises(ConfigError, match=rf"API_PORT {port} on 127.0.0.1 is busy or forbidden"):
            listen("127.0.0.1", port, "API")
        with listen("127.0.0.1", port, "API", auto_port=True) as second:
            assert port < second.getsockname()[1] <= port + 100


def test_a_port_is_free_again_at_once() -> None:
    with listen("127.0.0.1", 0, "API") as first:
        port = first.getsockname()[1]
        with socket.create_connection(("127.0.0.1", port)), first.accept()[0]:
            pass
    listen("127.0.0.1", port, "API").close()


def test_an_address_that_is_not_ours_is_a_plain_error() -> None:
    with pytest.raises(ConfigError, match=r"WEBSOCKET_HOST 192\.0\.2\.1 port 8765 cannot be used"):
        listen("192.0.2.1", 8765, "WEBSOCKET")


@pytest.mark.skipif(not hasattr(socket, "SO_REUSEPORT"), reason="this system cannot share ports")
def test_our_gateways_share_a_port_that_nobody_else_gets() -> None:
    with hold(listen("127.0.0.1", 0, "WEBSOCKET")) as holder:
        port = holder.getsockname()[1]
        with (
            listen("127.0.0.1", port, "WEBSOCKET", shared=True) as first,
            listen("127.0.0.1", port, "WEBSOCKET", shared=True) as second,
        ):
            assert first.getsockname() == second.getsockname()
            with pytest.raises(ConfigError, match="busy"):
                listen("127.0.0.1", port, "WEBSOCKET")
        with pytest.raises(ConfigError, match="busy"):
            listen("127.0.0.1", port, "WEBSOCKET")
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(("127.0.0.1", port))


def test_a_system_that_cannot_share_ports_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(socket, "SO_REUSEPORT", raising=False)
    with pytest.raises(ConfigError, match="One gateway works"):
        hold(listen("127.0.0.1", 0, "WEBSOCKET"))


async def test_small_answers_leave_at_once_on_the_plain_loop_too() -> None:
    """asyncio leaves Nagle's delay on where a listener does not say that it is TCP: 40 ms an answer."""
    told: asyncio.Queue[int] = asyncio.Queue()

    async def accepted(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        raw = writer.get_extra_info("socket")
        told.put_nowait(raw.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY))
        writer.close()

    listener = listen("127.0.0.1", 0, "API")
    server = await asyncio.start_server(accepted, sock=listener)
    async with server:
        _, writer = await asyncio.open_connection(*listener.getsockname()[:2])
        assert await told.get() != 0
        writer.close()
        await writer.wait_closed()
