"""What holds for all wires: damage never gets further than a DecodeError, and the server's own connection loop carries
each of them."""

import asyncio
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.contract.driver import CTX, Socket
from tests.contract.scripts import SCRIPTS, Script
from tests.support import wait_for

from sangam.brokers.contract import Endpoint, Event, Operation
from sangam.model.clock import ManualClock, ist_from_ms
from sangam.model.market import Patch
from sangam.transport import link
from sangam.transport.channel import Channel
from sangam.transport.channel import Owner as WireOwner
from sangam.transport.framing.base import Wire
from sangam.transport.socket import Connection, Owner, SocketState, Timing

every_wire = pytest.mark.parametrize("script", SCRIPTS.values(), ids=SCRIPTS)


def opened(script: Script) -> Socket:
    socket = Socket(script.rest(), script.stream)
    socket.receive(*script.login)
    assert socket.logged_in
    socket.want({script.key: script.level})
    return socket


@st.composite
def damaged(draw: st.DrawFn, frame: Wire) -> Wire:
    """The frame cut, grown, or with one place changed."""
    at = draw(st.integers(0, len(frame)))
    if isinstance(frame, str):
        return frame[:at] + draw(st.text(max_size=3)) + frame[at + draw(st.integers(0, 2)) :]
    return frame[:at] + draw(st.binary(max_size=3)) + frame[at + draw(st.integers(0, 3)) :]


@every_wire
@given(data=st.data())
@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_damage_raises_nothing_but_decode_errors(script: Script, data: st.DataObject) -> None:
    socket = opened(script)
    for frame in script.login + script.frames:
        socket.receive(data.draw(st.one_of(st.just(frame), damaged(frame), st.binary(max_size=64), st.text())))


@every_wire
def test_the_same_conversation_tells_the_same(script: Script) -> None:
    first, second = opened(script), opened(script)
    for socket in (first, second):
        socket.receive(*script.frames)
        assert socket.damaged == []
        assert [patch.key for patch in socket.patches] == [script.key] * script.patches
    assert first.patches == second.patches
    assert first.sent == second.sent


class FakeChannel:
    """A peer that says the script's login as soon as it is connected."""

    def __init__(self, script: Script, owner: WireOwner) -> None:
        self.sent: list[Wire] = []
        self.owner = owner
        for frame in script.login:
            asyncio.get_running_loop().call_soon(owner.wire_data, frame)

    def send(self, data: Wire) -> None:
        self.sent.append(data)

    def close(self) -> None:
        self.owner.wire_closed("closed by us")


@every_wire
async def test_the_servers_own_loop_carries_it(script: Script, monkeypatch: pytest.MonkeyPatch) -> None:
    rest, channels = script.rest(), list[FakeChannel]()
    patches, events = list[Patch](), list[Event]()

    async def open_channel(endpoint: Endpoint, owner: WireOwner, ping: float | None, egress: str) -> Channel:
        channels.append(FakeChannel(script, owner))
        return channels[-1]

    async def run(operation: Operation[Any]) -> Any:
        return rest.run(operation)

    monkeypatch.setattr(link, "open_channel", open_channel)
    owner = Owner(patches.append, events.append, changed=lambda _: None, expects_data=lambda _: True)
    connection = Connection(
        script.stream, rest.session, owner, run, ManualClock(ist_from_ms(CTX.now_ms)), Timing(), "wire"
    )
    try:
        connection.want(script.key, script.level)
        await wait_for(lambda: connection.state is SocketState.LIVE, what="login")
        await wait_for(lambda: channels[0].sent or rest.sent, what="subscription")
        for frame in script.frames:
            channels[0].owner.wire_data(frame)
        await wait_for(lambda: len(patches) == script.patches, what="patches")
        assert {patch.key for patch in patches} == {script.key}
        assert connection.unconfirmed == set()
        assert len(channels) == 1
    finally:
        await connection.stop()
