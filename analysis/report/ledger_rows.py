"""What the analysis takes from ledgers: rows, what they tell of each row, and notes on each run."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from analysis.data.content_labels import LABELS, label_codes
from analysis.data.exposures import (
    COLUMNS,
    RunInfo,
    Views,
    from_ledgers,
    info_of,
    label_runs,
    run_info,
)
from analysis.report.site_changes import SiteChange, find_changes
from analysis.statistics.estimate import Ints
from store.jsonl.base_record import Record
from store.runs import ledger
from store.runs.ledger import Ledger
from store.runs.ledger_lines import RunStarted, Step
from store.runs.ledger_site_lines import last_difference

Texts = NDArray[np.object_]

NEARLY_ALL = 0.9
"""Share of a run's videos that the site has to tell of, for its word to count."""
DETAILS = ("author", "phash", "frame", "caption", "reason")


@dataclass(frozen=True, eq=False)
class RowDetails:
    """What the ledgers tell of each row beyond the columns of ``Views``.

    ``author``, ``phash`` and ``frame`` are ``None`` where they are not known; ``frame`` is the
    SHA-256 of the first frame that shows the video.
    """

    author: Texts
    phash: Texts
    frame: Texts
    caption: Texts
    reason: Texts


@dataclass(frozen=True)
class Served:
    """What services said has answered in one run, by window."""

    before: frozenset[str]
    after: frozenset[str]


class RunNotes(Record):
    """What a ledger tells of its run as a whole."""

    started: RunStarted
    status: str
    """As ``RunInfo.status``."""
    differing: bool
    """Whether the site has counted otherwise; ``disputed``: by more than single dwells."""
    disputed: bool
    counted: bool
    """Whether the site has told of nearly all videos of the run."""
    served: Served
    changes: tuple[SiteChange, ...]
    """Changes of the site that the run met."""

    @property
    def info(self) -> RunInfo:
        return info_of(self.started, self.status)


@dataclass(frozen=True, eq=False)
class LedgerRows:
    """Rows of several runs, with notes in the order of the runs."""

    views: Views
    seen: RowDetails
    labels: Ints
    """``label_codes`` of each row, shape ``(rows, labels)``."""
    notes: tuple[RunNotes, ...]


def read_rows(paths: Iterable[Path]) -> LedgerRows:
    """Read ledgers line by line; raises as ``ledger.read``."""
    gathered = _Gathered()
    views = from_ledgers(gathered.through(paths))
    details = np.full((len(DETAILS), len(gathered.details)), None, dtype=object)
    for index, told in enumerate(gathered.details):
        details[:, index] = told
    labels = np.array(gathered.labels, dtype=np.int64).reshape(-1, len(LABELS))
    return LedgerRows(views, RowDetails(*details), labels, tuple(gathered.notes))


def join_rows(parts: Sequence[LedgerRows]) -> LedgerRows:
    """Put the rows of different runs into one table, in the order given."""
    notes = tuple(note for part in parts for note in part.notes)
    starts = np.cumsum([0, *(len(part.notes) for part in parts)])
    columns = {
        name: np.concatenate([getattr(part.views, name) for part in parts]) for name in COLUMNS
    }
    columns["run"] = np.concatenate(
        [part.views.run + start for part, start in zip(parts, starts, strict=False)]
    )
    return LedgerRows(
        Views(tuple(label_runs([note.info for note in notes])), **columns),
        RowDetails(
            *(np.concatenate([getattr(part.seen, name) for part in parts]) for name in DETAILS)
        ),
        np.concatenate([part.labels for part in parts]),
        notes,
    )


def order_runs(rows: LedgerRows, order: Sequence[int]) -> LedgerRows:
    """Put runs into another order, which names each by its place; their rows go with them."""
    rank = np.empty(len(order), dtype=np.int64)
    rank[list(order)] = np.arange(len(order))
    run = rank[rows.views.run]
    sorting = np.lexsort((rows.views.position, run))
    notes = tuple(rows.notes[place] for place in order)
    columns = {name: getattr(rows.views, name)[sorting] for name in COLUMNS} | {"run": run[sorting]}
    return LedgerRows(
        Views(tuple(label_runs([note.info for note in notes])), **columns),
        RowDetails(*(getattr(rows.seen, name)[sorting] for name in DETAILS)),
        rows.labels[sorting],
        notes,
    )


@dataclass
class _Gathered:
    """What is kept of each ledger while the table of views is built from it."""

    notes: list[RunNotes] = field(default_factory=list)
    details: list[tuple[str | None, ...]] = field(default_factory=list)
    labels: list[tuple[int, ...]] = field(default_factory=list)

    def through(self, paths: Iterable[Path]) -> Iterator[Ledger]:
        for path in paths:
            read = ledger.read(path)
            self.notes.append(_note(read))
            self.details.extend(_details(step) for step in read.steps)
            self.labels.extend(label_codes(step.video) for step in read.steps)
            yield read


def _note(read: Ledger) -> RunNotes:
    named = sum(not step.video.live for step in read.steps)
    last = read.checks[-1] if read.checks else None
    return RunNotes(
        started=read.started,
        status=run_info(read).status,
        differing=bool(last_difference(read.checks)),
        disputed=last is not None and last.disputes_run,
        counted=last is not None and last.compared >= NEARLY_ALL * named > 0,
        served=Served(_served(read, "before"), _served(read, "after")),
        changes=tuple(find_changes(read)),
    )


def _served(read: Ledger, phase: str) -> frozenset[str]:
    return frozenset(
        step.judgement.served
        for step in read.steps
        if step.phase == phase and step.judgement.served
    )


def _details(step: Step) -> tuple[str | None, ...]:
    """Author, hash, frame, caption and reason of one step."""
    shown = [frame for frame in step.frames if frame.quality != "blank"]
    return (
        step.video.author,
        shown[0].phash if shown else None,
        shown[0].sha256 if shown else None,
        step.video.caption,
        step.judgement.reason,
    )
