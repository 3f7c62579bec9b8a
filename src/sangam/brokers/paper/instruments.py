"""The paper exchange's list of instruments: a CSV that already speaks unified names."""

import csv
import io
from collections.abc import Iterator, Mapping, Sequence
from datetime import date

from sangam.brokers.contract import Ctx, Instruments, Operation, Request, RowRefused, Session
from sangam.model.enums import Exchange, InstrumentType
from sangam.model.errors import DecodeError
from sangam.model.instrument import Instrument

COLUMNS = ["token", "symbol", "exchange", "name", "instrument_type", "expiry", "strike", "lot_size", "tick_size"]


def parse(files: Sequence[bytes]) -> Iterator[Instrument | RowRefused]:
    """Every row as an instrument or a refusal. A file that is not this list raises DecodeError."""
    for content in files:
        reader = csv.reader(io.StringIO(content.decode("utf-8-sig", "replace"), newline=""))
        if next(reader, None) != COLUMNS:
            raise DecodeError("Sangam Paper's instruments file does not begin with the known columns.")
        for row in reader:
            try:
                yield _instrument(dict(zip(COLUMNS, row, strict=True)))
            except ValueError as error:
                yield RowRefused(f"unreadable row: {error}", ",".join(row))


def _instrument(row: Mapping[str, str]) -> Instrument:
    return Instrument(
        symbol=row["symbol"],
        exchange=Exchange(row["exchange"]),
        brsymbol=row["symbol"],
        brexchange=row["exchange"],
        token=row["token"],
        name=row["name"],
        instrument_type=InstrumentType(row["instrument_type"]),
        expiry=date.fromisoformat(row["expiry"]) if row["expiry"] else None,
        strike=float(row["strike"] or 0),
        lot_size=int(row["lot_size"] or 1),
        tick_size=float(row["tick_size"]),
    )


def _download(session: Session, ctx: Ctx) -> Operation[list[bytes]]:
    content = yield Request(method="GET", host="api", path="/instruments.csv", reply="file")
    return [content]


INSTRUMENTS = Instruments(download=_download, parse=parse)
