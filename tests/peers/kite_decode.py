"""Runs in the official SDK's environment: decodes ticker frames (one hex line each) and answers with JSON lines."""

import json
import sys
from datetime import datetime

from kiteconnect import KiteTicker  # type: ignore[import-not-found]  # only in the SDK's environment

ticker = KiteTicker("key", "token")


def seconds(time: datetime) -> float:
    return time.timestamp()


for line in sys.stdin:
    ticks = ticker._parse_binary(bytes.fromhex(line))
    sys.stdout.write(json.dumps(ticks, default=seconds) + "\n")
    sys.stdout.flush()
