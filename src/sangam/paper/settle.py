"""The paper book's calendar: delivery at midnight, a new session at 03:00, square-offs, expiries, resets (specs:
symbols.md, 5.6 and 5.7; times are IST).

`advance` needs no prices and catches up whatever was missed, so it comes before anything else is done to a book."""

from collections.abc import Sequence
from datetime import datetime, time, timedelta

import msgspec

from sangam.model.clock import IST, ist_from_ms
from sangam.model.enums import InstrumentType, Product

from . import gtt
from .admission import expired, squared_off
from .book import PaperBook, holding_id, position_id, spot
from .config import NEVER, WEEKDAYS, Config
from .quote import ZERO, Quote
from .state import Balance, DayResult, PaperPosition

SESSION_START = timedelta(hours=3)
_FIRST_SESSION_MS = int((datetime(1970, 1, 2, tzinfo=IST) + SESSION_START).timestamp() * 1000)
_DAY_MS = 86_400_000
OLD_MS = 30 * _DAY_MS
"""For how long a GTT that ended is kept."""
AUTO_SQUARE_OFF = "AUTO_SQUARE_OFF"
EXPIRY_SETTLEMENT = "EXPIRY_SETTLEMENT"


def session_of(now_ms: int) -> str:
    """The trading day that a moment belongs to."""
    return (ist_from_ms(now_ms) - SESSION_START).date().isoformat()


def session_start(now_ms: int) -> int:
    """When that day began: prices of before are yesterday's. IST never shifts, and every tick asks."""
    return now_ms - (now_ms - _FIRST_SESSION_MS) % _DAY_MS


def advance(book: PaperBook, now_ms: int) -> None:
    """Delivery, the change of the session and the end of old GTTs, as far as they are due."""
    balance = book.ledger.balance
    today, session = ist_from_ms(now_ms).date().isoformat(), session_of(now_ms)
    if balance.settled < today:
        _deliver(book, today)
    if balance.session < session:
        _new_session(book, session, now_ms)
    for armed in list(book.armed.values()):
        for one in list(armed.values()):
            if one.expires_at <= now_ms:
                gtt.end(book, one, "expired", "It waited for a year", now_ms)


def _deliver(book: PaperBook, today: str) -> None:
    ledger = book.ledger
    for position in list(ledger.positions.values()):
        if position.product is not Product.CNC or not position.quantity:
            continue
        at = position.instrument.symbol, position.instrument.exchange
        book.dirty["holding", holding_id(at)] = ledger.deliver(position, today)
        book.keep(position)
    ledger.balance.settled = today
    book.keep_balance()


def _new_session(book: PaperBook, session: str, now_ms: int) -> None:
    balance, ledger = book.ledger.balance, book.ledger
    if balance.session:
        day = DayResult(
            day=balance.session,
            realised=balance.realised_today,
            unrealised=ledger.unrealised,
            charges=balance.charges_today,
            equity=ledger.equity,
        )
        book.days[day.day] = book.dirty["day", day.day] = day
    for waiting in list(book.open.values()):
        for order_id in list(waiting):
            book.cancel(order_id, now_ms, "Day order: its session is over")
    for one in [one for one in book.gtts.values() if one.status != gtt.ACTIVE and one.updated_at < now_ms - OLD_MS]:
        del book.gtts[one.id]
        book.dirty["gtt", one.id] = None
    book.orders.clear()
    book.trades.clear()
    balance.session, balance.realised_today, balance.charges_today = session, ZERO, ZERO
    for key, position in list(ledger.positions.items()):
        position.realised = ZERO
        if position.quantity:
            book.keep(position)
        else:
            del ledger.positions[key]
            book.dirty["position", position_id(key)] = None
    book.keep_balance()


def leave_removed(book: PaperBook, there: Sequence[str], now_ms: int) -> bool:
    """Hand what is held to the first of the accounts that are there, and cancel what waits for others. Whether there
    was anything."""
    orders = [one for waiting in book.open.values() for one in waiting.values() if one.account not in there]
    for order in orders:
        book.cancel(order.id, now_ms, f"Account {order.account} was removed")
    ledger, new = book.ledger, there[0]
    positions = [one for one in ledger.positions.values() if one.account not in there]
    for position in positions:
        position.account = new
        book.keep(position)
    holdings = [one for one in ledger.holdings.values() if one.account not in there]
    for holding in holdings:
        holding.account = new
        book.dirty["holding", holding_id(holding.key)] = holding
    gtts = [one for armed in book.armed.values() for one in armed.values() if one.account not in there]
    for one in gtts:
        one.account = new
        book.dirty["gtt", one.id] = one
    return bool(orders or positions or holdings or gtts)


# --- what needs prices ------------------------------------------------------------------------------------------------


def squares_off(book: PaperBook, position: PaperPosition, now_ms: int) -> bool:
    """Whether an intraday position must be closed: its hour has come, or it was left over from a day before."""
    exchange = position.instrument.exchange
    if position.product is not Product.MIS or not position.quantity or book.always_open(position.account):
        return False
    if book.config.square_off(exchange) is None:
        return False
    now = ist_from_ms(now_ms)
    return squared_off(now, exchange, book.config) or ist_from_ms(position.opened_at).date() < now.date()


