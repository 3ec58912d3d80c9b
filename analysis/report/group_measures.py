"""Everything that a report says of one platform, strategy and model, measured once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Literal

import numpy as np

from analysis.data.before_after_windows import compared, counts_by_run
from analysis.data.exposures import RunInfo, Views, without_repeats
from analysis.errors import NotOffered
from analysis.estimators.contrasts import Attrition, attrition, attrition_p_value, pair_up, sways
from analysis.estimators.judge_bias import (
    AcquiescenceBias,
    BlindSway,
    RepeatAgreement,
    blind,
    eagerness,
    steadiness,
    taste_overlap,
)
from analysis.estimators.one_run import SENSITIVITY, dwell_contrast, graded_sway
from analysis.estimators.rejudged_matrix import (
    PersonaMatrix,
    RejudgedReplies,
    by_judge,
    persona_matrix,
    replies,
)
from analysis.estimators.study_results import CONTROLS, Result, study
from analysis.estimators.two_judges import TwoJudgeMatrix, beside_whole
from analysis.report.breakdown import Drift, PersonaSway, by_persona, drift
from analysis.report.diversity import Variety, varieties
from analysis.report.primary_outcome import (
    NEEDS_REJUDGING,
    Primary,
    control_arm,
    permutation_p,
    primary,
)
from analysis.report.report_inputs import Material
from analysis.report.row_uses import AccountedRows, account
from analysis.report.verdict_gate import GateCheck, attrition_check, cap, gate
from analysis.statistics.estimate import NAN, Estimate, Floats
from analysis.statistics.intervals import t_interval
from analysis.statistics.permutation import Permutation, holm
from analysis.statistics.window_counts import WindowCounts
from store.runs.ledger_lines import RunStarted
from store.runs.rejudgements import Judgements, RejudgementHeader

Likeness = Literal["same", "other version", "other"]
"""Of a judge to the one that acted: the same; another model of its name; another."""


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
class Rejudging:
    """What one judge's blind answers give; parts that were not asked for are ``None``."""

    judge: RejudgementHeader  # as it was when it was first asked about any of the runs
    likeness: Likeness  # how far it is the judge that acted
    drawn: bool  # whether personas were drawn for the accounts: without it no permutation tests
    told: RejudgedReplies
    matrix: PersonaMatrix | None
    refused: str
    overlap: Estimate
    eagerness: AcquiescenceBias | None
    repeats: RepeatAgreement | None
    wordings: RepeatAgreement | None
    blind: BlindSway | None
    both: TwoJudgeMatrix | None = None  # of a judge of a sample, beside the first of all videos

    @property
    def whole(self) -> bool:
        """Whether it has a matrix of all videos as all personas."""
        return self.matrix is not None and not self.told.drawn

    def p(self, test: Permutation, sides: str = "two") -> float:
        """The p-value of a permutation of runs; nan where nobody drew personas for them."""
        return permutation_p(test, sides) if self.drawn else NAN

    @property
    def rank(self) -> tuple[bool, int, int, int, datetime, int]:
        """Place among the judges of a group, whatever they answered; those of a sample come last.

        The judge that acted comes first, then the matrix of most runs, then who was asked as most
        personas, then who was asked first: no later sitting takes the place of another.
        """
        place = ("same", "other version", "other").index(self.likeness)
        covered = len(self.matrix.cells) * len(self.matrix.personas) if self.matrix else 0
        asked_as = len(self.judge.personas)
        return self.told.sample < 1, place, -covered, -asked_as, self.judge.at, self.judge.seed


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
    rejudged: tuple[Rejudging, ...]
    """By rank: the first that has a matrix is what the primary test takes."""

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
    adjusted = holm(np.array([group.primary.p for group in groups]))
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
    control = control_arm(runs)
    arms = [arm.arm for arm in result.arms]
    rejudged = _rejudged(material, members, rng)
    matrix = _first_matrix(rejudged)
    pairs = list(zip(runs, units, strict=True))
    told = primary(material.test, result, pairs, matrix, rng, material.null_runs.counts)
    graded, graded_by = _graded(views, members)
    lost, never = _lost(material, result, runs)
    by_arm = {entry.arm: entry for entry in lost}
    attrition_p = attrition_p_value(by_arm["treatment"], by_arm[control]) if control else NAN
    split = next((one.blind for one in rejudged if one.blind and not one.told.split), None)
    contrast = next(iter(result.contrasts), None)
    groups = {(run.platform, run.strategy, run.model) for run in views.runs}
    alpha = material.test.alpha / len(groups)  # at most what Holm's correction asks
    checks = gate(material, told, matrix, split, contrast, alpha)
    return MeasuredGroup(
        result=result,
        members=members,
        runs=runs,
        counts=units,
        control=control,
        primary=told,
        gate=(*checks, attrition_check(material, told, lost, attrition_p)),
        p_holm=NAN,
        forest=by_persona(runs, units, control or None),
        drift=drift(views, members, arms),
        variety=varieties(views, material.seen, members, arms),
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
        lost=lost,
        never=never,
        attrition_p=attrition_p,
        rejudged=rejudged,
    )


