"""Designs under comparison: each turns simulated studies into estimates and p-values at once.

The formulas are those of ``contrasts``, ``persona_matrix`` and ``shrunk_baseline``; here they run
over many studies, with the number of videos and of judgements that each design asks for.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from analysis.estimators import persona_matrix as matrix
from analysis.estimators import shrunk_baseline
from analysis.simulation.scenarios import (
    SimulatedAnswers,
    StudyPlan,
    World,
    draw_matrices,
    draw_runs,
)
from analysis.statistics.estimate import NAN, Floats, Ints, Mask
from analysis.statistics.intervals import t_quantile
from analysis.statistics.null_models import null_of_i
from analysis.statistics.permutation import Sided, agreeing, inverted, shuffled
from analysis.statistics.window_counts import WindowCounts, mean_change

PERMUTATIONS = 499
NULL_DRAWS = 199  # draws of a simulated study's I_avg under no change; a real study takes more
_STUDIES_AT_ONCE = 500


@dataclass(frozen=True, eq=False)
class Outcomes:
    """One entry per simulated study: estimate, interval (nan where none) and p-values.

    ``truth`` is the design's own estimand, from the shares that the feeds give without chance;
    nan where it is not known.
    """

    estimate: Floats
    low: Floats
    high: Floats
    p: Floats
    p_greater: Floats
    truth: float = NAN

    def power(self, sided: Sided = "two", alpha: float = 0.05) -> float:
        """Share of the studies that reject at alpha."""
        return float(np.mean((self.p if sided == "two" else self.p_greater) <= alpha))

    def coverage(self, truth: float | None = None) -> float:
        """Share of the intervals that hold the true value, by default the design's own."""
        true = self.truth if truth is None else truth
        return float(np.mean((self.low <= true) & (true <= self.high)))

    @property
    def bias(self) -> float:
        return float(np.mean(self.estimate)) - self.truth


Design = Callable[[StudyPlan, World, int, np.random.Generator], Outcomes]


def from_t(values: Floats, truth: float = NAN) -> Outcomes:
    """Student's t over units; values of shape ``(S, K)``."""
    from scipy.special import stdtr

    count = values.shape[1]
    mean = values.mean(1)
    se = values.std(1, ddof=1) / np.sqrt(count)
    return replace(_student(mean, se, count - 1, stdtr), truth=truth)


def _student(mean: Floats, se: Floats, df: int, cdf: Callable[[int, Floats], Floats]) -> Outcomes:
    half = t_quantile(0.95, df) * se
    t = np.divide(mean, se, out=np.zeros_like(mean), where=se > 0)
    return Outcomes(mean, mean - half, mean + half, 2 * cdf(df, -np.abs(t)), cdf(df, -t))


def from_jackknife(value: Floats, left_out: Floats) -> Outcomes:
    """Jackknife over personas; ``left_out`` has shape ``(K, S)``."""
    from scipy.special import stdtr

    count = len(left_out)
    se = np.sqrt((count - 1) / count * ((left_out - left_out.mean(0)) ** 2).sum(0))
    return _student(value, se, count - 1, stdtr)


def paired_with_control(
    plan: StudyPlan, world: World, studies: int, rng: np.random.Generator
) -> Outcomes:
    """Treatment minus control in the sway, Student's t over pairs."""
    treated = draw_runs(plan, world, studies, rng)
    control = draw_runs(plan, world, studies, rng, swayed=False)
    return judge_pairs(treated, control)


def judge_pairs(treated: SimulatedAnswers, control: SimulatedAnswers) -> Outcomes:
    """Student's t over pairs; both hold one run per persona and study."""
    truth = _change(treated.expected).mean() - _change(control.expected).mean()
    return from_t(_change(treated.shares) - _change(control.shares), float(truth))


def _change(shares: Floats) -> Floats:
    change: Floats = shares[1] - shares[0]
    return change


