"""Real rows of Angel One's master, and ticks of its feed as a public program logged them (see the data's INDEX.md)."""

import json
import struct
from collections import Counter
from datetime import date
from typing import Any

import pytest
from tests.support import shared_data

from sangam.brokers.angel import SPEC
from sangam.brokers.angel.packets import DECODERS, key_of
from sangam.brokers.contract import RowRefused
from sangam.model.enums import Exchange, InstrumentType
from sangam.model.instrument import Instrument, ParsedSymbol, parse_symbol
from sangam.model.market import DepthLevel

FUTURES = "OpenAPIScripMaster.nfo-futures-subset.json"
NSE = "OpenAPIScripMaster.transcribed_nse_sample.json"
OPTIONS = "OpenAPIScripMaster.transcribed_nfo_sample_2024.json"
TICKS = "smartstream_decoded_infy_2024-12-20.transcribed.jsonl"


def read(file: str) -> tuple[list[dict[str, Any]], list[Instrument]]:
    """The rows of a file, and the instruments they became: all of them."""
    content = shared_data("angelone", file).read_bytes()
    rows: list[dict[str, Any]] = json.loads(content)
    found = list(SPEC.instruments.parse([content]))
    assert not [item for item in found if isinstance(item, RowRefused)]
    instruments = [item for item in found if isinstance(item, Instrument)]
    assert len(instruments) == len(rows)
    return rows, instruments


@pytest.mark.parametrize("file", [FUTURES, NSE, OPTIONS])
def test_every_field_of_every_row_is_kept(file: str) -> None:
    for row, instrument in zip(*read(file), strict=True):
        assert (instrument.token, instrument.brsymbol, instrument.brexchange) == (
            row["token"],
            row["symbol"],
            row["exch_seg"],
        )
        assert instrument.name == row["name"]
        if not instrument.exchange.is_index:
            assert instrument.lot_size == int(row["lotsize"])
            assert instrument.tick_size * 100 == pytest.approx(float(row["tick_size"]))
        strike = float(row["strike"])
        assert instrument.strike * 100 == (strike if strike > 0 else 0)
        assert (instrument.expiry is None) == (not row["expiry"])
        assert instrument.expiry is None or f"{instrument.expiry:%d%b%Y}".upper() == row["expiry"].upper()


def test_stock_futures_of_april_2026() -> None:
    _, instruments = read(FUTURES)
    assert len(instruments) == 649
    assert {(row.exchange, row.instrument_type) for row in instruments} == {(Exchange.NFO, InstrumentType.FUT)}
    for row in instruments:
        assert row.expiry is not None
        assert parse_symbol(row.symbol) == ParsedSymbol(row.name, row.expiry, 0.0, InstrumentType.FUT)
        assert row.symbol == row.brsymbol
    assert len({row.symbol for row in instruments}) == len(instruments)
    months = Counter(row.expiry for row in instruments if not row.name.endswith("NSETEST"))
    assert {day for day, count in months.items() if count > 100} == {
        date(2026, 4, 28),
        date(2026, 5, 26),
        date(2026, 6, 30),
    }


def test_indices_and_series() -> None:
    _, instruments = read(NSE)
    symbols = {row.brsymbol: (row.symbol, row.exchange.value) for row in instruments}
    assert symbols == {
        "Nifty 50": ("NIFTY", "NSE_INDEX"),
        "Nifty Bank": ("BANKNIFTY", "NSE_INDEX"),
        "India VIX": ("INDIAVIX", "NSE_INDEX"),
        "Nifty Fin Service": ("FINNIFTY", "NSE_INDEX"),
        "NIFTY MID SELECT": ("MIDCPNIFTY", "NSE_INDEX"),
        "94SFL28-YL": ("94SFL28-YL", "NSE"),
        "FACT-EQ": ("FACT", "NSE"),
        "BANKBARODA-EQ": ("BANKBARODA", "NSE"),
        "ICICIBANK-EQ": ("ICICIBANK", "NSE"),
        "BPCL-EQ": ("BPCL", "NSE"),
        "HDBFS-EQ": ("HDBFS", "NSE"),
        "C2C-SM": ("C2C-SM", "NSE"),
        "IWARE-ST": ("IWARE-ST", "NSE"),
        "STALLION-BE": ("STALLION", "NSE"),
        "GS220250C-GS": ("GS220250C-GS", "NSE"),
        "SGBJUL29IV-GB": ("SGBJUL29IV-GB", "NSE"),
        "INTERISE-IV": ("INTERISE-IV", "NSE"),
    }


