"""What people would find in all videos: the sway of their labels and the judge's answers together.

The prediction-powered estimate takes the judge's shares of yes in all videos and puts them right by
how judge and people differ on the sample (Angelopoulos et al., Science 2023; tuned as in
Angelopoulos, Duchi and Zrnic, arXiv:2311.01453, by the regression that ``two_judges`` uses). Labels
are weighted by the inverse of their chance of being drawn (Hajek's ratio). As in the sway of the
judge, each run with both windows counts alike, and two arms are compared over whole pairs.
Intervals are jackknifes over runs, over pairs, or over the batches of one run; to the last the
variance by which feeds wander is added.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields

import numpy as np

from analysis.data.before_after_windows import batches, compared, window_share
from analysis.data.exposures import NO, NONE, YES, Views
from analysis.data.people_labels import LabelRows
from analysis.estimators.contrasts import pair_up
from analysis.statistics.estimate import NAN, Estimate, Floats, Ints
from analysis.statistics.intervals import add_wandering, jackknife
from analysis.statistics.wandering_rates import variance_of_difference

UNKNOWN_GUESS = 0.5
"""What a judge's missing answer counts as where it answered nothing in the window of the run."""


@dataclass(frozen=True)
class LeftOut:
    """Runs that are not in an estimate, by id, and why."""

    why: str
    runs: tuple[str, ...]


@dataclass(frozen=True)
class PeoplesSway:
    """The sway as people would find it in all videos that were drawn of."""

    arm: str  # or ``treatment minus passive``
    before: float  # share of yes in %, nan for a difference of arms
    after: float
    sway: Estimate  # prediction-powered, in pp
    alone: Estimate  # of the labels alone
    judge: float  # of the judge alone, as the report has it, over the same runs or pairs
    tuning: float  # how much of the judge is taken over, 0 to 1
    labels: int
    narrower: float  # how much narrower the interval is than of the labels alone, in %
    bounds: tuple[float, float]  # with every answer that is missing to one side
    units: int  # runs, or pairs of a difference of arms
    left_out: tuple[LeftOut, ...]
    unjudged: tuple[str, ...]
    """Runs of which the judge answered nothing in a window: they are not in ``judge``."""


@dataclass(frozen=True, eq=False)
class _Sums:
    """Sums by cell (window of an arm) and cluster; each of shape ``(A, 2, G)``, or without G.

    A video counts by the inverse of how many its run has in the window, so that runs count alike.
    """

    videos: Floats
    guesses: Floats  # yes of the judge over all videos
    weight: Floats  # of the questions that people answered; the others are of these
    people: Floats
    judge: Floats
    both: Floats
    squares: Floats

    def total(self) -> _Sums:
        return _Sums(*(field.sum(-1) for field in vars(self).values()))

    def without_each(self) -> Iterator[_Sums]:
        for cluster in range(self.videos.shape[-1]):
            yield _Sums(*(np.delete(field, cluster, -1).sum(-1) for field in vars(self).values()))

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
    told = [_one_sway(_Units.of(views, members, drawn, (arm,)), rows) for arm in arms]
    if arms[:1] == ["treatment"]:
        told += [
            _one_sway(_Units.of(views, members, drawn, ("treatment", arm)), rows)
            for arm in arms[1:]
        ]
    return tuple(told)


@dataclass(frozen=True, eq=False)
class _Units:
    """The runs that are compared, or pairs of two arms: indices of runs, one for each arm."""

    views: Views
    arms: tuple[str, ...]
    units: tuple[tuple[int, ...], ...]
    left_out: tuple[LeftOut, ...]

    @classmethod
    def of(
        cls, views: Views, members: Sequence[int], drawn: set[str], arms: tuple[str, ...]
    ) -> _Units:
        mine = [index for index in members if views.runs[index].arm in arms]
        absent = {index for index in mine if views.runs[index].run_id not in drawn}
        short = {index for index in mine if not _has_both_windows(views.one(index))} - absent
        units: list[tuple[int, ...]] = [(index,) for index in mine]
        if len(arms) > 1:
            pairs = pair_up([views.runs[index] for index in mine], arms[1])
            units = [(mine[treatment], mine[control]) for treatment, control in pairs]
        units = [unit for unit in units if not (absent | short).intersection(unit)]
        alone = set(mine) - absent - short - {index for unit in units for index in unit}
        reasons = (
            ("not in the draw", absent),
            ("without both windows", short),
            ("without a partner that counts", alone),
        )
        left_out = (
            LeftOut(why, tuple(views.runs[index].run_id for index in sorted(which)))
            for why, which in reasons
            if which
        )
        return cls(views, arms, tuple(units), tuple(left_out))

    @property
    def runs(self) -> list[int]:
        return sorted({index for unit in self.units for index in unit})

    @property
    def by_batch(self) -> bool:
        """Whether this is one run, whose batches are the clusters."""
        return len(self.units) == 1 and len(self.arms) == 1

    def judge_changes(self) -> dict[int, float]:
        """The sway of each run as the judge found it, in pp; nan where a window has no answer."""
        told = {}
        for index in self.runs:
            one = self.views.one(index)
            rows = compared(one)
            told[index] = window_share(one, rows.after).share - window_share(one, rows.before).share
        return told


def _has_both_windows(run: Views) -> bool:
    rows = compared(run)
    return bool(rows.before.any() and rows.after.any())


