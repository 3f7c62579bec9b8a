"""The client protocol: every spelling and leniency of the WebSocket contract, and garbage."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.gateway_support import unframe

from sangam.feed.port import Dialect
from sangam.gateway import protocol
from sangam.gateway.protocol import Entry, Reject
from sangam.model.enums import Mode

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)
KEYS = ["action", "symbol", "symbols", "instruments", "exchange", "exchange_token", "mode", "depth", "depth_level"]
KEYS += ["interval", "api_key", "features", "format", "account", "broker", "request_id"]


def action_of(data: bytes) -> str:
    message = protocol.decode(data)
    assert message is not None
    return message.action


def code_of(data: bytes) -> str:
    with pytest.raises(Reject) as caught:
        protocol.decode(data)
    return caught.value.code


class TestDecode:
    def test_action_comes_from_action_or_else_from_type(self) -> None:
        assert action_of(b'{"action":"ping","type":"x"}') == "ping"
        assert action_of(b'{"type":"ping"}') == "ping"

    @pytest.mark.parametrize(
        ("sent", "known"),
        [("auth", "authenticate"), ("authentication", "authenticate"), ("subscription", "subscribe"), ("x", "x")],
    )
    def test_aliases(self, sent: str, known: str) -> None:
        assert action_of(json.dumps({"type": sent}).encode()) == known

    @pytest.mark.parametrize("text", [b"ping", b"pong", b" pong\n"])
    def test_bare_keep_alive_texts_are_ignored(self, text: bytes) -> None:
        assert protocol.decode(text) is None

    @pytest.mark.parametrize("data", [b"", b"{", b"\xff\xfe", b"hello", b'{"a":NaN}', b'{"action":"\xff"}'])
    def test_what_is_not_json(self, data: bytes) -> None:
        assert code_of(data) == "INVALID_JSON"

    def test_nesting_without_end_is_invalid_not_fatal(self) -> None:
        assert code_of(b"[" * 100_000) == "INVALID_JSON"

    @pytest.mark.parametrize("data", [b"[]", b"1", b'"ping"', b"null"])
    def test_json_that_is_no_object(self, data: bytes) -> None:
        assert code_of(data) == "SERVER_ERROR"

    @pytest.mark.parametrize("data", [b"{}", b'{"action":5}', b'{"action":null}', b'{"action":["x"]}'])
    def test_no_action(self, data: bytes) -> None:
        assert code_of(data) == "INVALID_ACTION"

    def test_a_long_action_is_not_echoed_whole(self) -> None:
        assert len(str(protocol.invalid_action("x" * 1000))) < 80


class TestModes:
    @pytest.mark.parametrize(
        ("value", "mode"),
        [
            (1, Mode.LTP),
            (2, Mode.QUOTE),
            (3, Mode.DEPTH),
            (4, Mode.DEPTH),
            ("LTP", Mode.LTP),
            ("ltp", Mode.LTP),
            (" Quote ", Mode.QUOTE),
            ("DEPTH", Mode.DEPTH),
            ("depth", Mode.DEPTH),
            ("1", Mode.LTP),
            ("3", Mode.DEPTH),
            ("4", Mode.DEPTH),
        ],
    )
    def test_accepted(self, value: object, mode: Mode) -> None:
        assert protocol.parse_mode(value) is mode

    @pytest.mark.parametrize("value", [0, 5, 7, -1, 1.0, 2.5, True, False, None, "", "full", "0", [], {}])
    def test_rejected(self, value: object) -> None:
        with pytest.raises(Reject, match=r"Invalid mode .*; expected 1 \(LTP\), 2 \(Quote\), or 3 \(Depth\)") as caught:
            protocol.parse_mode(value)
        assert caught.value.code == "INVALID_MODE"


class TestSubscribe:
    def test_one_instrument_with_defaults(self) -> None:
        assert protocol.parse_subscribe({"symbol": "SBIN", "exchange": "NSE"}) == [Entry("SBIN", "NSE", Mode.QUOTE, 5)]

    def test_the_list_wins_over_the_single_form(self) -> None:
        fields = {"symbol": "A", "exchange": "NSE", "symbols": [{"symbol": "B", "exchange": "BSE"}], "mode": 1}
        assert protocol.parse_subscribe(fields) == [Entry("B", "BSE", Mode.LTP, 5)]

    @pytest.mark.parametrize("name", ["symbols", "instruments"])
    def test_mode_of_entries_is_ignored_and_odd_entries_are_skipped(self, name: str) -> None:
        rows = [{"symbol": "A", "exchange": "NSE", "mode": 3}, {"symbol": "B"}, {"exchange": "NSE"}, "C", None, {}]
        assert protocol.parse_subscribe({name: rows, "mode": "ltp"}) == [Entry("A", "NSE", Mode.LTP, 5)]

    def test_tokens_and_numbers_name_instruments(self) -> None:
        rows = [{"exchange_token": "2885", "exchange": "NSE"}, {"symbol": 3045, "exchange": "NSE"}]
        assert [entry.symbol for entry in protocol.parse_subscribe({"symbols": rows})] == ["2885", "3045"]

    @pytest.mark.parametrize("name", ["depth", "depth_level"])
    @pytest.mark.parametrize(("value", "depth"), [(20, 20), ("50", 50), (None, 5)])
    def test_depth(self, name: str, value: object, depth: int) -> None:
        (entry,) = protocol.parse_subscribe({"symbol": "A", "exchange": "NSE", "mode": 3, name: value})
        assert entry.depth == depth

    def test_interval_of_request_and_entry(self) -> None:
        rows = [{"symbol": "A", "exchange": "N"}, {"symbol": "B", "exchange": "N", "interval": "0"}]
        entries = protocol.parse_subscribe({"symbols": rows, "interval": 250})
        assert [entry.interval for entry in entries] == [250, 0]

    def test_a_bad_interval_of_an_entry_fails_that_entry_only(self) -> None:
        rows = [{"symbol": "A", "exchange": "N", "interval": 77}, {"symbol": "B", "exchange": "N"}]
        bad, good = protocol.parse_subscribe({"symbols": rows})
        assert bad.error is not None
        assert bad.error.code == "INVALID_PARAMETERS"
        assert good.error is None

    @pytest.mark.parametrize(
        ("fields", "words"),
        [
            ({}, "At least one symbol must be specified"),
            ({"symbols": []}, "At least one symbol must be specified"),
            ({"symbols": [{}]}, "At least one symbol must be specified"),
            ({"symbol": "A"}, "At least one symbol must be specified"),
            ({"symbols": "A"}, "symbols must be a list"),
            ({"symbol": "A", "exchange": "N", "interval": 20}, "allowed are 0, 50, 100, 250, 500, 1000"),
            ({"symbol": "A", "exchange": "N", "interval": 50.0}, "Invalid interval 50.0; allowed are 0, 50"),
            ({"symbol": "A", "exchange": "N", "depth": True}, "depth must be a whole number"),
        ],
    )
    def test_refused_requests(self, fields: dict[str, object], words: str) -> None:
        with pytest.raises(Reject, match=words) as caught:
            protocol.parse_subscribe(fields)
        assert caught.value.code == "INVALID_PARAMETERS"


class TestUnsubscribe:
    @pytest.mark.parametrize(
        ("row_mode", "top_mode", "expected"), [(1, 3, Mode.LTP), (None, "LTP", Mode.LTP), (None, None, Mode.QUOTE)]
    )
    def test_mode_of_entry_then_request_then_quote(self, row_mode: object, top_mode: object, expected: Mode) -> None:
        row = {"symbol": "A", "exchange": "N"} | ({"mode": row_mode} if row_mode else {})
        fields = {"symbols": [row]} | ({"mode": top_mode} if top_mode else {})
        (entry,) = protocol.parse_unsubscribe(fields)
        assert entry.mode is expected

    def test_a_bad_mode_of_an_entry_fails_that_entry_only(self) -> None:
        rows = [{"symbol": "A", "exchange": "N", "mode": 9}, {"symbol": "B", "exchange": "N"}]
        bad, good = protocol.parse_unsubscribe({"symbols": rows})
        assert bad.error is not None
        assert bad.error.code == "INVALID_MODE"
        assert good.error is None

    def test_nothing_named(self) -> None:
        with pytest.raises(Reject, match="Either symbols or unsubscribe_all is required"):
            protocol.parse_unsubscribe({})


class TestCredentials:
    @pytest.mark.parametrize("name", ["api_key", "apikey"])
    def test_both_spellings(self, name: str) -> None:
        assert protocol.parse_credentials({name: " k "}).api_key == "k"

    @pytest.mark.parametrize("fields", [{}, {"api_key": ""}, {"api_key": 5}, {"api_key": None}, {"apikey": " "}])
    def test_missing(self, fields: dict[str, object]) -> None:
        with pytest.raises(Reject, match="API key is required"):
            protocol.parse_credentials(fields)

    def test_features_and_format(self) -> None:
        taken = protocol.parse_credentials({"api_key": "k", "features": ["refusals", "magic", 5, {}], "format": "flat"})
        assert taken.features == {"refusals"}
        assert taken.dialect is Dialect.FLAT
        assert protocol.parse_credentials({"api_key": "k", "features": "all"}).features == frozenset()


class TestReplies:
    def test_request_id_is_echoed_whatever_it_is_and_only_if_sent(self) -> None:
        for value in ("r1", 5, None, {"a": [1]}):
            assert json.loads(protocol.message("x", {"request_id": value}))["request_id"] == value
        assert "request_id" not in json.loads(protocol.message("x", {}))

    def test_json_is_compact(self) -> None:
        assert protocol.error("C", "m") == b'{"status":"error","code":"C","message":"m"}'

    @pytest.mark.parametrize("size", [0, 1, 125, 126, 127, 65535, 65536, 70000])
    def test_frame_lengths(self, size: int) -> None:
        assert unframe(protocol.text_frame(b"x" * size)) == [b"x" * size]

    def test_identity_of_an_order_update(self) -> None:
        update = b'{"type":"order_update","orderid":"7","order_status":"open","filled_quantity":3,"price":1.5}'
        assert protocol.order_identity(update) == ("7", "open", 3)
        assert protocol.order_identity(b"{}") is None


class TestGarbage:
    @given(st.binary(max_size=200))
    def test_any_bytes(self, data: bytes) -> None:
        try:
            protocol.decode(data)
        except Reject as error:
            assert error.code in {"INVALID_JSON", "SERVER_ERROR", "INVALID_ACTION"}  # noqa: PT017

    @given(st.dictionaries(st.sampled_from(KEYS), JSON, max_size=8))
    def test_any_fields(self, fields: dict[str, object]) -> None:
        """Whatever the fields hold, a parser returns or rejects."""
        parsers = [protocol.parse_subscribe, protocol.parse_unsubscribe, protocol.parse_credentials]
        for parse in [*parsers, protocol.parse_account]:
            try:
                result = parse(fields)
            except Reject as error:
                assert str(error)  # noqa: PT017
            else:
                if isinstance(result, list):
                    assert all(isinstance(entry, Entry) and entry.symbol and entry.exchange for entry in result)
