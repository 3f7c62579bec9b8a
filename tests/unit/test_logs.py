import asyncio
import io
import json
import logging
from collections.abc import Callable, Iterator
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sangam.logs import MASK, Redactor, configure, correlated, redactor, request_id

KEY = "sangam_0a1b2c3d_" + "Zz09-_Yy" * 5 + "abc"


@pytest.fixture
def lines() -> Iterator[Callable[..., io.StringIO]]:
    """Call it to send the logs to a stream of its own; the root logger is put back afterwards."""
    root = logging.getLogger()
    before, level = root.handlers[:], root.level

    def start(**options: bool) -> io.StringIO:
        stream = io.StringIO()
        configure("DEBUG", stream=stream, **options)
        return stream

    yield start
    root.handlers[:] = before
    root.setLevel(level)


@pytest.mark.parametrize(
    ("text", "clean"),
    [
        ("GET /stream?api_key=abc123&access_token=xyz789&x=1", f"GET /stream?api_key={MASK}&access_token={MASK}&x=1"),
        ("wss://h/stream?token=abc&mode=1", f"wss://h/stream?token={MASK}&mode=1"),
        ('{"apikey": "abc123", "symbol": "SBIN"}', f'{{"apikey": "{MASK}", "symbol": "SBIN"}}'),
        ("{'api_secret': 'abc123', 'n': 1}", f"{{'api_secret': '{MASK}', 'n': 1}}"),
        (r"{\"password\": \"abc\", 1}", rf"{{\"password\": \"{MASK}\", 1}}"),
        ("Authorization: token key:secret", f"Authorization: {MASK}"),
        ("authorization: Bearer abcdef", f"authorization: {MASK}"),
        ("{'Authorization': 'Bearer abc', 'a': 1}", f"{{'Authorization': '{MASK}', 'a': 1}}"),
        ("(b'authorization', b'token abc:def')", f"(b'authorization', b'{MASK}')"),
        ("[('x-api-key', 'abc'), (b'x-api-key', b'abc')]", f"[('x-api-key', '{MASK}'), (b'x-api-key', b'{MASK}')]"),
        ("sent Bearer eyJhbGciOiJIUzI1NiJ9.e30.x", f"sent Bearer {MASK}"),
        (f"key {KEY} used", f"key sangam_0a1b2c3d_{MASK} used"),
        ("postgresql://user:pass@host/db", f"postgresql://user:{MASK}@host/db"),
        ("{'api_key': ['abc123'], 'otp': [\"4711\"]}", f"{{'api_key': ['{MASK}'], 'otp': [\"{MASK}\"]}}"),
        ("enctoken=abc; request_token=def", f"enctoken={MASK}; request_token={MASK}"),
    ],
)
def test_what_looks_like_a_credential_is_masked(text: str, clean: str) -> None:
    assert Redactor()(text) == clean


@pytest.mark.parametrize(
    "text",
    [
        "NSE:SBIN token 779521 resolved",
        "subscribed 3000 tokens on 3 sockets",
        "API key is required",
        "No API key: give --key",
        "GET /api/v1/quotes 200",
        "http://127.0.0.1:5000/api/v1/ping",
        "secretary: nobody",
        "{'symbol': ['Not a valid string.'], 'apikey': ['Missing data for required field.']}",
    ],
)
def test_ordinary_lines_stay(text: str) -> None:
    assert Redactor()(text) == text


def test_registered_values_are_masked_in_every_spelling() -> None:
    redactor = Redactor()
    redactor.add("p@ss word/1", "4711", "", "  ", "it's\nme too")
    assert redactor("got p@ss word/1") == f"got {MASK}"
    assert redactor("got p%40ss%20word%2F1") == f"got {MASK}"
    assert redactor(repr("it's\nme too")) == f'"{MASK}"'
    assert redactor("pin 4711, not 47110 or 14711") == f"pin {MASK}, not 47110 or 14711"
    assert redactor("nothing  here") == "nothing  here"


def test_a_longer_secret_is_masked_whole() -> None:
    redactor = Redactor()
    redactor.add("abcdefgh")
    redactor.add("abcdefghijkl")
    assert redactor("abcdefghijkl") == MASK


@given(st.text(min_size=8).filter(lambda text: text.strip() != ""), st.text(), st.text())
def test_no_registered_secret_survives(secret: str, before: str, after: str) -> None:
    redactor = Redactor()
    redactor.add(secret)
    assert secret not in redactor(before + secret + after) or secret in MASK * 3


