"""The looks of a study that was declared to be tested after each replicate."""

from __future__ import annotations

import math
from dataclasses import replace

from analysis.errors import NotOffered
from analysis.estimators.rejudged_replies import by_judge, replies
from analysis.estimators.sequential_matrix import look_at_replicates
from analysis.report.primary_outcome import Primary
from analysis.report.report_inputs import Material
from analysis.statistics.estimate import NAN
from analysis.statistics.group_sequential import SequentialLook


def look_at_study(material: Material) -> tuple[SequentialLook, ...]:
    """Look after each replicate that the material holds, by the judge that acted.

    Of several sittings it takes the first. Raises ``NotOffered`` where frames were not judged
    again, or a replicate has no matrix.
    """
    study = material.study
    if study is None or not material.started:
        raise NotOffered("Looks belong to a study. Type: python -m agent study --example")
    acted = {(first.model, first.strategy) for first in material.started}
    files = dict(enumerate(material.judgements))
    first = min(
        (
            judged
            for judged in by_judge(files).values()
            if {(file.judge.model, file.judge.strategy) for file in judged.values()} <= acted
        ),
        key=lambda judged: min(file.judge.at for file in judged.values()),
        default=None,
    )
    if first is None:
        raise NotOffered(
            "No replicate was judged again yet. Type: python -m agent study study.toml"
        )
    test = study.test
    return look_at_replicates(
        replies(material.views, first),
        test.looks,
        test.alpha,
        "two" if test.sides == "two" else "greater",
        study.seed,
    )


def at_last_look(material: Material, told: Primary) -> Primary:
    """Give the primary estimate the p-value of the last look, in place of that of one test."""
    if math.isnan(told.p):
        return told  # nobody drew, or there is no matrix
    try:
        last = look_at_study(material)[-1]
    except NotOffered as refusal:
        reason = str(refusal).partition(" Type: ")[0]
        return replace(told, p=NAN, worst=(), estimate=replace(told.estimate, reason=reason))
    test = "looks after each replicate, permuting which run belongs to whom"
    return replace(told, p=last.p, test=test, look=last)