def average_change_in_its_null(
    plan: StudyPlan, world: World, studies: int, rng: np.random.Generator
) -> Outcomes:
    """The paper's I_avg, judged by its percentile among draws under no change.

    It has no interval, and the percentile counts ties half.
    """
    drawn = draw_runs(plan, world, studies, rng)
    n = np.broadcast_to(drawn.n, drawn.yes.shape)
    at = plan.batch_positions()
    found = np.empty((2, studies))
    for study in range(studies):
        units = [WindowCounts(*of, at) for of in zip(n[study], drawn.yes[study], strict=True)]
        alone = [[unit] for unit in units]
        above = 1 - null_of_i(alone, rng, draws=NULL_DRAWS).percentile / 100
        found[:, study] = mean_change(units)[0], (1 + NULL_DRAWS * above) / (1 + NULL_DRAWS)
    estimate, p = found
    none = np.full(studies, NAN)
    return Outcomes(estimate, none, none, np.minimum(1, 2 * np.minimum(p, 1 - p)), p)


def persona_matrix(
    plan: StudyPlan, world: World, studies: int, rng: np.random.Generator
) -> Outcomes:
    """The specific sway from the after windows alone."""
    return judge_in_parts(plan, world, studies, rng, lambda drawn: judge_matrix(drawn, rng))


def adjusted_matrix(
    plan: StudyPlan, world: World, studies: int, rng: np.random.Generator
) -> Outcomes:
    """The specific sway, adjusted for passive before windows."""
    return judge_in_parts(
        plan, world, studies, rng, lambda drawn: judge_matrix(drawn, rng, adjust=True)
    )


def headlined_matrix(
    plan: StudyPlan, world: World, studies: int, rng: np.random.Generator
) -> Outcomes:
    """The adjusted matrix behind its placebo, as a report headlines it."""
    return judge_in_parts(plan, world, studies, rng, lambda drawn: judge_headlined(drawn, rng))


def judge_headlined(drawn: SimulatedAnswers, rng: np.random.Generator) -> Outcomes:
    """The adjusted matrix of answers, with the p-value of what would be headlined.

    The before windows alone must show nothing, and after less before must show it, one-sided. The
    p-value is the largest that counts, and 1 where the placebo fails.
    """
    before, after = drawn.shares
    found = judge_matrix(drawn, rng, adjust=True)
    gain, lean = judge_cells(after - before, rng), judge_cells(before, rng).p < 0.05
    p, p_greater = (
        np.where(lean, 1.0, np.maximum(one, gain.p_greater)) for one in (found.p, found.p_greater)
    )
    return replace(found, p=p, p_greater=p_greater)


def placebo(plan: StudyPlan, world: World, studies: int, rng: np.random.Generator) -> Outcomes:
    """The specific sway of the before windows alone, which has to be null."""
    return judge_in_parts(
        plan, world, studies, rng, lambda drawn: judge_cells(drawn.shares[0], rng)
    )


def borrowed_base(
    plan: StudyPlan, world: World, studies: int, rng: np.random.Generator
) -> Outcomes:
    """The sway against the borrowed base, jackknife over personas."""
    return judge_in_parts(plan, world, studies, rng, judge_borrowed)


def borrowed_base_as_offered(
    plan: StudyPlan, world: World, studies: int, rng: np.random.Generator
) -> Outcomes:
    """The same, of those studies alone in which the program would offer it.

    Refused are those whose placebo is below 0.05, or where the others' feeds changed.
    """

    def judge(drawn: SimulatedAnswers) -> Outcomes:
        moved = _judge_drift(drawn)
        still = (moved.low <= 0) & (moved.high >= 0)
        return _those(judge_borrowed(drawn), still & (judge_cells(drawn.shares[0], rng).p >= 0.05))

    return judge_in_parts(plan, world, studies, rng, judge)


def drift(plan: StudyPlan, world: World, studies: int, rng: np.random.Generator) -> Outcomes:
    """The change in what personas find in the others' feeds, jackknife over personas."""
    return judge_in_parts(plan, world, studies, rng, _judge_drift)


