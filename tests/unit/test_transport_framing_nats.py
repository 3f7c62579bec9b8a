"""The NATS client protocol, on synthetic streams and against a real server where one is installed."""

import base64
import json
import time
from collections.abc import Iterable, Iterator
from contextlib import suppress
from itertools import pairwise
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st
from tests.support import free_port, serving
from websockets.sync.client import connect

from sangam.brokers import nkey
from sangam.brokers.wire import Granted, MqttSubscribe, NatsMessage, NatsSubscribe, NatsUnsubscribe
from sangam.model.errors import DecodeError
from sangam.transport.framing.base import Closed, Framed, Opened, Out
from sangam.transport.framing.nats import MAX_LINE, MAX_PAYLOAD, Nats

SEED = nkey.encode_seed(bytes(range(32)))
INFO = b'INFO {"server_id":"x","nonce":"nonce-1","headers":true}\r\n'
PRICE = bytes.fromhex("0a0852454c49414e43451801221b0900008056febc7842310000000000408f4069000000000089a340")
SUBJECT = "/ld/eq/nse/price.2885"
MSG = b"MSG %s 1 %d\r\n%s\r\n" % (SUBJECT.encode(), len(PRICE), PRICE)
HMSG = b"HMSG %s 1 reply 12 14\r\nNATS/1.0\r\n\r\nok\r\n" % SUBJECT.encode()


def opened() -> Nats:
    framing = Nats(jwt="token", seed=SEED)
    assert [type(item) for item in framing.feed(INFO + b"PONG\r\n")] == [Out, Opened]
    return framing


def test_login_signs_the_nonce() -> None:
    framing = Nats(jwt="token", seed=SEED)
    assert list(framing.start()) == []
    (out,) = framing.feed(INFO)
    assert isinstance(out, Out)
    assert isinstance(out.data, bytes)
    verb, rest = out.data.split(b" ", 1)
    text, ping, end = rest.split(b"\r\n")
    login = json.loads(text)
    assert (verb, ping, end) == (b"CONNECT", b"PING", b"")
    assert login["jwt"] == "token"
    assert login["nkey"] == "UAB2CB576PHBBPQ5ODORRZ2LYCMWPZGWGCN2KDK7DXOIMZASKUY3RLKK"
    assert login["sig"] == ("Aj/HcjDZwFlZktcyYu97JAgWYctxzcaFc0SikCYG0tfchHcFVhub4zZnHvakWWBUcdmRZEtv5hiISSzXSYZ5BA==")
    assert (login["verbose"], login["headers"], login["protocol"]) == (False, True, 1)
    assert list(framing.feed("PONG\r\n")) == [Opened()]


def test_login_without_a_key_has_no_signature_and_later_infos_ask_for_nothing() -> None:
    framing = Nats()
    (out,) = framing.feed(INFO)
    assert isinstance(out, Out)
    assert isinstance(out.data, bytes)
    assert b"sig" not in out.data
    assert list(framing.feed(INFO)) == []


def test_a_damaged_seed_is_told_before_anything_is_sent() -> None:
    with pytest.raises(ValueError, match="not a user seed"):
        Nats(seed="SUNK")


def test_pings_go_both_ways() -> None:
    framing = opened()
    assert list(framing.feed("PING\r\n")) == [Out(b"PONG\r\n")]
    assert list(framing.ping()) == [b"PING\r\n"]
    assert list(framing.feed(b"PONG\r\n+OK\r\n")) == []
    assert framing.ping_interval == 60.0


def test_messages_with_and_without_headers() -> None:
    assert list(opened().feed(MSG + HMSG + b"msg\ta  1   reply 0\r\n\r\n")) == [
        NatsMessage(SUBJECT, PRICE),
        NatsMessage(SUBJECT, b"ok"),
        NatsMessage("a", b""),
    ]


def test_payload_may_look_like_commands() -> None:
    assert list(opened().feed(b"MSG a 1 14\r\nPING\r\nMSG b 1 \r\n")) == [NatsMessage("a", b"PING\r\nMSG b 1 ")]


