"""Views made elsewhere: a table of them becomes the same columns that ledgers become.

One row per video that was shown, under a header. Columns, as they are or by ``ColumnMapping``:

- ``run``, ``position`` (counted from 0 within the run), and ``answer`` (yes, no, 1, 0; empty
  where there is none) or ``score`` (0 to 100; at or above the threshold is yes);
- if known: ``persona`` (default: the run), ``arm`` (treatment, yoked, passive), ``batch``,
  ``video``, ``window`` (before, adapt, after), ``platform``, ``strategy``, ``model``,
  ``replicate``, ``p_yes``, ``dwell`` (seconds), ``excluded`` (ad, live, repeat, not_shown).

Without a ``window`` column the windows go by position: the first ``before`` eligible videos, and
the last ``after``. A video that its run has shown before is a repeat.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from analysis.data.column_mapping import ColumnMapping, columns_text
from analysis.data.exposures import (
    ADAPT,
    AFTER,
    BEFORE,
    EXCLUDED,
    MISSING,
    NONE,
    PHASES,
    REPEAT,
    UNKNOWN,
    RunInfo,
    Views,
)
from analysis.data.imported_cells import (
    MOST_P_YES,
    MOST_SCORE,
    OF_A_RUN,
    ImportedCells,
    order_in_runs,
    read_cells,
)
from analysis.errors import BadViews
from analysis.statistics.estimate import NAN, Ints, Mask
from store.runs.ledger_lines import Windows
from store.terminal.printing import count_of
from store.untrusted.foreign_tables import BadTable, TextColumn, read_table

ARMS = ("treatment", "yoked", "passive")
MOST_VIDEO_BYTES = 2**31
_FAILED = MISSING.index("failed")
_AGAIN, _NOT_SHOWN = REPEAT.index("run"), EXCLUDED.index("not_shown")


@dataclass(frozen=True)
class ImportOptions:
    """How a table is read: its columns, and the windows and arm where it names none."""

    windows: Windows
    threshold: float = 60.0
    """Score from which on it counts as yes."""
    arm: str = "treatment"
    adapt: int | None = None
    """Videos between before and after; ``None``: all but the last ``windows.after``."""
    mapping: ColumnMapping = field(default_factory=ColumnMapping)
    sheet: str = ""
    """Of an Excel file; the first if empty."""


@dataclass(frozen=True, eq=False)
class ImportedViews:
    """Views, and what a reader of the file should know about how it was read."""

    views: Views
    remarks: tuple[str, ...]


def read_imported_views(path: Path, options: ImportOptions) -> ImportedViews:
    """Read a table of views, or raise ``BadViews`` with the line at fault."""
    try:
        table = read_table(path, options.sheet)
        cells = read_cells(str(path), table, options.mapping)
        views = _assemble(cells, options)
    except BadTable as error:
        raise BadViews(str(path), str(error), error.line) from None
    remarks = (
        *table.remarks,
        *_ignored(cells),
        *_remarks(views, len(table)),
        *_scales(views, options),
    )
    return ImportedViews(views, remarks)


def _assemble(cells: ImportedCells, options: ImportOptions) -> Views:
    run = cells.runs()
    order, position = order_in_runs(cells, run)
    run, cells = run[order], cells.rows(order)
    cells.check_runs(run)
    within = np.flatnonzero(_within(cells, run, options))
    run, position, cells = run[within], position[within], cells.rows(within)
    excluded = cells.choices("excluded", EXCLUDED, "")
    answer = cells.answers(options.threshold)
    phase = _phases(cells, run, excluded == 0, options)
    video, repeat = _videos(cells, run, position, excluded)
    return Views(
        runs=_infos(cells, run, phase, excluded == 0, options),
        run=run,
        position=position,
        batch=cells.wholes("batch", UNKNOWN),
        requested_at=np.full(len(run), UNKNOWN),
        phase=phase,
        answer=answer,
        missing=np.where(answer == NONE, _FAILED, 0),
        excluded=excluded,
        p_yes=cells.numbers("p_yes", MOST_P_YES),
        score=cells.numbers("score", MOST_SCORE),
        dwell=cells.numbers("dwell"),
        duration=np.full(len(run), NAN),
        latency=np.full(len(run), NAN),
        video=video,
        repeat=repeat,
    )


def _starts(run: Ints) -> Ints:
    """Return the first row of each run; rows are sorted by run."""
    return np.searchsorted(run, np.arange(run[-1] + 1))


def _eligible_before(run: Ints, eligible: Mask) -> Ints:
    """Count the eligible videos that each row's run has shown before it."""
    before: Ints = np.cumsum(eligible) - eligible
    return np.asarray(before - before[_starts(run)][run])


def _names_windows(cells: ImportedCells, run: Ints) -> Mask:
    """Tell of each run whether the file says which windows its videos are in."""
    return np.bincount(run, weights=~cells.texts("window").blank) > 0


def _within(cells: ImportedCells, run: Ints, options: ImportOptions) -> Mask:
    """Tell of each row whether it is not beyond the windows."""
    if options.adapt is None:
        return np.ones(len(run), dtype=bool)
    most = options.windows.before + options.adapt + options.windows.after
    eligible = cells.choices("excluded", EXCLUDED, "") == 0
    return (_eligible_before(run, eligible) < most) | _names_windows(cells, run)[run]


