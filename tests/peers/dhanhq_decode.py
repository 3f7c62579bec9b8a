"""Runs in the official SDK's environment: decodes packets and answers with JSON lines.

A line is the kind of socket (feed, 20, 200) and a message in hex."""

import json
import sys

from dhanhq import FullDepth, MarketFeed  # type: ignore[import-not-found]  # only in the SDK's environment

feed = MarketFeed.__new__(MarketFeed)
books = {"20": FullDepth.__new__(FullDepth), "200": FullDepth.__new__(FullDepth)}
for levels, book in books.items():
    book.depth_level = int(levels)


def packets(kind: str, rest: bytes | None) -> list[object]:
    """A message of the deep books is cut as the SDK cuts it."""
    if kind == "feed":
        return [feed.process_data(rest)]
    found = []
    while rest:
        packet = books[kind].process_data(rest)
        if packet is None:
            break
        rest = packet.pop("remaining_data")
        found.append(packet)
    return found


for line in sys.stdin:
    kind, _, told = line.strip().partition(" ")
    sys.stdout.write(json.dumps(packets(kind, bytes.fromhex(told))) + "\n")
    sys.stdout.flush()
