"""Options that several commands share."""

from enum import StrEnum
from typing import Annotated

import typer

from sangam.settings import Settings, load_settings

User = Annotated[str | None, typer.Option(help="Whose; needed only when there are several users.")]
Hosts = Annotated[
    list[str] | None, typer.Option("--host", metavar="NAME=URL", help="Use this host instead (simulators). Repeatable.")
]
Fields = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="NAME=VALUE", help="A login field; what is missing is asked for. Repeatable."),
]


class Switch(StrEnum):
    ON = "on"
    OFF = "off"


def settings() -> Settings:
    return load_settings()


def pairs(texts: list[str] | None, option: str) -> dict[str, str]:
    """``name=value`` texts as a mapping; a wrong one is a usage error."""
    found = {}
    for text in texts or []:
        name, equals, value = text.partition("=")
        if not name or not equals:
            raise typer.BadParameter("write it as NAME=VALUE", param_hint=option)
        found[name.strip()] = value
    return found
