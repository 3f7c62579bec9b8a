"""A broker small enough to read at a glance, with a server that misbehaves on demand: for tests of generic code."""

import asyncio
import contextlib
import json
from collections.abc import Iterable, Mapping
from http import HTTPStatus
from typing import Any

from websockets.asyncio.server import Server, ServerConnection, serve
from websockets.exceptions import ConnectionClosed
from websockets.http11 import Request as UpgradeRequest
from websockets.http11 import Response as UpgradeResponse

from sangam.brokers.contract import (
    AuthExpired,
    BaseCodec,
    BrokerSpec,
    Carries,
    Confirmed,
    Ctx,
    Endpoint,
    Instruments,
    LimitChanged,
    LoggedIn,
    Login,
    LoginField,
    Operation,
    Refusal,
    Replaced,
    Reply,
    Request,
    Result,
    Send,
    Session,
    Stream,
    StreamLimits,
    WireRequest,
    done,
)
from sangam.brokers.wire import Message
from sangam.model.enums import Exchange, InstrumentType, Mode
from sangam.model.errors import DecodeError, SessionExpired, SymbolNotFound, Unknown
from sangam.model.instrument import Instrument, Level, Named
from sangam.model.market import Depth, DepthLevel, Key, Patch
from sangam.model.order import OrderUpdate


class ToyCodec(BaseCodec):
    def __init__(self, waits_for_login: bool = False) -> None:
        super().__init__()
        self._waits = waits_for_login

    def opened(self) -> Iterable[Result]:
        return (Send("hello"),) if self._waits else (LoggedIn(),)

    def update(self, wanted: Mapping[Key, Level]) -> Iterable[Result]:
        changes = self.changes(wanted)
        if changes.removed:
            yield Send(json.dumps({"unsub": changes.removed}))
        for key in [*changes.added, *changes.changed]:
            yield Send(json.dumps({"sub": key, "mode": int(wanted[key].mode), "depth": wanted[key].depth}))

    def received(self, message: Message) -> Iterable[Result]:
        told: Any
        try:
            told = json.loads(message)  # type: ignore[arg-type]
        except (ValueError, TypeError) as error:
            raise DecodeError("not JSON") from error
        match told:
            case {"tick": key, **rest}:
                fields: Any = rest
                depth = None
                if "buy" in fields:
                    depth = Depth(
                        [DepthLevel(*row) for row in fields.pop("buy")],
                        [DepthLevel(*row) for row in fields.pop("sell")],
                    )
                full = fields.pop("full", True)
                yield Patch(key, fields, depth, full)
            case {"ok": key}:
                yield Confirmed((key,))
            case {"no": key, "reason": reason}:
                yield Refusal(key, reason)
            case {"event": "in"}:
                yield LoggedIn()
            case {"event": "expired"}:
                yield AuthExpired("token expired")
            case {"event": "replaced"}:
                yield Replaced("another program logged in")
            case {"limit": count}:
                yield LimitChanged(count)
            case {"order": order}:
                yield OrderUpdate(**order)
            case {"bug": _}:
                raise RuntimeError("a bug in a codec")

    def heartbeat(self) -> Iterable[Result]:
        return (Send("beat"),)


def toy_stream(
    name: str = "data",
    symbols: int = 1000,
    sockets: int = 2,
    modes: Mapping[Mode, tuple[int, ...]] | None = None,
    waits_for_login: bool = False,
    **options: Any,
) -> Stream:
    def open_stream(session: Session, ctx: Ctx) -> Operation[Endpoint]:
        return done(Endpoint(url=session.hosts["stream"] + f"/{name}?token={session.secrets['token']}"))

    return Stream(
        name=name,
        carries=Carries(
            modes or {Mode.LTP: (), Mode.QUOTE: (), Mode.DEPTH: (5, 20)},
            frozenset({Exchange.NSE, Exchange.NFO}),
            options.pop("orders", True),
            options.pop("book_only", False),
        ),
        open=open_stream,
        codec=lambda session, endpoint, ctx: ToyCodec(waits_for_login),
        key=lambda instrument: instrument.token,
        limits=StreamLimits(symbols, sockets, options.pop("group", "")),
        **{"linger": 0.05, **options},
    )


def _authorize(session: Session, request: Request, wire: WireRequest, ctx: Ctx) -> Mapping[str, str]:
    return {"Authorization": session.secrets["token"]}


def _check(request: Request, reply: Reply) -> Any:
    if reply.status == 401:
        raise SessionExpired("token rejected")
    if reply.status != 200:
        raise Unknown(f"HTTP {reply.status}")
    return reply.payload


def _who(session: Session, ctx: Ctx) -> Operation[str]:
    answer = yield Request(method="GET", host="api", path="/who")
    return str(answer["id"])


def _download(session: Session, ctx: Ctx) -> Operation[list[bytes]]:
    data = yield Request(method="GET", host="api", path="/instruments", reply="file")
    return [data]


def toy_spec(*streams: Stream, name: str = "toy", **options: Any) -> BrokerSpec:
    return BrokerSpec(
        name=name,
        title="Toy Broker",
        aliases=options.pop("aliases", ()),
        hosts={"api": "http://127.0.0.1:1", "stream": "ws://127.0.0.1:1"},
        exchanges=frozenset({Exchange.NSE, Exchange.NFO}),
        login=Login((LoginField("token", "Token"),), _who),
        authorize=_authorize,
        check=_check,
        streams=streams or (toy_stream(),),
        instruments=Instruments(_download, lambda files: iter(())),
        **{"simulated": True, **options},
    )


