"""The brokers that faults are tried on, and what their users type in."""

from collections.abc import Mapping

from sangam.brokers import registry

OF_FAMILIES = ("pocketful", "shoonya", "compositedge")
"""One broker of each family: what they share below their tables meets the same bad days."""


def pasted(name: str, credentials: Mapping[str, str]) -> dict[str, str]:
    """What a login needs that pastes the day's tokens."""
    return {field.name: credentials[field.name] for field in registry.load()[name].login.fields if field.required}
