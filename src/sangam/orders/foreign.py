"""Orders that were placed elsewhere (the broker's own application, another program, a trigger or the square-off of the
paper book) and that we only hear of."""

import hashlib
from collections.abc import Callable
from decimal import Decimal
from typing import TypeVar

from sangam.model.clock import ist_from_ms
from sangam.model.enums import Action, Exchange, PriceType, Product
from sangam.model.instrument import Instrument
from sangam.model.order import Order, OrderState, OrderUpdate, TradingMode, Validity

from . import states

T = TypeVar("T")

LONGEST_ID = 64
"""Characters that the journal keeps; some brokers' numbers have 36."""

_PREFIX = {TradingMode.LIVE: "L", TradingMode.PAPER: "P"}


def adopted(
    account: str,
    mode: TradingMode,
    owner: tuple[str, str],
    update: OrderUpdate,
    instrument: Instrument | None,
    now_ms: int,
) -> Order | None:
    """The order as the journal keeps it. Where the master does not know the instrument, the broker's own words stand;
    None where the news speak of a side, product, price type or exchange that the house does not know.

    Its id is made of the broker's and the day, so that it is the same whenever we hear of it."""
    exchange = instrument.exchange if instrument is not None else _known(Exchange, update.brexchange)
    action, product = _known(Action, update.action), _known(Product, update.product)
    price_type = _known(PriceType, update.price_type)
    if not update.order_id or exchange is None or action is None or product is None or price_type is None:
        return None
    user, broker = owner
    order = Order(
        id=_id(f"{_PREFIX[mode]}-{account}.{ist_from_ms(now_ms):%y%m%d}.{update.order_id}"),
        account=account,
        user=user,
        broker=broker,
        mode=mode,
        symbol=instrument.symbol if instrument is not None else update.brsymbol or update.token,
        exchange=exchange,
        action=action,
        quantity=update.quantity,
        price_type=price_type,
        product=product,
        price=Decimal(repr(update.price)),
        trigger_price=Decimal(repr(update.trigger_price)),
        disclosed_quantity=update.disclosed_quantity,
        validity=_known(Validity, update.validity) or Validity.DAY,
        tag=update.tag,
        state=OrderState.PENDING,
        created_at=update.timestamp or now_ms,
        sent_at=update.timestamp or now_ms,
        updated_at=now_ms,
        foreign=True,
    )
    return states.merge(order, update)


def _id(name: str) -> str:
    if len(name) <= LONGEST_ID:
        return name
    digest = hashlib.blake2b(name.encode(), digest_size=10).hexdigest()
    return f"{name[: LONGEST_ID - len(digest) - 1]}.{digest}"


def _known(kind: Callable[[str], T], value: str) -> T | None:
    try:
        return kind(value)
    except ValueError:
        return None
