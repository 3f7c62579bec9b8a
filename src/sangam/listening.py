"""Listening sockets of our own servers: shared by our own gateways at most, and a busy port names its owner."""

import errno
import socket

from .model.errors import ConfigError

_TRIES = 100

_OURS_ALONE = getattr(socket, "SO_EXCLUSIVEADDRUSE", socket.SO_REUSEADDR)
"""On Windows a port is shared with whoever asks unless this forbids it; elsewhere it is ours anyway, and this lets us
have it again at once after a restart."""


def listen(host: str, port: int, name: str, *, auto_port: bool = False, shared: bool = False) -> socket.socket:
    """A bound, listening socket. Port 0 takes any free one, `auto_port` the next free one. `shared` sockets listen side
    by side on a port that is `held`, and the system spreads the clients over them.

    `name` is that of the settings (``API`` for API_HOST and API_PORT). Raises ConfigError where the address is not
    ours or the port is taken: two servers on one port would each see half of the clients."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    last = min(port + _TRIES, 65536) if auto_port and port else port + 1
    for candidate in range(port, last):
        # By its name: asyncio sends small answers at once only on sockets that it knows to be TCP.
        listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
        try:
            listener.setsockopt(socket.SOL_SOCKET, _OURS_ALONE, 1)
            if shared:
                listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
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


def hold(listener: socket.socket) -> socket.socket:
    """Turn a port of ours into one for `shared` listeners. While this socket is open no other user can have the port;
    it takes no connections itself. Raises ConfigError where the system cannot share a port."""
    with listener:
        host, port = listener.getsockname()[:2]
    holder = socket.socket(listener.family, socket.SOCK_STREAM)
    try:
        holder.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        holder.bind((host, port))
    except (AttributeError, OSError) as error:
        holder.close()
        raise ConfigError(
            f"This system cannot share port {port} between processes: {error}. One gateway works."
        ) from error
    return holder
