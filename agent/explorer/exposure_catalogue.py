"""Everything that was shown, as columns in memory: what the explorer filters, counts and sorts."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from analysis.data.content_labels import LABELLED, LABELS, NOT_LABELLED
from analysis.data.exposures import EXCLUDED, MISSING, PHASES, YES
from analysis.report.compact_ledgers import read_ledgers
from analysis.report.ledger_rows import LedgerRows, RunNotes, join_rows, order_runs, read_rows
from store.errors import StoreError
from store.frames.near_duplicates import Leaders
from store.runs.data_folder import DataFolder

Ints = NDArray[np.int64]
Told = Callable[[int, int], None]
"""Told how many ledgers are read, and how many there are."""

ANSWERS = ("yes", "no", "none")
COUNTS = "counts"
_ADS = {LABELLED: "yes", NOT_LABELLED: "no"}


@dataclass(frozen=True, eq=False)
class Facet:
    """One property of every row, as a code into its values."""

    name: str
    values: tuple[str, ...]
    codes: Ints

    @classmethod
    def of(cls, name: str, words: Sequence[str], codes: Ints) -> Facet:
        """Make a facet of codes into words of which several may be the same."""
        values = sorted(set(words))
        place = {value: at for at, value in enumerate(values)}
        return cls(name, tuple(values), np.array([place[word] for word in words], int)[codes])


class AlikePictures:
    """Numbers pictures, near-duplicates alike; what was numbered once keeps its number."""

    def __init__(self) -> None:
        self._leaders = Leaders()
        self._known: dict[str, int] = {}
        self._lock = threading.Lock()

    def number(self, hashes: Sequence[str | None]) -> Ints:
        """Return a number for each perceptual hash; a row without one is like no other."""
        with self._lock:
            for phash in hashes:
                if phash is not None and phash not in self._known:
                    self._known[phash] = self._leaders.place(int(phash, 16))[0]
            return np.array(
                [
                    -1 - row if phash is None else self._known[phash]
                    for row, phash in enumerate(hashes)
                ],
                dtype=np.int64,
            )


@dataclass(frozen=True)
class DamagedRun:
    """A run whose ledger cannot be read, and why."""

    run_id: str
    problem: str


@dataclass(frozen=True, eq=False)
class ExposureCatalogue:
    """The rows of all runs that can be read, the run that was started last first."""

    rows: LedgerRows
    alike: AlikePictures
    damaged: tuple[DamagedRun, ...] = ()

    def __len__(self) -> int:
        return len(self.rows.views)

    @property
    def runs(self) -> tuple[RunNotes, ...]:
        return self.rows.notes

    @cached_property
    def facets(self) -> dict[str, Facet]:
        """What rows are chosen by, in the order of the page."""
        views, notes = self.rows.views, self.rows.notes
        of_runs: dict[str, list[str]] = {
            "platform": [note.started.platform for note in notes],
            "persona": [run.persona for run in views.runs],
            "arm": [note.started.arm for note in notes],
            "model": [note.started.model for note in notes],
            "strategy": [note.started.strategy for note in notes],
            "study": [note.started.study or "no study" for note in notes],
            "run": [note.started.run_id for note in notes],
        }
        ads = [_ADS.get(int(code), "not known") for code in self.rows.labels[:, LABELS.index("ad")]]
        answers = np.where(views.answer == YES, 0, np.where(views.answer == 0, 1, 2))
        made = [
            Facet("answer", ANSWERS, answers),
            Facet("missing", ("", *MISSING[1:]), views.missing),
            Facet("phase", PHASES, views.phase),
            *(Facet.of(name, words, views.run) for name, words in of_runs.items()),
            Facet.of("ad", ads, np.arange(len(self))),
            Facet("left out", (COUNTS, *EXCLUDED[1:]), views.excluded),
        ]
        return {facet.name: facet for facet in made}

    @cached_property
    def looks(self) -> Ints:
        """A number for each row's picture, the same for those that are near-duplicates."""
        return self.alike.number(self.rows.seen.phash.tolist())

    @cached_property
    def captions(self) -> Any:
        """Captions and authors as one Arrow column, to look for words in."""
        import pyarrow as pa

        seen = self.rows.seen
        pairs = zip(seen.caption, seen.author, strict=True)
        return pa.array([f"{caption or ''}\n{author or ''}" for caption, author in pairs])

    @cached_property
    def places(self) -> dict[tuple[str, int], int]:
        """Row of a run's id and a position in it."""
        views = self.rows.views
        names = [run.run_id for run in views.runs]
        pairs = zip(views.run.tolist(), views.position.tolist(), strict=True)
        return {(names[run], position): row for row, (run, position) in enumerate(pairs)}

    @cached_property
    def runs_by_id(self) -> dict[str, int]:
        """Place of each run among ``runs``."""
        return {note.started.run_id: place for place, note in enumerate(self.runs)}


