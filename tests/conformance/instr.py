"""INSTR: the broker's list of instruments, as unified names."""

from collections.abc import Iterator, Sequence
from decimal import Decimal
from itertools import chain, islice
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from tests.conformance.matrix import case
from tests.conformance.rig import Rig

from sangam.brokers.contract import RowRefused
from sangam.instruments.build import build
from sangam.instruments.master import Master
from sangam.model.enums import Exchange as Code
from sangam.model.enums import InstrumentType
from sangam.model.errors import DecodeError, MasterRejected, SessionExpired, SymbolNotFound
from sangam.model.instrument import Instrument, parse_symbol
from sangam.verify import needs

COUNTED_IN_LOTS = (Code.MCX, Code.NCO, Code.CDS, Code.BCD)
"""Where brokers disagree on what a quantity of one is: the broker's own lot stands."""


@case("INSTR-01")
async def _(rig: Rig) -> None:
    """Every contract of the exchanges that the broker has is in its list, and no row is refused."""
    rows = await rig.rows()
    assert not [row for row in rows if isinstance(row, RowRefused)]
    listed = {contract.id for contract in rig.exchange.contracts if contract.exchange in rig.spec.exchanges}
    assert {(row.symbol, row.exchange) for row in rows if isinstance(row, Instrument)} == listed


def finer(rig: Rig, told: float, true: float) -> bool:
    """Whether a list that tells no ticks has none that would hold a right price back."""
    return "tick sizes" in rig.stand.absent and Decimal(str(true)) % Decimal(str(told)) == 0


def on_exchange(number: int, code: Code) -> None:
    @case(f"INSTR-{number:02d}", needs.exchange(code), title=f"{code.value}: names, ticks, lots, expiries and strikes")
    async def _(rig: Rig) -> None:
        listed = {contract.symbol: contract for contract in rig.exchange.contracts if contract.exchange is code}
        found = [row for row in await rig.instruments() if row.exchange is code]
        assert {row.symbol for row in found} == listed.keys()
        for row in found:
            contract = listed[row.symbol]
            assert (row.instrument_type, row.expiry) == (contract.instrument_type, contract.expiry)
            assert row.strike == contract.strike
            assert row.brsymbol
            assert row.brexchange
            if not code.is_index:
                assert row.tick_size == contract.tick_size or finer(rig, row.tick_size, contract.tick_size)
                assert row.lot_size == contract.lot_size or (code in COUNTED_IN_LOTS and row.lot_size > 0)


for _number, _code in enumerate(needs.EXCHANGES, 2):
    on_exchange(_number, _code)


@case("INSTR-12")
async def _(rig: Rig) -> None:
    """Each symbol, each broker symbol and each token names one instrument, and all three lead to it."""
    with TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        target = Path(folder) / "master.sqlite"
        built = build(rig.spec.instruments.parse, await rig.files(), target)
        assert (built.rows, built.refused) == (len(await rig.instruments()), {})
        master = Master(target, "today")
        for row in await rig.instruments():
            assert master.lookup(row.symbol, row.exchange.value) == row
            assert master.by_brsymbol(row.brsymbol, row.brexchange) == row
            assert master.by_token(row.token, row.exchange.value) == row
        with pytest.raises(SymbolNotFound):
            master.lookup("NOSUCH", Code.NSE.value)
        assert master.by_brsymbol("NOSUCH", "NSE") is None
        assert master.by_token("0", Code.NSE.value) is None


@case("INSTR-13")
async def _(rig: Rig) -> None:
    """Rows that come twice are refused by name, and cost none of the others."""
    parse = rig.spec.instruments.parse

    def stuttering(files: Sequence[bytes]) -> Iterator[Instrument | RowRefused]:
        return chain(parse(files), islice(parse(files), 5))

    with TemporaryDirectory() as folder:
        built = build(stuttering, await rig.files(), Path(folder) / "master.sqlite")
    assert (built.rows, built.refused) == (len(await rig.instruments()), {"duplicate symbol": 5})


@case("INSTR-14")
async def _(rig: Rig) -> None:
    """Nothing that has expired is listed, and what expires today still is."""
    expiries = {row.expiry for row in await rig.instruments() if row.expiry is not None}
    assert min(expiries) == min(row.expiry for row in rig.exchange.contracts if row.expiry is not None)
    assert min(expiries) >= rig.exchange.day


@case("INSTR-15", needs.exchange(Code.NSE_INDEX), needs.exchange(Code.BSE_INDEX))
async def _(rig: Rig) -> None:
    """Indices bear our names, whatever the broker calls them."""
    names = {(row.symbol, row.exchange) for row in await rig.instruments() if row.exchange.is_index}
    nse = {"NIFTY", "BANKNIFTY"}
    assert {*((name, Code.NSE_INDEX) for name in nse), ("SENSEX", Code.BSE_INDEX)} <= names
    assert all(" " not in symbol for symbol, _ in names)


@case("INSTR-16")
async def _(rig: Rig) -> None:
    """The symbol of a derivative says what its fields say."""
    for row in await rig.instruments():
        if row.expiry is not None:
            parsed = parse_symbol(row.symbol)
            assert parsed is not None
            assert (parsed.expiry, parsed.strike, parsed.kind) == (row.expiry, row.strike, row.instrument_type)
        else:
            assert row.instrument_type in (InstrumentType.EQ, InstrumentType.INDEX)


@case("INSTR-17")
async def _(rig: Rig) -> None:
    """On each stream, no two instruments go by the same key."""
    for stream in rig.spec.streams:
        carried = [row for row in await rig.instruments() if row.exchange in stream.carries.exchanges]
        keys = [key for key in map(stream.key, carried) if key is not None]
        assert len(set(keys)) == len(keys)


@case("INSTR-18")
async def _(rig: Rig) -> None:
    """After a night in which all numbers change, the same names have the new ones. Brokers that name shares by their
    ISIN keep those."""
    before = {(row.symbol, row.exchange): row.token for row in await rig.instruments()}
    rig.exchange.renumber()
    after = {(row.symbol, row.exchange): row.token for row in await rig.instruments()}
    assert before.keys() == after.keys()
    future = await rig.future()
    assert before[future.symbol, future.exchange] != after[future.symbol, future.exchange]


@case("INSTR-19")
async def _(rig: Rig) -> None:
    """A file that is another one is rejected as a whole."""
    rig.simulator.faults.damaged_master = b"<html>Back soon</html>"
    files = await rig.files()
    with TemporaryDirectory() as folder, pytest.raises((DecodeError, MasterRejected)):
        build(rig.spec.instruments.parse, files, Path(folder) / "master.sqlite")


@case("INSTR-20")
async def _(rig: Rig) -> None:
    """A file that breaks off gives what it has, or is rejected; it never gives a wrong row."""
    whole = {(row.symbol, row.exchange): row for row in await rig.instruments()}
    for part in (0.3, 0.7):
        cut = [content[: int(len(content) * part)] for content in await rig.files()]
        try:
            rows = [row for row in rig.spec.instruments.parse(cut) if isinstance(row, Instrument)]
        except DecodeError:
            continue
        assert all(whole.get((row.symbol, row.exchange)) == row for row in rows[:-1])


@case("INSTR-21")
async def _(rig: Rig) -> None:
    """A dead session gets no list, or one that needs no session; it is never taken for an empty one."""
    rig.simulator.expire_token()
    try:
        rows = await rig.instruments()
    except SessionExpired:
        return
    assert rows
