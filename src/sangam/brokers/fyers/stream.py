"""The data socket, HSM: prices and books of five levels (official SDK, data_ws.py; its map.json names the fields)."""

import struct

from sangam.brokers.contract import Carries, Ctx, Endpoint, Operation, Session, Stream, StreamLimits, done
from sangam.brokers.families.hsm import LEVELS, MODE, Dialect, HsmCodec, Table, cost, request
from sangam.model.enums import Exchange, Mode
from sangam.model.errors import SessionExpired
from sangam.model.instrument import Instrument

from .login import claims
from .tables import EXCHANGES, HOSTS, INDEX_EXCHANGES, TITLE

CHANNEL = 11
SOURCE = b"PythonSDK-3.2.0"

SCRIP = Table((
    "ltp", "volume", "ltt", "timestamp", "bid_size", "ask_size", "bid_price", "ask_price", "last_trade_quantity",
    "total_buy_quantity", "total_sell_quantity", "avg_trade_price", "oi", "low", "high", "", "", "", "", "open",
    "close",
))  # fmt: skip
"""Those without a name are the year's range and the circuits, whose scale nobody has confirmed: the SDK drops them."""

DIALECT = Dialect(
    title=TITLE,
    tables={"sf": SCRIP, "if": Table(("ltp", "close", "timestamp", "high", "low", "open")), "dp": Table(book=0)},
    channel=CHANNEL,
    topics_in_frame=1500,
    # The mode, full, is one of channels, and all of ours go by one; the SDK counts no length here.
    greeting=(request(MODE, struct.pack(">Q", 1 << CHANNEL), b"F", length=0),),
    full=51001,
)


def codec(hsm_key: str, token: str) -> HsmCodec:
    """The length of a subscription counts the access token and the client's name, which are not in it, as the SDK's
    does."""
    return HsmCodec(DIALECT, (hsm_key.encode(), b"P", b"\x01", SOURCE), 18 + len(token) + len(SOURCE))


def _open(session: Session, ctx: Ctx) -> Operation[Endpoint]:
    """The upgrade bears no credential, so its refusal says nothing of one; the first frame does, and its answer."""
    told = claims(session.secrets["access_token"])
    if not told.hsm_key or told.exp * 1000 <= ctx.now_ms:
        raise SessionExpired("Fyers' access token has ended, or is none. Log in to Fyers again.")
    facts = {"hsm_key": told.hsm_key}
    return done(Endpoint(url=session.host("hsm", HOSTS), facts=facts, dead_credential=frozenset()))


def _key(instrument: Instrument) -> str:
    if instrument.exchange.is_index:
        return f"if|{instrument.brexchange}|{instrument.name}"
    return f"sf|{instrument.brexchange}|{instrument.token[10:]}"


CARRIED: frozenset[Exchange] = frozenset((*EXCHANGES.values(), *INDEX_EXCHANGES.values()))

HSM = Stream(
    name="hsm",
    carries=Carries(modes={Mode.LTP: (), Mode.QUOTE: (), Mode.DEPTH: (LEVELS,)}, exchanges=CARRIED),
    open=_open,
    codec=lambda session, endpoint, ctx: codec(endpoint.facts["hsm_key"], session.secrets["access_token"]),
    key=_key,
    cost=cost,
    limits=StreamLimits(symbols_per_socket=5000, sockets=1),
    heartbeat=10.0,
    ping=10.0,
)
