"""All brokers' masters: which version stands, and how a new one replaces it."""

import asyncio
import contextlib
import os
import pickle
import sqlite3
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

import msgspec

from sangam.brokers.contract import BrokerSpec
from sangam.model.clock import Clock, ist_from_ms
from sangam.model.errors import MasterRejected

from . import freeze
from .job import Built, Job
from .master import Master

DEADLINE = 120.0
"""Seconds a child may take; the budget for 270,000 rows is 8."""

SHRINK = 0.5
"""A new master with fewer than this part of the standing one's rows is taken for a cut-off download."""


class MasterReport(msgspec.Struct, frozen=True):
    """What a refresh brought: rows stored, rows refused by reason, and the first refused row of each reason."""

    version: str
    rows: int
    refused: dict[str, int]
    examples: dict[str, str]


class _Pointer(msgspec.Struct):
    version: str
    previous: str = ""
    made_at: int = 0


class Masters:
    """The masters of all brokers in ``{home}/masters``: immutable files, and a small pointer file for each broker.

    One process owns the folder. `current` and `refresh` belong to its event loop."""

    def __init__(self, home: Path, clock: Clock) -> None:
        """Raises ConfigError where the home folder's freeze quantities cannot be read."""
        self._folder = home / "masters"
        self._freezes = freeze.load(home)
        self._clock = clock
        self._standing: dict[str, Master | None] = {}
        self._locks: dict[str, asyncio.Lock] = {}

    def current(self, source: str) -> Master | None:
        """The standing master of a source; None before its first refresh."""
        if source not in self._standing:
            self._standing[source] = self._opened(source)
        return self._standing[source]

    async def refresh(
        self, spec: BrokerSpec, files: Sequence[bytes], source: str | None = None, made_at: int | None = None
    ) -> MasterReport:
        """Build a master from a broker's files and let it stand.

        `source` tells masters of one broker apart that come from different hosts, where tokens differ; by default it is
        the broker's name. `made_at` is when the broker was asked for the files (epoch ms), now by default. Raises
        MasterRejected, and yesterday's stays, when the files are unreadable, empty, mostly refused or much shorter than
        before. Masters handed out before stay good."""
        source = source or spec.name
        async with self._locks.setdefault(source, asyncio.Lock()):
            child = _Child()
            asked = self._clock.now_ms() if made_at is None else made_at
            try:
                master, report = await asyncio.to_thread(self._replace, spec, files, source, asked, child)
            except asyncio.CancelledError:
                child.stop()
                raise
            self._standing[source] = master
            return report

    def close(self) -> None:
        """Let go of the standing masters; each file closes with its last reader."""
        self._standing.clear()

    def _replace(
        self, spec: BrokerSpec, files: Sequence[bytes], source: str, made_at: int, child: "_Child"
    ) -> tuple[Master, MasterReport]:
        self._folder.mkdir(parents=True, exist_ok=True)
        prefix = f".{source}-"
        with tempfile.TemporaryDirectory(prefix=prefix, dir=self._folder, ignore_cleanup_errors=True) as scratch:
            # Files go to the child by disk: a pipe would copy them with the GIL held.
            parts = [Path(scratch, f"part{number}") for number in range(len(files))]
            for part, content in zip(parts, files, strict=True):
                part.write_bytes(content)
            target = Path(scratch, "master.db")
            built = child.run(Job(_parcel(spec), [str(part) for part in parts], str(target)))
            self._judge(spec, source, built)
            return self._switch(source, target, built, made_at)

    def _judge(self, spec: BrokerSpec, source: str, built: Built) -> None:
        if built.error:
            raise MasterRejected(f"The new {spec.title} master was rejected and the old one stays. {built.error}")
        standing = self.current(source)
        if standing is not None and not spec.simulated and built.rows < standing.count * SHRINK:
            raise MasterRejected(
                f"The new {spec.title} master has only {built.rows} rows, {standing.version} has {standing.count}: "
                f"it looks cut off, so the old one stays. To take it all the same, delete {source}.json in "
                f"{self._folder} and download again."
            )

    def _switch(self, source: str, target: Path, built: Built, made_at: int) -> tuple[Master, MasterReport]:
        version = self._next_version(source)
        os.replace(target, self._path(version))
        standing = self.current(source)
        pointer = _Pointer(version, standing.version if standing else "", made_at)
        master = self._open(pointer)
        draft = self._folder / f".{source}.json"
        draft.write_bytes(msgspec.json.encode(pointer))
        os.replace(draft, self._folder / f"{source}.json")
        for path in self._folder.glob(f"{source}-[0-9][0-9][0-9][0-9]-*.db"):
            if path.stem not in (pointer.version, pointer.previous):
                with contextlib.suppress(PermissionError):  # Windows keeps files that a reader has open; next time
                    path.unlink()
        return master, MasterReport(version, built.rows, built.refused, built.examples)

    def _opened(self, source: str) -> Master | None:
        try:
            pointer = msgspec.json.decode((self._folder / f"{source}.json").read_bytes(), type=_Pointer)
            return self._open(pointer)
        except (FileNotFoundError, msgspec.DecodeError, sqlite3.Error):
            return None  # a master is rebuilt from the source's files, never repaired

    def _open(self, pointer: _Pointer) -> Master:
        return Master(self._path(pointer.version), pointer.version, pointer.made_at, self._freezes)

    def _next_version(self, source: str) -> str:
        stem = f"{source}-{ist_from_ms(self._clock.now_ms()).date().isoformat()}"
        numbers = (path.stem.removeprefix(f"{stem}-") for path in self._folder.glob(f"{stem}-*.db"))
        return f"{stem}-{max((int(number) for number in numbers if number.isdecimal()), default=0) + 1}"

    def _path(self, version: str) -> Path:
        return self._folder / f"{version}.db"


def _parcel(spec: BrokerSpec) -> bytes:
    try:
        return pickle.dumps(spec.instruments.parse)
    except (pickle.PicklingError, AttributeError, TypeError) as error:
        raise MasterRejected(f"What reads the {spec.title} master cannot go to another process: {error}") from error


class _Child:
    """The process that builds one master. `run` belongs to a worker thread, `stop` may come from any."""

    def __init__(self) -> None:
        self._process: subprocess.Popen[bytes] | None = None
        self._stopped = False

    def run(self, job: Job) -> Built:
        search_path = os.pathsep.join(filter(None, sys.path))
        with subprocess.Popen(
            [sys.executable, "-P", "-m", "sangam.instruments.build"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env={**os.environ, "PYTHONPATH": search_path},
        ) as process:
            self._process = process
            if self._stopped:
                process.kill()
            try:
                out, trouble = process.communicate(msgspec.json.encode(job), DEADLINE)
            except subprocess.TimeoutExpired:
                process.kill()
                return Built(error=f"Reading it took more than {DEADLINE:.0f} s.")
        if process.returncode != 0:
            last = trouble.decode(errors="replace").strip().rpartition("\n")[2]
            return Built(error=f"The process that reads it ended with code {process.returncode}. {last}")
        return msgspec.json.decode(out, type=Built)

    def stop(self) -> None:
        self._stopped = True
        if self._process is not None:
            self._process.kill()
