"""The persona matrix: the specific sway, its exact test, placebo and interval.

Every window is judged again as every persona, blind: ``M[i, j]`` is what persona i finds to say
yes to in the feed of run j. "A persona finds D pp more to say yes to in its own feed than in the
other personas' feeds." The null is sharp, that every account's feed would be the same whichever
persona drove it, and the test is exact because personas were drawn at random for accounts and
start slots. It permutes which run belongs to whom, within a draw: personas that were added to a
study later are a block of their own, and are compared with each other only, since a season or a
site that has changed may suit them.

What a matrix cannot tell: the level of the sway, own gain against others' loss, a sway common to
all personas, drift.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from analysis.errors import NotOffered
from analysis.statistics.estimate import NAN, Estimate, Floats, Ints, Mask
from analysis.statistics.intervals import jackknife
from analysis.statistics.permutation import (
    ARRANGEMENTS,
    Permutation,
    agreeing,
    arrangements,
    assignments,
    compare,
    inverted,
    shuffled,
)

LEAST_PERSONAS = 5
LEAST_WAYS = math.factorial(LEAST_PERSONAS)
"""Ways of exchanging runs within their draws, without which no test is made."""


@dataclass(frozen=True)
class SpecificSway:
    """What a persona matrix shows.

    ``placebo``, ``placebo_test``: the same from the passive before windows alone, which must show
    nothing.
    """

    estimate: Estimate
    """D with its jackknife interval over personas, which says of 0 what the two-sided test says."""
    test: Permutation  # permutation of which run belongs to whom
    adjusted: bool  # whether a passive before window was taken out
    slope: float  # the b of ``Z1 - b Z0``; nan without adjustment
    placebo: Estimate
    placebo_test: Permutation
    personas: int  # K


def same_block(size: int, blocks: Ints | None) -> Mask:
    """Which cells lie within a block; shape ``(..., K, K)``. All do where no blocks are told."""
    codes = np.zeros(size, dtype=np.int64) if blocks is None else blocks
    mask: Mask = codes[..., :, None] == codes[..., None, :]
    return mask


def centred(cells: Floats, blocks: Ints | None = None) -> Floats:
    """Take persona and run means out of matrices ``(..., K, K)``, block by block.

    ``blocks``: draw that each persona comes from, shape ``(K,)`` or ``(..., K)``. Cells between
    blocks become 0, whatever they are.
    """
    same = same_block(cells.shape[-1], blocks)
    inside = np.where(same, cells, 0.0)
    size = same.sum(-1)
    rows, columns = inside.sum(-1) / size, inside.sum(-2) / size
    whole = (same * rows[..., None, :]).sum(-1) / size
    centred_cells = inside - rows[..., :, None] - columns[..., None, :] + whole[..., :, None]
    return np.where(same, centred_cells, 0.0)


def slope(before: Floats, after: Floats) -> Floats:
    """How much of a cell's before deviation comes back after: ``sum(Z0 Z1) / sum(Z0^2)``.

    Takes centred matrices, shape ``(..., K, K)``; gives shape ``(...)``, 0 where nothing varies.
    """
    square = (before**2).sum((-2, -1))
    cross = (before * after).sum((-2, -1))
    share: Floats = np.divide(cross, square, out=np.zeros_like(cross), where=square > 0)
    return share


def residuals(after: Floats, before: Floats | None = None, blocks: Ints | None = None) -> Floats:
    """Centred matrices, less what the passive before windows foretold."""
    late = centred(after, blocks)
    if before is None:
        return late
    early = centred(before, blocks)
    return late - slope(early, late)[..., None, None] * early


def own_minus_others(cells: Floats, blocks: Ints | None = None) -> Floats:
    """D: mean over i of own cell less the mean of the others of its block; shape ``(...)``.

    For centred cells this is a weighted mean of the diagonal, which is the form that all
    permutations share. A persona that was drawn alone has no others, and does not count.
    """
    same = same_block(cells.shape[-1], blocks)
    count = same.sum(-1)
    own = np.diagonal(cells, axis1=-2, axis2=-1)
    others = (np.where(same, cells, 0.0).sum(-1) - own) / np.maximum(count - 1, 1)
    used = count > 1
    difference: Floats = np.where(used, own - others, 0.0).sum(-1) / used.sum(-1)
    return difference


def rearranged(cells: Floats, runs_of: Ints, blocks: Ints | None = None) -> Floats:
    """D under each assignment of runs to personas; shape ``(..., B)``.

    ``cells``: centred matrices or residuals, ``(..., K, K)``. ``runs_of``: run given to each
    persona, one of its own block, ``(B, K)``. ``blocks``: shape ``(K,)``.
    """
    size = cells.shape[-1]
    count = same_block(size, blocks).sum(-1)
    weight = np.where(count > 1, count / np.maximum(count - 1, 1), 0.0) / (count > 1).sum()
    taken = cells[..., np.arange(size), runs_of]
    return np.asarray(taken @ weight, dtype=np.float64)


def without_each(after: Floats, before: Floats | None = None, blocks: Ints | None = None) -> Floats:
    """D with persona i left out together with its run, for each i; shape ``(K, ...)``."""
    found = []
    for kept, part in leaving_out_each(after.shape[-1]):
        early = None if before is None else before[part]
        codes = None if blocks is None else blocks[..., kept]
        found.append(own_minus_others(residuals(after[part], early, codes), codes))
    return np.stack(found)


def leaving_out_each(size: int) -> Iterator[tuple[NDArray[np.signedinteger[Any]], Any]]:
    """For each persona the others, and the index of their rows and runs in ``(..., K, K)``."""
    for left_out in range(size):
        kept = np.delete(np.arange(size), left_out)
        yield kept, (..., *np.ix_(kept, kept))


def specific_sway(
    after: Floats,
    rng: np.random.Generator,
    before: Floats | None = None,
    *,
    blocks: Ints | None = None,
    unit: str = "pp",
    draws: int = ARRANGEMENTS,
) -> SpecificSway:
    """Estimate and test the specific sway.

    ``after``: ``M[i, j]`` of the after windows in ``unit``; shape ``(K, K)``, or ``(R, K, K)`` for
    R replicates, each permuted on its own and averaged.
    ``before``: the same of the before windows, where these were passive; then it is adjusted for,
    and its own matrix is the placebo. Leave it out where the before window was active.
    ``blocks``: draw that each persona comes from, shape ``(K,)`` or ``(R, K)``; one draw if not
    given.
    Raises ``NotOffered``: fewer than 5 personas, draws too small to permute within, or a cell of a
    block without a judged video.
    """
    size = after.shape[-1]
    blocks = np.zeros(size, dtype=np.int64) if blocks is None else blocks
    _check(after, before, blocks)
    value, test = _tested(after, before, blocks, unit, rng, draws)
    placebo, placebo_test = Estimate(NAN, reason="no passive before window"), _NO_TEST
    slopes = NAN
    if before is not None:
        placebo, placebo_test = _tested(before, None, blocks, unit, rng, draws)
        slopes = float(np.mean(slope(centred(before, blocks), centred(after, blocks))))
    return SpecificSway(
        estimate=value,
        test=test,
        adjusted=before is not None,
        slope=slopes,
        placebo=placebo,
        placebo_test=placebo_test,
        personas=size,
    )


_NO_TEST = Permutation(NAN, NAN, 0, False)


def _check(after: Floats, before: Floats | None, blocks: Ints) -> None:
    size = after.shape[-1]
    if size < LEAST_PERSONAS:
        raise NotOffered(
            f"A persona matrix needs {LEAST_PERSONAS} personas and has {size}: add "
            "some, or compare with a control. Type: python -m analysis power --help"
        )
    ways = math.prod(arrangements(codes) for codes in np.atleast_2d(blocks))
    if ways < LEAST_WAYS or min(map(arrangements, np.atleast_2d(blocks))) < math.factorial(3):
        raise NotOffered(
            f"The personas were drawn in blocks so small that runs can be exchanged in {ways} "
            f"ways, and a test needs {LEAST_WAYS}: add personas several at a time, or another "
            "replicate. Type: python -m agent study --help"
        )
    same = same_block(size, blocks)
    if any((np.isnan(cells) & same).any() for cells in (after, before) if cells is not None):
        raise NotOffered(
            "A cell of the persona matrix has no answered video: judge every window as every "
            "persona, by a judge that answers. Type: python -m agent rejudge --help"
        )


def _tested(
    after: Floats,
    before: Floats | None,
    blocks: Ints,
    unit: str,
    rng: np.random.Generator,
    draws: int,
) -> tuple[Estimate, Permutation]:
    """D with its interval, and its test: all ways are listed for one small replicate."""
    size = after.shape[-1]
    cells = residuals(after, before, blocks).reshape(-1, size, size)
    codes = np.broadcast_to(blocks, (len(cells), size))
    own = of_one_point(after, before, blocks).reshape(-1, size, size)
    both = np.stack([cells, own], axis=1)  # (R, 2, K, K)
    if len(both) == 1:
        runs_of, exact = assignments(codes[0], rng, draws)
        arranged = rearranged(both[0], runs_of, codes[0])
    else:
        exact, arranged = False, rearranged_at_random(both, codes, rng, draws)
    observed = own_minus_others(both, codes[:, None]).mean(0)
    test = compare(float(observed[0]), arranged[0], exact=exact)
    over = estimate(after, before, blocks, unit)
    if not over.bounded:
        return over, test
    alpha = round(1 - over.level, 9)
    ends = inverted(observed, arranged, extra=not exact, alpha=alpha)
    low, high = agreeing((over.low, over.high), ends, over.value, test.p < alpha)
    if (low, high) == (over.low, over.high) or not np.isfinite([low, high]).all():
        return over, test
    method = f"{over.method}, ended where the inverted permutation test does"
    told = replace(over, low=float(low), high=float(high), method=method)
    return told.within(-100, 100), test


def of_one_point(after: Floats, before: Floats | None, blocks: Ints | None) -> Floats:
    """What one point more in every own cell changes in the residuals; they are linear in it."""
    own = np.broadcast_to(np.eye(after.shape[-1]), after.shape)
    return residuals(own, before, blocks)


def rearranged_at_random(
    stack: Floats, blocks: Ints, rng: np.random.Generator, draws: int
) -> Floats:
    """Mean D of replicates ``(R, ..., K, K)`` under random assignments, each on its own."""
    drawn = [
        rearranged(cells, shuffled(codes, rng, draws), codes)
        for cells, codes in zip(stack, blocks, strict=True)
    ]
    return np.asarray(np.mean(drawn, axis=0), dtype=np.float64)


def estimate(after: Floats, before: Floats | None, blocks: Ints, unit: str = "pp") -> Estimate:
    """D with its jackknife interval over personas, whatever a test says of zero."""
    value = float(own_minus_others(residuals(after, before, blocks), blocks).mean())
    mates = same_block(after.shape[-1], blocks).sum(-1) > 1
    compared = mates.reshape(-1, after.shape[-1]).any(0)  # who was drawn alone is no cluster of D
    left_out = without_each(after, before, blocks)[compared]
    means = left_out.reshape(len(left_out), -1).mean(1)
    return jackknife(value, means, len(left_out) - 1, unit).within(-100, 100)


def shares(n: Floats, yes: Floats) -> Floats:
    """Cells in pp; nan where nothing was judged."""
    share: Floats = np.divide(100 * yes, n, out=np.full(n.shape, NAN), where=n > 0)
    return share


def overlap(answers: Floats, again: Floats) -> Estimate:
    """How far tastes overlap: delta, 0 for unrelated tastes and 1 for the same.

    ``mean over i != j of [P(i yes | j yes) - b_i]`` over ``mean over j of [P(j yes again | j yes) -
    b_j]``: the judge's own unsteadiness is in both. The specific sway is the sway against an
    unpersonalised feed less the mean cross-sway, so that it shrinks as delta grows and grows where
    delta is below 0. ``answers`` and a second, independent ``again`` hold 1, 0 or nan by persona
    and pooled frame, shape ``(K, N)``.
    """
    base = [_mean(row) for row in answers]
    cross, steady = [], []
    for j, liked in enumerate(answers == 1):
        steady.append(_mean(again[j, liked]) - base[j])
        cross += [_mean(answers[i, liked]) - base[i] for i in range(len(answers)) if i != j]
    shared, own = _mean(np.array(cross)), _mean(np.array(steady))
    if np.isnan(shared) or np.isnan(own) or own <= 0:
        return Estimate(NAN, unit="", reason="no persona repeats its own yes more than by chance")
    return Estimate(shared / own, unit="", clusters=len(answers))


def _mean(values: Floats) -> float:
    known = values[~np.isnan(values)]
    return float(known.mean()) if len(known) else NAN
