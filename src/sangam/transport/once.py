"""The one write of an operation: announced before its first byte, never followed by another, and never called unsent
because something after it failed."""

from collections.abc import Awaitable, Callable

from sangam.model.errors import BrokerError, Unknown

Sending = Callable[[], Awaitable[None]]
"""Awaited right before the first byte of a write may leave; where it raises, nothing is sent."""


class Once:
    """Follows the write of one operation that somebody keeps a journal of."""

    def __init__(self, sending: Sending) -> None:
        self._sending = sending
        self.begun = False
        self._announced = False
        self._error: BrokerError | None = None

    def begin(self) -> None:
        """A write is asked for. Raises Unknown where it is the second one: what the first did is then anybody's
        guess."""
        if self.begun:
            raise Unknown("This operation wants to write twice, which no broker's folder may; the second was not sent.")
        self.begun = True

    async def announce(self) -> None:
        """The next byte may be the first. Only the first attempt is told: a repeated one sent nothing before."""
        if not self._announced:
            await self._sending()
            self._announced = True

    def failed(self, error: BrokerError) -> None:
        """How the write itself ended."""
        self._error = error

    def judge(self, error: BrokerError) -> BrokerError:
        """What an error of any request of the operation says about the write: after one that left without a refusal,
        the failure of another request proves nothing."""
        if error is self._error or not self._announced or isinstance(error, Unknown):
            return error
        if self._error is not None and not self._error.sent:
            return error
        return Unknown(f"It was sent; what came after failed: {error}")
