"""What every judge's blind answers about one group give, by rank of the judges."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Literal

import numpy as np

from analysis.data.people_labels import PERSON
from analysis.errors import NotOffered
from analysis.estimators.judge_bias import (
    AcquiescenceBias,
    BlindSway,
    RepeatAgreement,
    blind,
    eagerness,
    steadiness,
    taste_overlap,
)
from analysis.estimators.rejudged_matrix import PersonaMatrix, persona_matrix
from analysis.estimators.rejudged_replies import RejudgedReplies, by_judge, replies
from analysis.estimators.two_judges import TwoJudgeMatrix, two_judge_matrix
from analysis.report.primary_outcome import NEEDS_REJUDGING, permutation_p
from analysis.report.report_inputs import Material
from analysis.statistics.estimate import NAN, Estimate
from analysis.statistics.permutation import Permutation
from store.runs.ledger_lines import RunStarted
from store.runs.rejudgements import Judgements, RejudgementHeader

Likeness = Literal["same", "other version", "other"]
"""Of a judge to the one that acted: the same; another model of its name; another."""


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
        return bool(self.told.samples), place, -covered, -asked_as, self.judge.at, self.judge.seed


def measure_rejudgings(
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
    whole = next((one for one in found if one.whole), None)
    return tuple(_beside(whole, one) if one.told.samples else one for one in found)


def _beside(whole: Rejudging | None, one: Rejudging) -> Rejudging:
    """Put a judge of a sample beside the first judge of all videos, if there is one."""
    if whole is None or whole.matrix is None:
        return one
    try:
        return replace(one, both=two_judge_matrix(whole.told, whole.matrix, one.told), refused="")
    except NotOffered as refusal:
        return replace(one, refused=str(refusal))


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
        blind=None if told.samples else blind(told),  # before windows were not asked about
    )


def _likeness(judge: RejudgementHeader, acted: Sequence[RunStarted]) -> Likeness:
    """How far a judge is the one that acted; a fingerprint that was not recorded is no other.

    One that was asked with other settings, which are in its fingerprint, is no other version.
    """
    asked = (judge.model, judge.strategy, judge.order)
    for run in acted:
        if (run.model, run.strategy, run.config.get("order", "persona-first")) != asked:
            return "other"
    known = {run.fingerprint for run in acted} - {None}
    others = known - {judge.fingerprint}
    if judge.fingerprint is None or not others:
        return "same"
    alike = all((run.config.get("settings") or {}) == judge.settings for run in acted)
    return "other version" if alike else "other"


def name_judges(rejudged: Sequence[Rejudging]) -> dict[str, RejudgedReplies]:
    """Judges that are models, by names that tell their sittings apart."""
    named: dict[str, RejudgedReplies] = {}
    for told in rejudged:
        judge = told.judge
        name = f"{judge.model} × {judge.strategy}, seed {judge.seed}"
        if not judge.model.startswith(PERSON):
            named[f"{name}, {judge.slug}" if name in named else name] = told.told
    return named


def first_matrix(rejudged: Sequence[Rejudging]) -> PersonaMatrix | str:
    for told in rejudged:
        if told.matrix is not None:
            return told.matrix
    return rejudged[0].refused if rejudged else NEEDS_REJUDGING
