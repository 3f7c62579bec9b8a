import io
import logging
import re
import socket
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

import httpx
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from tests.house import FIELDS, open_house
from tests.served import Served
from tests.support import wait_for

from sangam.api.server import serve_api
from sangam.logs import configure
from sangam.model.errors import ConfigError, Refused


@pytest.fixture
async def served(tmp_path: Path) -> AsyncIterator[Served]:
    served = Served(open_house(tmp_path))
    yield served
    await served.client.aclose()
    served.house.database.close()


@pytest.fixture
def log_lines() -> Iterator[io.StringIO]:
    root = logging.getLogger()
    before, level = root.handlers[:], root.level
    stream = io.StringIO()
    configure("DEBUG", stream=stream)
    yield stream
    root.handlers[:] = before
    root.setLevel(level)


async def test_it_serves_on_the_port_it_reports_and_frees_it(served: Served) -> None:
    server = await serve_api(served.app, "127.0.0.1", 0)
    async with httpx.AsyncClient(trust_env=False) as client:
        url = f"http://127.0.0.1:{server.port}/api/v1/ping"
        assert (await client.post(url, json={"apikey": served.key})).status_code == 200
    await server.stop()
    again = await serve_api(served.app, "127.0.0.1", server.port)
    assert again.port == server.port
    await again.stop()


async def test_a_busy_port_names_its_usual_owner_or_gives_way(served: Served) -> None:
    first = await serve_api(served.app, "127.0.0.1", 0)
    with pytest.raises(ConfigError, match=rf"API_PORT {first.port} on 127\.0\.0\.1 is busy[\s\S]*OpenAlgo"):
        await serve_api(served.app, "127.0.0.1", first.port)
    second = await serve_api(served.app, "127.0.0.1", first.port, auto_port=True)
    assert second.port > first.port
    await second.stop()
    await first.stop()


async def test_an_address_that_is_not_ours(served: Served) -> None:
    with pytest.raises(ConfigError, match=r"API_HOST 203\.0\.113\.1"):
        await serve_api(served.app, "203.0.113.1", 0)
    with pytest.raises(ConfigError, match=r"API_HOST no\.such\.host\.invalid"):
        await serve_api(served.app, "no.such.host.invalid", 0)


def certificate(folder: Path) -> tuple[Path, Path]:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "localhost")])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]), critical=False)
        .sign(key, hashes.SHA256())
    )
    cert_file, key_file = folder / "cert.pem", folder / "key.pem"
    cert_file.write_bytes(made.public_bytes(serialization.Encoding.PEM))
    key_file.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    return cert_file, key_file


async def test_tls(served: Served, tmp_path: Path) -> None:
    cert, key = certificate(tmp_path)
    server = await serve_api(served.app, "127.0.0.1", 0, tls_cert=cert, tls_key=key)
    async with httpx.AsyncClient(trust_env=False, verify=False) as client:  # noqa: S501 - its own certificate
        assert (await client.get(f"https://127.0.0.1:{server.port}/health")).status_code == 200
    await server.stop()
    key.write_text("not a key")
    with pytest.raises(ConfigError, match="TLS_CERT"):
        await serve_api(served.app, "127.0.0.1", 0, tls_cert=cert, tls_key=key)


async def test_a_client_that_leaves_in_the_middle_costs_nobody_anything(served: Served) -> None:
    server = await serve_api(served.app, "127.0.0.1", 0)
    with socket.create_connection(("127.0.0.1", server.port)) as rude:
        rude.sendall(b"POST /api/v1/ping HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n{")
    with socket.create_connection(("127.0.0.1", server.port)) as garbage:
        garbage.sendall(b"\x16\x03\x01\x00\x00" * 50)
    async with httpx.AsyncClient(trust_env=False) as client:
        assert (await client.get(f"http://127.0.0.1:{server.port}/health")).status_code == 200
    await server.stop()


