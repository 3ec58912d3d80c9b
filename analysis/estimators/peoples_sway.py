"""What people would find in all videos: the sway of their labels and the judge's answers together.

The prediction-powered estimate takes the judge's shares of yes in all videos and puts them right by
how judge and people differ on the sample (Angelopoulos et al., Science 2023; tuned as in
Angelopoulos, Duchi and Zrnic, arXiv:2311.01453, by the regression that ``two_judges`` uses). Labels
are weighted by the inverse of their chance of being drawn (Hajek's ratio). Intervals are jackknifes
over runs, over the batches of one run, or for two arms over pairs of persona and replicate.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from analysis.data.before_after_windows import batches, compared
from analysis.data.exposures import NO, NONE, YES, Views
from analysis.data.people_labels import LabelRows
from analysis.statistics.estimate import NAN, Estimate, Floats, Ints, Mask
from analysis.statistics.intervals import jackknife

UNKNOWN_GUESS = 0.5
"""What a missing answer of the judge counts as: it only helps to guess the people's."""


@dataclass(frozen=True)
class PeoplesSway:
    """The sway as people would find it in all videos that were drawn of."""

    arm: str  # or ``treatment minus passive``
    before: float  # share of yes in %, nan for a difference of arms
    after: float
    sway: Estimate  # prediction-powered, in pp
    alone: Estimate  # of the labels alone
    judge: float  # of the judge alone
    tuning: float  # how much of the judge is taken over, 0 to 1
    labels: int
    narrower: float  # how much narrower the interval is than of the labels alone, in %
    bounds: tuple[float, float]  # with every answer that is missing to one side


@dataclass(frozen=True, eq=False)
class _Sums:
    """Sums by cell (window of an arm) and cluster; each of shape ``(A, 2, G)``, or without G."""

    videos: Floats
    guesses: Floats  # yes of the judge over all videos
    weight: Floats  # of the questions that people answered; the others are of these
    people: Floats
    judge: Floats
    both: Floats
    squares: Floats

    @property
    def fields(self) -> list[Floats]:
        return list(vars(self).values())

    def total(self) -> _Sums:
        return _Sums(*(field.sum(-1) for field in self.fields))

    def without_each(self) -> Iterator[_Sums]:
        for cluster in range(self.videos.shape[-1]):
            yield _Sums(*(np.delete(field, cluster, -1).sum(-1) for field in self.fields))

    @property
    def tuning(self) -> float:
        """The regression of people's answers on the judge's, within cells."""
        with np.errstate(invalid="ignore", divide="ignore"):
            joint = np.nansum(self.both - self.people * self.judge / self.weight)
            spread = np.nansum(self.squares - self.judge**2 / self.weight)
        return float(np.clip(joint / spread, 0, 1)) if spread > 1e-9 else 0.0

    def shares(self, tuning: float) -> Floats:
        """Share of yes as people would say it, in %; shape ``(A, 2)``."""
        with np.errstate(invalid="ignore", divide="ignore"):
            right = (self.people - tuning * self.judge) / self.weight
            guess = self.guesses / self.videos
        return np.asarray(100 * (tuning * guess + right), dtype=np.float64)

    def sway(self, tuning: float) -> float:
        """After minus before; of two arms, the first less the second."""
        change = np.diff(self.shares(tuning), axis=1)[:, 0]
        return float(change[0] - change[1:].sum())


def measure_sways(views: Views, members: Sequence[int], rows: LabelRows) -> tuple[PeoplesSway, ...]:
    """Estimate the sway of each arm, and of treatment less each control, as people would."""
    drawn = set(rows.people.header.runs)
    known = [index for index in members if views.runs[index].run_id in drawn]
    arms = sorted({views.runs[index].arm for index in known}, key=lambda arm: arm != "treatment")
    rows = rows.select(rows.own)
    told = [_one_sway(views, known, rows, (arm,)) for arm in arms]
    if arms[:1] == ["treatment"]:
        told += [_one_sway(views, known, rows, ("treatment", arm)) for arm in arms[1:]]
    return tuple(told)


def _one_sway(
    views: Views, members: Sequence[int], rows: LabelRows, arms: tuple[str, ...]
) -> PeoplesSway:
    chosen = [index for index in members if views.runs[index].arm in arms]
    videos = _Videos.of(views, chosen, arms)
    majority = rows.majority
    sums, df = _add_up(videos, rows, majority)
    total = sums.total()
    sway = _estimate(sums, total, df)
    alone = _estimate(sums, total, df, alone=True)
    shares = total.shares(total.tuning)[0] if len(arms) == 1 else np.full(2, NAN)
    asked = np.isin(rows.run, chosen)
    sides = []
    arm = np.array([run.arm for run in views.runs])[rows.run]
    rises = rows.after == (arm == arms[0])  # a yes there makes the difference larger
    for high in (True, False):
        full = np.where(majority == NONE, np.where(rises == high, YES, NO), majority)
        each = _add_up(videos, rows, full)[0].total()
        sides.append(each.sway(total.tuning))
    value = sway.value
    widths = [one.high - one.low if one.bounded else NAN for one in (sway, alone)]
    return PeoplesSway(
        arm=" minus ".join(arms),
        before=float(shares[0]),
        after=float(shares[1]),
        sway=sway,
        alone=alone,
        judge=_judge_sway(total),
        tuning=total.tuning,
        labels=int((asked & (majority >= 0)).sum()),
        narrower=100 * (1 - widths[0] / widths[1]) if widths[1] > 0 else NAN,
        bounds=(min(value, *sides), max(value, *sides)),
    )


