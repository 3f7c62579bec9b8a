"""A broker's order update as the message that clients hear (specs: contract-ws.md, 3.5)."""

from typing import Protocol

import msgspec

from sangam.model.identity import AccountInfo
from sangam.model.instrument import Instrument
from sangam.model.order import OrderUpdate


class Names(Protocol):
    def by_brsymbol(self, brsymbol: str, brexchange: str) -> Instrument | None: ...


def order_message(update: OrderUpdate, account: AccountInfo, names: Names | None) -> bytes:
    """JSON of an ``order_update``. Where the master does not know the instrument, the broker's own words stand."""
    instrument = names.by_brsymbol(update.brsymbol, update.brexchange) if names else None
    return msgspec.json.encode(
        {
            "type": "order_update",
            "user_id": account.user,
            "account": account.id,
            "mode": "live",
            "broker": account.broker,
            "orderid": update.order_id,
            "symbol": instrument.symbol if instrument else update.brsymbol,
            "exchange": instrument.exchange.value if instrument else update.brexchange,
            "action": update.action,
            "quantity": update.quantity,
            "filled_quantity": update.filled_quantity,
            "pending_quantity": update.pending_quantity,
            "price": update.price,
            "trigger_price": update.trigger_price,
            "average_price": update.average_price,
            "pricetype": update.price_type,
            "product": update.product,
            "order_status": update.status,
            "rejection_reason": update.rejection_reason,
            "tag": update.tag,
            "timestamp": update.timestamp,
        }
    )
