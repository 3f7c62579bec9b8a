"""The smart order: what brings a position to its target (specs: contract-rest.md, 3.2)."""

from typing import NamedTuple

from sangam.model.enums import Action

MATCHED = "Positions Already Matched. No Action needed."
NOTHING_OPEN = "No OpenPosition Found. Not placing Exit order."


class Step(NamedTuple):
    action: Action
    quantity: int


def decide(target: int, current: int, action: Action, quantity: int) -> Step | str:
    """The order that leads from the net quantity `current` to `target`, or why there is none. `action` and `quantity`
    are the request's own; they only count where both target and position are flat."""
    if target == 0 and current == 0:
        return Step(action, quantity) if quantity else NOTHING_OPEN
    if target == current:
        return MATCHED
    missing = target - current
    return Step(Action.of(missing), abs(missing))
