"""Everything that a report says of one platform, strategy and model, measured once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from analysis.data.before_after_windows import compared, counts_by_run
from analysis.data.exposures import RunInfo, Views, without_repeats
from analysis.estimators.contrasts import Attrition, pair_up, sways
from analysis.estimators.custom_estimators import CustomEstimates
from analysis.estimators.one_run import SENSITIVITY, dwell_contrast, graded_change
from analysis.estimators.people_results import PeopleResult, measure_people
from analysis.estimators.study_results import Result, study
from analysis.report.breakdown import Drift, PersonaSway, by_persona, drift
from analysis.report.diversity import Variety, varieties
from analysis.report.gate_check import GateCheck, because, cap
from analysis.report.group_verdict import judge_group
from analysis.report.labelled_content import LabelShare, label_shares
from analysis.report.primary_outcome import Primary
from analysis.report.rejudgings import Rejudging, name_judges
from analysis.report.report_inputs import Material
from analysis.report.row_uses import AccountedRows, account
from analysis.report.verdict_words import verdict_words
from analysis.report.watch_histories import history_varieties
from analysis.statistics.estimate import NAN, Estimate, Floats
from analysis.statistics.intervals import t_interval
from analysis.statistics.permutation import holm
from analysis.statistics.window_counts import WindowCounts


@dataclass(frozen=True)
class ArmDwell:
    """Delivered dwell of one arm in seconds: means over runs, after yes and after no.

    ``decided`` is False where the dwell was blind to the answer.
    """

    arm: str
    yes: Estimate
    no: Estimate
    ratio: float
    decided: bool
    yes_count: int
    no_count: int


@dataclass(frozen=True, eq=False)
class OtherReadings:
    """The sway of every run of the material, read otherwise than declared."""

    dropped: Mapping[int, Floats]  # without so many batches after the change
    new_only: Floats | None  # without repeats; ``None`` where there are none


@dataclass(frozen=True, eq=False)
class MeasuredGroup:
    """One platform, strategy and model.

    ``graded``, ``graded_by``: the sway of the graded answers in points of 100 (less the control's),
    and their name; empty where the judge gives none.
    """

    result: Result
    members: tuple[int, ...]
    """Its runs, as indices into the material's; ``runs`` and ``counts`` follow them."""
    runs: tuple[RunInfo, ...]
    counts: tuple[WindowCounts, ...]
    control: str
    primary: Primary
    gate: tuple[GateCheck, ...]
    """Other causes than the feed that were looked for; a failed one caps the verdict."""
    p_holm: float
    forest: tuple[PersonaSway, ...]
    drift: Drift
    variety: tuple[Variety, ...]
    histories: tuple[Variety, ...]  # of people, beside them
    stretch: int  # videos that a history is cut into; 0 where there is none
    labels: tuple[LabelShare, ...]
    dwell: tuple[ArmDwell, ...]
    sensitivity: Mapping[int, Estimate]
    """The sway (less the control's, where there is one) without the first batches after the change,
    by their number."""
    new_only: Estimate | None  # the same without repeats; ``None`` where there are none
    graded: Estimate
    graded_by: str
    lost: tuple[Attrition, ...]
    """Attrition by arm, counted from the runs that were drawn; ``never`` began at all."""
    never: Mapping[str, int]
    attrition_p: float
    people: tuple[PeopleResult, ...]
    """What people's labels say, by draw."""
    rejudged: tuple[Rejudging, ...]
    """By rank: the first that has a matrix is what the primary test takes."""
    custom_estimates: tuple[CustomEstimates, ...] = ()
    """What estimators of other packages say."""

    @property
    def name(self) -> tuple[str, str, str]:
        return self.result.platform, self.result.strategy, self.result.model

    @property
    def matrix_judge(self) -> Rejudging | None:
        """The judge whose persona matrix a primary test takes."""
        return next((told for told in self.rejudged if told.matrix is not None), None)

    def verdict(self, alpha: float) -> str:
        """The primary estimate's verdict; ``capped`` where a check of the gate fails."""
        return cap(self.primary.verdict(alpha, self.p_holm), self.gate)

    def claim(self, alpha: float) -> str:
        """The verdict in words, as page, terminal and JSON say it."""
        told, verdict = self.primary, self.verdict(alpha)
        why = because(self.gate) if verdict == "capped" else told.estimate.reason.removesuffix(".")
        return verdict_words(told.design, verdict, told.sides, told.control, why)

    @property
    def arms(self) -> tuple[str, ...]:
        return tuple(arm.arm for arm in self.result.arms)


@dataclass(frozen=True, eq=False)
class Measures:
    """The whole report as numbers."""

    material: Material
    rows: AccountedRows
    groups: tuple[MeasuredGroup, ...]


def measure(material: Material, rng: np.random.Generator) -> Measures:
    """Measure everything that the material allows; raises ``NothingToCompare`` without a run."""
    views = material.views
    rows = account(views)
    counts = counts_by_run(views)
    dropped = {count: sways(counts_by_run(views, count)) for count in SENSITIVITY}
    repeated = bool((views.repeat > 0).any())
    new_only = sways(counts_by_run(without_repeats(views))) if repeated else None
    otherwise = OtherReadings(dropped, new_only)
    groups = []
    for result in study(
        views, rng, frames=material.frames is not None, null_runs=material.null_runs.counts
    ):
        members = tuple(
            index
            for index, run in enumerate(views.runs)
            if (run.platform, run.strategy, run.model)
            == (result.platform, result.strategy, result.model)
        )
        groups.append(_group(material, result, members, counts, otherwise, rng))
    p_values = np.array([group.primary.p for group in groups])
    untested = np.isnan(p_values)  # these count all the same: they were declared as tests
    adjusted = np.where(untested, NAN, holm(np.where(untested, 1.0, p_values)))
    told = [replace(group, p_holm=float(p)) for group, p in zip(groups, adjusted, strict=True)]
    return Measures(material, rows, tuple(told))


def _group(
    material: Material,
    result: Result,
    members: tuple[int, ...],
    counts: Sequence[WindowCounts],
    otherwise: OtherReadings,
    rng: np.random.Generator,
) -> MeasuredGroup:
    views = material.views
    runs = tuple(views.runs[index] for index in members)
    units = tuple(counts[index] for index in members)
    arms = [arm.arm for arm in result.arms]
    verdict = judge_group(material, result, members, units, rng)
    control = verdict.control
    graded, graded_by = _graded(views, members)
    variety = varieties(views, material.seen, members, arms)
    sample = max((row.sample for row in variety), default=0)
    histories, stretch = history_varieties(material.beside, views, members, sample)
    return MeasuredGroup(
        result=result,
        members=members,
        runs=runs,
        counts=units,
        control=control,
        primary=verdict.primary,
        gate=verdict.gate,
        p_holm=NAN,
        forest=by_persona(runs, units, control or None),
        drift=drift(views, members, arms),
        variety=variety,
        histories=histories,
        stretch=stretch,
        labels=label_shares(views, material.labels, members, arms),
        dwell=tuple(_dwell(views, members, arm) for arm in arms),
        sensitivity={
            count: _mean_sway(runs, sway[list(members)], control)
            for count, sway in otherwise.dropped.items()
        },
        new_only=(
            None
            if otherwise.new_only is None
            else _mean_sway(runs, otherwise.new_only[list(members)], control)
        ),
        graded=replace(_mean_sway(runs, graded, control), unit="points"),
        graded_by=graded_by,
        lost=verdict.lost,
        never=verdict.never,
        attrition_p=verdict.attrition_p,
        people=tuple(
            measure_people(one, views, members, name_judges(verdict.rejudged))
            for one in material.people
            if any(run.run_id in one.header.runs for run in runs)
        ),
        rejudged=verdict.rejudged,
    )


def _graded(views: Views, members: Sequence[int]) -> tuple[Floats, str]:
    """Graded sway of each run, and what it is graded by where all agree."""
    told = []
    for index in members:
        run = views.one(index)
        told.append(graded_change(run, compared(run)))
    names = {name for _, name in told if name}
    values = np.array([value for value, _ in told], dtype=np.float64)
    return (values, names.pop()) if len(names) == 1 else (np.full(len(told), NAN), "")


def _mean_sway(runs: Sequence[RunInfo], sway: Floats, control: str) -> Estimate:
    """Mean sway of the treatment, less the control's within pairs where there is one."""
    if control:
        pairs = pair_up(runs, control)
        differences = np.array([sway[t] - sway[c] for t, c in pairs], dtype=np.float64)
        return t_interval(differences).within(-200, 200)
    treated = [index for index, run in enumerate(runs) if run.arm == "treatment"]
    return t_interval(sway[treated]).within(-100, 100)


def _dwell(views: Views, members: Sequence[int], arm: str) -> ArmDwell:
    told = [dwell_contrast(views.one(index)) for index in members if views.runs[index].arm == arm]
    yes, no = (
        t_interval(np.array([getattr(one, name) for one in told], dtype=np.float64), "s").within(
            0, np.inf
        )
        for name in ("yes_mean", "no_mean")
    )
    return ArmDwell(
        arm=arm,
        yes=yes,
        no=no,
        ratio=yes.value / no.value if no.value > 0 else NAN,
        decided=all(one.decided for one in told),
        yes_count=sum(one.yes_count for one in told),
        no_count=sum(one.no_count for one in told),
    )