def _judge_sway(total: _Sums) -> float:
    with np.errstate(invalid="ignore", divide="ignore"):
        change = np.diff(100 * total.guesses / total.videos, axis=1)[:, 0]
    return float(change[0] - change[1:].sum())


def _estimate(sums: _Sums, total: _Sums, df: int, *, alone: bool = False) -> Estimate:
    value = total.sway(total.tuning * (not alone))
    if np.isnan(value):
        return Estimate(NAN, reason="a window has no label yet")
    left_out = np.array([one.sway(one.tuning * (not alone)) for one in sums.without_each()])
    most = 100.0 * total.videos.shape[0]
    return jackknife(value, left_out, df).within(-most, most)


@dataclass(frozen=True, eq=False)
class _Videos:
    """The compared videos of some runs: by run the index of its arm and its unit."""

    arm: Ints
    after: Mask
    run: Ints
    batch: Ints
    guess: Floats
    arms: dict[int, int]
    units: dict[int, int]
    """Of the runs: itself, or of two arms the pair of persona and replicate."""

    @classmethod
    def of(cls, views: Views, runs: Sequence[int], arms: tuple[str, ...]) -> _Videos:
        pairs: dict[tuple[object, ...], int] = {}
        units: dict[int, int] = {}
        after, run, batch, guess = [], [], [], []
        for index in runs:
            info = views.runs[index]
            key = (index,) if len(arms) == 1 else (info.persona, info.replicate)
            units[index] = pairs.setdefault(key, len(pairs))
            one = views.one(index)
            rows = compared(one)
            kept = rows.before | rows.after
            after.append(rows.after[kept])
            batch.append(batches(one)[kept])
            run.append(np.full(int(kept.sum()), index))
            guess.append(np.where(one.answer[kept] < 0, UNKNOWN_GUESS, one.answer[kept]))
        whole = np.concatenate(run) if run else np.zeros(0, dtype=np.int64)
        places = {index: arms.index(views.runs[index].arm) for index in runs}
        return cls(
            np.array([places[index] for index in whole.tolist()], dtype=np.int64),
            np.concatenate(after) if run else np.zeros(0, dtype=bool),
            whole,
            np.concatenate(batch) if run else np.zeros(0, dtype=np.int64),
            np.concatenate(guess) if run else np.zeros(0),
            places,
            units,
        )


def _add_up(videos: _Videos, rows: LabelRows, answers: Ints) -> tuple[_Sums, int]:
    """The sums by cell and cluster, and the degrees of freedom."""
    used = np.isin(rows.run, list(videos.arms)) & (answers >= 0)
    runs, batch = rows.run[used], rows.batch[used]
    alone = len(videos.units) == 1
    codes, known = np.unique(
        videos.batch if alone else _look_up(videos.units, videos.run), return_inverse=True
    )
    mine = batch if alone else _look_up(videos.units, runs)
    cluster = np.searchsorted(codes, mine)
    arm = _look_up(videos.arms, runs)
    size = (len(set(videos.arms.values())), 2, len(codes))

    def sums(place: Ints, after: Mask, at: Ints, values: Floats) -> Floats:
        cell = (place * 2 + after) * size[2] + at
        found = np.bincount(cell, values, minlength=int(np.prod(size))).reshape(size)
        return np.asarray(found, dtype=np.float64)

    def of_sample(values: Floats) -> Floats:
        return sums(arm, rows.after[used], cluster, values)

    guess = np.where(rows.acting[used] < 0, UNKNOWN_GUESS, rows.acting[used])
    weight, people = rows.weight[used], answers[used].astype(np.float64)
    told = _Sums(
        sums(videos.arm, videos.after, known, np.ones(len(known))),
        sums(videos.arm, videos.after, known, videos.guess),
        *map(
            of_sample,
            (
                weight,
                weight * people,
                weight * guess,
                weight * people * guess,
                weight * guess**2,
            ),
        ),
    )
    return told, len(codes) - (2 if alone else 1)


def _look_up(table: dict[int, int], keys: Ints) -> Ints:
    return np.array([table[key] for key in keys.tolist()], dtype=np.int64)
