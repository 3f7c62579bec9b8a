"""How long the router waits for what."""

from dataclasses import dataclass


@dataclass(frozen=True)
class RouterTiming:
    """Seconds. `evidence` is how long a caller waits from the moment his order may have left; `gate` how long a write
    waits until an account's books are compared; `group_wait` how long one of several orders may wait for a slot of the
    rate limit where its ticket does not say."""

    evidence: float = 8.0
    gate: float = 5.0
    group_wait: float = 30.0
