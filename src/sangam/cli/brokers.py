"""``sangam brokers``: what this installation can speak to."""

from sangam.brokers.contract import Stream
from sangam.model.enums import Mode

from .backend import known_brokers
from .options import settings
from .output import out, table


def brokers() -> None:
    """Show the brokers, their exchanges, and what their streams carry."""
    shown = table("name", "title", "also known as", "exchanges", "streams", "session ends")
    for spec in known_brokers(settings()):
        shown.add_row(
            spec.name,
            spec.title,
            ", ".join(spec.aliases) or "-",
            " ".join(sorted(spec.exchanges)),
            "; ".join(_describe(stream) for stream in spec.streams) or "-",
            f"{spec.session_ends} IST" if spec.session_ends else "-",
        )
    out.print(shown)


def _describe(stream: Stream) -> str:
    modes = " ".join(mode.label for mode in Mode if mode in stream.carries.modes)
    return f"{modes or 'orders'}: {stream.limits.symbols_per_socket} symbols x {stream.limits.sockets}"
