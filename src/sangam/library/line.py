"""What lives on the loop behind the known functions: a driver, the day's instruments, a desk for each token."""

import asyncio
import uuid
from collections.abc import Mapping, Sequence
from datetime import date
from typing import NamedTuple, TypeVar

import msgspec

from sangam.accounts.ways import Way
from sangam.brokers.contract import BrokerSpec, Session, Trading
from sangam.client.answers import OrderInfo
from sangam.client.asked import Terms
from sangam.client.direct_desk import DirectDesk
from sangam.client.listing import Listing
from sangam.client.own_orders import OwnOrders
from sangam.instruments.daily import due_since
from sangam.model.clock import SystemClock, ist_from_ms
from sangam.model.errors import Unsupported
from sangam.model.instrument import Instrument
from sangam.model.order import Ticket
from sangam.orders import checks
from sangam.transport.http import HttpDriver

from .logins import Logins, Tokens

T = TypeVar("T")
Auth = str | Mapping[str, str] | None


class Names(NamedTuple):
    """The day's instruments; `made` is when they were asked for (epoch ms)."""

    listing: Listing
    ours: dict[tuple[str, str], Instrument]
    exchanges: dict[str, str]
    made: int


class Line:
    def __init__(self, spec: BrokerSpec, logins: Logins) -> None:
        self.driver = HttpDriver(SystemClock())
        self._spec = spec
        self._logins = logins
        self._desks: dict[str, DirectDesk] = {}
        self._caught_up: set[str] = set()
        self._names: Names | None = None
        self._loading = asyncio.Lock()

    @classmethod
    async def opened(cls, spec: BrokerSpec, logins: Logins) -> "Line":
        return cls(spec, logins)

    @property
    def trading(self) -> Trading:
        if self._spec.trading is None:
            raise Unsupported(f"Live orders are not supported for broker '{self._spec.title}' yet.")
        return self._spec.trading

    async def page(self, back: str) -> str:
        """There is no session yet, and none while somebody logs in: what is known of the account has to do."""
        return await self.driver.run(self._spec, self._logins.base, self._logins.page(back, self.driver.ctx()))

    async def log_in(self, way: Way, given: Sequence[str], named: Mapping[str, str]) -> Tokens:
        operation = self._logins.begin(way, given, named, self.driver.ctx())
        return self._logins.admit(await self.driver.run(self._spec, self._logins.trial, operation))

    async def desk(self, auth: Auth, *, listed: bool = True) -> DirectDesk:
        trading, session = self.trading, self._logins.session(auth)
        if not session.client_id:  # some brokers want to be told whose the session is, with each call
            client = await self.driver.run(self._spec, session, self._spec.login.check(session, self.driver.ctx()))
            session = self._logins.name_client(session, client)
        names = await self.names(session) if listed else None
        name = session.account
        desk = self._desks.get(name)
        if desk is None:
            orders = OwnOrders(name, self._spec.name, trading.tag, lambda order: None)
            desk = DirectDesk(self._spec, trading, session, self.driver, orders, SystemClock())
            self._desks[name] = desk
        if names is not None:
            desk.orders.listing = names.listing
        return desk

    async def place(self, auth: Auth, ticket: Ticket, patience: float) -> OrderInfo:
        """A caller's own id may have been used before this program ran: then the book knows."""
        desk = await self.desk(auth)
        account = self._logins.session(auth).account
        if ticket.client_order_id and account not in self._caught_up:
            await desk.catch_up(quietly=True)
            self._caught_up.add(account)
        instrument = desk.orders.listing.lookup(ticket.symbol, ticket.exchange)
        checks.check(ticket, instrument, _today(), trading=self.trading)
        if not ticket.client_order_id:
            ticket = msgspec.structs.replace(ticket, client_order_id=uuid.uuid4().hex)
        return await desk.place(ticket, patience)

    async def modify(self, auth: Auth, orderid: str, terms: Terms, patience: float) -> OrderInfo:
        """The order is read first: no stream tells here what became of it since."""
        desk = await self.desk(auth)
        order = await desk.order(orderid)
        instrument = desk.orders.listing.lookup(order.symbol, order.exchange)
        checks.check_change(order, terms.applied(order), instrument, _today(), trading=self.trading)
        return await desk.modify(order.id, terms, patience)

    async def names(self, session: Session | None = None) -> Names:
        """Of today: tokens may mean other contracts than yesterday."""
        session = session or self._logins.newest
        async with self._loading:
            now, known = SystemClock().now_ms(), self._names
            if known is not None and known.made >= due_since(now, self._spec.instruments_ready):
                return known
            operation = self._spec.instruments.download(session, self.driver.ctx())
            files = await self.driver.run(self._spec, session, operation)
            self._names = await asyncio.to_thread(_read, self._spec, files, now)
            return self._names


def _today() -> date:
    return ist_from_ms(SystemClock().now_ms()).date()


def _read(spec: BrokerSpec, files: list[bytes], made: int) -> Names:
    listing = Listing(row for row in spec.instruments.parse(files) if isinstance(row, Instrument))
    ours: dict[tuple[str, str], Instrument] = {}
    exchanges: dict[str, str] = {}
    for one in listing:
        ours[one.brsymbol, one.exchange.value] = one
        exchanges.setdefault(one.exchange.value, one.brexchange)
    return Names(listing, ours, exchanges, made)
