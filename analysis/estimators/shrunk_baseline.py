"""The borrowed base: a persona's base rate from its own before window and the others'.

With passive before windows, every other run's before window tells too what share a persona says
yes to in an unpersonalised feed. The own share, noisy and tied to the account, is shrunk towards
that mean, and the sway is the after window less this base. No control arm is needed, but a feed
that drifts between the windows looks like a sway.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from analysis.errors import NotOffered
from analysis.estimators.persona_matrix import LEAST_PERSONAS, leaving_out_each
from analysis.statistics.estimate import Estimate, Floats
from analysis.statistics.intervals import jackknife

HINT = "Type: python -m analysis power --help"


@dataclass(frozen=True)
class BorrowedBase:
    """The sway against the borrowed base."""

    estimate: Estimate  # mean of after less base, in pp, with its jackknife interval over personas
    base: tuple[float, ...]  # the base of each persona, in pp
    weight: tuple[float, ...]
    """What each persona's own before window weighs in it (1 borrows nothing)."""
    drift: Estimate  # change between the windows in what personas find in the others' feeds


def borrowed(before: Floats, within: Floats) -> tuple[Floats, Floats]:
    """Base and own weight of each persona, both of shape ``(..., K)``.

    ``tau^2 = max(0, mean over i of [var over j != i of M0_ij - v_i])``,
    ``VB = (tau^2 + v) / J``, ``w = (tau^2 + VB) / (tau^2 + v + VB)``, ``base = w Y + (1 - w) B``.

    ``before``: ``M0[i, j]``, the share in pp that persona i finds in the before window of run j,
    ``(..., K, K)``. ``within``: ``v_i``, the variance in pp^2 of such a share from the spread of
    its batches, ``(..., K)``.
    """
    size = before.shape[-1]
    others = size - 1
    own = np.diagonal(before, axis1=-2, axis2=-1)
    mean = (before.sum(-1) - own) / others
    away = (before - mean[..., None]) ** 2 * (1 - np.eye(size))
    variance = away.sum(-1) / (others - 1)
    tau2 = np.maximum(0, (variance - within).mean(-1, keepdims=True))
    borrowed_variance = (tau2 + within) / others
    total = tau2 + within + borrowed_variance
    weight = np.divide(
        tau2 + borrowed_variance, total, out=np.full(total.shape, 1 / size), where=total > 0
    )
    return weight * own + (1 - weight) * mean, weight


def sway_from(after: Floats, before: Floats, within: Floats) -> Floats:
    """Mean over personas of own after share less the borrowed base; shape ``(...)``."""
    base, _ = borrowed(before, within)
    own = np.diagonal(after, axis1=-2, axis2=-1)
    mean: Floats = (own - base).mean(-1)
    return mean


def without_each(after: Floats, before: Floats, within: Floats) -> Floats:
    """The sway with persona i and its run left out, for each i; shape ``(K, ...)``."""
    parts = leaving_out_each(after.shape[-1])
    return np.stack([sway_from(after[at], before[at], within[..., kept]) for kept, at in parts])


def off_diagonal_change(after: Floats, before: Floats) -> Floats:
    """Mean change between the windows in what personas find in the others' feeds."""
    size = after.shape[-1]
    change = (after - before) * (1 - np.eye(size))
    mean: Floats = change.sum((-2, -1)) / (size * (size - 1))
    return mean


def drift(after: Floats, before: Floats) -> Estimate:
    size = after.shape[-1]
    left_out = []
    for persona in range(size):
        kept = np.delete(np.arange(size), persona)
        rows, columns = np.ix_(kept, kept)
        left_out.append(off_diagonal_change(after[rows, columns], before[rows, columns]))
    change = float(off_diagonal_change(after, before))
    return jackknife(change, np.array(left_out), size - 1).within(-100, 100)


def borrowed_base(
    after: Floats, before: Floats, within: Floats, *, baseline: str, placebo_p: float
) -> BorrowedBase:
    """The sway against the borrowed base, where that can be trusted.

    ``after``, ``before``: ``M[i, j]`` of both windows in pp, shape ``(K, K)``; ``within``: ``v_i``
    in pp^2, shape ``(K,)``. ``baseline``: ``passive`` or ``active`` before windows. ``placebo_p``:
    of ``SpecificSway.placebo_test``, two-sided. Raises ``NotOffered``: the before windows are
    active, there are fewer than 5 personas, the placebo is below 0.05 (profiles lean to their
    personas), or the off-diagonal change excludes 0 (drift).
    """
    if baseline != "passive":
        raise NotOffered(f"A borrowed base needs passive before windows. {HINT}")
    if len(after) < LEAST_PERSONAS:
        raise NotOffered(
            f"A borrowed base needs {LEAST_PERSONAS} personas and has {len(after)}. {HINT}"
        )
    if placebo_p < 0.05:
        raise NotOffered(
            f"The before windows already differ by persona (p = {placebo_p:.3f}), so a base "
            f"cannot be borrowed from others: compare with a control. {HINT}"
        )
    moved = drift(after, before)
    if moved.bounded and (moved.low > 0 or moved.high < 0):
        raise NotOffered(
            f"What personas find in the others' feeds changed by {moved.value:+.1f} pp between "
            "the windows, which would pass for a sway: compare with a control or use the persona "
            f"matrix. {HINT}"
        )
    base, weight = borrowed(before, within)
    estimate = jackknife(
        float(sway_from(after, before, within)),
        without_each(after, before, within),
        len(after) - 1,
    ).within(-100, 100)
    return BorrowedBase(estimate, tuple(base.tolist()), tuple(weight.tolist()), moved)
