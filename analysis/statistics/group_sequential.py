"""Group-sequential permutation tests: several looks at a growing study, for one error.

Whoever tests after each extension and stops at the first small p-value errs too often: with three
looks at 0.05 in about one study of ten. So the error is spent: up to look k of K it is
``alpha (k / K)^2``, declared beforehand (Kim and DeMets, Biometrika 1987). The
stages of a study are drawn each on its own. Under the null its path of statistics is as likely as
every other path that exchanging runs within stages gives, so that the level is exact whatever the
data look like.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from analysis.statistics.estimate import Floats, Mask
from analysis.statistics.permutation import Sided

_SLACK = 1e-9


@dataclass(frozen=True)
class SequentialLook:
    """One look at a study, after so many of its stages.

    ``p``: the share of the paths that crossed a bound at an earlier look, or lie as far out at this
    one; ``found``: whether it is no more than ``spent``, the error spent up to this look.
    """

    number: int
    of: int
    statistic: float
    p: float
    spent: float
    found: bool


def error_spent(alpha: float, number: int, of: int) -> float:
    """Error that may be spent up to a look."""
    return float(alpha * (number / of) ** 2)


def take_looks(
    observed: Floats, drawn: Floats, of: int, alpha: float, sided: Sided = "two"
) -> tuple[SequentialLook, ...]:
    """Look after each stage, up to the first look that finds something.

    Parameters
    ----------
    observed
        The statistic of each stage so far, shape ``(J,)``; a look takes the mean of those so far.
    drawn
        The same under exchanges of runs, drawn for each stage on its own; shape ``(J, B)``.
    of
        Looks that were declared, at least ``J``.
    """
    stages = np.concatenate([observed[:, None], drawn], axis=1)
    paths = stages.cumsum(0) / np.arange(1, len(stages) + 1)[:, None]
    outlying = np.abs(paths) if sided == "two" else paths
    total = outlying.shape[1]
    alive = np.ones(total, dtype=bool)
    looks = []
    for number, values in enumerate(outlying, 1):
        spent = error_spent(alpha, number, of)
        crossed = total - int(alive.sum())
        far = int((alive & (values >= values[0] - _SLACK)).sum())
        found = far <= spent * total - crossed + _SLACK
        p = (crossed + far) / total
        looks.append(SequentialLook(number, of, float(paths[number - 1, 0]), p, spent, found))
        if found:
            break
        alive &= ~_crossing(values, alive, spent * total - crossed)
    return tuple(looks)


def _crossing(values: Floats, alive: Mask, allowed: float) -> Mask:
    """Which paths cross at this look: as many as are allowed, and of equal ones all or none."""
    most = int(allowed + _SLACK)
    if most < 1:
        return np.zeros_like(alive)
    left = np.sort(values[alive])[::-1]
    bound = left[min(most, len(left)) - 1]
    tied = len(left) > most and left[most] >= bound - _SLACK
    far = values > bound + _SLACK if tied else values >= bound - _SLACK
    return np.asarray(alive & far)
