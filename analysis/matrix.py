"""The persona matrix: the specific sway, its exact test, placebo and interval.

Every window is judged again as every persona, blind: ``M[i, j]`` is what persona i finds to say
yes to in the feed of run j. "A persona finds D pp more to say yes to in its own feed than in the
other personas' feeds." The null is sharp, that every account's feed would be the same whichever
persona drove it, and the test is exact because personas were drawn at random for accounts and
start slots. It permutes which run belongs to whom.

Refuses to know where the cells come from, to subtract an active before window, and to test fewer
than 5 personas. What a matrix cannot tell: the level of the sway, own gain against others' loss,
a sway common to all personas, drift.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from analysis.errors import NotOffered
from analysis.intervals import jackknife
from analysis.permutation import ARRANGEMENTS, Ints, Permutation, assignments, compare
from analysis.values import NAN, Estimate

Floats = NDArray[np.float64]

LEAST_PERSONAS = 5


@dataclass(frozen=True)
class SpecificSway:
    """What a persona matrix shows.

    Attributes
    ----------
    estimate
        D, with its jackknife interval over personas.
    test
        Permutation of which run belongs to whom.
    adjusted
        Whether a passive before window was taken out.
    slope
        The b of ``Z1 - b Z0``; nan without adjustment.
    placebo, placebo_test
        The same from the passive before windows alone, which must show nothing.
    personas
        K.
    """

    estimate: Estimate
    test: Permutation
    adjusted: bool
    slope: float
    placebo: Estimate
    placebo_test: Permutation
    personas: int


def centred(cells: Floats) -> Floats:
    """Take persona and run means out of matrices; shape ``(..., K, K)``."""
    rows = cells.mean(-1, keepdims=True)
    columns = cells.mean(-2, keepdims=True)
    centred_cells: Floats = cells - rows - columns + cells.mean((-2, -1), keepdims=True)
    return centred_cells


def slope(before: Floats, after: Floats) -> Floats:
    """How much of a cell's before deviation comes back after: ``sum(Z0 Z1) / sum(Z0^2)``.

    Takes centred matrices, shape ``(..., K, K)``; gives shape ``(...)``, 0 where nothing varies.
    """
    square = (before**2).sum((-2, -1))
    cross = (before * after).sum((-2, -1))
    share: Floats = np.divide(cross, square, out=np.zeros_like(cross), where=square > 0)
    return share


def residuals(after: Floats, before: Floats | None = None) -> Floats:
    """Centred matrices, less what the passive before windows foretold."""
    late = centred(after)
    if before is None:
        return late
    early = centred(before)
    return late - slope(early, late)[..., None, None] * early


def own_minus_others(cells: Floats) -> Floats:
    """D: mean over i of own cell less the mean of the others in its row; shape ``(...)``.

    For centred cells this is K / (K - 1) times the mean of the diagonal, which is the form that
    all permutations share.
    """
    size = cells.shape[-1]
    own = np.diagonal(cells, axis1=-2, axis2=-1)
    others = (cells.sum(-1) - own) / (size - 1)
    difference: Floats = (own - others).mean(-1)
    return difference


def rearranged(cells: Floats, runs_of: Ints) -> Floats:
    """D under each assignment of runs to personas.

    Parameters
    ----------
    cells
        Centred matrices (or residuals), shape ``(..., K, K)``.
    runs_of
        Run given to each persona, shape ``(B, K)``.

    Returns
    -------
    array
        Shape ``(..., B)``.
    """
    size = cells.shape[-1]
    taken = cells[..., np.arange(size), runs_of]
    return np.asarray(taken.mean(-1) * size / (size - 1), dtype=np.float64)


def without_each(after: Floats, before: Floats | None = None) -> Floats:
    """D with persona i left out together with its run, for each i; shape ``(K, ...)``."""
    size = after.shape[-1]
    found = []
    for left_out in range(size):
        kept = np.delete(np.arange(size), left_out)
        part = np.ix_(kept, kept)
        early = None if before is None else before[..., part[0], part[1]]
        found.append(own_minus_others(residuals(after[..., part[0], part[1]], early)))
    return np.stack(found)


def specific_sway(
    after: Floats,
    rng: np.random.Generator,
    before: Floats | None = None,
    *,
    unit: str = "pp",
    draws: int = ARRANGEMENTS,
) -> SpecificSway:
    """Estimate and test the specific sway.

    Parameters
    ----------
    after
        ``M[i, j]`` of the after windows in pp (or logits, as a declared sensitivity); shape
        ``(K, K)``, or ``(R, K, K)`` for R replicates, each permuted on its own and averaged.
    before
        The same of the before windows, where these were passive; then it is adjusted for, and
        its own matrix is the placebo. Leave it out where the before window was active.

    Raises
    ------
    NotOffered
        Fewer than 5 personas, or a cell without a judged video.
    """
    _check(after, before)
    cells = residuals(after, before)
    test = _test(cells, rng, draws)
    estimate = _estimate(after, before, unit)
    placebo, placebo_test = Estimate(NAN, reason="no passive before window"), _NO_TEST
    slopes = NAN
    if before is not None:
        placebo = _estimate(before, None, unit)
        placebo_test = _test(centred(before), rng, draws)
        slopes = float(np.mean(slope(centred(before), centred(after))))
    return SpecificSway(
        estimate=estimate,
        test=test,
        adjusted=before is not None,
        slope=slopes,
        placebo=placebo,
        placebo_test=placebo_test,
        personas=after.shape[-1],
    )


_NO_TEST = Permutation(NAN, NAN, 0, False)


def _check(after: Floats, before: Floats | None) -> None:
    if after.shape[-1] < LEAST_PERSONAS:
        raise NotOffered(
            f"A persona matrix needs {LEAST_PERSONAS} personas and has {after.shape[-1]}: add "
            "some, or compare with a control. Type: python -m analysis power --help"
        )
    if np.isnan(after).any() or (before is not None and np.isnan(before).any()):
        raise NotOffered(
            "A cell of the persona matrix has no judged video: judge every window as every "
            "persona first. Type: python -m agent rejudge --help"
        )


def _test(cells: Floats, rng: np.random.Generator, draws: int) -> Permutation:
    """Permute runs within each replicate; all ways are listed for one replicate of up to 7."""
    stack = cells.reshape(-1, *cells.shape[-2:])
    observed = float(own_minus_others(stack).mean())
    if len(stack) == 1:
        runs_of, exact = assignments(stack.shape[-1], rng, draws)
        return compare(observed, rearranged(stack[0], runs_of), exact=exact)
    drawn = np.zeros(draws)
    identity = np.tile(np.arange(stack.shape[-1]), (draws, 1))
    for replicate in stack:
        drawn += rearranged(replicate, rng.permuted(identity, axis=1)) / len(stack)
    return compare(observed, drawn, exact=False)


def _estimate(after: Floats, before: Floats | None, unit: str) -> Estimate:
    value = float(own_minus_others(residuals(after, before)).mean())
    left_out = without_each(after, before)
    return jackknife(value, left_out.reshape(len(left_out), -1).mean(1), len(left_out) - 1, unit)


def shares(n: Floats, yes: Floats) -> Floats:
    """Cells in pp; nan where nothing was judged."""
    share: Floats = np.divide(100 * yes, n, out=np.full(n.shape, NAN), where=n > 0)
    return share


def logits(n: Floats, yes: Floats) -> Floats:
    """Cells as logits, half a yes and half a no added (Haldane, Ann. Hum. Genet. 1956)."""
    return np.log((yes + 0.5) / (n - yes + 0.5))


def overlap(answers: Floats, again: Floats) -> Estimate:
    """How far tastes overlap: delta, 0 for unrelated tastes and 1 for the same.

    ``mean over i != j of [P(i yes | j yes) - b_i]`` over ``mean over j of [P(j yes again | j yes)
    - b_j]``: the judge's own unsteadiness is in both. The specific sway is the sway against an
    unpersonalised feed less the mean cross-sway, so that it shrinks as delta grows and grows
    where delta is below 0.

    Parameters
    ----------
    answers
        1, 0 or nan by persona and pooled frame; shape ``(K, N)``.
    again
        A second, independent answer, nan where none was asked for; same shape.
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
    """Mean of what is known; nan where nothing is."""
    known = values[~np.isnan(values)]
    return float(known.mean()) if len(known) else NAN
