"""The functions that programs know from the reference implementation's broker folders, for every broker of the house.

An order is sent at most once. What nobody knows the outcome of is answered as that (504, ``OUTCOME_UNKNOWN``), after
the broker was asked for it; it is never called a rejection."""

import os
import threading
from collections.abc import Callable, Coroutine, Mapping
from concurrent.futures import CancelledError
from typing import Any, TypeVar

from sangam.accounts.ways import Way
from sangam.adapters import finding
from sangam.background import LoopThread
from sangam.client.answers import OrderInfo
from sangam.model.clock import SystemClock
from sangam.model.errors import ConfigError, InDoubt, InvalidInput, NotSent, SangamError, SymbolNotFound
from sangam.model.instrument import Instrument
from sangam.orders.rows import funds_row, holding_row, order_row, position_row

from . import words
from .line import Auth, Line
from .logins import Logins
from .words import Response, Row, SymToken

T = TypeVar("T")

ENVIRONMENT = {"api_key": "BROKER_API_KEY", "api_secret": "BROKER_API_SECRET"}
"""Where these fields come from when they are not given."""


class BrokerApi:
    """One account at a broker. Calls block and may come from any thread; `close` ends what runs behind them.

    `fields` are the login's fields that outlive a session (`api_key`, `api_secret` ...); ``BROKER_API_KEY`` and
    ``BROKER_API_SECRET`` stand in for theirs, `hosts` replaces rows of the broker's host table. `auth` is the token
    that `authenticate_broker` returned, or one that is good at the broker; where it needs several, a mapping of them.

    Raises ValueError for a broker or a field that there is not."""

    order_timeout = 5.0
    """Seconds that an order may wait before it is sent."""

    def __init__(self, broker: str, *, hosts: Mapping[str, str] | None = None, egress: str = "", **fields: str) -> None:
        clock = SystemClock()
        try:
            self._spec = spec = finding.table(broker)
            kept = {field.name for field in spec.login.kept}
            found = {name: os.environ[at] for name, at in ENVIRONMENT.items() if name in kept and at in os.environ}
            self._logins = Logins(spec, {**found, **fields}, hosts or {}, egress, clock)
        except (ConfigError, InvalidInput) as error:
            raise ValueError(str(error)) from None
        self._line: tuple[LoopThread, Line] | None = None
        self._lock = threading.Lock()

    def close(self) -> None:
        with self._lock:
            held, self._line = self._line, None
        if held is not None:
            thread, line = held
            thread.run(line.driver.close())
            thread.stop()

    # --- login --------------------------------------------------------------------------------------------------------

    def login_url(self, back: str = "") -> str:
        """The broker's login page, which sends the browser to the address registered there (or `back`)."""
        return self._read(lambda line: line.page(back))

    def authenticate_broker(self, *given: str | None, **named: str | None) -> tuple[str | None, ...]:
        """Log in by what the broker's table asks for; every argument may be named.

        By its page: ``(request_token)``, or the whole address that the page sent the browser to, answered by (access
        token, feed token or None, error or None). By answers: ``(userid, password, totp)``, the fields that are not
        known yet in the order of the form, answered by (access token, error). By pasting: ``(access_token,
        client_id)``, answered likewise. What is told is kept once a login succeeds, and may be given again."""
        texts = [str(value or "") for value in given]  # what an environment lacks is None
        answers = {name: str(value) for name, value in named.items() if value is not None}
        way = self._logins.way(texts, answers)
        try:
            tokens = self._read(lambda line: line.log_in(way, texts, answers))
        except SangamError as error:
            return (None, None, str(error)) if way is Way.REDIRECT else (None, str(error))
        return (tokens.access, tokens.feed, None) if way is Way.REDIRECT else (tokens.access, None)

    # --- orders -------------------------------------------------------------------------------------------------------

    def place_order_api(self, data: Mapping[str, Any], auth: Auth) -> tuple[Response, Row, str | None]:
        """Place one order: `symbol`, `exchange`, `action`, `quantity`, `pricetype`, `product`, `price`,
        `trigger_price`, `disclosed_quantity`, `tag`; with a `client_order_id` it is safe to repeat, today and over
        restarts. Answers with the response, its JSON, and the order id where the broker gave one."""
        response = self._write(lambda line: line.place(auth, words.ticket(data), self.order_timeout))
        return response, response.body, response.body.get("orderid")

    def modify_order(self, data: Mapping[str, Any], auth: Auth) -> tuple[Row, int]:
        """New `quantity`, `price`, `trigger_price`, `pricetype` of the order `orderid`, which is read first: 0 stays
        as the broker has it now."""

        response = self._write(
            lambda line: line.modify(auth, words.text(data, "orderid"), words.terms(data), self.order_timeout)
        )
        return response.body, response.status_code

    def cancel_order(self, orderid: str, auth: Auth) -> tuple[Row, int]:
        async def cancel(line: Line) -> OrderInfo:
            return await (await line.desk(auth)).cancel(str(orderid), self.order_timeout)

        response = self._write(cancel)
        return response.body, response.status_code

    # --- books --------------------------------------------------------------------------------------------------------

    def get_orderbook(self, auth: Auth) -> Row:
        """``{"status": "success", "data": rows}``, or an error: a book that could not be read is never an empty one.
        So with the other books."""

        async def rows(line: Line) -> list[Row]:
            return [order_row(order) for order in await (await line.desk(auth)).book()]

        return self._book(rows)

    def get_positions(self, auth: Auth) -> Row:
        async def rows(line: Line) -> list[Row]:
            desk = await line.desk(auth)
            told = await desk.ask(line.trading.positions)
            return [position_row(one, row) for row in told if (one := desk.orders.listing.native(row)) is not None]

        return self._book(rows)

    def get_holdings(self, auth: Auth) -> Row:
        async def rows(line: Line) -> list[Row]:
            desk = await line.desk(auth)
            told = await desk.ask(line.trading.holdings)
            return [holding_row(one, row) for row in told if (one := desk.orders.listing.native(row)) is not None]

        return self._book(rows)

    def get_margin_data(self, auth_token: Auth) -> Row:
        """`availablecash`, `collateral`, `m2munrealized`, `m2mrealized`, `utiliseddebits` as texts with two decimals;
        an error, and none of these, where they could not be read."""

        async def read(line: Line) -> Row:
            return funds_row(await (await line.desk(auth_token, listed=False)).ask(line.trading.funds))

        try:
            return self._read(read)
        except SangamError as error:
            return words.failure(error).body

    # --- instruments --------------------------------------------------------------------------------------------------

    def get_token(self, symbol: str, exchange: str) -> str | None:
        found = self._find(symbol, exchange)
        return None if found is None else found.token

    def get_br_symbol(self, symbol: str, exchange: str) -> str:
        """The broker's name of it; the given one where there is none."""
        found = self._find(symbol, exchange)
        return symbol if found is None else found.brsymbol

    def get_oa_symbol(self, br_symbol: str, exchange: str) -> str:
        """Our name of what the broker calls so; the given one where there is none."""
        found = self._read(lambda line: line.names()).ours.get((br_symbol, exchange))
        return br_symbol if found is None else found.symbol

    def get_symbol_info(self, symbol: str, exchange: str) -> SymToken | None:
        found = self._find(symbol, exchange)
        return None if found is None else SymToken.of(found)

    def get_brexchange(self, exchange: str) -> str:
        """The broker's code of an exchange of ours; the given one where it has none."""
        return self._read(lambda line: line.names()).exchanges.get(exchange, exchange)

    def _find(self, symbol: str, exchange: str) -> Instrument | None:
        try:
            return self._read(lambda line: line.names()).listing.lookup(symbol, exchange)
        except SymbolNotFound:
            return None

    # --- behind it ----------------------------------------------------------------------------------------------------

    def _write(self, work: Callable[[Line], Coroutine[Any, Any, OrderInfo]]) -> Response:
        try:
            return words.success(self._run(work))
        except SangamError as error:
            return words.failure(error)
        except CancelledError:
            return words.failure(
                InDoubt("It was closed meanwhile: nobody knows what became of it. Look before you repeat.")
            )

    def _book(self, work: Callable[[Line], Coroutine[Any, Any, list[Row]]]) -> Row:
        try:
            return {"status": "success", "data": self._read(work)}
        except SangamError as error:
            return words.failure(error).body

    def _read(self, work: Callable[[Line], Coroutine[Any, Any, T]]) -> T:
        try:
            return self._run(work)
        except CancelledError:
            raise NotSent("It was closed meanwhile.") from None

    def _run(self, work: Callable[[Line], Coroutine[Any, Any, T]]) -> T:
        with self._lock:
            if self._line is None:
                thread = LoopThread("broker api")
                self._line = thread, thread.run(Line.opened(self._spec, self._logins))
            thread, line = self._line
        return thread.run(work(line))
