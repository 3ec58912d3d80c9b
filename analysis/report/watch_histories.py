"""Watch histories of people beside the feeds of personas: the same measures of variety.

A history is longer than a window, and most measures depend on length. So it is cut into stretches
as long as the report's median window, and each measure is a mean over stretches. A stretch is
measured by itself. Stretches of one person are not independent: there is no interval.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import numpy as np

from analysis.data.exposures import AFTER, BEFORE, Views
from analysis.report.diversity import Variety, rarefied
from analysis.report.ledger_rows import LedgerRows
from analysis.statistics.estimate import NAN, Estimate
from store.dataset.watch_history import UNNAMED

STRETCHES = "stretches"
"""Window of a history, as tables call it."""


def history_varieties(
    beside: LedgerRows | None, views: Views, runs: Sequence[int], sample: int
) -> tuple[tuple[Variety, ...], int]:
    """Describe each history of the platform of these runs, and tell how long a stretch is.

    ``sample``: videos in which creators are counted, as in the windows. ``shared``: of a stretch's
    videos those that a window showed too, of the shorter of the two; a mean over pairs.
    """
    windows = _windows(views, runs)
    if beside is None or not windows:
        return (), 0
    length = max(1, int(np.median([len(window) for window in windows])))
    platform = views.runs[runs[0]].platform
    told = tuple(
        _variety(beside, index, length, windows, sample)
        for index, run in enumerate(beside.views.runs)
        if run.platform == platform
    )
    return told, length if told else 0


def _windows(views: Views, runs: Sequence[int]) -> list[frozenset[str]]:
    """Videos of every window of these runs that has any."""
    found = (
        frozenset(run.video[run.eligible & (run.phase == phase)].tolist())
        for run in map(views.one, runs)
        for phase in (BEFORE, AFTER)
    )
    return [window for window in found if window]


def _variety(
    beside: LedgerRows,
    index: int,
    length: int,
    windows: Sequence[frozenset[str]],
    sample: int,
) -> Variety:
    run, at = beside.views.one(index), beside.views.rows_of(index)
    rows = np.flatnonzero(run.eligible)
    video = run.video[rows]
    named = bool(len(video)) and not any(name.startswith(UNNAMED) for name in video.tolist())
    author = beside.seen.author[at][rows]
    count = max(1, len(rows) // length)
    cuts = [slice(n * length, (n + 1) * length) for n in range(count)]
    stretches = [video[cut].tolist() for cut in cuts] if named else []
    repeats = [100 * (1 - len(set(names)) / len(names)) for names in stretches]
    creators = [rarefied(_counts(author[cut].tolist()), sample) for cut in cuts]
    shared = _shared([frozenset(names) for names in stretches], windows) if named else NAN
    return Variety(
        arm=run.runs[0].persona,
        window=STRETCHES,
        videos=len(rows),
        repeats=_mean(repeats, "%", "the file does not name its videos"),
        yes=_mean([], "%", "nobody was asked"),
        yes_new=_mean([], "%", "nobody was asked"),
        creators=_mean(creators, "", "not every video names its creator"),
        near=_mean([], "%", "no frames"),
        shared=shared,
        sample=sample,
    )


def _counts(authors: Sequence[str | None]) -> tuple[int, ...]:
    """Count videos by creator; nothing unless every video names its own."""
    return () if None in authors else tuple(Counter(authors).values())


def _mean(values: Sequence[float], unit: str, otherwise: str) -> Estimate:
    known = [value for value in values if not np.isnan(value)]
    if not known:
        return Estimate(NAN, unit=unit, reason=otherwise)
    reason = "stretches of one history are not independent"
    return Estimate(float(np.mean(known)), unit=unit, reason=reason)


def _shared(stretches: Sequence[frozenset[str]], windows: Sequence[frozenset[str]]) -> float:
    """Mean over pairs of a stretch and a window; pairs that share nothing are not gone through."""
    shown: dict[str, list[int]] = {}
    for number, window in enumerate(windows):
        for name in window:
            shown.setdefault(name, []).append(number)
    total = 0.0
    for stretch in stretches:
        both = Counter(number for name in stretch for number in shown.get(name, ()))
        for number, count in both.items():
            total += 100 * count / min(len(stretch), len(windows[number]))
    return total / (len(stretches) * len(windows))
