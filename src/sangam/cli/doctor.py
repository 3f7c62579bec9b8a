"""``sangam doctor``: what is wrong with this installation, and what to do about it. It changes nothing."""

import shutil
import socket
import stat
import sys
import time
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from enum import Enum
from typing import Any, NamedTuple

import httpx
import typer
from cryptography import x509

from sangam.app.alerts import MIN_FREE_BYTES
from sangam.brokers.registry import Registry
from sangam.logs import redactor
from sangam.model.errors import SangamError
from sangam.settings import Settings
from sangam.store.home import Home, RunInfo

from .backend import Call, administration, known_brokers
from .options import settings
from .output import out, table

MAX_OFFSET_SECONDS = 2.0
"""Brokers sign with the clock, and the trading day is kept by it."""
_TLS_DAYS = 14


class Verdict(Enum):
    OK = "ok"
    WARN = "warn"
    FAIL = "fail"


class Finding(NamedTuple):
    """`text` says what was found and, where it is not good, what to do."""

    about: str
    verdict: Verdict
    text: str


_STYLES = {Verdict.OK: "green", Verdict.WARN: "yellow", Verdict.FAIL: "bold red"}


def doctor() -> None:
    """Check the home folder, ports, database, clock, certificates and every account. Exit code 1 if anything fails."""
    chosen = settings()
    findings = list(examine(chosen))
    shown = table("check", "", "finding")
    for finding in findings:
        style = _STYLES[finding.verdict]
        shown.add_row(finding.about, f"[{style}]{finding.verdict.value}[/{style}]", redactor(finding.text))
    out.print(shown)
    if any(finding.verdict is Verdict.FAIL for finding in findings):
        raise typer.Exit(1)


def examine(chosen: Settings) -> Iterator[Finding]:
    yield _python()
    home = Home(chosen.sangam_home)
    yield from _home(home)
    run = home.read_run()
    yield from _ports(chosen, run)
    yield from _certificate(chosen)
    try:
        with administration(chosen) as call:
            served = "through the running server" if run is not None else "no server runs"
            yield Finding("database and vault", Verdict.OK, f"open ({served})")
            yield from _accounts(call, known_brokers(chosen), run is not None, chosen.public_ip_url)
    except SangamError as error:
        yield Finding("database and vault", Verdict.FAIL, str(error))


def _python() -> Finding:
    version = ".".join(map(str, sys.version_info[:3]))
    return Finding("python", Verdict.OK, f"{version} on {sys.platform}")


def _home(home: Home) -> Iterator[Finding]:
    mode = stat.S_IMODE(home.path.stat().st_mode)
    if sys.platform != "win32" and mode & 0o077:
        text = f"{home.path} may be read by others (mode {mode:o}): chmod 700 {home.path}"
        yield Finding("home folder", Verdict.FAIL, text)
    else:
        yield Finding("home folder", Verdict.OK, str(home.path))
    free = shutil.disk_usage(home.path).free
    verdict = Verdict.OK if free >= MIN_FREE_BYTES else Verdict.FAIL
    yield Finding("disk", verdict, f"{free >> 20} MB free" + ("" if verdict is Verdict.OK else "; make room"))


def _ports(chosen: Settings, run: RunInfo | None) -> Iterator[Finding]:
    """Ours when the server runs, else free."""
    for name, host, port in (
        ("API_PORT", chosen.api_host, chosen.api_port),
        ("WEBSOCKET_PORT", chosen.websocket_host, chosen.websocket_port),
    ):
        bound = None if run is None else run.api_port if name == "API_PORT" else run.websocket_port
        if bound is not None:
            yield Finding(name, Verdict.OK, f"our server (process {run.pid if run else ''}) listens on {bound}")
        elif port and _answers(host, port):
            text = f"{port} is taken by another program. Stop it, or set {name} to a free port."
            yield Finding(name, Verdict.FAIL, text)
        else:
            yield Finding(name, Verdict.OK, f"{port or 'any'} is free")


def _answers(host: str, port: int) -> bool:
    try:
        with socket.create_connection((host if host != "0.0.0.0" else "127.0.0.1", port), timeout=1):  # noqa: S104
            return True
    except OSError:
        return False


