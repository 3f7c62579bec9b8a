"""`make bench`: all parts, or the ones named:
``python -m bench decode wires fanout rest orders nats split life masters replay``.

A whole run writes docs/performance.md; ``--save`` puts the named parts' figures there."""

import asyncio
import sys
from importlib.metadata import version

from . import audit, decode, fanout, life, masters, nats, orders, wires
from .fanout import Figures, Load
from .machine import describe, raise_file_limit
from .report import Report, Section

FANOUT = ("load", "delivered/s", "lost", "gaps", "p50 ms", "p99 ms", "max ms", "oldest p99", "CPU µs", "busy", "bytes")
SPLIT = ("feed and", "delivered/s", "lost", "gaps", "p50 ms", "p99 ms", "max ms", "lost between")
ORDERS = ("on paper", "orders/s", "p50 ms", "p99 ms", "max ms", "busy", "failed", "messages/s", "lost", "messages p99")
WAY = (
    "to a broker",
    "there p50 ms",
    "there p99",
    "ping p50",
    "added p50",
    "answer p50",
    "answer p99",
    "orders",
    "failed",
)
BOOK = ("the order book", "p50 ms", "worst ms", "loop lag p99 ms", "messages/s", "lost")
LIBRARIES = ("picows", "uvloop", "msgspec")
MANY_SYMBOLS = 3000
REST_CONNECTIONS = 4

TEN = Load("10 clients × 10,000/s", 10, 100, 10_000)
HUNDRED = Load("100 clients × 10,000/s, equal sets", 100, 100, 10_000)
THOUSAND = Load("1,000 clients × 1,000/s, equal sets", 1000, 100, 1000)
LOADS = (
    TEN,
    HUNDRED,
    Load("100 clients × 10,000/s, every set different", 100, 100, 10_000, different=True),
    Load("100 clients × 10,000/s over 3,000 symbols", 100, MANY_SYMBOLS, 10_000),
    Load("100 clients × 1,000/s, equal sets", 100, 100, 1000),
    THOUSAND,
    Load("1,000 clients × 1,000/s, every set different", 1000, 100, 1000, different=True),
)
QUIET = Load("nobody streams", 1, 100, 10)
PINGED = Load("100 clients stream 2,000/s each", 100, 100, 2000)
THROTTLED = Load("100 clients, 3,000 symbols, 50 ms", 100, MANY_SYMBOLS, 10_000, interval=None, hot=0.5)


def figures_row(one: Figures, name: str = "") -> tuple[str, ...]:
    return (
        name or one.load.name,
        f"{one.per_second:,.0f}",
        f"{one.lost:,}",
        "–" if one.missing_by_seq is None else f"{one.missing_by_seq:,}",
        *(f"{value:.2f}" for value in (one.every_p50, one.every_p99, one.every_max, one.oldest_p99, one.cpu_us)),
        f"{one.server_busy:.0%}",
        f"{one.message_bytes:.0f}",
    )


def decode_part(section: Section) -> None:
    told = decode.measure()
    ours = told.merged_and_encoded
    section.add("decode", f"{told.decode:.2f}", "", "")
    section.add("decode + merge + encode", f"{ours:.2f}", "5", "1.0 ×")
    if told.peer_decode is not None and told.peer_dumps is not None:
        section.add("official SDK: decode", f"{told.peer_decode:.2f}", "", "")
        peer = told.peer_decode + told.peer_dumps
        section.add("official SDK: decode + json.dumps", f"{peer:.2f}", "", f"{peer / ours:.1f} ×")


def wires_part(section: Section) -> None:
    """The last column is what a busy machine changes least: the budgets are 1.4 and 3 times that of Kite's packet."""
    measured = asyncio.run(wires.measure())
    kite = next(wire.whole for wire in measured if wire.broker == "Zerodha")
    for wire in measured:
        times = f"{wire.decode:.2f}", f"{wire.whole:.2f}", f"{wire.budget:g}"
        ratios = f"{wire.whole / wire.budget:.1f} ×", f"{wire.whole / kite:.1f} ×"
        section.add(f"{wire.broker}, {wire.octets:.0f} bytes", *times, *ratios)


Measured = dict[str, Figures]