def test_options_of_2024_with_dates_in_small_letters() -> None:
    _, instruments = read(OPTIONS)
    symbols = {row.brsymbol: (row.symbol, row.strike) for row in instruments}
    assert symbols["MIDCPNIFTY01APR2410275CE"] == ("MIDCPNIFTY01APR2410275CE", 10275.0)
    assert symbols["NIFTY31DEC2626000PE"] == ("NIFTY31DEC2626000PE", 26000.0)


# --- the feed ---------------------------------------------------------------------------------------------------------


def packed(tick: dict[str, Any]) -> bytes:
    """The bytes that a logged tick was decoded from, by the table of the documentation."""

    def whole(name: str) -> int:
        return int(tick[name])

    head = struct.pack("<BB25s", whole("subscription_mode"), whole("exchange_type"), tick["token"].strip('"').encode())
    if tick["subscription_mode"] == "4":
        sides = tick["depth_twenty_buy_data"] + tick["depth_twenty_sell_data"]
        rows = [(int(row["quantity"]), int(row["price"]), int(row["no_of_orders"])) for row in sides]
        times = struct.pack("<2q", whole("exchange_timestamp"), whole("packet_received_time"))
        return head + times + b"".join(struct.pack("<iih", *row) for row in rows)
    names = ("sequence_number", "exchange_timestamp", "last_traded_price", "last_traded_quantity", "avg_traded_price")
    packet = head + struct.pack("<6q", *map(whole, (*names, "vol_traded")))
    packet += struct.pack("<2d", *(float(tick[name]) for name in ("total_buy_quantity", "total_sell_quantity")))
    prices = ("open_price_day", "high_price_day", "low_price_day", "close_price")
    packet += struct.pack("<4q", *map(whole, prices))
    if tick["subscription_mode"] == "2":
        return packet
    packet += struct.pack("<2q", whole("last_traded_timestamp"), whole("open_interest"))
    packet += struct.pack("<d", float(tick["open_interest_change"]))
    for row in tick["best_5_buy_data"] + tick["best_5_sell_data"]:
        packet += struct.pack("<HqqH", *(int(row[name]) for name in ("flag", "quantity", "price", "no_of_orders")))
    limits = ("upper_circuit", "lower_circuit", "fiftytwo_week_high", "fiftytwo_week_low")
    return packet + struct.pack("<4q", *map(whole, limits))


def levels(rows: list[dict[str, str]]) -> list[DepthLevel]:
    return [DepthLevel(int(row["price"]) / 100, int(row["quantity"]), int(row["no_of_orders"])) for row in rows]


def test_logged_ticks_of_infosys() -> None:
    lines = shared_data("angelone", TICKS).read_text().splitlines()
    ticks: list[dict[str, Any]] = [json.loads(line) for line in lines if line.strip()]
    assert Counter(tick["subscription_mode"] for tick in ticks) == {"2": 4, "3": 1, "4": 1}
    for tick in ticks:
        packet = packed(tick)
        size, decode = DECODERS[packet[:1]]
        assert len(packet) == size
        patch = decode(packet)
        assert patch.key == key_of(1, "1594")
        assert patch.fields["timestamp"] == int(tick["exchange_timestamp"])
        if tick["subscription_mode"] == "4":
            assert patch.depth is not None
            assert patch.depth.buy == levels(tick["depth_twenty_buy_data"])
            assert patch.depth.sell == levels(tick["depth_twenty_sell_data"])
            continue
        fields: dict[str, Any] = dict(patch.fields)
        assert fields["ltp"] == int(tick["last_traded_price"]) / 100
        assert fields["low"] <= fields["ltp"] <= fields["high"]
        assert (fields["volume"], fields["total_buy_quantity"]) == (
            int(tick["vol_traded"]),
            int(tick["total_buy_quantity"]),
        )
        if tick["subscription_mode"] == "3":
            assert patch.depth is not None
            assert (patch.depth.buy, patch.depth.sell) == (
                levels(tick["best_5_buy_data"]),
                levels(tick["best_5_sell_data"]),
            )
            assert fields["ltt"] == int(tick["last_traded_timestamp"]) * 1000
            assert fields["lower_circuit"] < fields["ltp"] < fields["upper_circuit"]
            assert "oi" not in fields
