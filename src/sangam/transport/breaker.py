"""Leaves a broker that does not answer alone: after some failures in a row nothing is sent for a growing time, then one
probe decides."""

from sangam.model.clock import Clock

from .backoff import Backoff

THRESHOLD = 5


class Breaker:
    """For one account at one host. Ask `admit` before each call and tell `settle` how it went.

    A failure is a call that the broker did not answer; an answer that says no is an answer."""

    def __init__(self, clock: Clock, backoff: Backoff | None = None) -> None:
        self._clock = clock
        self._backoff = backoff or Backoff(first=1.0, cap=60.0)
        self._failures = 0
        self._open_until = 0.0
        self._probing = False

    @property
    def resting(self) -> float:
        """Seconds until a probe may go."""
        return max(0.0, self._open_until - self._clock.monotonic())

    def admit(self, urgent: bool = False) -> bool:
        """Whether a call may go now. What may not wait always goes: its answer is worth more than the broker's rest."""
        if urgent or self._failures < THRESHOLD:
            return True
        if self._probing or self.resting:
            return False
        self._probing = True
        return True

    def settle(self, answered: bool | None) -> None:
        """None: the caller went away before anything was known."""
        self._probing = False
        if answered:
            self._failures = 0
            self._backoff.reset()
        elif answered is False:
            self._failures += 1
            if self._failures >= THRESHOLD and not self.resting:
                self._open_until = self._clock.monotonic() + self._backoff.next()
