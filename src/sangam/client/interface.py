"""What a strategy program writes against: the same calls, whoever carries them out.

Calls block until there is an answer and may come from any thread, callbacks included. Errors are those of
`sangam.model.errors`: Denied (it was not sent), Rejected (refused, with evidence), InDoubt (do not repeat it under
another client order id), Conflict, OrderNotFound, InvalidInput, Unsupported, BrokerError for what could not be read."""

import logging
import uuid
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable
from typing import Any, Self, TypeVar

from sangam.model.books import Funds, GttLeg
from sangam.model.enums import Mode
from sangam.model.order import Ticket

from . import asked
from .answers import GttInfo, HoldingInfo, OrderInfo, PositionInfo, Tick, TradeInfo
from .asked import Name, Price, Terms

log = logging.getLogger("sangam.client")

T = TypeVar("T")
OnTick = Callable[[Tick], object]


class BrokerInterface(ABC):
    """Set the callbacks before `connect`. One that fails is told to `on_error` and costs nothing else.

    `order_timeout` is for how many seconds an order may wait before it is sent: one that waited longer is denied, not
    sent late."""

    order_timeout = 5.0

    def __init__(self) -> None:
        self.on_order_update: Callable[[OrderInfo], object] | None = None
        self.on_tick: OnTick | None = None
        self.on_error: Callable[[Exception], object] | None = None
        self.on_connect: Callable[[], object] | None = None
        self.on_disconnect: Callable[[str], object] | None = None
        self._tick_listeners: dict[Name, OnTick] = {}

    # --- life ---------------------------------------------------------------------------------------------------------

    @abstractmethod
    def connect(self, timeout: float = 10.0) -> None:
        """Ready to trade when it returns. Raises AuthError, BrokerError."""

    @abstractmethod
    def disconnect(self) -> None:
        """Leave nothing behind; orders stay where they are."""

    def __enter__(self) -> Self:
        self.connect()
        return self

    def __exit__(self, *error: object) -> None:
        self.disconnect()

    # --- orders -------------------------------------------------------------------------------------------------------

    def place_order(
        self,
        symbol: str,
        qty: int,
        side: str,
        price: Price | None = None,
        *,
        exchange: str = "NSE",
        product: str = "MIS",
        price_type: str | None = None,
        trigger_price: Price | None = None,
        client_order_id: str | None = None,
        tag: str = "",
        strategy: str = "",
        validity: str = "DAY",
        timeout: float | None = None,
    ) -> OrderInfo:
        """Place one order; MARKET where no price is given. Repeated with the same `client_order_id` and content it is
        the same order. `timeout` replaces `order_timeout`."""
        patience = self.order_timeout if timeout is None else timeout
        order = asked.ticket(
            symbol,
            qty,
            side,
            price,
            exchange=exchange,
            product=product,
            price_type=price_type,
            trigger_price=trigger_price,
            client_order_id=self._new_id() if client_order_id is None else client_order_id,
            tag=tag,
            strategy=strategy,
            validity=validity,
            wait_ms=max(0, round(patience * 1000)),
        )
        return self._place(order, patience)

    def modify_order(
        self,
        order_id: str,
        price: Price | None = None,
        qty: int | None = None,
        *,
        trigger_price: Price | None = None,
        price_type: str | None = None,
        timeout: float | None = None,
    ) -> OrderInfo:
        """New terms for a waiting order; what is not named stays. `qty` is the whole order's."""
        terms = asked.terms(price, qty, trigger_price, price_type)
        return self._modify(order_id, terms, self.order_timeout if timeout is None else timeout)

    def cancel_order(self, order_id: str, *, timeout: float | None = None) -> OrderInfo:
        return self._cancel(order_id, self.order_timeout if timeout is None else timeout)

    @abstractmethod
    def get_order(self, order_id: str) -> OrderInfo:
        """One order by any of its ids. Raises OrderNotFound."""

    @abstractmethod
    def get_orderbook(self) -> list[OrderInfo]:
        """The day's orders, newest first."""

    @abstractmethod
    def get_tradebook(self) -> list[TradeInfo]: ...

    # --- triggers -----------------------------------------------------------------------------------------------------

    def place_gtt(
        self,
        symbol: str,
        trigger_price: Price,
        qty: int,
        side: str,
        *,
        price: Price | None = None,
        exchange: str = "NSE",
        product: str = "CNC",
        price_type: str = "LIMIT",
        client_order_id: str | None = None,
        timeout: float | None = None,
    ) -> str:
        """A good-till-triggered order; answers with its trigger id. Without a price its limit is the trigger."""
        name = asked.instruments([(symbol, exchange)], exchange)[0]
        leg = asked.gtt_leg(trigger_price, qty, side, price, product, price_type)
        patience = self.order_timeout if timeout is None else timeout
        own = self._new_id() if client_order_id is None else asked.known_id(client_order_id)
        return self._place_gtt(name, leg, own, patience)

    @abstractmethod
    def cancel_gtt(self, trigger_id: str, *, timeout: float | None = None) -> None: ...

    @abstractmethod
    def get_gtts(self) -> list[GttInfo]: ...

    # --- books and prices ---------------------------------------------------------------------------------------------

    @abstractmethod
    def get_positions(self) -> list[PositionInfo]: ...

    @abstractmethod
    def get_holdings(self) -> list[HoldingInfo]: ...

    @abstractmethod
    def get_funds(self) -> Funds: ...

    @abstractmethod
    def get_quote(self, symbol: str, exchange: str = "NSE") -> Tick: ...

    def subscribe(
        self,
        symbols: str | Iterable[str | tuple[str, str]],
        on_tick: OnTick | None = None,
        *,
        exchange: str = "NSE",
        mode: str | int = "QUOTE",
    ) -> None:
        """Hear of prices: ``"SBIN"``, ``"NFO:NIFTY24NOV26FUT"``, (symbol, exchange), or many of them. `mode` is LTP,
        QUOTE or DEPTH. `on_tick` hears of these instruments in place of the broker's own callback."""
        names = asked.instruments(symbols, exchange)
        for name in names:
            if on_tick is None:
                self._tick_listeners.pop(name, None)
            else:
                self._tick_listeners[name] = on_tick
        self._subscribe(names, asked.mode(mode))

    def unsubscribe(self, symbols: str | Iterable[str | tuple[str, str]], *, exchange: str = "NSE") -> None:
        names = asked.instruments(symbols, exchange)
        for name in names:
            self._tick_listeners.pop(name, None)
        self._unsubscribe(names)

    def _new_id(self) -> str:
        """The client order id of an order whose caller names none."""
        return uuid.uuid4().hex

    # --- carried out by each broker -----------------------------------------------------------------------------------

    @abstractmethod
    def _place(self, ticket: Ticket, patience: float) -> OrderInfo: ...

    @abstractmethod
    def _modify(self, order_id: str, terms: Terms, patience: float) -> OrderInfo: ...

    @abstractmethod
    def _cancel(self, order_id: str, patience: float) -> OrderInfo: ...

    @abstractmethod
    def _place_gtt(self, name: Name, leg: GttLeg, client_order_id: str, patience: float) -> str: ...

    @abstractmethod
    def _subscribe(self, names: list[Name], mode: Mode) -> None: ...

    @abstractmethod
    def _unsubscribe(self, names: list[Name]) -> None: ...

    # --- callbacks ----------------------------------------------------------------------------------------------------

    def _tick_listener(self, tick: Tick) -> OnTick | None:
        own = self._tick_listeners.get((tick.symbol, tick.exchange))  # type: ignore[arg-type]
        return own or self.on_tick

    def _tell(self, callback: Callable[..., object] | None, *what: Any) -> None:
        """Call a callback, if there is one; its failure goes to `on_error`."""
        if callback is not None:
            try:
                callback(*what)
            except Exception as error:  # a fault of the strategy must not cost the connection
                log.exception("A callback of the strategy failed")
                if self.on_error is not None:
                    self._tell_error(error)

    def _tell_error(self, error: Exception) -> None:
        if self.on_error is None:
            log.error("%s", error)
            return
        try:
            self.on_error(error)
        except Exception:
            log.exception("on_error of the strategy failed")