def cancel_intraday(book: PaperBook, now_ms: int) -> None:
    """Cancel intraday orders whose exchange's square-off time has come."""
    now = ist_from_ms(now_ms)
    for (_, exchange), waiting in list(book.open.items()):
        if not squared_off(now, exchange, book.config):
            continue
        for order in list(waiting.values()):
            if order.product is Product.MIS and not order.closing and not book.always_open(order.account):
                book.cancel(order.id, now_ms, AUTO_SQUARE_OFF)


def square_off(book: PaperBook, position: PaperPosition, quote: Quote, now_ms: int) -> None:
    """Close an intraday position at the market, alone: whatever else waits in it goes first. What did not trade at once
    goes on waiting to be closed."""
    for order in list(book.open.get(spot(position.instrument), {}).values()):
        if order.key == position.key and not order.closing:
            book.cancel(order.id, now_ms, AUTO_SQUARE_OFF)
    if position.key not in book.closings:
        book.place(book.closing(position, AUTO_SQUARE_OFF, now_ms), quote, now_ms, forced=True)


def expires(position: PaperPosition, config: Config, now_ms: int) -> bool:
    """Whether a position's contract is to be settled."""
    return bool(position.quantity) and expired(position.instrument, config, ist_from_ms(now_ms))


def cancel_expired(book: PaperBook, now_ms: int) -> None:
    """Cancel what waits in contracts that are settled."""
    for waiting in list(book.open.values()):
        for order in list(waiting.values()):
            instrument = order.instrument
            if expired(instrument, book.config, ist_from_ms(now_ms)):
                book.cancel(order.id, now_ms, f"{instrument.symbol} expired")
    for armed in list(book.armed.values()):
        for one in list(armed.values()):
            if expired(one.instrument, book.config, ist_from_ms(now_ms)):
                gtt.end(book, one, "expired", f"{one.instrument.symbol} expired", now_ms)


def settle_expiry(book: PaperBook, position: PaperPosition, quote: Quote | None, now_ms: int) -> None:
    """Close a position of an expired contract: at the last price that is known; an option without one is worthless, a
    future goes at its average."""
    price = (quote.ltp if quote else ZERO) or position.ltp
    if position.instrument.instrument_type in (InstrumentType.CE, InstrumentType.PE):
        price = ZERO if book.config.option_expiry_settlement == "zero" else price
    else:
        price = price or position.average
    book.close_at(position, price, EXPIRY_SETTLEMENT, now_ms)


# --- starting anew ----------------------------------------------------------------------------------------------------


def resets(book: PaperBook, now_ms: int) -> bool:
    """Whether the weekly reset is due."""
    config, balance = book.config, book.ledger.balance
    if config.reset_day == NEVER:
        return False
    now = ist_from_ms(now_ms)
    at = datetime.combine(now.date(), time.fromisoformat(config.reset_time), IST)
    at -= timedelta(days=(now.weekday() - WEEKDAYS.index(config.reset_day)) % 7)
    if at > now:
        at -= timedelta(days=7)
    return int(at.timestamp() * 1000) > max(balance.last_reset, balance.created_at, balance.resets_from)


def reset(book: PaperBook, now_ms: int, *, whole: bool) -> None:
    """Back to the starting capital without positions and holdings; what waited is cancelled. A `whole` reset forgets
    orders, trades, GTTs, past days and settings as well."""
    for waiting in list(book.open.values()):
        for order_id in list(waiting):
            book.cancel(order_id, now_ms, "The paper account was reset")
    ledger, old = book.ledger, book.ledger.balance
    for key in ledger.positions:
        book.dirty["position", position_id(key)] = None
    for at in ledger.holdings:
        book.dirty["holding", holding_id(at)] = None
    ledger.positions.clear()
    ledger.holdings.clear()
    ledger.used = ZERO
    if whole:
        book.config = Config()
        book.dirty = {key: record for key, record in book.dirty.items() if key[0] in ("position", "holding")}
        book.wiped |= {"order", "trade", "gtt", "day", "config"}
        for memory in (book.orders, book.trades, book.gtts, book.armed, book.closings, book.days):
            memory.clear()
    ledger.balance = Balance(
        cash=book.config.starting_capital,
        session=old.session,
        settled=old.settled,
        serial=old.serial,
        created_at=old.created_at,
        last_reset=now_ms,
        reset_count=old.reset_count + 1,
    )
    book.keep_balance()


def configure(book: PaperBook, config: Config, now_ms: int) -> None:
    """New settings; another starting capital adds or takes its difference, another weekly reset waits for its first
    turn."""
    balance, old = book.ledger.balance, book.config
    balance.cash += config.starting_capital - old.starting_capital
    if (config.reset_day, config.reset_time) != (old.reset_day, old.reset_time):
        balance.resets_from = now_ms
    book.config = config
    book.dirty["config", ""] = config
    book.keep_balance()


def fresh(now_ms: int) -> Balance:
    """The money of a new book."""
    today = ist_from_ms(now_ms).date().isoformat()
    balance = Balance(cash=Config().starting_capital)
    return msgspec.structs.replace(balance, session=session_of(now_ms), settled=today, created_at=now_ms)
