"""How varied the feeds were, by arm and window.

Windows differ in length and longer ones hold more creators, so creators are counted in samples of
one size (rarefaction: Hurlbert, Ecology 1971).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from analysis.data.before_after_windows import compared
from analysis.data.exposures import AFTER, BEFORE, EXCLUDED, YES, Views
from analysis.report.ledger_rows import RowDetails, Texts
from analysis.statistics.estimate import NAN, Estimate, Floats, Ints, Mask
from analysis.statistics.intervals import t_interval
from store.frames.near_duplicates import are_near_duplicates

SMALLEST_SAMPLE = 5
_REPEAT = EXCLUDED.index("repeat")


@dataclass(frozen=True)
class Variety:
    """One arm and window, as means over runs with Student's t.

    ``yes``, ``yes_new``: share of yes in %: of the videos that are compared, as in the sway, and of
    those of them that had not been shown before.
    """

    arm: str
    window: str
    videos: int
    repeats: Estimate
    """Videos that the same run, or account, had shown before, in % of all that were shown. Of a
    history, those that the same stretch had."""
    yes: Estimate
    yes_new: Estimate
    creators: Estimate  # different creators in a sample of ``sample`` videos
    near: Estimate  # frames that look like an earlier one of the same run, in %
    shared: float
    """Videos that the same window of another persona's run showed too, in % of the shorter of the
    two windows; a mean over pairs of runs, so it has no interval."""
    sample: int


@dataclass(frozen=True, eq=False)
class _Window:
    persona: str
    videos: frozenset[str]
    repeats: float
    yes: float
    yes_new: float
    authors: tuple[int, ...]
    near: float
    count: int


def varieties(
    views: Views, seen: RowDetails | None, runs: Sequence[int], arms: Sequence[str]
) -> tuple[Variety, ...]:
    """Describe the variety of each arm's windows; without ``seen``, by video ids alone."""
    windows: dict[tuple[str, int], list[_Window]] = {
        (arm, phase): [] for arm in arms for phase in (BEFORE, AFTER)
    }
    for index in (index for index in runs if views.runs[index].arm in arms):
        near = _near(seen.phash[views.rows_of(index)]) if seen else None
        for phase in (BEFORE, AFTER):
            window = _window(views, seen, index, phase, near)
            windows[views.runs[index].arm, phase].append(window)
    sample = _sample(windows)
    names = {BEFORE: "before", AFTER: "after"}
    return tuple(
        _variety(arm, names[phase], members, sample) for (arm, phase), members in windows.items()
    )


def _variety(arm: str, window: str, members: Sequence[_Window], sample: int) -> Variety:
    creators = np.array([rarefied(member.authors, sample) for member in members])
    return Variety(
        arm=arm,
        window=window,
        videos=sum(member.count for member in members),
        repeats=_mean(members, "repeats"),
        yes=_mean(members, "yes"),
        yes_new=_mean(members, "yes_new"),
        creators=t_interval(creators, "").within(0, sample),
        near=_mean(members, "near"),
        shared=_shared(members),
        sample=sample,
    )


def _mean(members: Sequence[_Window], share: str) -> Estimate:
    values = np.array([getattr(member, share) for member in members])
    return t_interval(values, "%").within(0, 100)


def _window(
    views: Views, seen: RowDetails | None, index: int, phase: int, near: Floats | None
) -> _Window:
    """Describe one window; ``near``: by row of the run, nan where there is no frame."""
    run, at = views.one(index), views.rows_of(index)
    rows = run.phase == phase
    eligible = rows & run.eligible
    left_out = rows & (run.excluded == _REPEAT)  # in ledgers that excluded repeats
    again = (eligible & (run.repeat > 0)) | left_out
    count, shown = int(eligible.sum()), int((eligible | left_out).sum())
    chosen = compared(run)
    used = rows & (chosen.before | chosen.after)
    return _Window(
        persona=run.runs[0].persona,
        videos=frozenset(run.video[eligible].tolist()),
        repeats=100 * int(again.sum()) / shown if count else NAN,
        yes=_yes(run, used),
        yes_new=_yes(run, used & ~again),
        authors=_authors(seen.author[at][eligible]) if seen else (),
        near=_share_near(near[eligible]) if near is not None else NAN,
        count=count,
    )


def _yes(views: Views, rows: Mask) -> float:
    """Share of yes among the answers of some rows, in %."""
    judged = rows & views.judged
    return float(100 * (views.answer[judged] == YES).mean()) if judged.any() else NAN


def _authors(names: Texts) -> tuple[int, ...]:
    """Videos per creator; none unless every video names its creator."""
    if any(name is None for name in names):
        return ()
    return tuple(Counter(names.tolist()).values())


def _near(phashes: Texts) -> Floats:
    """Whether each frame of a run looks like an earlier one of it; nan where there is none."""
    at = np.flatnonzero(phashes != None)  # noqa: E711 (elementwise)
    near = np.full(len(phashes), NAN)
    near[at] = are_near_duplicates([str(phash) for phash in phashes[at]])
    return near


def _share_near(near: Floats) -> float:
    known = near[~np.isnan(near)]
    return float(100 * known.mean()) if len(known) else NAN


def _sample(windows: Mapping[tuple[str, int], Sequence[_Window]]) -> int:
    """Size of the samples in which creators are counted: the shortest window's."""
    sizes = [sum(member.authors) for members in windows.values() for member in members]
    known = [size for size in sizes if size]
    return min(known) if known and min(known) >= SMALLEST_SAMPLE else 0


def rarefied(counts: Sequence[int], sample: int) -> float:
    """Different kinds that are expected in a sample drawn without replacement, ``counts`` of each.

    nan where ``sample`` is 0 or larger than what there is.
    """
    total = sum(counts)
    if not 0 < sample <= total:
        return NAN
    sizes, which = np.unique(counts, return_inverse=True)  # few, of however many kinds
    steps = np.arange(sample)
    met = np.empty(len(sizes))
    for place, size in enumerate(sizes.tolist()):
        absent = (total - size - steps) / (total - steps)
        met[place] = 1 - np.prod(np.maximum(absent, 0))
    return float(met[which].sum())


def _shared(members: Sequence[_Window]) -> float:
    """Mean over pairs of personas of the share of videos that both windows showed, in %.

    Pairs are never gone through: a video that k windows show is shared by k (k - 1) / 2 of them.
    """
    shown = [member for member in members if member.videos]
    codes: dict[str, int] = {}
    which = [codes.setdefault(video, len(codes)) for one in shown for video in one.videos]
    video = np.array(which, dtype=np.int64)
    sizes = np.array([len(one.videos) for one in shown], dtype=np.int64)
    names, persona = np.unique([one.persona for one in shown], return_inverse=True)
    size = np.repeat(sizes, sizes)
    within = video * len(names) + np.repeat(persona, sizes)
    shared = _pairs_by_size(video, size) - _pairs_by_size(within, size)
    smaller = np.flatnonzero(shared)
    own = np.bincount(persona)
    pairs = (len(shown) ** 2 - int((own**2).sum())) // 2
    return float((100 * shared[smaller] / smaller).sum()) / pairs if pairs else NAN


def _pairs_by_size(key: Ints, size: Ints) -> Ints:
    """Pairs of entries with the same key, by the smaller size of the two."""
    order = np.lexsort((-size, key))
    first = np.searchsorted(key[order], key[order])
    larger = np.arange(len(order)) - first  # entries of the key that came before
    counts: Ints = np.bincount(size[order], weights=larger).astype(np.int64)
    return counts
