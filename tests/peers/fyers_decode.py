"""Runs in the official SDK's environment: decodes the frames of Fyers' sockets and answers with JSON lines.

A line of input is one socket's life: ``{"wire": "hsm" or "tbt", "frames": [hex, ...]}``. The answer has what the SDK
told last of each topic or ticker."""

import json
import os
import sys
from typing import Any

os.chdir(sys.argv[1])  # the SDK writes its logs where it stands

from fyers_apiv3.FyersWebsocket import data_ws, msg_pb2, tbt_ws  # type: ignore[import-not-found]  # noqa: E402


class Names(dict[str, str]):
    """Any topic goes by its own name."""

    def __missing__(self, topic: str) -> str:
        return topic


def hsm(frames: list[str]) -> dict[str, Any]:
    data_ws.FyersDataSocket._instance = None
    told: dict[str, Any] = {}

    def heard(message: dict[str, Any]) -> None:
        if "symbol" in message:
            told[message["symbol"]] = dict(message)

    socket = data_ws.FyersDataSocket("a.b.c", on_message=heard, on_error=heard)
    socket.symbol_token = Names()
    for frame in frames:
        socket._FyersDataSocket__response_msg(bytearray.fromhex(frame))
    for handler in list(socket.data_logger.handlers):
        handler.close()
    return told


def tbt(frames: list[str]) -> dict[str, Any]:
    told: dict[str, Any] = {}
    store = tbt_ws.DataStore()
    tbt_ws.DataStore.depth = {}

    def heard(ticker: str, depth: Any) -> None:
        told[ticker] = {name: list(value) if isinstance(value, list) else value for name, value in vars(depth).items()}

    for frame in frames:
        message = msg_pb2.SocketMessage()
        message.ParseFromString(bytes.fromhex(frame))
        store.updateDepth(message, heard, False)
    return told


WIRES = {"hsm": hsm, "tbt": tbt}

for line in sys.stdin:
    asked = json.loads(line)
    sys.stdout.write(json.dumps(WIRES[asked["wire"]](asked["frames"])) + "\n")
    sys.stdout.flush()
