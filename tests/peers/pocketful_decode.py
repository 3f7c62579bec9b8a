"""Run by the interpreter of the official client: its decoder reads packets (one hex line each) and answers with JSON
lines. News are told as they are."""

import json
import sys

from pocketful import packetDecoder  # type: ignore[import-not-found]

DECODERS = {
    1: packetDecoder.decodeDetailedMarketData,
    2: packetDecoder.decodeCompactMarketData,
    4: packetDecoder.decodeSnapquoteData,
    50: packetDecoder.decodeOrderUpdate,
    51: packetDecoder.decodeTradeUpdate,
}

for line in sys.stdin:
    packet = bytes.fromhex(line)
    sys.stdout.write(json.dumps(DECODERS[packet[0]](packet)) + "\n")
    sys.stdout.flush()
