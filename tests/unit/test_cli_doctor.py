"""What the doctor finds, and what it says to do."""

import os
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from sangam.cli.backend import administration
from sangam.cli.doctor import Finding, Verdict, examine
from sangam.model.errors import SangamError
from sangam.settings import Settings, load_settings
from sangam.store.home import Home


@pytest.fixture
def chosen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    for name in Settings.model_fields:
        monkeypatch.delenv(name.upper(), raising=False)
    return load_settings(None, sangam_home=tmp_path / "home", api_port=0, websocket_port=0)


def found(settings: Settings) -> dict[str, Finding]:
    return {finding.about: finding for finding in examine(settings)}


@contextmanager
def web(ahead: timedelta, body: str = "") -> Iterator[str]:
    """A web server whose clock is that much behind ours; it answers GET with `body`."""

    class Handler(BaseHTTPRequestHandler):
        def do_HEAD(self) -> None:
            self.send_response_only(404)
            self.send_header("Date", format_datetime(datetime.now(UTC) - ahead, usegmt=True))
            self.end_headers()

        def do_GET(self) -> None:
            self.send_response_only(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body.encode())

    server = HTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def add_account(settings: Settings, api: str) -> None:
    fields = {"api_key": "planted-key", "api_secret": "planted-secret"}
    with administration(settings) as call:
        call("account/add", {"broker": "zerodha", "user": "asha", "fields": fields, "hosts": {"api": api}})


def test_a_new_home_is_in_order(chosen: Settings) -> None:
    findings = found(chosen)
    assert {finding.verdict for finding in findings.values()} == {Verdict.OK, Verdict.WARN}
    assert findings["accounts"].text == "none yet: sangam account add BROKER"
    assert findings["database and vault"].text == "open (no server runs)"


@pytest.mark.skipif(os.name == "nt", reason="modes are POSIX")
def test_a_home_that_others_may_read(chosen: Settings) -> None:
    Home(chosen.sangam_home).path.chmod(0o755)
    assert found(chosen)["home folder"].verdict is Verdict.FAIL


def test_a_port_that_somebody_else_has(chosen: Settings) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        findings = found(chosen.model_copy(update={"api_port": port}))
    assert findings["API_PORT"].verdict is Verdict.FAIL
    assert "set API_PORT to a free port" in findings["API_PORT"].text


def test_a_lost_vault_key(chosen: Settings) -> None:
    found(chosen)
    (chosen.sangam_home / "vault.key").unlink()
    finding = found(chosen)["database and vault"]
    assert finding.verdict is Verdict.FAIL
    assert "is missing" in finding.text


@pytest.mark.parametrize(("ahead", "verdict"), [(0, Verdict.OK), (60, Verdict.FAIL), (-60, Verdict.FAIL)])
def test_the_clock_against_the_brokers(chosen: Settings, ahead: int, verdict: Verdict) -> None:
    with web(timedelta(seconds=ahead)) as url:
        add_account(chosen, url)
        findings = found(chosen)
    assert findings["clock, by zerodha"].verdict is verdict
    assert findings["asha-zerodha"].text == "not logged in: sangam account login asha-zerodha"


def test_a_broker_that_cannot_be_asked_is_no_failure(chosen: Settings) -> None:
    add_account(chosen, "http://127.0.0.1:1")
    assert found(chosen)["clock, by zerodha"].verdict is Verdict.WARN


@pytest.mark.parametrize(
    ("url", "registered", "verdict", "words"),
    [
        ("", "203.0.113.7", Verdict.WARN, "set PUBLIC_IP_URL"),
        ("own", "127.0.0.1", Verdict.OK, "127.0.0.1, as registered"),
        ("own", "203.0.113.7", Verdict.FAIL, "the world sees 127.0.0.1, but 203.0.113.7 is registered"),
        ("http://127.0.0.1:1/", "203.0.113.7", Verdict.WARN, "cannot be asked"),
    ],
)
def test_the_address_that_the_broker_takes_orders_from(
    chosen: Settings, url: str, registered: str, verdict: Verdict, words: str
) -> None:
    with web(timedelta(), body="127.0.0.1\n") as service:
        add_account(chosen, service)
        with administration(chosen) as call:
            row = call("account/egress", {"account": "asha-zerodha", "registered": registered})
        assert row["registered_ip"] == registered
        public_ip_url = service if url == "own" else url
        finding = found(chosen.model_copy(update={"public_ip_url": public_ip_url}))["address of asha-zerodha"]
    assert finding.verdict is verdict
    assert words in finding.text


def test_an_address_that_is_none_is_refused(chosen: Settings) -> None:
    add_account(chosen, "http://127.0.0.1:1")
    with administration(chosen) as call, pytest.raises(SangamError, match="'nonsense' is no IP address"):
        call("account/egress", {"account": "asha-zerodha", "registered": "nonsense"})
