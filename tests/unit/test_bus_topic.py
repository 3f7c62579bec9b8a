import pytest
from hypothesis import given
from hypothesis import strategies as st

from sangam.bus.topic import Topic, parse_topic, topic_text
from sangam.model.enums import Exchange, Mode

BROKERS = ("alpha", "alpha_x", "nse")


@pytest.mark.parametrize(
    ("text", "topic"),
    [
        ("NSE_SBIN_LTP", Topic("SBIN", "NSE", Mode.LTP)),
        ("NSE_INDEX_NIFTY_QUOTE", Topic("NIFTY", "NSE_INDEX", Mode.QUOTE)),
        ("NSE_A_B_depth", Topic("A_B", "NSE", Mode.DEPTH)),
        ("ALPHA_NFO_NIFTY28MAR2420800CE_Quote", Topic("NIFTY28MAR2420800CE", "NFO", Mode.QUOTE, 0, "alpha")),
        ("ALPHA_X_NSE_SBIN_LTP", Topic("SBIN", "NSE", Mode.LTP, 0, "alpha_x")),
        ("NSE_NSE_SBIN_LTP", Topic("SBIN", "NSE", Mode.LTP, 0, "nse")),
        ("u-1.ALPHA_NSE_TCS:20_DEPTH", Topic("TCS", "NSE", Mode.DEPTH, 20, "alpha", "u-1")),
        ("NSE_A.B_LTP", Topic("A.B", "NSE", Mode.LTP)),
        ("BSE_INDEX_LTP", Topic("INDEX", "BSE", Mode.LTP)),
        ("NSE_SBIN", None),
        ("NSE_LTP", None),
        ("ALPHA_u1_orders", None),
        ("CACHE_INVALIDATE_ALL_u1", None),
        ("_LTP", None),
        ("", None),
    ],
)
def test_known_texts(text: str, topic: Topic | None) -> None:
    assert parse_topic(text, BROKERS) == topic


@given(
    symbol=st.from_regex(r"[A-Z0-9&-][A-Z0-9&_-]{0,20}", fullmatch=True).filter(
        lambda text: not text.startswith("INDEX_")
    ),
    exchange=st.sampled_from([code.value for code in Exchange]),
    mode=st.sampled_from(list(Mode)),
    depth=st.sampled_from([0, 5, 20, 200]),
    broker=st.sampled_from(["alpha", "alpha_x"]),
    account=st.from_regex(r"[a-z0-9][a-z0-9_-]{0,20}", fullmatch=True),
)
def test_every_topic_is_found_again(
    symbol: str, exchange: str, mode: Mode, depth: int, broker: str, account: str
) -> None:
    topic = Topic(symbol, exchange, mode, depth, broker, account)
    assert parse_topic(topic_text(topic), BROKERS) == topic


@given(st.text())
def test_no_text_is_an_error(text: str) -> None:
    parse_topic(text, BROKERS)
