"""Fan-out: clients × updates × interval, from the broker's bytes to the clients' bytes.

The server runs on one core; the broker's side and the clients are processes on the others. A load lasts a few
seconds."""

import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean
from typing import Any

from tests.server_process import ServerProcess

from . import audit, nats
from .machine import Child, Cores, cpu_seconds, layout, pinned, resident_bytes, until

QUIET = 0.3
EXCHANGE = "NSE"
BROKER = "zerodha"
RATES = ("API_RATE_LIMIT", "ORDER_RATE_LIMIT", "WS_MAX_MESSAGES_PER_SECOND")
"""Limits of one client that would stop a load."""


@dataclass(frozen=True)
class Load:
    """One scenario. `interval` None is the server's default; `hot` is the share of updates to 1 % of the symbols."""

    name: str
    clients: int
    symbols: int
    rate: int
    seconds: float = 4.0
    interval: int | None = 0
    different: bool = False
    hot: float = 0.0
    mode: int = 2


@dataclass(frozen=True)
class Figures:
    """What a load showed. Times are milliseconds; `oldest` and `newest` are sampled per read over all clients,
    `all` covers every message of the audited clients, `stale` how long a client's value was older than the newest."""

    load: Load
    sent: int
    expected: int
    delivered: int
    seconds: float
    missing_by_seq: int | None
    cpu_us: float
    server_busy: float
    sink_busy: float
    every_p50: float
    every_p99: float
    every_max: float
    oldest_p99: float
    newest_p50: float
    newest_p99: float
    message_bytes: float
    sample: bytes
    stale_max: float = 0.0
    leading_p99: float = 0.0
    never: int = 0

    @property
    def lost(self) -> int:
        return self.expected - self.delivered

    @property
    def per_second(self) -> float:
        return self.delivered / self.seconds


def names(count: int) -> list[str]:
    return [f"SYM{number}" for number in range(count)]


@dataclass
class Bench:
    """A server fed by a prepared ticker, and what is needed to load it."""

    server: ServerProcess
    ticker: Child
    key: str
    folder: Path
    sink_cores: list[Cores]
    desk: Child | None = None

    def run(self, load: Load, meanwhile: Callable[[], object] = lambda: None) -> Figures:
        """`meanwhile` is called when the data begins."""

        def go() -> Any:
            meanwhile()
            return self.ticker.ask({**order, "log": log})

        with sinks(load, "sangam", self.server.ws_port, self.key, self.sink_cores) as children:
            until(lambda: self.ticker.ask({"do": "state"})["carried"] >= load.symbols, "the broker's subscriptions")
            log = str(self.folder / "sent")
            order = {"do": "go", "symbols": load.symbols, "rate": load.rate, "seconds": load.seconds, "hot": load.hot}
            return measure(load, children, self.server.pid, self.folder, go)

    def ping(self, connections: int, load: Load) -> tuple[list[int], float, Figures]:
        """REST pings under a load: microseconds of each, the seconds they took in all, and what the load showed."""
        _, others = layout()
        with Child(
            "rest", {"port": self.server.api_port, "key": self.key, "connections": connections}, others[0]
        ) as rest:
            rest.hear()
            figures = self.run(load, lambda: rest.tell({"seconds": load.seconds}))
            told = rest.hear()
        return told["took"], told["seconds"], figures


@contextmanager
def bench(
    symbols: int, rows: int = 0, cores: int = 1, options: tuple[str, ...] = (), *, desk: bool = False
) -> Iterator[Bench]:
    """`sangam serve` on one core (or two, or with 0 wherever the system likes) with an account of the prepared broker,
    whose instruments file has so many `rows` besides the symbols that stream. With `desk` it takes orders."""
    core, others = layout()
    if cores == 2 and len(others) > 2:
        core |= others.pop()
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="sangam-bench-")))
        ticker = stack.enter_context(Child("ticker", {"symbols": names(symbols), "rows": rows}, others[0]))
        urls = ticker.hear()
        taker = stack.enter_context(Child("desk", {"symbols": names(symbols)}, others[0])) if desk else None
        if taker is not None:
            urls |= taker.hear()
        server = stack.enter_context(
            ServerProcess(folder / "home", (), options, LOG_LEVEL="WARNING", **dict.fromkeys(RATES, "1000000"))
        )
        hosts = [word for name, url in urls.items() for word in ("--host", f"{name}={url}")]
        secrets = ("--set", "api_key=bench", "--set", "access_token=bench")
        server.cli("account", "add", BROKER, *secrets, *hosts)
        key = server.create_key("--label", "bench")
        with pinned(core) if cores else nullcontext():
            server.start()
        yield Bench(server, ticker, key, folder, others[1:], taker)


