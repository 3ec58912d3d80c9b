"""How far people agree who answered the same questions.

Cohen's kappa for two (Educ. Psychol. Meas. 1960), Krippendorff's alpha for any number, nominal,
with missing answers ("Computing Krippendorff's Alpha-Reliability", 2011). Who cannot tell is
missing. Intervals are jackknifes over runs, or over the batches of one run.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import combinations

import numpy as np

from analysis.data.exposures import NO, YES
from analysis.data.people_labels import LabelRows
from analysis.estimators.judge_agreement import kappa
from analysis.statistics.estimate import NAN, Estimate, Floats, Ints, Mask
from analysis.statistics.intervals import jackknife


@dataclass(frozen=True)
class PairAgreement:
    """Two people."""

    first: str
    second: str
    questions: int  # that both could answer
    equal: float  # share of equal answers in %
    kappa: Estimate


@dataclass(frozen=True)
class PeopleAgreement:
    """All people of a draw."""

    people: tuple[str, ...]
    shared: int  # questions that at least two could answer
    differ: int  # of these, where they do not all say the same
    ties: int  # of these, where as many say yes as no: they count as missing
    alpha: Estimate
    pairs: tuple[PairAgreement, ...]


def measure_agreement(rows: LabelRows) -> PeopleAgreement:
    """Measure how far the people of a draw agree, about the rows given."""
    answers, cluster = rows.answers, rows.cluster
    yes, no = ((answers == each).sum(0) for each in (YES, NO))
    shared = yes + no > 1
    people = rows.people.people
    pairs = [
        _compare(people[one], people[two], answers[[one, two]], cluster)
        for one, two in combinations(range(len(people)), 2)
    ]
    return PeopleAgreement(
        people=people,
        shared=int(shared.sum()),
        differ=int((shared & (yes > 0) & (no > 0)).sum()),
        ties=int((shared & (yes == no)).sum()),
        alpha=leave_out_clusters(
            lambda kept: krippendorff_alpha(answers[:, kept]), cluster, shared
        ),
        pairs=tuple(pairs),
    )


def _compare(first: str, second: str, answers: Ints, cluster: Ints) -> PairAgreement:
    one, two = answers
    both = (one >= 0) & (two >= 0)
    equal = float((one == two)[both].mean()) if both.any() else NAN
    return PairAgreement(
        first,
        second,
        int(both.sum()),
        100 * equal,
        leave_out_clusters(lambda kept: cohen_kappa(one[kept], two[kept]), cluster, both),
    )


def cohen_kappa(first: Ints, second: Ints, weight: Floats | None = None) -> float:
    """Cohen's kappa of yes and no, where both answered; nan where chance alone must agree."""
    both = (first >= 0) & (second >= 0)
    parts = np.ones(len(first)) if weight is None else weight
    whole = float(parts[both].sum())
    if not whole:
        return NAN

    def share(rows: Mask) -> float:
        return float(parts[both & rows].sum()) / whole

    return kappa(share(first == second), share(first == YES), share(second == YES))


def krippendorff_alpha(answers: Ints) -> float:
    """Krippendorff's alpha of nominal values from 0 on; a negative one is missing.

    ``answers``: one row a person, one column a question. Nan where no two values of different
    people can be compared, and where all are the same.
    """
    values = np.unique(answers[answers >= 0])
    counts = (answers[None] == values[:, None, None]).sum(1).astype(np.float64)  # value, question
    given = counts.sum(0)
    counts, given = counts[:, given > 1], given[given > 1]
    total = counts.sum(1)
    n = total.sum()
    expected = (n**2 - (total**2).sum()) / (n - 1) if n > 1 else 0.0
    if expected <= 0:
        return NAN
    observed = ((given**2 - (counts**2).sum(0)) / (given - 1)).sum()
    return float(1 - observed / expected)


def leave_out_clusters(
    statistic: Callable[[Mask], float], cluster: Ints, rows: Mask, unit: str = ""
) -> Estimate:
    """Estimate a statistic of some rows, with the jackknife over their clusters."""
    if not rows.any():
        return Estimate(NAN, unit=unit, reason="nobody has answered any of these questions")
    value = statistic(rows)
    if np.isnan(value):
        return Estimate(NAN, unit=unit, reason="only one answer was given")
    names = np.unique(cluster[rows])
    left_out = np.array([statistic(rows & (cluster != name)) for name in names])
    most = 100 if unit == "%" else 1
    told = jackknife(value, left_out, len(names) - 1, unit)
    return told.within(0 if unit == "%" else -1, most)
