"""A real MQTT server, Mosquitto, in a process of its own; and a simulated broker that publishes into it."""

import asyncio
import subprocess
from collections.abc import AsyncIterator, Iterable, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path

import pytest
from tests.support import free_port, serving

from sangam.simulators import mqtt
from sangam.simulators.iiflcapital import IiflCapital
from sangam.simulators.market import Market
from sangam.simulators.orders import Order

PUBLISHER = ("publisher", "of-the-simulator")


@contextmanager
def mosquitto(home: Path, users: Mapping[str, str]) -> Iterator[int]:
    """The port of a server that lets these users in by their passwords; skips the test where it is not installed."""
    passwords, port = home / "passwords", free_port()
    (home / "mosquitto.conf").write_text(
        f"listener {port} 127.0.0.1\nuser root\nallow_anonymous false\npassword_file {passwords}\npersistence false\n"
    )
    passwords.write_text("")
    for user, password in users.items():
        try:
            subprocess.run(["mosquitto_passwd", "-b", passwords, user, password], check=True, capture_output=True)
        except FileNotFoundError:
            pytest.skip("mosquitto_passwd is not installed here")
    with serving(["mosquitto", "-c", home / "mosquitto.conf"], port):
        yield port


@asynccontextmanager
async def published(simulator: IiflCapital, markets: Iterable[Market], port: int) -> AsyncIterator[None]:
    """What the simulator would tell its own listeners goes to the server at `port`: the last packets of some markets
    and every move of them, and all news of orders."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    login = b"\x04\xc2\x00\x3c" + b"".join(map(mqtt.text, ("simulator", *PUBLISHER)))
    writer.write(mqtt.packet(mqtt.CONNECT, mqtt.text("MQTT") + login))
    assert await reader.readexactly(4) == mqtt.packet(mqtt.CONNACK, b"\0\0")
    watched = list(markets)

    def moved(these: Iterable[Market]) -> None:
        for market in these:
            segment, token = simulator.names.of(market.contract)
            for kind in ("mw", "oi", "index"):
                if payload := simulator.packets.get(market, kind):
                    topic = f"prod/marketfeed/{kind}/v1/{segment.lower()}/{token}"
                    writer.write(mqtt.publish(topic, payload, retained=True))

    def ordered(order: Order) -> None:
        writer.write(mqtt.publish(simulator.news_topics[0], simulator.news(order)))

    undo = simulator.exchange.on_step(moved), simulator.exchange.on_order(ordered)
    for market in watched:
        simulator.exchange.watch(market)
    moved(watched)
    await writer.drain()
    try:
        yield
    finally:
        for end in undo:
            end()
        for market in watched:
            simulator.exchange.unwatch(market)
        writer.close()
        await writer.wait_closed()
