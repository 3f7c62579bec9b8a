"""What passes between the server and the child that builds a master."""

import msgspec


class Job(msgspec.Struct):
    """`parse` is the broker's, pickled; `files` are the paths it reads; `target` is written anew."""

    parse: bytes
    files: list[str]
    target: str


class Built(msgspec.Struct):
    """What was written, and what was not: refusals counted by reason, with the first row of each."""

    rows: int = 0
    refused: dict[str, int] = {}
    examples: dict[str, str] = {}
    error: str = ""
