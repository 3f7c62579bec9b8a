import socket

import pytest

from sangam.listening import listen
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
