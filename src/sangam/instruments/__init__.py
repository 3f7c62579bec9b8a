"""Masters of instruments: built and validated in a child process, read by look-up."""

from .master import Master
from .masters import MasterReport, Masters

__all__ = ["Master", "MasterReport", "Masters"]
