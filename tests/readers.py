"""Readers of the house's own instrument list that hold facts of a broker's table, as those of families do."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import msgspec

from sangam.brokers.contract import RowRefused
from sangam.brokers.paper.instruments import parse
from sangam.model.instrument import Instrument


def marked(files: Sequence[bytes], mark: str) -> Iterator[Instrument | RowRefused]:
    for row in parse(files):
        yield msgspec.structs.replace(row, name=mark) if isinstance(row, Instrument) else row


@dataclass(frozen=True)
class Reader:
    mark: str

    def parse(self, files: Sequence[bytes]) -> Iterator[Instrument | RowRefused]:
        return marked(files, self.mark)
