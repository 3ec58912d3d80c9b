"""A judge measured against people: balanced accuracy and kappa, by window and persona.

Questions are weighted by the inverse of their chance of being drawn, and people who differ are
taken by their majority. Intervals are jackknifes over runs; those of one persona, or of one run,
are over the batches of its feeds and speak for these alone.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from analysis.data.exposures import NO, NONE, YES
from analysis.data.people_labels import UNLABELLED, LabelRows
from analysis.estimators.label_agreement import cohen_kappa, leave_out_clusters
from analysis.estimators.rejudged_replies import RejudgedReplies
from analysis.statistics.estimate import NAN, Estimate, Ints, Mask


@dataclass(frozen=True)
class JudgeQuality:
    """How a judge does against people, on part of the questions."""

    part: str  # ``all``, ``before``, ``after``, or a persona; one called ``all`` is ``persona all``
    questions: int  # that people and the judge answered
    people_yes: float  # share of yes in %, weighted, of people and of the judge
    judge_yes: float
    sensitivity: float  # of what people said yes to, the share that the judge did, in %
    specificity: float  # of what people said no to
    balanced: Estimate  # balanced accuracy: the mean of the two, in %
    kappa: Estimate


@dataclass(frozen=True)
class JudgeReport:
    """A judge against people, in all and by window and persona."""

    judge: str
    parts: tuple[JudgeQuality, ...]
    silent: int  # questions that the judge gave no answer to
    undecided: int  # questions that people could not tell, or tied on


def find_answers(rows: LabelRows, told: RejudgedReplies) -> Ints:
    """Return what a judge answered to each question; ``UNLABELLED`` where it was not asked."""
    plain = told.plain
    keys = zip(
        told.run[plain].tolist(),
        told.persona[plain].tolist(),
        told.position[plain].tolist(),
        strict=True,
    )
    known = dict(zip(keys, told.answer[plain].tolist(), strict=True))
    asked = zip(rows.run.tolist(), rows.persona.tolist(), rows.position.tolist(), strict=True)
    return np.array([known.get(key, UNLABELLED) for key in asked], dtype=np.int64)


def measure_judge(rows: LabelRows, judge: Ints, judge_name: str) -> JudgeReport:
    """Measure a judge's answers, one for each row, against what people say."""
    people = rows.majority
    decided = (people >= 0) & (judge != UNLABELLED)
    both = decided & (judge >= 0)
    everything = np.ones(len(people), dtype=bool)
    windows = [("all", everything), ("before", ~rows.after), ("after", rows.after)]
    names = [name for name, _ in windows]
    personas = [
        (f"persona {name}" if name in names else name, rows.persona == name)
        for name in np.unique(rows.persona).tolist()
    ]
    parts = []
    for number, (part, mask) in enumerate(windows + personas):
        kept = both & mask
        if kept.any():
            chosen = rows.select(kept)
            cluster = chosen.cluster if number < len(windows) else chosen.feed_batches
            parts.append(_quality(part, chosen, judge[kept], cluster))
    return JudgeReport(
        judge_name,
        tuple(parts),
        silent=int((decided & (judge < 0)).sum()),
        undecided=int((people == NONE).sum()),
    )


def _quality(part: str, rows: LabelRows, judge: Ints, cluster: Ints) -> JudgeQuality:
    people, weight = rows.majority, rows.weight
    everything = np.ones(len(people), dtype=bool)

    def found(kept: Mask, answer: int) -> float:
        truth = kept & (people == answer)
        whole = float(weight[truth].sum())
        return 100 * float(weight[truth & (judge == answer)].sum()) / whole if whole else NAN

    def balanced(kept: Mask) -> float:
        return (found(kept, YES) + found(kept, NO)) / 2

    def agreement(kept: Mask) -> float:
        return cohen_kappa(people[kept], judge[kept], weight[kept])

    return JudgeQuality(
        part,
        len(people),
        100 * float(weight[people == YES].sum() / weight.sum()),
        100 * float(weight[judge == YES].sum() / weight.sum()),
        found(everything, YES),
        found(everything, NO),
        leave_out_clusters(balanced, cluster, everything, "%"),
        leave_out_clusters(agreement, cluster, everything),
    )