def served_parts(report: Report, chosen: set[str]) -> Measured:
    """Everything that needs a server with the prepared broker; what it showed, by load."""
    measured: Measured = {}
    with fanout.bench(MANY_SYMBOLS) as one:

        def loads(section: Section) -> None:
            for load in LOADS:
                measured[load.name] = figures = one.run(load)
                section.add(*figures_row(figures))

        def throttled(section: Section) -> None:
            told = one.run(THROTTLED)
            section.add("leading edge p99", f"{told.leading_p99:.1f} ms", "10 ms")
            section.add("a client's newest value, oldest ever", f"{told.stale_max:.1f} ms", "60 ms")
            section.add("last values that never came", f"{told.never:,}", "0")
            section.add("CPU per message", f"{told.cpu_us:.2f} µs", "")
            section.add("messages", f"{told.per_second:,.0f}/s", "")

        def resets(section: Section) -> None:
            first, last = life.reset(one, MANY_SYMBOLS)
            section.add("first update", f"{first:.2f}", "")
            section.add("all 3,000 symbols", f"{last:.2f}", "5")

        def replayed(section: Section) -> None:
            told = life.replay(one, 100, 1000)
            if told is None:
                section.note = "The recorded ticks are not here."
            else:
                section.add(*figures_row(told))

        def pinged(section: Section) -> None:
            for load in (QUIET, PINGED):
                took, seconds, told = one.ping(REST_CONNECTIONS, load)
                shares = (audit.percentile(took, share) for share in (0.5, 0.99))
                row = (f"{len(took) / seconds:,.0f}", *(f"{share:.2f}" for share in shares), f"{told.server_busy:.0%}")
                section.add(load.name, *row, f"{told.per_second:,.0f}", f"{told.lost:,}")
            section.note = "Budget: 2,000 pings/s with p50 ≤ 2 ms while 100 clients stream 2,000 updates/s each."

        if "fanout" in chosen:
            report.part(Section("Fan-out, every update to every client (interval 0)", FANOUT), loads)
            report.part(Section("Fan-out at the default interval", (THROTTLED.name, "measured", "budget")), throttled)
        if "rest" in chosen:
            columns = ("REST", "pings/s", "p50 ms", "p99 ms", "busy", "messages/s", "lost")
            report.part(Section("REST ping, four connections", columns), pinged)
        if "life" in chosen:
            report.part(Section("Broker socket reset", ("streaming again", "seconds", "budget")), resets)
        if "replay" in chosen:
            report.part(Section("Replay", FANOUT), replayed)
    return measured


def memory_part(section: Section) -> None:
    with fanout.bench(MANY_SYMBOLS) as one:  # a server that has had no load yet
        section.add("1,000 idle clients, 10 symbols each", f"{fanout.idle_memory(one, 1000, 10) / 1000:.1f}", "20")


def nats_part(report: Report, measured: Measured) -> None:
    def beside(section: Section) -> None:
        if not nats.binary():
            section.note = "nats-server is not installed here."
            return
        for load in (TEN, HUNDRED, THOUSAND):
            ours = measured.get(load.name)
            theirs, release = fanout.through_nats(load, ours.sample if ours else nats.DEFAULT_MESSAGE)
            section.add(*figures_row(theirs, f"nats-server {release}: {load.name}"), "")
            if ours:
                section.add(*figures_row(ours), f"{theirs.cpu_us / ours.cpu_us:.1f} ×")

    report.part(Section("Beside nats-server's WebSocket: same run, same message", (*FANOUT, "CPU ratio")), beside)


def masters_part(report: Report) -> None:
    found: list[masters.Lookups] = []

    def refreshed(section: Section) -> None:
        calm, busy, refresh, looked_up = masters.measure()
        found.append(looked_up)
        section.note = f"{refresh.rows:,} rows while {masters.LOAD.name} stream. Server and child have two cores here."
        if refresh.trouble:
            section.note += f" It failed: {refresh.trouble}"
        section.add("download, parse, validate, store, switch", f"{refresh.seconds:.1f} s", "")
        section.add("of it in the child", f"{refresh.reading:.1f} s", "8 s")
        section.add("loop lag meanwhile, p99", f"{refresh.lag:.1f} ms", "5 ms")
        section.add("loop lag without a refresh, p99", f"{refresh.calm_lag:.1f} ms", "")
        section.add("delay of every update meanwhile, p99", f"{busy.every_p99:.1f} ms", "")
        section.add("the same without a refresh", f"{calm.every_p99:.1f} ms", "")
        section.add("updates lost", f"{busy.lost:,}", "0")

    def looked_up(section: Section) -> None:
        (told,) = found
        section.add("look-up, known", f"{told.warm:.2f} µs", "2 µs")
        section.add("look-up, new", f"{told.cold:.0f} µs", "100 µs")
        section.add("option chain, 41 strikes", f"{told.chain / 1000:.1f} ms", "")
        for query, took in told.searches.items():
            section.add(f"search `{query}`, at most 500", f"{took:.1f} ms", "20 ms")

    report.part(Section("A new master beside the stream", ("the largest broker's", "measured", "budget")), refreshed)
    if found:
        report.part(Section("Looking up and searching", ("in 270,000 instruments", "measured", "budget")), looked_up)