def _one_sway(units: _Units, rows: LabelRows) -> PeoplesSway:
    views, arms = units.views, units.arms
    majority = rows.majority
    sums = _add_up(units, rows, majority)
    total = sums.total()
    sway = _estimate(units, sums, total.tuning)
    alone = _estimate(units, sums, None)
    shares = total.shares(total.tuning)[0] if len(arms) == 1 else np.full(2, NAN)
    sides = []
    arm = np.array([run.arm for run in views.runs])[rows.run]
    rises = rows.after == (arm == arms[0])  # a yes there makes the difference larger
    for high in (True, False):
        full = np.where(majority == NONE, np.where(rises == high, YES, NO), majority)
        sides.append(_add_up(units, rows, full).total().sway(total.tuning))
    widths = [one.high - one.low if one.bounded else NAN for one in (sway, alone)]
    judge = units.judge_changes()
    changes = np.array(
        [judge[one[0]] - sum(judge[each] for each in one[1:]) for one in units.units]
    )
    answered = changes[~np.isnan(changes)]
    return PeoplesSway(
        arm=" minus ".join(arms),
        before=float(shares[0]),
        after=float(shares[1]),
        sway=sway,
        alone=alone,
        judge=float(answered.mean()) if len(answered) else NAN,
        tuning=total.tuning,
        labels=int((np.isin(rows.run, units.runs) & (majority >= 0)).sum()),
        narrower=100 * (1 - widths[0] / widths[1]) if widths[1] > 0 else NAN,
        bounds=(min(sway.value, *sides), max(sway.value, *sides)),
        units=len(units.units),
        left_out=units.left_out,
        unjudged=tuple(views.runs[one].run_id for one in judge if math.isnan(judge[one])),
    )


def _estimate(units: _Units, sums: _Sums, tuning: float | None) -> Estimate:
    """The sway with its interval; without a tuning of the labels alone."""
    total = sums.total()
    value = total.sway(tuning or 0.0)
    if not units.units:
        what = "run has both windows" if len(units.arms) == 1 else "pair has its four windows"
        return Estimate(NAN, reason=f"no {what}")
    if math.isnan(value):
        return Estimate(NAN, reason="a window has no label yet")
    left_out = np.array(
        [one.sway(0.0 if tuning is None else one.tuning) for one in sums.without_each()]
    )
    told = jackknife(value, left_out, len(left_out) - (2 if units.by_batch else 1))
    if units.by_batch:
        told = add_wandering(told, _wandering(units, sums, tuning or 0.0))
    most = 100.0 * len(units.arms)
    return told.within(-most, most)


def _wandering(units: _Units, sums: _Sums, tuning: float) -> float:
    """The variance that the feed's wandering adds to the sway of one run, in pp squared.

    What is taken over of the judge speaks for all videos, and the rest for the labelled ones.
    """
    one = units.views.one(units.runs[0])
    rows = compared(one)
    kept = rows.before | rows.after
    codes = np.unique(batches(one)[kept], return_inverse=True)[1]
    at = np.bincount(codes, one.position[kept]) / np.bincount(codes)
    videos, labels = (
        part[0] / part[0].sum(1, keepdims=True) for part in (sums.videos, sums.weight)
    )
    share = np.clip(sums.total().shares(0.0)[0] / 100, 0, 1)
    sd = 100 * np.sqrt(share * (1 - share))
    return variance_of_difference(tuning * videos + (1 - tuning) * labels, at, sd)


def _add_up(units: _Units, rows: LabelRows, answers: Ints) -> _Sums:
    """The sums by cell and cluster: units, or the batches of one run."""
    codes = np.arange(len(units.units))
    if units.by_batch:
        one = units.views.one(units.runs[0])
        windows = compared(one)
        codes = np.unique(batches(one)[windows.before | windows.after])
    sums = np.zeros((len(fields(_Sums)), len(units.arms), 2, len(codes)))
    for unit, runs in enumerate(units.units):
        for arm, index in enumerate(runs):
            one = units.views.one(index)
            windows = compared(one)
            kept = windows.before | windows.after
            after = windows.after[kept].astype(np.int64)
            size = np.bincount(after, minlength=2)
            usual = _usual_guesses(one)
            guess = np.where(one.answer[kept] < 0, usual[after], one.answer[kept])
            cluster = batches(one)[kept] if units.by_batch else np.full(len(after), unit)
            at = after, np.searchsorted(codes, cluster)
            for number, values in enumerate((np.ones(len(after)), guess)):
                np.add.at(sums[number, arm], at, values / size[after])
            answered = (rows.run == index) & (answers >= 0)
            cluster = rows.batch if units.by_batch else np.full(len(answered), unit)
            place = np.searchsorted(codes, cluster[answered])
            labels = _label_sums(rows.select(answered), answers[answered], size, usual)
            for number, values in enumerate(labels, start=2):
                np.add.at(sums[number, arm], (rows.after[answered].astype(np.int64), place), values)
    return _Sums(*sums)


def _usual_guesses(run: Views) -> Floats:
    """What a judge's missing answer counts as, by window: its share of yes among the others.

    So the guesses of a run have the very share that the report tells.
    """
    rows = compared(run)
    shares = np.array([window_share(run, mask).share / 100 for mask in (rows.before, rows.after)])
    return np.where(np.isnan(shares), UNKNOWN_GUESS, shares)


def _label_sums(rows: LabelRows, answers: Ints, size: Ints, usual: Floats) -> tuple[Floats, ...]:
    """What each label adds to the sums of the sample, in their order."""
    after = rows.after.astype(np.int64)
    guess = np.where(rows.acting < 0, usual[after], rows.acting)
    weight = rows.weight / size[after]
    people = answers.astype(np.float64)
    return weight, weight * people, weight * guess, weight * people * guess, weight * guess**2