def test_subscribe_once_and_unsubscribe_by_the_servers_number() -> None:
    framing = opened()
    assert list(framing.encode(NatsSubscribe(("a", "b")))) == [b"SUB a 1\r\nSUB b 2\r\n"]
    assert list(framing.encode(NatsSubscribe(("b",)))) == []
    assert list(framing.encode(NatsUnsubscribe(("b", "unknown")))) == [b"UNSUB 2\r\n"]
    assert list(framing.encode(NatsSubscribe(("b",)))) == [b"SUB b 3\r\n"]
    with pytest.raises(TypeError, match="MqttSubscribe"):
        framing.encode(MqttSubscribe(("a",)))


@pytest.mark.parametrize(
    ("text", "auth"),
    [
        ("Authorization Violation", True),
        ("User Authentication Expired", True),
        ("Account Authentication Expired", True),
        ("User Authentication Revoked", True),
        ("Stale Connection", False),
        ("Maximum Connections Exceeded", False),
    ],
)
def test_errors_end_the_conversation(text: str, auth: bool) -> None:
    assert list(opened().feed(f"-ERR '{text}'\r\n")) == [Closed(f"NATS: {text}", auth)]


def test_a_forbidden_subject_costs_that_subscription_only() -> None:
    framing = opened()
    framing.encode(NatsSubscribe(("secret",)))
    assert list(framing.feed(b"-ERR 'Permissions Violation for Subscription to \"secret\"'\r\n")) == [
        Granted(refused=("secret",))
    ]
    assert list(framing.encode(NatsUnsubscribe(("secret",)))) == []


@pytest.mark.parametrize(
    "data",
    [
        b"HELLO\r\n",
        b"\r\n",
        b"INFO nonsense\r\n",
        b"INFO []\r\n",
        b"MSG a 1\r\n",
        b"MSG a 1 r x 3\r\n",
        b"MSG a 1 -3\r\n",
        b"MSG a 1 +3\r\n",
        b"MSG \xff 1 3\r\n",
        b"MSG a 1 999999999999\r\n",
        b"MSG a 1 3\r\nabcd\r\n",
        b"HMSG a 1 9 3\r\n",
        b"x" * (MAX_LINE + 1),
        b"MSG a 1 %d\r\n" % (MAX_PAYLOAD + 1),
    ],
)
def test_damage_poisons_the_stream(data: bytes) -> None:
    framing = opened()
    with pytest.raises(DecodeError):
        list(framing.feed(data))
    assert list(framing.feed(MSG)) == [Closed("the NATS stream is damaged")]


STREAM = INFO + b"PONG\r\n" + MSG + b"PING\r\n" + HMSG + b"-ERR 'Stale Connection'\r\n"


def messages(*chunks: bytes) -> list[Framed]:
    framing = Nats(jwt="token", seed=SEED)
    return [item for chunk in chunks for item in framing.feed(chunk)]


@given(st.sets(st.integers(1, len(STREAM) - 1)))
def test_any_slicing_tells_the_same(cuts: set[int]) -> None:
    edges = [0, *sorted(cuts), len(STREAM)]
    assert messages(*(STREAM[start:end] for start, end in pairwise(edges))) == messages(STREAM)
    assert len(messages(STREAM)) == 6


@given(
    st.binary()
    | st.integers(0, len(STREAM) - 1).map(lambda at: STREAM[:at] + b"\xff" + STREAM[at + 1 :])
    | st.text().map(lambda text: f"INFO {text}\r\n".encode())
    | st.text().map(lambda text: f"MSG {text}\r\n".encode())
)
def test_damage_raises_nothing_but_decode_errors(data: bytes) -> None:
    with suppress(DecodeError):
        messages(data)
    with suppress(DecodeError):
        list(opened().feed(data))


# --- a real server ----------------------------------------------------------------------------------------------------


def _b64(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).decode().rstrip("=")


def _nkey(prefix: int, private: Ed25519PrivateKey) -> str:
    return nkey._encode(bytes((prefix << 3,)) + private.public_key().public_bytes_raw())


def _jwt(issuer: Ed25519PrivateKey, issuer_prefix: int, subject: str, nats: dict[str, Any], **claims: Any) -> str:
    """A NATS JWT (nats-io/jwt, version 2): signed by the issuer's nkey."""
    body = {"iss": _nkey(issuer_prefix, issuer), "sub": subject, "name": "t", "iat": int(time.time()), **claims}
    body |= {"nats": {"version": 2, **nats}}
    text = f"{_b64(json.dumps({'typ': 'JWT', 'alg': 'ed25519-nkey'}).encode())}.{_b64(json.dumps(body).encode())}"
    return f"{text}.{_b64(issuer.sign(text.encode()))}"


