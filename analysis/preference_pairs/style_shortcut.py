"""Whether length and surface style alone tell an accepted text from a rejected one.

A pair's texts are compared by a logistic curve over the differences of their features and of the
features' squares, without a constant, so that which of the two comes first cannot matter (Bradley
and Terry, Biometrika 1952). It is trained on some videos and tried on others. What it gets right by
more than chance is a shortcut: who is trained on the pairs can learn it instead of looking.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from analysis.statistics.estimate import NAN, Estimate, Floats, Ints
from analysis.statistics.intervals import binomial_interval, jackknife
from store.results.preference_pairs import ERRORS, PreferencePair
from store.results.text_style import FEATURES, surface

FOLDS = 5
_RIDGE = 1.0  # weight of the penalty, in pairs
_STEPS = 50
_TIE = 1e-9


@dataclass(frozen=True)
class Shortcut:
    """What the texts' surface gives away."""

    accuracy: Estimate
    """Share of pairs, in %, whose accepted text the curve finds on videos that it was not trained
    on; a pair whose texts look alike counts half. 50 is chance."""
    by_error: dict[str, Estimate]  # the same for each kind of error that has pairs
    differences: dict[str, Estimate]
    """Accepted less rejected for each feature, in standard deviations of that difference."""
    accepted: Floats  # accepted, rejected: features of the texts, shape ``(N, F)``
    rejected: Floats

    @property
    def separates(self) -> bool:
        """Whether the lower end of the accuracy's interval is above chance."""
        return bool(self.accuracy.low > 50)

    def text(self) -> str:
        one = self.accuracy
        if not one.exists:
            return f"not known: {one.reason}"
        ends = f" (95 % interval {one.low:.1f} to {one.high:.1f})" if one.bounded else ""
        return f"{one.value:.1f} %{ends} of {len(self.accepted)} pairs, 50 % being chance"


def shortcut(pairs: Sequence[PreferencePair]) -> Shortcut:
    accepted, rejected = (
        np.array([list(surface(text).values()) for text in texts]).reshape(-1, len(FEATURES))
        for texts in ([pair.accepted for pair in pairs], [pair.rejected for pair in pairs])
    )
    names = sorted({pair.source.cluster for pair in pairs}, key=_place)
    order = {name: place for place, name in enumerate(names)}
    cluster = np.array([order[pair.source.cluster] for pair in pairs], dtype=np.int64)
    found = _found(_design(accepted, rejected), cluster)
    gaps = accepted - rejected
    spread = np.sqrt((gaps**2).mean(axis=0)) if len(gaps) else np.ones(len(FEATURES))
    spread[spread < _TIE] = 1.0
    kinds = np.array([pair.error for pair in pairs])
    return Shortcut(
        accuracy=_accuracy(found, cluster),
        by_error={
            kind: _accuracy(found[kinds == kind], cluster[kinds == kind])
            for kind in ERRORS
            if (kinds == kind).any()
        },
        differences={
            name: _mean(gaps[:, place] / spread[place], cluster, "SD")
            for place, name in enumerate(FEATURES)
        },
        accepted=accepted,
        rejected=rejected,
    )


def _design(accepted: Floats, rejected: Floats) -> Floats:
    """Differences of the features and of their squares, each to one scale; what never differs out.

    Shape ``(N, at most 2 F)``.
    """
    both = np.concatenate([accepted, rejected])
    if not len(both):
        return np.zeros((0, 0))
    spread = both.std(axis=0)
    known = spread > _TIE
    one, other = (
        (side[:, known] - both[:, known].mean(axis=0)) / spread[known]
        for side in (accepted, rejected)
    )
    gaps = np.concatenate([one - other, one**2 - other**2], axis=1)
    scale = np.sqrt((gaps**2).mean(axis=0))
    design: Floats = gaps[:, scale > _TIE] / scale[scale > _TIE]
    return design


def _found(design: Floats, cluster: Ints) -> Floats:
    """For each pair 1 where its accepted text is found, 0 where not, a half where nothing tells.

    Videos are dealt to the folds in an order that their names alone decide.
    """
    fold = cluster % FOLDS
    found = np.full(len(design), 0.5)
    for number in range(FOLDS):
        tried = fold == number
        if design.shape[1] and tried.any() and (~tried).any():
            scores = design[tried] @ _fitted(design[~tried])
            found[tried] = np.where(np.abs(scores) < _TIE, 0.5, scores > 0)
    return found


def _fitted(gaps: Floats) -> Floats:
    """Weights of the logistic curve that puts accepted above rejected, by Newton's steps."""
    weights: Floats = np.zeros(gaps.shape[1])
    for _ in range(_STEPS):
        chance = 1 / (1 + np.exp(-np.clip(gaps @ weights, -30, 30)))
        slope = gaps.T @ (1 - chance) - _RIDGE * weights
        curve = (gaps.T * (chance * (1 - chance))) @ gaps + _RIDGE * np.eye(len(weights))
        step = np.linalg.solve(curve, slope)
        weights = weights + step
        if np.abs(step).max() < 1e-8:
            break
    return weights


def _accuracy(found: Floats, cluster: Ints) -> Estimate:
    """Share of pairs that were found, in %.

    Where every video says the same, the interval is Clopper and Pearson's for as many videos.
    """
    told = _mean(100 * found, cluster, "%")
    if told.bounded or not told.exists:
        return told
    count = len(np.unique(cluster))
    low, high = binomial_interval(round(count * told.value / 100), count)
    method = "Clopper and Pearson, by videos"
    return replace(told, low=100 * low, high=100 * high, reason="", method=method)


def _mean(values: Floats, cluster: Ints, unit: str) -> Estimate:
    """Mean over pairs, with its interval over videos."""
    if not len(values):
        return Estimate(NAN, unit=unit, reason="there is no pair")
    codes = np.unique(cluster, return_inverse=True)[1]
    count = np.bincount(codes).astype(float)
    total = np.bincount(codes, weights=values)
    with np.errstate(invalid="ignore", divide="ignore"):
        without = (total.sum() - total) / (count.sum() - count)
    return jackknife(float(values.mean()), without, len(count) - 1, unit=unit)


def _place(name: str) -> str:
    return hashlib.sha256(name.encode()).hexdigest()
