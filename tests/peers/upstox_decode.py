"""Runs in the official SDK's environment: decodes feed messages (one hex line each) and answers with JSON lines."""

import json
import sys

from google.protobuf import json_format
from upstox_client.feeder import MarketDataStreamerV3  # type: ignore[import-not-found]  # only in the SDK's environment

streamer = MarketDataStreamerV3()

for line in sys.stdin:
    told = json_format.MessageToDict(streamer.decode_protobuf(bytes.fromhex(line)))
    sys.stdout.write(json.dumps(told) + "\n")
    sys.stdout.flush()
