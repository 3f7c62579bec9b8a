"""Dhan's sandbox as its clients see it: less of the same, no sockets, and rows on UTC's clock.

The true one fills at 100 rupees or not at all; this one has the market that all simulators share."""

from .dhan import Dhan


class DhanSandbox(Dhan):
    """A token lives for 30 days."""

    name = "dhan_sandbox"
    sandbox = True
    lives_ms = 30 * 24 * 3_600_000


SIMULATOR = DhanSandbox
