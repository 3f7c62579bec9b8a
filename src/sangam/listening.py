"""Listening sockets of our own servers: never shared with another process, and a busy port names its usual owner."""

import errno
import socket

from .model.errors import ConfigError

_TRIES = 100

_OURS_ALONE = getattr(socket, "SO_EXCLUSIVEADDRUSE", socket.SO_REUSEADDR)
"""On Windows a port is shared with whoever asks unless this forbids it; elsewhere it is ours anyway, and this lets us
have it again at once after a restart."""


def listen(host: str, port: int, name: str, *, auto_port: bool = False) -> socket.socket:
    """A bound, listening socket. Port 0 takes any free one, `auto_port` the next free one.

    `name` is that of the settings (``API`` for API_HOST and API_PORT). Raises ConfigError where the address is not
    ours or the port is taken: two servers on one port would each see half of the clients."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    last = min(port + _TRIES, 65536) if auto_port and port else port + 1
    for candidate in range(port, last):
        listener = socket.socket(family, socket.SOCK_STREAM)
        try:
            listener.setsockopt(socket.SOL_SOCKET, _OURS_ALONE, 1)
            listener.bind((host, candidate))
            listener.listen(1024)
        except OSError as error:
            listener.close()
            if error.errno not in (errno.EADDRINUSE, errno.EACCES):
                reason = error.strerror or str(error)
                raise ConfigError(f"{name}_HOST {host} port {candidate} cannot be used: {reason}.") from error
            continue
        listener.setblocking(False)
        return listener
    raise ConfigError(
        f"{name}_PORT {port} on {host} is busy or forbidden. Its usual owner is another Sangam or OpenAlgo server "
        f"(on macOS, AirPlay Receiver has 5000). Stop that, set {name}_PORT to another port, or start with --auto-port."
    )
