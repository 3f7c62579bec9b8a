"""``sangam brokers``: what this installation can speak to."""

from sangam.brokers.contract import Stream
from sangam.model.enums import Mode

from .backend import known_brokers
from .options import settings
from .output import note, out, table


def brokers() -> None:
    """Show the brokers, their exchanges, and what their streams carry."""
    shown = table("name", "title", "also known as", "exchanges", "streams", "session ends")
    known = known_brokers(settings())
    for spec in known:
        shown.add_row(
            spec.name,
            spec.title,
            ", ".join(spec.aliases) or "-",
            " ".join(sorted(spec.exchanges)),
            "; ".join(_describe(stream) for stream in spec.streams) or "-",
            f"{spec.session_ends} IST" if spec.session_ends else "-",
        )
    for one in known.unconfigured:
        shown.add_row(one.name, one.title, ", ".join(one.aliases) or "-", "-", "not configured", "-")
    out.print(shown)
    for one in known.unconfigured:
        note(f"`sangam account add {one.name}` says what to ask {one.title} for.")


def _describe(stream: Stream) -> str:
    modes = " ".join(mode.label for mode in Mode if mode in stream.carries.modes)
    return f"{modes or 'orders'}: {stream.limits.symbols_per_socket} symbols x {stream.limits.sockets}"
