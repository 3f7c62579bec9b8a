"""docs/rest.md and the API say the same: paths, fields, codes, and examples that have the real keys."""

import json
import re
from typing import Any

from tests.served import Served
from tests.support import ROOT

from sangam.api.errors import ErrorCode
from sangam.feed.candles import INTERVALS

PAGE = (ROOT / "docs/rest.md").read_text(encoding="utf-8")
ROWS = {path: (fields, answer) for path, fields, answer in re.findall(r"^\| `([^`]+)` \|(.*?)\|(.*)\|$", PAGE, re.M)}
EXAMPLES = [json.loads(line) for block in re.findall(r"```json\n(.*?)```", PAGE, re.S) for line in block.splitlines()]
COMMON = {"apikey", "account", "broker", "source"}


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
        assert names <= set(re.findall(r"`(\w+)`", ROWS[path][0])), path


def test_every_code_of_the_table_is_one() -> None:
    assert set(re.findall(r"^\| \d{3} \| `(\w+)` \|", PAGE, re.M)) <= set(ErrorCode)


def test_the_intervals_are_all_there() -> None:
    assert ", ".join(INTERVALS) in " ".join(PAGE.split())


async def test_the_examples_have_the_real_keys(served: Served) -> None:
    quote = await served.post("quotes", symbol="SBIN", exchange="NSE")
    future = await served.post("symbol", symbol="NIFTY25AUG26FUT", exchange="NFO")
    option = await served.post("optionsymbol", underlying="NIFTY", exchange="NFO", offset="OTM2", option_type="CE")
    greeks = await served.post("optiongreeks", symbol="NIFTY25AUG2624100CE", exchange="NFO")
    unknown = await served.post("quotes", symbol="NOPE", exchange="NSE")
    lower_case = await served.post("quotes", symbol="SBIN", exchange="nse")
    shown = iter(one for one in EXAMPLES if not isinstance(one.get("data"), list))
    for reply in (quote, future, option, greeks, unknown, lower_case):
        example, real = next(shown), reply.json()
        assert list(example) == list(real)
        assert [list(value) for value in example.values() if isinstance(value, dict)] == [
            list(value) for value in real.values() if isinstance(value, dict)
        ]
        if real["status"] == "error":
            assert (example["message"], example["error_code"]) == (real["message"], real["error_code"])