def _graded(views: Views, members: Sequence[int]) -> tuple[Floats, str]:
    """Graded sway of each run, and what it is graded by where all agree."""
    told = []
    for index in members:
        run = views.one(index)
        told.append(graded_sway(run, compared(run)))
    names = {name for _, name in told if name}
    values = np.array([estimate.value for estimate, _ in told], dtype=np.float64)
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


def _lost(
    material: Material, result: Result, runs: Sequence[RunInfo]
) -> tuple[tuple[Attrition, ...], dict[str, int]]:
    """Attrition by arm; runs that were drawn and never began count as lost."""
    never: dict[str, int] = {}
    if material.study is not None:
        begun = {str(first.config.get("cell")) for first in material.started}
        for cell in material.study.planned:
            mine = (cell.platform, cell.strategy, cell.model) == (
                result.platform,
                result.strategy,
                result.model,
            )
            if mine and cell.key not in begun:
                never[cell.arm] = never.get(cell.arm, 0) + 1
    lost = [
        replace(
            entry,
            started=entry.started + never.get(entry.arm, 0),
            short=(*entry.short, *("never begun",) * never.get(entry.arm, 0)),
        )
        for entry in attrition(runs)
    ]
    present = {entry.arm for entry in lost}
    lost += [
        Attrition(arm, never[arm], 0, ("never begun",) * never[arm])
        for arm in ("treatment", *CONTROLS)
        if arm in never and arm not in present
    ]
    return tuple(lost), never


def _rejudged(
    material: Material, members: Sequence[int], rng: np.random.Generator
) -> tuple[Rejudging, ...]:
    judges = by_judge(
        {index: material.judgements[index] for index in members if material.judgements}
    )
    acted = [material.started[index] for index in members if material.started]
    found = [
        _by_one_judge(
            replies(material.views, files, members), files, acted, rng, drawn=material.drawn
        )
        for files in judges.values()
    ]
    found.sort(key=lambda one: one.rank)
    whole = next((one.told for one in found if one.whole), None)
    return tuple(
        replace(one, both=beside_whole(whole, one.told, one.matrix, rng.spawn(1)[0]))
        for one in found
    )


def _by_one_judge(
    told: RejudgedReplies,
    files: Mapping[int, Judgements],
    acted: Sequence[RunStarted],
    rng: np.random.Generator,
    *,
    drawn: bool,
) -> Rejudging:
    matrix, refused = None, ""
    try:
        matrix = persona_matrix(told, rng)
    except NotOffered as refusal:
        refused = str(refusal).partition(" Type: ")[0]
    judge = min((file.judge for file in files.values()), key=lambda one: one.at)
    return Rejudging(
        judge=judge,
        likeness=_likeness(judge, acted),
        drawn=drawn,
        told=told,
        matrix=matrix,
        refused=refused,
        overlap=taste_overlap(told),
        eagerness=eagerness(told),
        repeats=steadiness(told),
        wordings=steadiness(told, reworded=True),
        blind=blind(told),
    )


def _likeness(judge: RejudgementHeader, acted: Sequence[RunStarted]) -> Likeness:
    """How far a judge is the one that acted; a fingerprint that was not recorded is no other."""
    if any((run.model, run.strategy) != (judge.model, judge.strategy) for run in acted):
        return "other"
    known = {run.fingerprint for run in acted} - {None}
    others = known - {judge.fingerprint}
    return "other version" if judge.fingerprint is not None and others else "same"


def _first_matrix(rejudged: Sequence[Rejudging]) -> PersonaMatrix | str:
    for told in rejudged:
        if told.matrix is not None:
            return told.matrix
    return rejudged[0].refused if rejudged else NEEDS_REJUDGING
