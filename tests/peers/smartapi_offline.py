"""The official client without its side effects: its module asks a stranger for our address when it is imported, and its
classes write logs into the working directory."""

import os
import tempfile
from typing import Any

import requests  # type: ignore[import-untyped, unused-ignore]  # only in the client's environment


def _alone(*_: object, **__: object) -> None:
    raise requests.ConnectionError("nobody is asked for our address")


_get, requests.get = requests.get, _alone
try:
    import logzero  # type: ignore[import-not-found]

    logzero.loglevel(100)
    from SmartApi.smartConnect import SmartConnect  # type: ignore[import-not-found]
    from SmartApi.smartWebSocketOrderUpdate import (  # type: ignore[import-not-found]
        SmartWebSocketOrderUpdate,
    )
    from SmartApi.smartWebSocketV2 import SmartWebSocketV2  # type: ignore[import-not-found]
finally:
    requests.get = _get

__all__ = ["SmartConnect", "SmartWebSocketOrderUpdate", "SmartWebSocketV2", "elsewhere"]


def elsewhere() -> Any:
    """A working directory that goes away again."""
    folder = tempfile.TemporaryDirectory(ignore_cleanup_errors=True)
    os.chdir(folder.name)
    return folder