class CatalogueReader:
    """Reads a data folder, and what has changed in it since, one caller at a time."""

    def __init__(self, data: DataFolder) -> None:
        self._data = data
        self._lock = threading.Lock()
        self._settled: tuple[dict[Path, tuple[int, int]], LedgerRows | None] = ({}, None)
        self._moving: dict[Path, tuple[tuple[int, int], LedgerRows]] = {}
        self._damaged: dict[Path, tuple[tuple[int, int], DamagedRun]] = {}
        self._alike = AlikePictures()
        self._shown = ExposureCatalogue(read_rows([]), self._alike)
        self.read, self.total = 0, 0
        """Ledgers read of those that there are, while the first reading goes on."""
        self.is_ready = False

    @property
    def shown(self) -> ExposureCatalogue:
        """What was read last, at once; empty while the first reading goes on."""
        return self._shown

    def refresh(self) -> ExposureCatalogue:
        """Read what is new, and return everything; raises ``DataUnreadable``."""
        with self._lock:
            stamps = {path: read_stamp(path) for path in self._data.ledgers()}
            settled, rows = self._settled
            if rows is None or any(stamps.get(path) != stamp for path, stamp in settled.items()):
                self._read_all(stamps)
            elif not self._follow(stamps):
                return self._shown
            self._shown = self._joined()
            self.is_ready = True
            return self._shown

    def _read_all(self, stamps: dict[Path, tuple[int, int]]) -> None:
        """Read every ledger; those of runs that go on are read anew when they have grown."""
        self._moving, self._damaged = {}, {}
        found = self._data.runs()
        self.read, self.total = 0, len(found)
        paths = [run.path for run in found if run.status == "complete"]
        try:
            rows = read_ledgers(self._data, paths, self._counted)
        except StoreError:  # one is damaged in its middle: each is read alone, to know which
            paths = [path for path in paths if self._read_one(path, stamps[path])]
            rows = join_rows([read_rows([])] + [self._moving.pop(path)[1] for path in paths])
        self._settled = {path: stamps[path] for path in paths if path in stamps}, rows
        self._follow(stamps)

    def _counted(self, paths: Sequence[Path]) -> Any:
        for path in paths:
            yield path
            self.read += 1

    def _follow(self, stamps: dict[Path, tuple[int, int]]) -> bool:
        """Read what is not settled and has changed; whether anything has."""
        settled = self._settled[0]
        known = {path: told[0] for path, told in (self._moving | self._damaged).items()}
        gone = [path for path in known if path not in stamps]
        for path in gone:
            self._moving.pop(path, None)
            self._damaged.pop(path, None)
        new = [path for path in stamps if path not in settled and known.get(path) != stamps[path]]
        for path in new:
            self._read_one(path, stamps[path])
        return bool(gone or new)

    def _read_one(self, path: Path, stamp: tuple[int, int]) -> bool:
        self._moving.pop(path, None)
        self._damaged.pop(path, None)
        try:
            self._moving[path] = stamp, read_rows([path])
        except StoreError as error:
            self._damaged[path] = stamp, DamagedRun(path.parent.name, str(error))
            return False
        return True

    def _joined(self) -> ExposureCatalogue:
        parts = [self._settled[1], *(rows for _, rows in self._moving.values())]
        rows = join_rows([part for part in parts if part is not None])
        order = sorted(
            range(len(rows.notes)), key=lambda at: rows.notes[at].started.at, reverse=True
        )
        damaged = tuple(run for _, run in self._damaged.values())
        return ExposureCatalogue(order_runs(rows, order), self._alike, damaged)


def read_stamp(path: Path) -> tuple[int, int]:
    """What tells a ledger that has changed; a missing one is ``(0, 0)``."""
    try:
        found = path.stat()
    except OSError:
        return 0, 0
    return found.st_mtime_ns, found.st_size