def split_part(section: Section) -> None:
    """The processes go where the system puts them, so this part needs cores to show what they are for."""
    for gateways in (1, 2):
        with fanout.bench(100, cores=0, options=("--split", "--gateways", str(gateways))) as one:
            for load in (TEN, HUNDRED):
                told = one.run(load)
                between = one.server.metrics()["sangam_bus_lost_total"]
                times = (f"{value:.2f}" for value in (told.every_p50, told.every_p99, told.every_max))
                row = (
                    f"{told.per_second:,.0f}",
                    f"{told.lost:,}",
                    f"{told.missing_by_seq:,}",
                    *times,
                    f"{between:.0f}",
                )
                section.add(f"{gateways} × gateway: {load.name}", *row)


def orders_parts(report: Report) -> None:
    def paper(section: Section) -> None:
        section.note = (
            "Budget: p50 ≤ 8 ms by REST and ≤ 5 ms by WebSocket, 1,000 orders/s over several sockets, p99 ≤ 30 ms "
            "while 100 clients stream 5,000 updates/s each. An order waits for two commits that are flushed to the "
            f"disk; this one needs {orders.sync_ms():.2f} ms for a flush alone."
        )
        for name, told, streamed in orders.paper():
            times = (f"{told.share(part):.2f}" for part in (0.5, 0.99, 1.0))
            beside = (f"{streamed.per_second:,.0f}", f"{streamed.lost:,}", f"{streamed.every_p99:.2f}")
            section.add(name, f"{told.per_second:,.0f}", *times, f"{told.busy:.0%}", f"{told.failed:,}", *beside)

    def live(section: Section) -> None:
        section.note = (
            "From a program's bytes to the broker's bytes, the network of the machine included; added is that without "
            "half a ping, which is what any request costs. Budget of what is added: p50 ≤ 3 ms. The rate is what the "
            "broker's limit lets through without waiting."
        )
        for way in orders.live():
            shares = (
                audit.percentile(way.there, 0.5),
                audit.percentile(way.there, 0.99),
                way.ping.share(0.5),
                way.added,
            )
            times = (f"{value:.2f}" for value in (*shares, way.told.share(0.5), way.told.share(0.99)))
            section.add(f"{way.wire}, {way.beside}", *times, f"{len(way.there)}", f"{way.told.failed:,}")

    def books(section: Section) -> None:
        section.note = f"{orders.BOOK:,} open orders, over 2 MB of JSON each time."
        for book in orders.books():
            beside = ("", "") if (one := book.streamed) is None else (f"{one.per_second:,.0f}", f"{one.lost:,}")
            times = (audit.percentile(book.took, 0.5), audit.percentile(book.took, 1.0), book.lag)
            section.add(book.name, *(f"{value:.1f}" for value in times), *beside)

    report.part(Section("Orders on paper, durable", ORDERS), paper)
    report.part(Section("Orders on their way to a broker", WAY), live)
    report.part(Section("A long order book", BOOK), books)


def start_part(section: Section) -> None:
    seconds, megabytes = life.start_to_first_tick()
    section.add("start to a client's first tick", f"{seconds:.2f} s", "3 s")
    section.add("resident at rest", f"{megabytes:.0f} MB", "150 MB")


def main(arguments: list[str]) -> None:
    save = "--save" in arguments
    parts = [part for part in arguments if part != "--save"]
    chosen = set(parts or ("decode", "wires", "fanout", "rest", "orders", "nats", "split", "life", "masters", "replay"))
    raise_file_limit()
    facts = describe() | {name: version(name) for name in LIBRARIES}
    report = Report({name: value if name not in LIBRARIES else f"{name} {value}" for name, value in facts.items()})
    if "decode" in chosen:
        columns = ("a full-depth packet", "µs", "budget", "ratio")
        report.part(Section("Decode, merge, encode", columns), decode_part)
    if "wires" in chosen:
        told = ("an update of all fields and the book", "decode, µs", "decode + merge + encode, µs")
        judged = ("budget", "of the budget", "of Zerodha's")
        report.part(Section("Each broker's wire", (*told, *judged)), wires_part)
    measured = served_parts(report, chosen) if chosen & {"fanout", "rest", "life", "replay"} else {}
    if "orders" in chosen:
        orders_parts(report)
    if "nats" in chosen:
        nats_part(report, measured)
    if "split" in chosen:
        report.part(Section("Split server, on all cores together with the load", SPLIT), split_part)
    if "fanout" in chosen:
        report.part(Section("Memory per client", ("clients", "KB each", "budget")), memory_part)
    if "life" in chosen:
        report.part(Section("Start", ("embedded market, empty home", "measured", "budget")), start_part)
    if "masters" in chosen:
        masters_part(report)
    if not parts or save:
        report.save(whole=not parts)


if __name__ == "__main__":
    main(sys.argv[1:])
