"""Order news that brokers post: signed ones are news, others only make us read, and nobody learns anything."""

import hashlib
import hmac
from collections.abc import Mapping
from datetime import datetime

import httpx
import msgspec
import pytest
from fastapi import FastAPI
from tests.orders_support import ACCOUNT, an_update
from tests.toy_broker import toy_session

from sangam.api.postbacks import MAX_BODY, Addressee, make_postback_router
from sangam.brokers.contract import Postback, Session, unsigned
from sangam.model.clock import IST, ManualClock
from sangam.model.errors import DecodeError
from sangam.model.order import OrderUpdate

URL = f"/postback/toy/{ACCOUNT}"
BODY = msgspec.json.encode(an_update("complete", filled_quantity=10))


def signature(body: bytes, secret: str = "t") -> str:
    return hmac.digest(secret.encode(), body, hashlib.sha256).hex()


def read_body(body: bytes, headers: Mapping[str, str]) -> OrderUpdate:
    try:
        return msgspec.json.decode(body, type=OrderUpdate)
    except msgspec.DecodeError as error:
        raise DecodeError(str(error)) from error


def verified(body: bytes, headers: Mapping[str, str], session: Session) -> bool:
    read_body(body, headers)
    return hmac.compare_digest(headers.get("x-signature", ""), signature(body, session.secrets["token"]))


class Door:
    def __init__(self, postback: Postback | None) -> None:
        self.clock = ManualClock(datetime(2026, 8, 3, 10, 0, tzinfo=IST))
        self.news: list[tuple[str, OrderUpdate]] = []
        self.reads: list[str] = []
        accounts = {ACCOUNT: Addressee("toy", toy_session("ws://127.0.0.1:1"), postback)}
        app = FastAPI()
        app.include_router(
            make_postback_router(
                accounts.get, lambda account, news: self.news.append((account, news)), self.reads.append, self.clock
            )
        )
        self._transport = httpx.ASGITransport(app=app)

    async def post(self, body: bytes = BODY, url: str = URL, signed: str = "") -> None:
        async with httpx.AsyncClient(transport=self._transport, base_url="http://sangam") as client:
            reply = await client.post(url, content=body, headers={"X-Signature": signed} if signed else {})
        assert (reply.status_code, reply.content) == (200, b"")


@pytest.fixture
def door() -> Door:
    return Door(Postback(read=read_body, verified=verified))


async def test_a_signed_body_is_news(door: Door) -> None:
    await door.post(signed=signature(BODY))
    ((account, update),) = door.news
    assert account == ACCOUNT
    assert (update.status, update.filled_quantity) == ("complete", 10)
    assert door.reads == []


@pytest.mark.parametrize(
    ("body", "signed"),
    [
        (BODY, ""),
        (BODY, signature(BODY, "guessed")),
        (BODY + b" ", signature(BODY)),
        (b"{", ""),
        (b"", ""),
        (b"\xff" * 100, ""),
    ],
    ids=["unsigned", "wrong", "changed", "damaged", "empty", "garbage"],
)
async def test_any_other_only_makes_us_read(door: Door, body: bytes, signed: str) -> None:
    await door.post(body, signed=signed)
    assert (door.news, door.reads) == ([], [ACCOUNT])


async def test_reads_are_rare(door: Door) -> None:
    for _ in range(20):
        await door.post()
    assert door.reads == [ACCOUNT]
    door.clock.advance(1)
    await door.post()
    assert door.reads == [ACCOUNT] * 2


async def test_a_broker_that_posts_nothing_we_can_read_makes_us_read() -> None:
    door = Door(None)
    await door.post()
    assert (door.news, door.reads) == ([], [ACCOUNT])


async def test_what_nobody_signs_makes_us_read() -> None:
    door = Door(Postback(read=read_body, verified=unsigned))
    await door.post()
    assert (door.news, door.reads) == ([], [ACCOUNT])


@pytest.mark.parametrize("url", ["/postback/toy/nobody", f"/postback/other/{ACCOUNT}"])
async def test_unknown_accounts_answer_alike_and_cause_nothing(door: Door, url: str) -> None:
    await door.post(url=url, signed=signature(BODY))
    assert (door.news, door.reads) == ([], [])


async def test_a_body_that_is_too_long_is_no_order(door: Door) -> None:
    body = BODY + b" " * MAX_BODY
    await door.post(body, signed=signature(body))
    assert (door.news, door.reads) == ([], [])


async def test_a_fault_of_ours_shows_nothing(caplog: pytest.LogCaptureFixture) -> None:
    def broken(body: bytes, headers: Mapping[str, str], session: Session) -> bool:
        raise ValueError("a bug")

    door = Door(Postback(read=read_body, verified=broken))
    await door.post()
    assert "a posted order was not taken" in caplog.text
