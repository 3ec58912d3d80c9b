"""The last look at a study that was declared to be tested after each replicate."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

from analysis.errors import NotOffered
from analysis.estimators.sequential_matrix import look_at_replicates
from analysis.report.primary_outcome import Primary
from analysis.report.rejudgings import Rejudging
from analysis.report.report_inputs import Material
from analysis.statistics.estimate import NAN
from analysis.statistics.group_sequential import error_spent
from store.runs.study_looks import SITTING_SEED


def looks_first(rejudged: Sequence[Rejudging]) -> tuple[Rejudging, ...]:
    """Put the sittings that looks are taken by before all others."""
    return tuple(sorted(rejudged, key=lambda one: one.judge.seed != SITTING_SEED))


def at_last_look(material: Material, told: Primary, rejudged: Sequence[Rejudging]) -> Primary:
    """Give the primary estimate the p-value of the last look, in place of that of one test."""
    judge = next((one for one in rejudged if one.matrix is not None), None)
    study = material.study
    if math.isnan(told.p) or judge is None or judge.matrix is None or study is None:
        return told  # nobody drew, or there is no matrix
    try:
        last = look_at_replicates(
            judge.told,
            judge.matrix.personas,
            study.test.looks,
            study.test.alpha,
            "two" if study.test.sides == "two" else "greater",
            study.seed,
        )[-1]
    except NotOffered as refusal:
        reason = str(refusal).partition(" Type: ")[0]
        return replace(told, p=NAN, worst=(), estimate=replace(told.estimate, reason=reason))
    test = "looks after each replicate, permuting which run belongs to whom"
    return replace(told, p=last.p, test=test, look=last)


def gate_level(material: Material) -> float:
    """Level of the gate's own tests: the error that may be spent by the replicates so far."""
    done = len({run.replicate for run in material.views.runs})
    return error_spent(material.test.alpha, done, material.test.looks)
