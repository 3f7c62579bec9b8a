"""Whatever a body holds, the fault is the client's: every data endpoint, each field sound or anything at all."""

import json
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.served import Served

ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)
SOUND: dict[str, list[Any]] = {
    "symbol": ["SBIN", "NIFTY", "NIFTY25AUG2624000CE", "CRUDEOIL25AUG266100PE", "NOPE", "X25AUG261CE"],
    "exchange": ["NSE", "NSE_INDEX", "NFO", "MCX", "CRYPTO"],
    "symbols": [[{"symbol": "SBIN", "exchange": "NSE"}], [{"symbol": "NIFTY25AUG2624000CE", "exchange": "NFO"}] * 3],
    "interval": ["5m", "W"],
    "start_date": ["2026-08-01", "0001-01-01"],
    "end_date": ["2026-08-03", "9999-12-31"],
    "query": ["nifty 24000", "%", "'", "  ", "\u0130", "24000CE"],
    "instrumenttype": ["futures", "options"],
    "format": ["json", "csv"],
    "underlying": ["NIFTY", "NIFTY25AUG26FUT", "CRUDEOIL", "SBIN", "NIFTY25AUG2624000CE"],
    "expiry_date": ["25AUG26", "29-SEP-26", None, "31FEB26"],
    "offset": ["ATM", "OTM1", "ITM50", "otm2"],
    "option_type": ["CE", "pe"],
    "strike_int": [50, "100", 10**9, None],
    "strike_count": [1, "100", None],
    "with_greeks": [True, "yes"],
    "interest_rate": [0, "6.5", 100],
    "forward_price": [0, 24000.5, 1e-9, 1e300, None],
    "expiry_time": ["15:30", None],
    "underlying_symbol": ["NIFTY", None],
    "underlying_exchange": ["NSE_INDEX", None],
    "year": [2026, "2050"],
    "date": ["2026-11-10", "9999-12-31", "0001-01-01"],
}
SOUND |= {
    "action": ["BUY", "sell"],
    "quantity": [1, "5", 65.0, "1e3"],
    "pricetype": ["MARKET", "LIMIT", "SL", "SL-M"],
    "product": ["MIS", "CNC", "NRML"],
    "price": [0, "1033.50", 0.05, 10**9],
    "trigger_price": [0, "1e-8"],
    "disclosed_quantity": [0, "1"],
    "position_size": [-5, "0", 7],
    "splitsize": [0, 1, "50", None],
    "orderid": ["260803000001", 5, "x"],
    "trigger_id": ["77", 77],
    "client_order_id": ["a", "x" * 36, None, ""],
    "orders": [[{"symbol": "SBIN", "exchange": "NSE", "action": "BUY", "quantity": 1}]],
    "positions": [
        [{"symbol": "SBIN", "exchange": "NSE", "action": "BUY", "quantity": 1, "product": "MIS", "pricetype": "LIMIT"}]
    ],
    "legs": [[{"offset": "ATM", "option_type": "CE", "action": "BUY", "quantity": 65}] * 2],
    "trigger_type": ["SINGLE", "oco"],
    "triggerprice_sl": [0, "", 5, "6.5"],
    "triggerprice_tg": [0, None, 7],
    "stoploss": ["", 5],
    "target": [None, 8],
    "mode": [True, "no"],
    "since": [0, "7"],
    "outcome": ["complete", "rejected"],
    "note": ["seen"],
}
TERMS = "symbol exchange action quantity pricetype product price trigger_price disclosed_quantity client_order_id"
GTT = f"{TERMS} trigger_type triggerprice_sl triggerprice_tg stoploss target"
FIELDS = {
    "placeorder": TERMS,
    "placesmartorder": f"{TERMS} position_size",
    "modifyorder": f"{TERMS} orderid",
    "cancelorder": "orderid",
    "basketorder": "orders client_order_id",
    "splitorder": f"{TERMS} splitsize",
    "optionsorder": f"underlying expiry_date offset option_type strike_int splitsize {TERMS}",
    "optionsmultiorder": "underlying exchange expiry_date strike_int legs client_order_id",
    "placegttorder": GTT,
    "modifygttorder": f"{GTT} trigger_id",
    "orderstatus": "orderid",
    "openposition": "symbol exchange product",
    "margin": "positions",
    "analyzer/toggle": "mode",
    "orders/events": "since",
    "orders/resolve": "orderid outcome note",
    "quotes": "symbol exchange",
    "depth": "symbol exchange",
    "multiquotes": "symbols",
    "history": "symbol exchange interval start_date end_date",
    "symbol": "symbol exchange",
    "search": "query exchange",
    "expiry": "symbol exchange instrumenttype",
    "instruments": "exchange format",
    "optionsymbol": "underlying exchange expiry_date offset option_type strike_int",
    "optionchain": "underlying exchange expiry_date strike_count with_greeks interest_rate",
    "syntheticfuture": "underlying exchange expiry_date",
    "optiongreeks": "symbol exchange interest_rate forward_price expiry_time underlying_symbol underlying_exchange",
    "multioptiongreeks": "symbols interest_rate expiry_time",
    "market/holidays": "year",
    "market/timings": "date",
}
DATA = {path for path, fields in FIELDS.items() if not {"action", "orderid", "product"} & set(fields.split())}
DATA -= {"basketorder", "optionsmultiorder", "margin", "analyzer/toggle", "orders/events"}


@st.composite
def bodies(draw: st.DrawFn) -> tuple[str, dict[str, Any]]:
    path = draw(st.sampled_from(sorted(FIELDS)))
    body = {}
    for name in FIELDS[path].split():
        kind = draw(st.integers(0, 9))
        if kind:  # one field of ten is anything at all or absent
            body[name] = draw(st.sampled_from(SOUND[name]))
        elif draw(st.booleans()):
            body[name] = draw(ANYTHING)
    return path, body


@given(asked=bodies())
@settings(max_examples=600, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
async def test_no_body_is_our_fault(served: Served, asked: tuple[str, dict[str, Any]]) -> None:
    path, body = asked
    served.house.clock.advance(60 if "greeks" in path else 1)
    key = served.key if path in DATA else served.trading_key
    content = json.dumps({"apikey": key, **body}).encode("utf-8", "replace")
    reply = await served.client.post(f"/api/v1/{path}", content=content, headers={"content-type": "application/json"})
    assert reply.status_code in (200, 400, 404), reply.text
    if reply.status_code != 200:
        assert reply.json()["status"] == "error"
        assert reply.json()["error_code"] in ("INVALID_INPUT", "INVALID_ORDER")
