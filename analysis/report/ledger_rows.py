"""What the analysis takes from ledgers: rows, what they tell of each row, and notes on each run."""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from analysis.data.content_labels import LABELS, label_codes
from analysis.data.exposures import (
    COLUMNS,
    RunInfo,
    ViewColumns,
    Views,
    info_of,
    label_runs,
    row_of,
    run_info,
)
from analysis.report.site_changes import SiteChange, WindowEdges, find_changes
from analysis.statistics.estimate import Ints
from store.jsonl.base_record import Record
from store.runs.ledger import open_stream
from store.runs.ledger_lines import ObservedVideo, RunStarted, Step
from store.runs.ledger_site_lines import last_difference
from store.runs.run_outline import RunOutline, outline_run

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
    views, details = ViewColumns(), _DetailColumns()
    notes: list[RunNotes] = []
    for place, path in enumerate(paths):
        noted = _RunLook(place, views, details)
        with open_stream(path) as stream:
            notes.append(noted.note(outline_run(stream, noted.take)))
    runs = label_runs([note.info for note in notes])
    return LedgerRows(views.close(runs), details.texts(), details.labels(), tuple(notes))


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


class _DetailColumns:
    """What is kept of each row beside its columns, while ledgers are read."""

    def __init__(self) -> None:
        self._texts: tuple[list[str | None], ...] = tuple([] for _ in DETAILS)
        self._labels = array("b")

    def add(self, step: Step) -> None:
        for column, text in zip(self._texts, _details(step), strict=True):
            column.append(text)
        self._labels.extend(label_codes(step.video))

    def texts(self) -> RowDetails:
        columns = []
        for texts in self._texts:
            column = np.full(len(texts), None, dtype=object)
            column[:] = texts
            columns.append(column)
        return RowDetails(*columns)

    def labels(self) -> Ints:
        return np.array(self._labels, dtype=np.int64).reshape(-1, len(LABELS))


class _RunLook:
    """One run as its ledger is looked through: its rows, and what is counted over them."""

    def __init__(self, place: int, views: ViewColumns, details: _DetailColumns) -> None:
        self._place, self._views, self._details = place, views, details
        self._filmed = 0
        self._served: dict[str, set[str]] = {"before": set(), "after": set()}
        self._edges = WindowEdges()

    def take(self, video: ObservedVideo) -> None:
        if not isinstance(video, Step):
            return
        self._views.add(row_of(self._place, video))
        self._details.add(video)
        self._edges.take(video)
        self._filmed += not video.video.live
        if video.judgement.served and video.phase in self._served:
            self._served[video.phase].add(video.judgement.served)

    def note(self, run: RunOutline) -> RunNotes:
        last = run.checks[-1] if run.checks else None
        return RunNotes(
            started=run.started,
            status=run_info(run).status,
            differing=bool(last_difference(run.checks)),
            disputed=last is not None and last.disputes_run,
            counted=last is not None and last.compared >= NEARLY_ALL * self._filmed > 0,
            served=Served(frozenset(self._served["before"]), frozenset(self._served["after"])),
            changes=tuple(find_changes(run, self._edges)),
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