def _certificate(chosen: Settings) -> Iterator[Finding]:
    if chosen.tls_cert is None:
        return
    ends = x509.load_pem_x509_certificate(chosen.tls_cert.read_bytes()).not_valid_after_utc
    days = (ends - datetime.now(UTC)).days
    verdict = Verdict.OK if days >= _TLS_DAYS else Verdict.WARN if days >= 0 else Verdict.FAIL
    yield Finding("TLS_CERT", verdict, f"valid until {ends:%Y-%m-%d}" + ("" if verdict is Verdict.OK else "; renew it"))


def _accounts(call: Call, brokers: Registry, served: bool, public_ip_url: str) -> Iterator[Finding]:
    rows: list[Mapping[str, Any]] = call("account/list", {})["accounts"]
    if not rows:
        yield Finding("accounts", Verdict.WARN, "none yet: sangam account add BROKER")
    for row in rows:
        yield _credentials(row, served)
        if row["registered_ip"]:
            yield _registered(call, row, public_ip_url)
    yield from _clock(rows, brokers)


def _credentials(row: Mapping[str, Any], served: bool) -> Finding:
    """Whether the account can work now; the running server has tried, else only its hour is known."""
    about, egress = row["account"], f"leaves from {row['egress']}"
    if not row["session"]:
        return Finding(about, Verdict.WARN, f"not logged in: sangam account login {about}")
    if served and row["state"] in ("auth_expired", "replaced"):
        text = f"{row['state']} ({row['detail']}): sangam account login {about}"
        return Finding(about, Verdict.FAIL, text)
    if served:
        return Finding(about, Verdict.OK, f"{row['state']}, {egress}")
    return Finding(about, Verdict.OK, f"has a session, {egress}; start the server to see whether the broker takes it")


def _registered(call: Call, row: Mapping[str, Any], url: str) -> Finding:
    """The address that the world sees against the one that the broker takes orders from."""
    about, registered = f"address of {row['account']}", row["registered_ip"]
    if not url:
        text = f"{registered} is registered; set PUBLIC_IP_URL to a service that tells the caller's address to compare"
        return Finding(about, Verdict.WARN, text)
    try:
        seen = call("account/outside", {"account": row["account"], "url": url})["address"]
    except SangamError as error:
        return Finding(about, Verdict.WARN, str(error))
    if seen == registered:
        return Finding(about, Verdict.OK, f"{seen}, as registered")
    text = f"the world sees {seen}, but {registered} is registered: the broker refuses orders. sangam account egress"
    return Finding(about, Verdict.FAIL, text)


def _clock(rows: Iterable[Mapping[str, Any]], brokers: Registry) -> Iterator[Finding]:
    """Our clock against those of the brokers that are used."""
    hosts = {
        row["broker"]: row["hosts"].get("api") or brokers[row["broker"]].hosts["api"]
        for row in rows
        if row["broker"] in brokers.names
        and not brokers[row["broker"]].simulated
        and "api" in brokers[row["broker"]].hosts  # a user's adapter has its own ways
    }
    for broker, url in hosts.items():
        about = f"clock, by {broker}"
        try:
            offset = _offset(url)
        except (httpx.HTTPError, ValueError) as error:
            reason = str(error) or type(error).__name__
            yield Finding(about, Verdict.WARN, f"{broker} cannot be asked: {reason}")
            continue
        if abs(offset) <= MAX_OFFSET_SECONDS:
            yield Finding(about, Verdict.OK, f"within {MAX_OFFSET_SECONDS:g} s")
        else:
            text = f"{offset:+.0f} s off: let the system set its clock (NTP)"
            yield Finding(about, Verdict.FAIL, text)


def _offset(url: str) -> float:
    """Seconds that our clock is ahead. The header has whole seconds, cut off: half of one is added."""
    started = time.time()
    reply = httpx.head(url, timeout=5, trust_env=False)
    if "date" not in reply.headers:
        raise ValueError("its answer tells no time")
    theirs = parsedate_to_datetime(reply.headers["date"]).timestamp() + 0.5
    return (started + time.time()) / 2 - theirs