@contextmanager
def sinks(load: Load, wire: str, port: int, key: str, cores: list[Cores] | None = None) -> Iterator[list[Child]]:
    """The clients, spread over the load's cores and logged in."""
    cores = cores or layout()[1][1:]
    config = {
        "wire": wire,
        "port": port,
        "key": key,
        "exchange": EXCHANGE,
        "symbols": names(load.symbols),
        "mode": load.mode,
        "interval": load.interval,
        "different": load.different,
    }
    share = -(-load.clients // len(cores))
    with ExitStack() as stack:
        children: list[Child] = []
        for first in range(0, load.clients, share):
            count = min(share, load.clients - first)
            place = cores[len(children) % len(cores)]
            children.append(stack.enter_context(Child("sink", {**config, "first": first, "clients": count}, place)))
        for child in children:
            child.hear()
        until(lambda: quiet(children), "silence after the log-in")
        yield children


def quiet(children: list[Child]) -> bool:
    return all(child.ask({"do": "quiet"})["since"] > QUIET for child in children)


def measure(load: Load, children: list[Child], pid: int, folder: Path, go: Any, sequenced: bool = True) -> Figures:
    """Run a load against connected clients and judge it."""
    for child in children:
        child.ask({"do": "begin"})
    cpu = cpu_seconds(pid)
    told = go()
    until(lambda: quiet(children), "the end of the data")
    cpu = cpu_seconds(pid) - cpu
    results = [child.ask({"do": "end", "folder": str(folder)}) for child in children]
    delivered = sum(sum(one["counts"]) for one in results)
    audited = [audit.read(one["audit"]) for one in results]
    every = [delay for messages in audited for delay in audit.delays(messages)]
    size = fmean(Path(one["audit"]).stat().st_size / max(1, len(m)) for one, m in zip(results, audited, strict=True))
    share = (load.symbols - 1) / load.symbols if load.different else 1
    extra: dict[str, Any] = {"expected": round(told["sent"] * load.clients * share)}
    if load.interval != 0:
        default_us = 50_000 if load.interval is None else load.interval * 1000
        judged = [audit.edges(one, str(folder / "sent"), names(load.symbols), default_us) for one in audited]
        stale = [delay for one in judged for delay in one.stale]
        extra = {
            "expected": delivered,
            "stale_max": audit.percentile(stale, 1.0),
            "leading_p99": audit.percentile([delay for one in judged for delay in one.leading], 0.99),
            "never": sum(one.never for one in judged),
        }
    judged_seq = sequenced and load.interval == 0
    missing = sum(audit.gaps(messages) for messages in audited) if judged_seq else None
    return Figures(
        load=load,
        sent=told["sent"],
        delivered=delivered,
        seconds=told["seconds"],
        missing_by_seq=missing,
        cpu_us=cpu / max(1, delivered) * 1e6,
        server_busy=cpu / told["seconds"],
        sink_busy=max(one["cpu"] for one in results) / told["seconds"],
        every_p50=audit.percentile(every, 0.5),
        every_p99=audit.percentile(every, 0.99),
        every_max=audit.percentile(every, 1.0),
        oldest_p99=audit.percentile([delay for one in results for delay in one["oldest"]], 0.99),
        newest_p50=audit.percentile([delay for one in results for delay in one["newest"]], 0.5),
        newest_p99=audit.percentile([delay for one in results for delay in one["newest"]], 0.99),
        message_bytes=size,
        sample=audit.sample(results[0]["audit"]),
        **extra,
    )


def idle_memory(one: Bench, clients: int, symbols: int) -> float:
    """Bytes of the server's resident memory per client that is logged in, subscribed and hears nothing."""
    warm = Load("warm", 10, symbols, 1)
    with sinks(warm, "sangam", one.server.ws_port, one.key):
        before = resident_bytes(one.server.pid)
    with sinks(Load("idle", clients, symbols, 1), "sangam", one.server.ws_port, one.key):
        return (resident_bytes(one.server.pid) - before) / (clients - warm.clients)


def through_nats(load: Load, message: bytes) -> tuple[Figures, str]:
    """The same clients, symbols, rate and message size through `nats-server`."""
    core, others = layout()
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="sangam-bench-")))
        server = stack.enter_context(nats.NatsServer(folder, core))
        config = {"port": server.port, "symbols": names(load.symbols), "message": message.decode()}
        publisher = stack.enter_context(Child("nats", config, others[0]))
        publisher.hear()
        children = stack.enter_context(sinks(load, "nats", server.ws_port, ""))
        order = {"rate": load.rate, "seconds": load.seconds}
        return measure(
            load, children, server.process.pid, folder, lambda: publisher.ask(order), False
        ), server.version()