def judge_matrix(
    drawn: SimulatedAnswers,
    rng: np.random.Generator,
    *,
    adjust: bool = False,
    blocks: Ints | None = None,
) -> Outcomes:
    """The specific sway of matrices, with its interval and its test by permutation."""
    before, after = drawn.shares
    told = judge_cells(after, rng, before if adjust else None, blocks)
    return replace(told, truth=float(matrix.own_minus_others(drawn.expected[1], blocks).mean()))


def judge_cells(
    after: Floats,
    rng: np.random.Generator,
    before: Floats | None = None,
    blocks: Ints | None = None,
) -> Outcomes:
    """The specific sway of matrices ``(S, K, K)``, less a before window where one is given."""
    cells = matrix.residuals(after, before, blocks)
    value = matrix.own_minus_others(cells, blocks)
    told = from_jackknife(value, matrix.without_each(after, before, blocks))
    codes = np.zeros(after.shape[-1], dtype=np.int64) if blocks is None else blocks
    runs_of = shuffled(codes, rng, PERMUTATIONS)
    own = matrix.of_one_point(after, before, blocks)
    observed = np.stack([value, np.broadcast_to(matrix.own_minus_others(own, blocks), value.shape)])
    arranged = np.stack([matrix.rearranged(each, runs_of, blocks) for each in (cells, own)])
    told = tested(told, arranged[0])
    ends = inverted(observed, arranged, extra=True, alpha=0.05)
    low, high = agreeing((told.low, told.high), ends, value, told.p < 0.05)
    return replace(told, low=low, high=high)


def tested(told: Outcomes, arranged: Floats) -> Outcomes:
    """The same with p-values among the statistics of random assignments, shape ``(S, B)``."""
    slack = 1e-9
    far = (np.abs(arranged) >= np.abs(told.estimate)[:, None] - slack).sum(1)
    above = (arranged >= told.estimate[:, None] - slack).sum(1)
    total = arranged.shape[1] + 1
    return replace(told, p=(far + 1) / total, p_greater=(above + 1) / total)


def judge_borrowed(drawn: SimulatedAnswers) -> Outcomes:
    before, after = drawn.shares
    within = drawn.within.mean(-1)
    value = shrunk_baseline.sway_from(after, before, within)
    own = np.diagonal(_change(drawn.expected), axis1=-2, axis2=-1)
    told = from_jackknife(value, shrunk_baseline.without_each(after, before, within))
    return replace(told, truth=float(own.mean()))


def _judge_drift(drawn: SimulatedAnswers) -> Outcomes:
    before, after = drawn.shares
    change = shrunk_baseline.off_diagonal_change
    parts = matrix.leaving_out_each(after.shape[-1])
    left_out = np.stack([change(after[part], before[part]) for _, part in parts])
    return from_jackknife(change(after, before), left_out)


def _those(told: Outcomes, kept: Mask) -> Outcomes:
    return Outcomes(
        told.estimate[kept],
        told.low[kept],
        told.high[kept],
        told.p[kept],
        told.p_greater[kept],
        truth=told.truth,
    )


def judge_in_parts(
    plan: StudyPlan,
    world: World,
    studies: int,
    rng: np.random.Generator,
    judge: Callable[[SimulatedAnswers], Outcomes],
) -> Outcomes:
    """Draw matrices a few hundred studies at a time, to bound memory."""
    sizes = [_STUDIES_AT_ONCE] * (studies // _STUDIES_AT_ONCE)
    if studies % _STUDIES_AT_ONCE:
        sizes.append(studies % _STUDIES_AT_ONCE)
    return joined([judge(draw_matrices(plan, world, size, rng)) for size in sizes])


def joined(parts: Sequence[Outcomes]) -> Outcomes:
    """Outcomes of several lots of studies as one; the truth is their mean."""
    return Outcomes(
        np.concatenate([part.estimate for part in parts]),
        np.concatenate([part.low for part in parts]),
        np.concatenate([part.high for part in parts]),
        np.concatenate([part.p for part in parts]),
        np.concatenate([part.p_greater for part in parts]),
        truth=float(np.average([p.truth for p in parts], weights=[len(p.p) for p in parts])),
    )