OPERATOR, ACCOUNT = (Ed25519PrivateKey.from_private_bytes(bytes([n]) * 32) for n in (1, 2))
OPERATOR_PREFIX, ACCOUNT_PREFIX = 14, 0
LIMITS = {"subs": -1, "data": -1, "payload": -1}


def user_jwt(seconds: int, **permissions: Any) -> str:
    expires = int(time.time()) + seconds
    return _jwt(ACCOUNT, ACCOUNT_PREFIX, nkey.public_key(SEED), {"type": "user", **LIMITS, **permissions}, exp=expires)


@pytest.fixture(scope="module")
def nats_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A server with JWT accounts behind a WebSocket, as the broker runs one."""
    account = _nkey(ACCOUNT_PREFIX, ACCOUNT)
    limits = {**LIMITS, "imports": -1, "exports": -1, "wildcards": True, "conn": -1, "leaf": -1}
    account_jwt = _jwt(OPERATOR, OPERATOR_PREFIX, account, {"type": "account", "limits": limits})
    operator = _nkey(OPERATOR_PREFIX, OPERATOR)
    port, ws_port = free_port(), free_port()
    config = tmp_path_factory.mktemp("nats") / "nats.conf"
    config.write_text(
        f"listen: 127.0.0.1:{port}\nwebsocket {{ listen: '127.0.0.1:{ws_port}', no_tls: true }}\n"
        f"operator: {_jwt(OPERATOR, OPERATOR_PREFIX, operator, {'type': 'operator'})}\n"
        f"resolver: MEMORY\nresolver_preload: {{ {account}: {account_jwt} }}\n"
    )
    with serving(["nats-server", "-c", config], ws_port):
        yield f"ws://127.0.0.1:{ws_port}"


class Client:
    """A framing on a real WebSocket; `heard` is what it told."""

    def __init__(self, url: str, framing: Nats) -> None:
        self.framing = framing
        self.heard: list[Framed] = []
        self.socket = connect(url, compression=None)

    def send(self, frames: Iterable[str | bytes]) -> None:
        for frame in frames:
            self.socket.send(frame)

    def hear(self, *expected: Framed) -> None:
        while len(self.heard) < len(expected):
            for item in self.framing.feed(self.socket.recv(5)):
                if isinstance(item, Out):
                    self.socket.send(item.data)
                else:
                    self.heard.append(item)
        assert tuple(self.heard) == expected
        self.heard.clear()


def test_against_a_real_server(nats_server: str) -> None:
    client = Client(nats_server, Nats(user_jwt(600, sub={"deny": ["forbidden"]}), SEED))
    with client.socket:
        client.hear(Opened())
        client.send(client.framing.encode(NatsSubscribe((SUBJECT, "forbidden"))))
        client.hear(Granted(refused=("forbidden",)))
        client.send([b"PUB %s %d\r\n%s\r\n" % (SUBJECT.encode(), len(PRICE), PRICE)])
        client.send([b"HPUB %s 12 14\r\nNATS/1.0\r\n\r\nok\r\n" % SUBJECT.encode(), b"PING\r\n"])
        client.hear(NatsMessage(SUBJECT, PRICE), NatsMessage(SUBJECT, b"ok"))
        large = bytes(range(256)) * 1024
        client.send([b"PUB %s %d\r\n%s\r\n" % (SUBJECT.encode(), len(large), large)])
        client.hear(NatsMessage(SUBJECT, large))
        client.send(client.framing.encode(NatsUnsubscribe((SUBJECT,))))
        client.send(client.framing.encode(NatsSubscribe(("last",))))
        client.send([b"PUB %s 2\r\nno\r\nPUB last 3\r\nyes\r\n" % SUBJECT.encode()])
        client.hear(NatsMessage("last", b"yes"))


def test_a_real_server_refuses_another_key(nats_server: str) -> None:
    client = Client(nats_server, Nats(user_jwt(600), nkey.encode_seed(bytes(32))))
    with client.socket:
        client.hear(Closed("NATS: Authorization Violation", auth=True))


def test_a_real_server_ends_an_expired_credential(nats_server: str) -> None:
    client = Client(nats_server, Nats(user_jwt(2), SEED))
    with client.socket:
        client.hear(Opened(), Closed("NATS: User Authentication Expired", auth=True))