async def test_promise_11_secrets_are_never_logged_nor_echoed(served: Served, log_lines: io.StringIO) -> None:
    """Plants secrets in every place a request can carry one, lets everything fail, and reads all that was said."""
    accounts = served.house.accounts
    accounts.open_session(served.account.id, {"feed_token": "planted-feed-token"})
    told: list[str] = []
    server = await serve_api(served.app, "127.0.0.1", 0)
    base = f"http://127.0.0.1:{server.port}"
    async with httpx.AsyncClient(base_url=base, trust_env=False) as client:

        async def ask(method: str, path: str, **request: object) -> None:
            served.house.clock.advance(1)
            reply = await client.request(method, path, **request)  # type: ignore[arg-type]
            told.append(f"{reply.text} {reply.headers}")

        named = {"symbol": "SBIN", "exchange": "NSE"}
        await ask("GET", f"/api/v1/ping?apikey={served.key}&access_token=planted-query")
        await ask("GET", f"/nowhere/{served.key}/planted-api-key")
        await ask("POST", "/api/v1/ping", json={"apikey": served.key})
        await ask("POST", "/api/v1/ping", json={"apikey": "sangam_0a1b2c3d_plantedplantedplantedplanted"})
        await ask("POST", "/api/v1/ping", content=b'{"apikey":"' + served.key.encode())
        await ask("POST", "/api/v1/quotes", json={"apikey": ["planted-api-key"], **named})
        await ask("POST", "/api/v1/quotes", json={"apikey": served.key, **named, "account": "planted-access-token"})
        faults = (
            Refused("bad api_key=planted-by-broker and planted-access-token"),
            ValueError("inside planted-feed-token", {"Authorization": "token planted-a:planted-b"}),
            RuntimeError("https://x/?access_token=planted-url"),
        )
        for fault in faults:
            served.fault = fault
            await ask("POST", "/api/v1/quotes", json={"apikey": served.key, **named})
            await ask("POST", "/api/v1/symbol", json={"apikey": served.key, **named})
        headers = {"x-api-key": served.admin_key, "authorization": "Bearer planted-header"}
        add = {"broker": "example", "fields": {**FIELDS, "pin": "planted-pin"}}
        for arguments in (
            add,
            add | {"fields": FIELDS},
            {"broker": "planted-api-key"},
            {"fields": "planted-access-token"},
        ):
            await ask("POST", "/api/v1/admin/account/add", json=arguments, headers=headers)
        await ask("POST", "/api/v1/admin/account/list", json={}, headers=headers)
        await ask("POST", "/api/v1/admin/key/list", json={}, headers=headers)
        await ask("GET", "/health")
        await ask("GET", "/metrics")
    await wait_for(lambda: "/metrics" in log_lines.getvalue(), what="the access log")
    await server.stop()
    for text in (*told, log_lines.getvalue()):
        assert "planted" not in text
        assert served.key not in text
        assert served.admin_key not in text
    assert '"POST /api/v1/quotes HTTP/1.1" 502' in log_lines.getvalue()
    assert "ValueError" in log_lines.getvalue()


async def test_every_request_has_an_id_in_its_reply_and_its_lines(served: Served, log_lines: io.StringIO) -> None:
    @served.app.get("/noted")
    async def noted() -> str:
        logging.getLogger("sangam.api").info("noted")
        return ""

    @served.app.get("/broken")
    async def broken() -> None:
        raise ZeroDivisionError

    server = await serve_api(served.app, "127.0.0.1", 0)
    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{server.port}", trust_env=False) as client:
        own = await client.get("/noted", headers={"X-Request-ID": "mine-1"})
        made = await client.get("/noted", headers={"X-Request-ID": "no\tgood" * 20})
        fault = await client.get("/broken", headers={"X-Request-ID": "mine-2"})
    await server.stop()
    assert own.headers["X-Request-ID"] == "mine-1"
    assert re.fullmatch("[0-9a-f]{12}", made.headers["X-Request-ID"])
    assert (fault.status_code, fault.headers["X-Request-ID"]) == (500, "mine-2")
    text = log_lines.getvalue()
    assert "[mine-1] noted" in text
    assert f"[{made.headers['X-Request-ID']}] noted" in text
    assert "[mine-2] GET /broken failed\n" in text
    assert "ZeroDivisionError" in text
