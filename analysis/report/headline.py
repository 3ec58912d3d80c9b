"""The headline: the primary estimate, its test, and what chance alone would give."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass, replace

import numpy as np
from markupsafe import Markup

from analysis.report.figures import AxisScale, Span, axis, hump, interval, span
from analysis.report.number_sources import (
    MINUS,
    Name,
    NumberSource,
    PrintedEstimate,
    TracedNumber,
    placed,
)
from analysis.report.report_group import GroupRows
from analysis.report.verdict_words import outcome_words
from analysis.statistics.group_sequential import SequentialLook
from store.terminal.printing import count_of

_AXIS = "percentage points"
BY_DESIGN = {
    "controlled": "the sway, treatment minus control",
    "paired": "the sway, after minus before",
    "matrix": "the specific sway, own feed against the others'",
    "borrowed": "the sway against a borrowed base",
}


@dataclass(frozen=True)
class PrintedLook:
    """Which look it was, of how many, and the error that could be spent up to it."""

    number: TracedNumber
    of: TracedNumber
    spent: TracedNumber
    early: bool  # whether it stopped the study before its last look


@dataclass(frozen=True)
class Headline:
    """What is said first of one group.

    ``p``, ``p_other``, ``p_holm``: with their relations; ``p_holm`` is ``None`` where there is one
    group only.
    """

    platform: Name
    strategy: Name
    model: Name
    design: str
    quantity: str
    verdict: str  # ``up``, ``down``, ``capped``, ``chance``, ``untested`` or ``absent``
    claim: TracedNumber  # the verdict in words
    outcome: str  # the same in a few
    gate: tuple[tuple[str, str, TracedNumber], ...]  # name, outcome and finding of each check
    told: PrintedEstimate
    p: TracedNumber
    test: str
    sides: str
    p_other: TracedNumber | None
    other: str
    p_holm: TracedNumber | None
    look: PrintedLook | None  # ``None`` where the test is made once
    alpha: TracedNumber
    declared: bool
    null_low: TracedNumber
    null_high: TracedNumber
    percentile: TracedNumber
    place: str
    """Where the estimate lies among the draws: ``within``, ``above`` or ``below`` all of them."""
    excludes_zero: bool  # whether the interval lies on one side of zero
    permuted: bool  # whether the null is the statistic with runs given to personas at random
    null_level: TracedNumber
    null_runs: TracedNumber | None  # runs that the null is drawn from; ``None`` where a model draws
    null_reason: str
    low_bound: TracedNumber
    high_bound: TracedNumber
    figure: Markup  # the null as a hump with the estimate over it, or the estimate alone
    axis: Markup
    source: NumberSource


def headline(scene: GroupRows) -> Headline:
    group = scene.group
    told, test = group.primary, scene.measures.material.test
    several = len(scene.measures.groups) > 1
    source = _source(scene)
    null = _null_source(scene, source)
    bounds = _bounds_source(scene, source)
    setting = NumberSource(
        "the study file" if test.declared else "the program's default", "test.alpha"
    )
    checked = NumberSource("analysis.report.verdict_gate.gate", f"the primary estimate{scene.told}")
    figure, below = _figure(scene)
    name = BY_DESIGN[told.design]
    return Headline(
        platform=Name(group.name[0]),
        strategy=Name(group.name[1]),
        model=Name(group.name[2]),
        design=told.design,
        quantity=name,
        verdict=group.verdict(test.alpha),
        outcome=outcome_words(told.design, group.verdict(test.alpha)),
        claim=checked.words(_typeset(group.claim(test.alpha))),
        gate=tuple(
            (one.name, one.outcome, checked.words(_typeset(one.finding))) for one in group.gate
        ),
        told=source.estimate(told.estimate, name),
        p=source.p(told.p, f"p-value of {name}, {told.test}, {told.sides}-sided"),
        test=told.test,
        sides=told.sides,
        p_other=source.p(told.p_other, f"p-value of {name}, {told.other}, {told.sides}-sided")
        if told.other
        else None,
        other=told.other,
        p_holm=_holm(scene) if several else None,
        look=_look(told.look) if told.look else None,
        alpha=setting.setting(test.alpha, "level of the primary test"),
        declared=test.declared,
        null_low=null.pp(told.null.low, f"lower end of what chance gives {name}", told.null.reason),
        null_high=null.pp(
            told.null.high, f"upper end of what chance gives {name}", told.null.reason
        ),
        percentile=null.percentile(told.null.percentile, f"percentile of {name}", told.null.reason),
        place=placed(told.null.percentile),
        excludes_zero=told.estimate.low > 0 or told.estimate.high < 0,
        permuted=told.design == "matrix",
        null_level=null.whole(95, "share of the draws between the ends, in %"),
        null_runs=null.count(told.null.null_runs, "null runs that the draws come from")
        if told.null.null_runs
        else None,
        null_reason=told.null.reason,
        low_bound=bounds.pp(told.bounds[0], f"lower bound of {name} for missing answers"),
        high_bound=bounds.pp(told.bounds[1], f"upper bound of {name} for missing answers"),
        figure=figure,
        axis=below,
        source=source,
    )


def _look(look: SequentialLook) -> PrintedLook:
    source = NumberSource(
        "analysis.report.last_look.look_at_study", "the replicates that were looked at"
    )
    return PrintedLook(
        number=source.count(look.number, "looks so far"),
        of=source.count(look.of, "looks that were declared"),
        spent=source.setting(float(f"{look.spent:.2g}"), "error that may be spent up to this look"),
        early=look.found and look.number < look.of,
    )


def _typeset(words: str) -> str:
    return re.sub(r"-(?=\d)", MINUS, words)


def _source(scene: GroupRows) -> NumberSource:
    """Rows of the primary estimate: acting answers, or re-judgements."""
    told = scene.group.primary
    if told.design in ("matrix", "borrowed"):
        judged = [again for again in scene.group.rejudged if again.matrix is not None]
        if judged and judged[0].matrix is not None:
            asked = sum(int(cells.asked.sum()) for cells in judged[0].matrix.cells)
            lost = asked - sum(int(cells.judged.sum()) for cells in judged[0].matrix.cells)
            return NumberSource(
                f"analysis.{told.function}",
                f"{count_of(asked - lost, 'blind answer')} about compared frames of treatment runs"
                f"{scene.told}",
                f"{lost:,} without an answer, {judged[0].told.outside:,} outside the windows",
            )
        return NumberSource(
            "analysis.report.primary_outcome.primary", f"nothing{scene.told}", told.estimate.reason
        )
    used, otherwise = scene.paired()
    arms = ["treatment", *([told.control] if told.control else [])]
    return scene.source(
        told.function or "report.primary_outcome.primary", arms, used, otherwise=otherwise
    )


def _null_source(scene: GroupRows, source: NumberSource) -> NumberSource:
    null = scene.group.primary.null
    function = scene.group.primary.null_function or "statistics.null_models.null_of_sway"
    drawn = f"{count_of(len(null.drawn), 'draw')} from: {source.used}{_exchanged(scene)}"
    return NumberSource(f"analysis.{function}", drawn, source.left_out)


def _exchanged(scene: GroupRows) -> str:
    """Where null runs are exchanged for the runs: which."""
    runs = scene.measures.material.null_runs
    return f", exchanged for {runs.told}" if scene.group.primary.null.null_runs else ""


def _bounds_source(scene: GroupRows, source: NumberSource) -> NumberSource:
    told = scene.group.primary
    if told.design in ("matrix", "borrowed"):
        function = "analysis.estimators.rejudged_matrix.persona_matrix"
        return replace(source, function=function)
    return scene.source(
        "estimators.contrasts.contrast_bounds"
        if told.control
        else "data.before_after_windows.missing_bounds"
    )


def _holm(scene: GroupRows) -> TracedNumber:
    groups = scene.measures.groups
    known = sum(not math.isnan(group.primary.p) for group in groups)
    source = NumberSource(
        "analysis.statistics.permutation.holm",
        f"the primary p-values of {count_of(known, 'group')} of platform, strategy and model",
        f"{count_of(len(groups) - known, 'group')} without a p-value, which count as 1",
    )
    return source.p(
        scene.group.p_holm,
        f"p-value of {BY_DESIGN[scene.group.primary.design]} after Holm's correction{scene.told}",
    )


def _figure(scene: GroupRows) -> tuple[Markup, Markup]:
    told = scene.group.primary
    if not told.estimate.exists:
        return Markup(""), Markup("")
    seen = span(told.estimate)
    reach = [seen.value, seen.low, seen.high]
    if len(told.null.drawn):
        reach += list(np.quantile(told.null.drawn, [0.002, 0.998]))
        scale = AxisScale.around(reach)
        return hump(told.null.drawn, seen, scale), axis(scale, _AXIS)
    scale = AxisScale.around(reach)
    return interval(Span(*reach), scale), axis(scale, _AXIS)
