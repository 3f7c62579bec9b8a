"""docs/rest.md and the API say the same: paths, fields, codes, and examples that have the real keys."""

import json
import re
from typing import Any

from tests.served import Served
from tests.support import ROOT

from sangam.api.errors import ErrorCode
from sangam.brokers.contract import Candle
from sangam.feed.candles import INTERVALS
from sangam.model.enums import Scope
from sangam.model.errors import Denied
from sangam.model.order import TradingMode

PAGE = (ROOT / "docs/rest.md").read_text(encoding="utf-8")
ROWS = {path: (fields, answer) for path, fields, answer in re.findall(r"^\| `([^`]+)` \|(.*?)\|(.*)\|$", PAGE, re.M)}
COMMON = {"apikey", "account", "broker", "source", "strategy"}
TERMS = "[terms](#terms)"
"""Stands for the fields of placeorder."""


def examples(heading: str) -> list[dict[str, Any]]:
    """The JSON replies of a section, one per line."""
    section = PAGE.split(f"\n## {heading}\n", 1)[1].split("\n## ", 1)[0]
    return [
        json.loads(line) for block in re.findall(r"```json\n(.*?)```", section, re.S) for line in block.splitlines()
    ]


def shape(value: Any) -> Any:
    """The keys of a reply and of what is in it; of a list of objects those of its longest."""
    if isinstance(value, dict):
        return {name: shape(inner) for name, inner in value.items()}
    if isinstance(value, list) and value and isinstance(value[0], dict):
        return [shape(max(value, key=lambda row: len(str(row))))]
    return None


async def described(served: Served) -> dict[str, set[str]]:
    """The fields of every path, as the API describes itself."""
    openapi: dict[str, Any] = (await served.client.get("/openapi.json")).json()
    fields: dict[str, set[str]] = {}
    for path, methods in openapi["paths"].items():
        if not path.startswith("/api/v1/"):
            continue
        (operation,) = methods.values()
        names = {one["name"] for one in operation.get("parameters", ()) if one["in"] == "query"}
        if "requestBody" in operation:
            reference = operation["requestBody"]["content"]["application/json"]["schema"]["$ref"].rpartition("/")[2]
            names |= set(openapi["components"]["schemas"][reference]["properties"])
        fields[path.removeprefix("/api/v1/")] = names - COMMON
    return fields


async def test_every_path_and_field_is_documented_and_none_else(served: Served) -> None:
    known = await described(served)
    assert set(ROWS) == set(known)
    for path, names in known.items():
        told = ROWS[path][0].replace(TERMS, ROWS["placeorder"][0])
        assert names <= set(re.findall(r"`(\w+)`", told)), path


def test_every_code_of_the_table_is_one() -> None:
    assert set(re.findall(r"^\| \d{3} \| `(\w+)` \|", PAGE, re.M)) <= set(ErrorCode)


def test_the_intervals_are_all_there() -> None:
    assert ", ".join(INTERVALS) in " ".join(PAGE.split())


async def test_the_examples_have_the_real_keys(served: Served) -> None:
    share, nifty = {"symbol": "SBIN", "exchange": "NSE"}, {"underlying": "NIFTY", "exchange": "NFO"}
    nope, call = {"symbol": "NOPE", "exchange": "NFO"}, {"symbol": "NIFTY25AUG2624100CE", "exchange": "NFO"}
    served.bars = [Candle(1, 1.0, 1.0, 1.0, 1.0, 1)]
    span = {"interval": "1m", "start_date": "2026-08-03", "end_date": "2026-08-03"}
    order = share | {"action": "BUY", "quantity": 5}
    gtt = order | {"product": "CNC", "price": 5, "trigger_type": "SINGLE", "triggerprice_sl": 5}
    served.key, _ = served.house.accounts.keys.create("asha", [Scope.DATA, Scope.ORDERS_READ, Scope.ORDERS_WRITE])
    served.desk.mode = TradingMode.PAPER
    served.desk.faults["NOPE"] = Denied("Quantity must be in multiples of lot size 65.")
    asked: dict[str, list[tuple[str, dict[str, Any]]]] = {
        "Quotes": [("quotes", share), ("multiquotes", {"symbols": [nope, share]})],
        "Depth": [("depth", share)],
        "Candles": [("history", share | span)],
        "Instruments": [
            ("symbol", {"symbol": "NIFTY25AUG26FUT", "exchange": "NFO"}),
            ("search", {"query": "nifty 24100 ce"}),
            ("expiry", {"symbol": "NIFTY", "exchange": "NFO", "instrumenttype": "options"}),
        ],
        "Options": [
            ("optionsymbol", nifty | {"offset": "OTM2", "option_type": "CE"}),
            ("optionchain", nifty | {"with_greeks": True}),
            ("syntheticfuture", nifty | {"expiry_date": "25AUG26"}),
        ],
        "Greeks": [("optiongreeks", call), ("multioptiongreeks", {"symbols": [call, nope]})],
        "Days": [("market/holidays", {}), ("market/timings", {"date": "2026-08-03"})],
        "Accounts": [("accounts", {})],
        "Orders": [
            ("placeorder", order | {"client_order_id": "entry-1"}),
            ("basketorder", {"orders": [order, order | {"symbol": "NOPE"}]}),
            ("cancelallorder", {}),
        ],
        "Books": [("orderbook", {}), ("funds", {})],
        "GTT": [("placegttorder", gtt)],
        "Analyzer": [("analyzer", {})],
        "Errors": [("quotes", {"symbol": "NOPE", "exchange": "NSE"}), ("quotes", share | {"exchange": "nse"})],
    }
    for heading, requests in asked.items():
        for example, (path, fields) in zip(examples(heading), requests, strict=True):
            served.house.clock.advance(60)
            real = (await served.post(path, **fields)).json()
            assert json.dumps(shape(example)) == json.dumps(shape(real)), path
            if real["status"] == "error":
                assert (example["message"], example["error_code"]) == (real["message"], real["error_code"])
