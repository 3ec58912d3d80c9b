"""Permutation tests: exact where all arrangements can be listed, drawn at random where not.

A test by permutation holds because of how the study was randomised, not because of how its numbers
are distributed.
"""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from analysis.statistics.estimate import Floats, Ints

Sided = Literal["two", "greater"]

ARRANGEMENTS = 9_999
"""Drawn where they are too many to list; one more, the observed one, is counted with them."""

_LISTED = 5_040
_AT_ONCE = 10_000_000
"""Signs that are drawn at once: 80 MB. In parts they are the same ones."""
_SLACK = 1e-9
_ROUNDING = 1e-13  # less than the slack within which statistics count as equal


@dataclass(frozen=True)
class Permutation:
    """p-values of one test."""

    p: float  # p, p_greater: two-sided, and one-sided for a larger statistic
    p_greater: float
    arrangements: int  # how many were compared, the observed one included
    exact: bool  # whether these were all there are


def sign_flips(differences: Floats, rng: np.random.Generator) -> Permutation:
    """Test a mean difference within pairs by exchanging the members of each pair.

    Exact where it was drawn at random which member of a pair got which arm. All 2^K exchanges
    are listed up to 12 pairs.

    ``differences``: one per pair, shape ``(K,)``, without nan.
    """
    pairs = len(differences)
    if 2**pairs <= _LISTED:
        signs = np.array(list(itertools.product((1.0, -1.0), repeat=pairs)))
        return compare(float(differences.mean()), signs @ differences / max(pairs, 1), exact=True)
    rows = max(1, min(ARRANGEMENTS, _AT_ONCE // pairs))
    sizes = [min(rows, ARRANGEMENTS - start) for start in range(0, ARRANGEMENTS, rows)]
    sums = [rng.choice([1.0, -1.0], (size, pairs)) @ differences for size in sizes]
    return compare(float(differences.mean()), np.concatenate(sums) / pairs, exact=False)


def arrangements(blocks: Ints) -> int:
    """Count the ways of exchanging members within their blocks."""
    return math.prod(math.factorial(int(size)) for size in np.unique_counts(blocks).counts)


def assignments(
    blocks: Ints, rng: np.random.Generator, draws: int = ARRANGEMENTS
) -> tuple[Ints, bool]:
    """Ways of assigning runs to personas within blocks, shape ``(B, K)``, and if these are all.

    All are listed where they are no more than 7! = 5040.

    ``blocks``: draw that each persona and its run come from, shape ``(K,)``.
    """
    ways = arrangements(blocks)
    if ways > _LISTED:
        return shuffled(blocks, rng, draws), False
    members = [np.flatnonzero(blocks == block) for block in np.unique(blocks)]
    orders = [np.array(list(itertools.permutations(part.tolist()))) for part in members]
    listed = np.empty((ways, len(blocks)), dtype=np.int64)
    chosen = np.indices([len(order) for order in orders]).reshape(len(orders), -1)
    for part, order, at in zip(members, orders, chosen, strict=True):
        listed[:, part] = order[at]
    return listed, True


def shuffled(blocks: Ints, rng: np.random.Generator, draws: int) -> Ints:
    """Random assignments of runs to personas within blocks; shape ``(draws, K)``."""
    drawn = np.tile(np.arange(len(blocks)), (draws, 1))
    for block in np.unique(blocks):
        part = np.flatnonzero(blocks == block)
        drawn[:, part] = rng.permuted(drawn[:, part], axis=1)
    return drawn


def compare(observed: float, arranged: Floats, *, exact: bool) -> Permutation:
    """Rank the observed statistic among the arranged ones.

    Listed arrangements hold the observed one: ``p = count / B``. Drawn ones do not, and
    ``p = (1 + count) / (1 + B)`` (Phipson and Smyth, Stat. Appl. Genet. Mol. Biol. 2010).
    """
    extra = 0 if exact else 1
    total = len(arranged) + extra
    slack = 1e-12 * max(1.0, abs(observed))
    far = int((np.abs(arranged) >= abs(observed) - slack).sum())
    above = int((arranged >= observed - slack).sum())
    return Permutation((far + extra) / total, (above + extra) / total, total, exact)


def inverted(
    observed: Floats, arranged: Floats, *, extra: bool, alpha: float
) -> tuple[Floats, Floats]:
    """Effects that a two-sided permutation test does not reject, by inverting it.

    An effect d is tested by taking d out of the data. Each arrangement's statistic moves by a known
    part of d, so that it is at least as far from 0 as the observed one for all d between two
    values; the p-value of d is the share of the arrangements for which it is.

    Parameters
    ----------
    observed, arranged
        The statistic, and what an effect of 1 adds to it: ``(2, ...)`` as observed, and
        ``(2, ..., B)`` by arrangement.
    extra
        Whether the observed arrangement counts beside the ``B``, as where they are drawn.

    Returns
    -------
    low, high
        Shape ``(...)``; infinite where too few arrangements tell them.
    """
    (value, per_point), (values, per_points) = observed[..., None], arranged
    near, far = per_point - per_points, per_point + per_points
    with np.errstate(invalid="ignore", divide="ignore"):
        ends = np.stack([(value - values) / near, (value + values) / far])
    always = (near < _SLACK) | (far < _SLACK)  # the observed arrangement, or one that moves alike
    lows = np.sort(np.where(always, -np.inf, ends.min(0)), axis=-1)
    highs = np.sort(np.where(always, np.inf, ends.max(0)), axis=-1)
    total = values.shape[-1] + extra
    needed = max(1, math.ceil(alpha * total - _SLACK) - extra)
    return lows[..., needed - 1] - _ROUNDING, highs[..., -needed] + _ROUNDING


def agreeing(
    interval: tuple[Any, Any], ends: tuple[Any, Any], value: Any, rejected: Any
) -> tuple[Any, Any]:
    """Move the end of an interval that says of 0 otherwise than the test to that of ``ends``."""
    low, high = interval
    against = rejected == ((low <= 0) & (high >= 0))
    above = np.asarray(value) > 0
    return np.where(against & above, ends[0], low), np.where(against & ~above, ends[1], high)


def holm(p_values: Floats) -> Floats:
    """Holm's adjusted p-values (Scand. J. Stat. 1979), in the order given.

    Tests without a p-value stay nan and do not count.
    """
    adjusted = np.full(len(p_values), np.nan)
    known = np.flatnonzero(~np.isnan(p_values))
    order = known[np.argsort(p_values[known], kind="stable")]
    steps = p_values[order] * (len(order) - np.arange(len(order)))
    adjusted[order] = np.minimum(1, np.maximum.accumulate(steps)) if len(order) else []
    return adjusted