def toy_session(stream_url: str, generation: int = 1, token: str = "t", **options: Any) -> Session:
    return Session(
        account="u-toy",
        broker="toy",
        generation=generation,
        secrets={"token": token},
        hosts={"stream": stream_url},
        **options,
    )


def toy_instrument(symbol: str, token: str = "", exchange: Exchange = Exchange.NSE, tick: float = 0.05) -> Instrument:
    return Instrument(
        symbol=symbol,
        exchange=exchange,
        brsymbol=f"{symbol}-TOY",
        brexchange=exchange.value,
        token=token or symbol,
        instrument_type=InstrumentType.EQ,
        tick_size=tick,
    )


class ToyMaster:
    def __init__(self, *instruments: Instrument, version: str = "1") -> None:
        self.version = version
        self._rows = {(row.symbol, row.exchange.value): row for row in instruments}

    def lookup(self, symbol: str, exchange: str) -> Instrument:
        try:
            return self._rows[symbol, exchange]
        except KeyError:
            raise SymbolNotFound(symbol, exchange) from None

    def by_token(self, token: str, exchange: str) -> Instrument | None:
        names = (row for row in self._rows.values() if (row.token, row.exchange) == (token, exchange))
        return next(names, None)

    def by_brsymbol(self, brsymbol: str, brexchange: str) -> Instrument | None:
        names = (row for row in self._rows.values() if (row.brsymbol, row.brexchange) == (brsymbol, brexchange))
        return next(names, None)

    def named(self, row: Named) -> Instrument | None:
        if not row.brexchange:
            both = [each for each in self._rows.values() if (each.token, each.brsymbol) == (row.token, row.brsymbol)]
            return both[0] if len(both) == 1 else None
        if not row.token:
            return self.by_brsymbol(row.brsymbol, row.brexchange)
        names = (each for each in self._rows.values() if (each.token, each.brexchange) == (row.token, row.brexchange))
        return next(names, None)

    def exchange_of(self, brexchange: str) -> Exchange | None:
        return next((row.exchange for row in self._rows.values() if row.brexchange == brexchange), None)


class ToyServer:
    """The other end. `heard` is every message, `subscribed` what each live socket carries, `paths` where each upgrade
    asked; `refusals` gives the instruments that are refused, and why."""

    def __init__(self) -> None:
        self.sockets: list[ServerConnection] = []
        self.subscribed: dict[ServerConnection, dict[str, int]] = {}
        self.heard: list[str] = []
        self.upgrades = 0
        self.paths: list[str] = []
        self.refuse_upgrade: HTTPStatus | None = None
        self.refusals: dict[str, str] = {}
        self.url = ""
        self._server: Server | None = None

    async def __aenter__(self) -> "ToyServer":
        self._server = await serve(
            self._handle, "127.0.0.1", 0, process_request=self._upgrade, compression=None, ping_interval=None
        )
        port = next(iter(self._server.sockets)).getsockname()[1]
        self.url = f"ws://127.0.0.1:{port}"
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._server is not None:
            self._server.close()
            await self._server.wait_closed()

    def _upgrade(self, connection: ServerConnection, request: UpgradeRequest) -> UpgradeResponse | None:
        self.upgrades += 1
        self.paths.append(request.path)
        return connection.respond(self.refuse_upgrade, "no\n") if self.refuse_upgrade else None

    async def _handle(self, socket: ServerConnection) -> None:
        self.sockets.append(socket)
        carried: dict[str, int] = {}
        self.subscribed[socket] = carried
        request: Any
        try:
            async for text in socket:
                self.heard.append(str(text))
                request = json.loads(text) if str(text).startswith("{") else text
                match request:
                    case {"sub": key} if key in self.refusals:
                        await socket.send(json.dumps({"no": key, "reason": self.refusals[key]}))
                    case {"sub": key, "mode": mode}:
                        carried[key] = mode
                        await socket.send(json.dumps({"ok": key}))
                    case {"unsub": keys}:
                        for key in keys:
                            carried.pop(key, None)
        except ConnectionClosed:
            pass  # the client went without a goodbye, as clients do
        finally:
            self.sockets.remove(socket)
            del self.subscribed[socket]

    @property
    def carried(self) -> dict[str, int]:
        return {key: mode for keys in self.subscribed.values() for key, mode in keys.items()}

    async def tell(self, message: Mapping[str, Any] | str) -> None:
        text = message if isinstance(message, str) else json.dumps(message)
        with contextlib.suppress(ConnectionClosed):
            await asyncio.gather(*(socket.send(text) for socket in list(self.sockets)))

    async def tick(self, key: str, ltp: float, **fields: Any) -> None:
        """A full quote of one instrument, to the sockets that carry it."""
        message = {"tick": key, "ltp": ltp, "open": 1.0, "high": 2.0, "low": 0.5, "close": 1.0, **fields}
        for socket, carried in list(self.subscribed.items()):
            if key in carried:
                await socket.send(json.dumps(message))

    async def drop(self) -> None:
        """Break all sockets without a goodbye."""
        for socket in list(self.sockets):
            socket.transport.abort()
