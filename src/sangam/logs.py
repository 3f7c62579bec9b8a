"""Logs for people or machines, without secrets.

Every line is finished first and cleaned last, so nothing slips past: message, arguments, tracebacks, and the lines of
libraries. Each part of the house logs under its own name (``sangam.feed``, ``sangam.api`` ...), and what a request
causes carries that request's id."""

import logging
import os
import re
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TextIO
from urllib.parse import quote

import msgspec

from sangam.model.clock import ist_from_ms

MASK = "***"

_NAMES = (
    r"(?:access|refresh|public|feed|request|auth|session|jwt|bearer|enc|x)[_-]?token|enctoken|jwt|api[_-]?key"
    r"|api[_-]?secret|app[_-]?secret|client[_-]?secret|secret(?:[_-]?key)?|password|passwd|passphrase|m?pin|totp|otp"
    r"|checksum|sangam[_-]?key"
)
_BETWEEN = r"\\?[\"']?\s*[:=]\s*(?:b?\\?[\"'])?|[\"'],\s*b?[\"']"
_PATTERNS = (
    (re.compile(r"(sangam_[0-9a-f]{8}_)[A-Za-z0-9_-]{16,}"), rf"\1{MASK}"),
    (
        re.compile(r"(?i)(authorization\W{1,6}(?:b['\"])?)(?:[a-z]+\s+)?[^\s'\",}]+"),
        rf"\1{MASK}",
    ),
    (re.compile(r"(?i)\b(bearer|basic|enctoken|token)(\s+)[\w.~+/:=-]{16,}"), rf"\1\2{MASK}"),
    # In a list the first word is the secret, unless more follow: then it is what was said about the field.
    (re.compile(rf"(?i)(?<![a-z])({_NAMES})({_BETWEEN})(\[b?[\"'])[^\s\"']+(?=[\"'])"), rf"\1\2\3{MASK}"),
    (re.compile(rf"(?i)(?<![a-z])({_NAMES})({_BETWEEN})(?!\[b?[\"'])[^\s\"'&,;}}\\]+"), rf"\1\2{MASK}"),
    (re.compile(r"(?i)([?&](?:token|ticket|state|code|auth_?code)=)[^\s\"'&]+"), rf"\1{MASK}"),
    (re.compile(r"(?i)(/callback(?:/[\w.-]+)?\?)[^\s\"']+"), rf"\1{MASK}"),
    (re.compile(r"(://[^\s:/@]*:)[^\s/@]+@"), rf"\1{MASK}@"),
)


class Redactor:
    """Masks what was registered, and what looks like a credential. Call it with a text."""

    def __init__(self) -> None:
        self._secrets: set[str] = set()
        self._known: re.Pattern[str] | None = None

    def add(self, *secrets: str) -> None:
        """Never show these values. Short ones are masked only where they stand alone; blanks are no secrets."""
        fresh = {secret for secret in secrets if secret.strip()} - self._secrets
        if not fresh:
            return
        self._secrets |= fresh
        spellings = {form for secret in self._secrets for form in (secret, quote(secret, safe=""), repr(secret)[1:-1])}
        self._known = re.compile("|".join(_literal(text) for text in sorted(spellings, key=len, reverse=True)))

    def __call__(self, text: str) -> str:
        if self._known is not None:
            text = self._known.sub(MASK, text)
        for pattern, mask in _PATTERNS:
            text = pattern.sub(mask, text)
        return text


def _literal(text: str) -> str:
    escaped = re.escape(text)
    return escaped if len(text) >= 8 else rf"(?<!\w){escaped}(?!\w)"


redactor = Redactor()
"""The one of this process; whoever learns a secret adds it."""


class _Request:
    __slots__ = ("id",)

    def __init__(self, name: str) -> None:
        self.id = name


_request: ContextVar[_Request | None] = ContextVar("request", default=None)


@contextmanager
def correlated(request_id: str) -> Iterator[None]:
    """Lines of the work inside, and of the tasks it starts, carry this id until it ends: a socket that a login opened
    goes on without it."""
    request = _Request(request_id)
    token = _request.set(request)
    try:
        yield
    finally:
        request.id = ""
        _request.reset(token)