@pytest.mark.parametrize("as_json", [False, True])
def test_nothing_slips_past_the_handler(lines: Callable[..., io.StringIO], as_json: bool) -> None:
    stream = lines(as_json=as_json)
    log = logging.getLogger("sangam.feed")
    log.info("url %s", "wss://x/?access_token=planted1")
    log.warning("headers %r", {"Authorization": "token planted2:planted3"})
    try:
        raise ValueError("api_key='planted4'")
    except ValueError:
        log.exception("failed", stack_info=True)
    with suppress(ZeroDivisionError):
        raise ZeroDivisionError from ValueError("password=planted5")
    logging.getLogger("uvicorn.access").info('%s - "GET %s" %d', "127.0.0.1", "/q?apikey=planted6", 200)
    text = stream.getvalue()
    assert "planted" not in text
    assert text.count(MASK) >= 4
    assert "ValueError" in text


def test_a_traceback_that_cannot_be_shown_is_no_way_past_the_redactor(lines: Callable[..., io.StringIO]) -> None:
    stream = lines()
    redactor.add("planted-in-args")
    error = ValueError("planted-in-args")
    logging.getLogger("x").error("failed with %s", "planted-in-args", exc_info=(ValueError, error, object()))  # type: ignore[arg-type]
    assert "planted-in-args" not in stream.getvalue()
    assert "its traceback cannot be shown" in stream.getvalue()


def test_json_lines_are_one_object_each(lines: Callable[..., io.StringIO]) -> None:
    stream = lines(as_json=True)
    logging.getLogger("sangam.api").error("broken %s\nline \ud800", {"a": 1})
    (row,) = [json.loads(line) for line in stream.getvalue().splitlines()]
    assert (row["level"], row["logger"]) == ("ERROR", "sangam.api")
    assert row["message"].startswith("broken {'a': 1}\nline")
    assert row["time"].endswith("+05:30")


def test_a_clients_text_cannot_forge_a_line(lines: Callable[..., io.StringIO]) -> None:
    stream = lines()
    logging.getLogger("sangam.gateway").warning("bad action %s", "x\n12:00:00 INFO all is well\x1b[2J")
    (line,) = stream.getvalue().splitlines()
    assert "gateway" in line
    assert r"x\n12:00:00 INFO all is well\x1b[2J" in line


def test_only_terminals_get_colours(lines: Callable[..., io.StringIO]) -> None:
    stream = lines()
    logging.getLogger("sangam").error("x")
    assert "\x1b" not in stream.getvalue()

    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    terminal = Terminal()
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("NO_COLOR", raising=False)
        patch.setenv("WT_SESSION", "1")
        configure(stream=terminal)
        logging.getLogger("sangam").error("x")
        logging.getLogger("sangam").info("REST on http://127.0.0.1:5000, WebSocket on wss://h/ws?token=planted7.")
        patch.setenv("NO_COLOR", "1")
        quiet = Terminal()
        configure(stream=quiet)
        logging.getLogger("sangam").error("x http://127.0.0.1")
    assert "\x1b[31m" in terminal.getvalue()
    assert "\x1b[4;36mhttp://127.0.0.1:5000\x1b[0m," in terminal.getvalue()
    assert f"\x1b[4;36mwss://h/ws?token={MASK}\x1b[0m" in terminal.getvalue()
    assert "planted7" not in terminal.getvalue()
    assert "\x1b" not in quiet.getvalue()


def test_chatty_libraries_speak_from_warning_on(lines: Callable[..., io.StringIO]) -> None:
    stream = lines()
    logging.getLogger("httpx").info("HTTP Request: GET x")
    logging.getLogger("httpx").warning("trouble")
    assert "HTTP Request" not in stream.getvalue()
    assert "trouble" in stream.getvalue()


async def test_lines_carry_the_id_of_the_request_that_caused_them(lines: Callable[..., io.StringIO]) -> None:
    stream = lines()
    log = logging.getLogger("sangam.transport")
    over = asyncio.Event()

    async def call_a_broker() -> None:
        log.info("within")
        await over.wait()
        log.info("left behind")

    log.info("before")
    with correlated("r-1"):
        task = asyncio.create_task(call_a_broker())
        await asyncio.sleep(0)
        assert request_id() == "r-1"
    assert request_id() == ""
    over.set()
    await task
    before, within, after = stream.getvalue().splitlines()
    assert within.endswith(" [r-1] within")
    assert "[" not in before + after


def test_machines_read_the_request_in_a_field_of_its_own(lines: Callable[..., io.StringIO]) -> None:
    stream = lines(as_json=True)
    with correlated("r-2"):
        logging.getLogger("sangam.api").info("x")
    logging.getLogger("sangam.api").info("y")
    first, second = [json.loads(line) for line in stream.getvalue().splitlines()]
    assert first["request"] == "r-2"
    assert "request" not in second
