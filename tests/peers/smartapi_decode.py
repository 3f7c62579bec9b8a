"""Runs in the official client's environment: decodes feed packets (one hex line each) and answers with JSON lines."""

import json
import sys

from smartapi_offline import SmartWebSocketV2, elsewhere  # type: ignore[import-not-found]

with elsewhere():
    feed = SmartWebSocketV2.__new__(SmartWebSocketV2)
    for line in sys.stdin:
        sys.stdout.write(json.dumps(feed._parse_binary_data(bytes.fromhex(line))) + "\n")
        sys.stdout.flush()
