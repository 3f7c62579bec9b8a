"""ICICI against its sheet (2, 3, 4): the checksum covers exactly the bytes that are sent, on GET as well."""

from typing import Any

import pytest
from tests.contract.driver import Rest
from tests.contract.wire_icici import SPEC, limits, place, positions

from sangam.model.errors import Refused, SessionExpired, Unknown

SECRETS = {"api_key": "a+b=!", "secret_key": "secret", "session_token": "QUIxMjM0NTY6MTIzNDU2Nzg="}


def rest(call: str, status: int = 200, **envelope: Any) -> Rest:
    return Rest(SPEC, SECRETS, {call: [(status, {"Success": None, "Status": 200, "Error": None, **envelope})]})


def test_a_get_is_signed_over_its_body() -> None:
    peer = rest("GET /margin", Success={"limit_list": [], "cash_limit": 1000000.00, "amount_allocated": 100000.00})
    assert peer.run(limits("NSE")) == 1_000_000.0
    (request,) = peer.sent
    assert (request.method, request.url) == ("GET", "https://api.icicidirect.com/breezeapi/api/v1/margin")
    assert request.content == b'{"exchange_code":"NSE"}'
    assert request.headers == {
        "Content-Type": "application/json",
        "X-Checksum": "token 78c552a4532a1e4611ec1a1d409baa4f139192e7ad98acf4550906dc3b532316",
        "X-Timestamp": "2025-02-05T04:00:00.000Z",
        "X-AppKey": "a+b=!",
        "X-SessionToken": "QUIxMjM0NTY6MTIzNDU2Nzg=",
    }


def test_an_empty_body_is_signed_as_two_braces() -> None:
    peer = rest("GET /portfoliopositions", Success=[{"stock_code": "NIFTY"}])
    assert peer.run(positions()) == [{"stock_code": "NIFTY"}]
    assert peer.sent[0].content == b"{}"


def test_an_empty_book_is_empty_and_a_failed_one_is_not() -> None:
    assert rest("GET /portfoliopositions", Status=404, Error="No Data Found").run(positions()) == []
    with pytest.raises(Unknown):
        rest("GET /portfoliopositions", Status=500, Error="Something broke").run(positions())


@pytest.mark.parametrize(
    ("status", "envelope", "error"),
    [
        (200, {"Status": 500, "Error": "Invalid session."}, SessionExpired),
        (200, {"Status": 500, "Error": "Resource not available."}, SessionExpired),
        (200, {"Status": 400, "Error": "Exchange-Code should be either 'nse' or 'nfo'"}, Refused),
        (503, {"Status": None}, Unknown),
    ],
)
def test_the_status_inside_is_the_truth(status: int, envelope: dict[str, Any], error: type[Exception]) -> None:
    with pytest.raises(error):
        rest("GET /margin", status, **envelope).run(limits("NSE"))


def test_a_write_without_evidence_is_unknown_even_with_http_200() -> None:
    with pytest.raises(Unknown):
        rest("POST /order", Status=400, Error="Internal timeout").run(place({"stock_code": "ITC"}))
    with pytest.raises(Unknown, match="unreadable"):
        Rest(SPEC, SECRETS, {"POST /order": [(200, b"<html>")]}).run(place({"stock_code": "ITC"}))


def test_a_placed_order_tells_its_id() -> None:
    order = {"order_id": "202502051400001234", "message": "Successfully Placed the order", "user_remark": ""}
    peer = rest("POST /order", Success=order)
    assert peer.run(place({"stock_code": "ITC", "exchange_code": "NSE", "user_remark": "tag1"})) == order["order_id"]
    assert peer.sent[0].content == b'{"stock_code":"ITC","exchange_code":"NSE","user_remark":"tag1"}'