def request_id() -> str:
    """Of the request being worked on; empty outside of one."""
    request = _request.get()
    return request.id if request is not None else ""


_URL = re.compile(r"\b(?:https?|wss?)://[^\s'\"<>()\[\]{}]*[^\s'\"<>()\[\]{}.,;:!?]")


class HumanFormatter(logging.Formatter):
    """``09:15:00.123 WARNING feed  text``: IST; on a terminal the level is coloured and addresses stand out."""

    _COLOURS: Mapping[int, str] = {logging.WARNING: "33", logging.ERROR: "31", logging.CRITICAL: "1;31"}

    def __init__(self, coloured: bool) -> None:
        super().__init__()
        self._coloured = coloured

    def format(self, record: logging.LogRecord) -> str:
        moment = ist_from_ms(int(record.created * 1000))
        part = record.name.removeprefix("sangam.")
        head = f"{moment:%H:%M:%S}.{moment.microsecond // 1000:03d} {record.levelname:<7} {part:<18}"
        request = f"[{name}] " if (name := request_id()) else ""
        text = _one_line(redactor(request + record.getMessage()))
        if self._coloured:
            text = _URL.sub("\x1b[4;36m\\g<0>\x1b[0m", text)
            if colour := self._COLOURS.get(record.levelno):
                head = f"\x1b[{colour}m{head}\x1b[0m"
        line = f"{head} {text}"
        trouble = _trouble(self, record)
        return f"{line}\n{trouble}" if trouble else line


class JsonFormatter(logging.Formatter):
    """One object per line: time (ISO, IST), level, logger, message, and request and exception where there are."""

    def format(self, record: logging.LogRecord) -> str:
        row = {
            "time": ist_from_ms(int(record.created * 1000)).isoformat(timespec="milliseconds"),
            "level": record.levelname,
            "logger": record.name,
            "message": redactor(record.getMessage()),
        }
        if request := request_id():
            row["request"] = redactor(request)
        if trouble := _trouble(self, record):
            row["exception"] = trouble
        return msgspec.json.encode({name: _sound(text) for name, text in row.items()}).decode()


def _trouble(formatter: logging.Formatter, record: logging.LogRecord) -> str:
    parts = []
    if record.exc_info:
        try:
            parts.append(formatter.formatException(record.exc_info))
        except Exception as fault:  # noqa: BLE001 - whatever the formatter stumbles over
            # uvloop hands over tracebacks that cannot be printed; logging would then print the raw record, uncleaned.
            parts.append(f"{record.exc_info[1]!r} (its traceback cannot be shown: {fault})")
    if record.stack_info:
        parts.append(formatter.formatStack(record.stack_info))
    return redactor("\n".join(parts))


def _sound(text: str) -> str:
    """Lone surrogates have no UTF-8."""
    return text.encode("utf-8", "backslashreplace").decode()


def _one_line(text: str) -> str:
    """A client's text must not start a line of its own, or command the terminal."""
    return "".join(char if char.isprintable() else repr(char)[1:-1] for char in text)


def configure(level: str = "INFO", *, as_json: bool = False, stream: TextIO | None = None) -> logging.Handler:
    """Send every logger's lines to `stream` (stderr) through one cleaning handler, which is returned."""
    out = stream or sys.stderr
    handler = logging.StreamHandler(out)
    handler.setFormatter(JsonFormatter() if as_json else HumanFormatter(_wants_colour(out)))
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level)
    for chatty in ("httpx", "httpcore", "hpack", "h2", "alembic", "asyncio", "picows", "uvicorn.error"):
        logging.getLogger(chatty).setLevel(max(logging.WARNING, root.level))
    return handler


def _wants_colour(stream: TextIO) -> bool:
    terminal = stream.isatty() and "NO_COLOR" not in os.environ
    return terminal and (os.name != "nt" or "WT_SESSION" in os.environ)
