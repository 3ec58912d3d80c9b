"""How far a feed's share of yes wanders by itself: slowly, over about a hundred videos.

On 76 TikTok control runs of a published audit, in which nothing happened, after minus before varies
1.27 times as much as answers drawn one by one would at 50 + 50 videos, 1.85 times at 100 + 100, and
1.66 times for videos 1 to 50 against 151 to 200. Within batches answers are hardly alike there
(-0.006), so that batches cannot show it. A share p that follows a stationary Gaussian process with
the variance ``SHARE p (1 - p)`` and the correlation ``exp(-distance / VIDEOS)`` (Uhlenbeck and
Ornstein, Physical Review 1930) gives 1.27, 1.77 and 1.71. Both numbers were fitted to these three
figures of one platform, which have an error of about 16 % each.
"""

from __future__ import annotations

import numpy as np

from analysis.statistics.estimate import Floats

SHARE = 0.023  # of p (1 - p)
VIDEOS = 100.0
_CELLS = 1 << 21
"""Of the matrix of all positions, so many at once: a run has a few batches, or thousands."""
APART = 1e6
"""Videos between two runs that are counted as one persona: they wander each for itself."""


def correlation(at: Floats, others: Floats) -> Floats:
    """Correlation of the shares at positions and at others, ``(G, H)``; these count videos."""
    alike: Floats = np.exp(-np.abs(at[:, None] - others) / VIDEOS)
    return alike


def variance_of_difference(n: Floats, at: Floats, sd: Floats) -> float:
    """Variance that wandering adds to after minus before.

    ``n``: values by window and batch, ``(2, G)``. ``at``: position of each batch, ``(G,)``.
    ``sd``: standard deviation of one value by window, ``(2,)``; the result is in its square.
    """
    weight = n / n.sum(1, keepdims=True) * np.array([[-1.0], [1.0]]) * sd[:, None]
    by_batch = weight.sum(0)
    some = max(1, _CELLS // max(1, len(at)))
    parts = [
        SHARE * by_batch @ correlation(at, at[start : start + some])
        for start in range(0, len(at), some)
    ]
    return float(np.concatenate(parts or [by_batch]) @ by_batch)


def wandering(rng: np.random.Generator, rate: Floats, at: Floats, share: float = SHARE) -> Floats:
    """Draw the shares that runs of these mean rates have at each position.

    ``rate``: shape ``(...)``. ``at``: positions, ``(G,)``, in any order.
    Returns shape ``(..., G)``, kept within 0 and 1.
    """
    order = np.argsort(at, kind="stable")
    kept = np.exp(-np.diff(at[order], prepend=-np.inf) / VIDEOS)
    path = np.empty((len(at), *rate.shape))  # each position in one piece: half the time
    now = np.zeros(rate.shape)
    for place, stay in zip(order, kept, strict=True):
        now = stay * now + rng.standard_normal(rate.shape) * np.sqrt(1 - stay**2)
        path[place] = now
    path *= np.sqrt(share * rate * (1 - rate))
    path += rate
    return np.moveaxis(np.clip(path, 0, 1, out=path), 0, -1)