def _phases(cells: ImportedCells, run: Ints, eligible: Mask, options: ImportOptions) -> Ints:
    """The window of each row: as the file says, else by position in eligible videos."""
    windows = options.windows
    place = _eligible_before(run, eligible)
    total = np.bincount(run, weights=eligible).astype(np.int64)
    between = np.maximum(0, total - windows.before - windows.after)
    if options.adapt is not None:
        between = np.full(len(total), options.adapt)
    later = np.where(place < windows.before + between[run], ADAPT, AFTER)
    by_place = np.where(place < windows.before, BEFORE, later)
    named = cells.choices("window", PHASES, "adapt")
    return np.where(_names_windows(cells, run)[run], named, by_place)


def _infos(
    cells: ImportedCells, run: Ints, phase: Ints, eligible: Mask, options: ImportOptions
) -> tuple[RunInfo, ...]:
    starts = _starts(run)
    sizes = np.zeros((len(starts), len(PHASES)), dtype=np.int64)
    np.add.at(sizes, (run[eligible], phase[eligible]), 1)
    named = _names_windows(cells, run)
    texts = {name: cells.texts(name).at(starts) for name in OF_A_RUN}
    arms = cells.choices("arm", ARMS, options.arm)[starts]
    replicates = cells.wholes("replicate", 1)[starts]
    runs = []
    for at, name in enumerate(cells.texts("run").at(starts)):
        windows = options.windows.model_copy(
            update={phase: int(size) for phase, size in zip(PHASES, sizes[at], strict=True)}
        )
        wanted = Windows(before=1, after=1) if named[at] else options.windows
        whole = windows.before >= wanted.before and windows.after >= wanted.after
        runs.append(
            RunInfo(
                run_id=name,
                persona=texts["persona"][at] or name,
                platform=texts["platform"][at] or "elsewhere",
                strategy=texts["strategy"][at] or "imported",
                model=texts["model"][at] or "imported",
                arm=ARMS[arms[at]],
                replicate=int(replicates[at]),
                windows=windows,
                status="complete" if whole else "short",
            )
        )
    return tuple(runs)


def _videos(
    cells: ImportedCells, run: Ints, position: Ints, excluded: Ints
) -> tuple[NDArray[np.str_], Ints]:
    """Return each row's video, and which ones the run has shown before."""
    column = cells.names("video")
    longest = max(map(len, column.values))
    if 4 * longest * len(run) > MOST_VIDEO_BYTES:
        raise BadViews(
            cells.path,
            f"has too many videos with names of up to {longest} characters.",
            advice=f"{cells.option} video=:",
        )
    unnamed = np.flatnonzero(column.blank)
    stand_in = [
        f"{name}/{place}"
        for name, place in zip(
            cells.texts("run").at(unnamed), position[unnamed].tolist(), strict=True
        )
    ]
    video = np.array(column.values, dtype=np.str_)[column.codes]
    if len(unnamed):
        wide = max(longest, *map(len, stand_in))
        video = video.astype(f"<U{wide}")
        video[unnamed] = stand_in
    return video, np.where(_seen_before(run, column, excluded), _AGAIN, 0)


def _seen_before(run: Ints, column: TextColumn, excluded: Ints) -> Mask:
    """Tell of each row whether its run has shown its video before."""
    shown = np.flatnonzero(~column.blank & (excluded != _NOT_SHOWN))
    if not len(shown):
        return np.zeros(len(run), dtype=bool)
    pairs = run * len(column.values) + column.codes
    known, first = np.unique(pairs[shown], return_index=True)
    at = np.minimum(np.searchsorted(known, pairs), len(known) - 1)
    later = np.arange(len(run)) > shown[first[at]]
    return np.asarray(~column.blank & (known[at] == pairs) & later)


def _ignored(cells: ImportedCells) -> list[str]:
    many = len(cells.ignored) > 1
    said = f"Column{'s' * many} not used: {columns_text(cells.ignored)}."
    by_use = "Windows are those of the column use, as the report counted its rows."
    return [said] * bool(cells.ignored) + [by_use] * cells.by_use


def _scales(views: Views, options: ImportOptions) -> list[str]:
    """Say where scores seem to go from 0 to 1 and the threshold from 0 to 100."""
    scores = views.score[~np.isnan(views.score)]
    if not len(scores) or scores.max() > 1 or options.threshold <= 1:
        return []
    return [
        f"No score is above 1, and a score is a yes from {options.threshold:g} on. If they go from "
        "0 to 1, type --threshold 0.6, say."
    ]


def _remarks(views: Views, rows: int) -> list[str]:
    said = []
    if repeats := int((views.repeat > 0).sum()):
        said.append(
            f"{count_of(repeats, 'video')} had been shown before in the same run (repeats); "
            "they count."
        )
    short = sum(run.status != "complete" for run in views.runs)
    if short:
        said.append(f"{count_of(short, 'run')} of {len(views.runs)} too short for the windows.")
    if beyond := rows - len(views):
        said.append(f"{count_of(beyond, 'video')} beyond the windows left out.")
    return said
