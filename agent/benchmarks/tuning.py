"""Finds the embedded viewer's coefficients, and says how they do where they were not found.

Personas are split by their place in the list, videos by their footage, each into halves: the
coefficients are found where both are in the first half and reported where both are in the second.
Captions count twice, with and without their hashtags, since a stranger's caption may have none.
Fitting and unfitting pairs weigh the same in total. Refuses to write the coefficients anywhere.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from agent.benchmarks.exhibits import Exhibit, Tell
from agent.models.embedded.conse import ConseViewer
from agent.models.embedded.persona_fit import Weights
from personas.persona import Persona

Floats = NDArray[np.float64]
_TAGS = re.compile(r"\s#\w+")
_RIDGE = 1e-3  # keeps a perfectly separated sample from running away


@dataclass(frozen=True)
class Tuned:
    """One set of coefficients, and its balanced accuracy where it was found and held out."""

    weights: Weights
    development: float
    held_out: float


@dataclass(frozen=True)
class _Pairs:
    """Persona-video pairs: how the caption and the picture fit, and whether the theme does."""

    caption: Floats
    picture: Floats
    fits: NDArray[np.bool_]
    held_out: NDArray[np.bool_]
    development: NDArray[np.bool_]


def tune(
    viewer: ConseViewer, personas: Sequence[Persona], exhibits: Sequence[Exhibit], tell: Tell
) -> dict[str, Tuned]:
    """Find the coefficients for caption and picture, for the caption alone, the picture alone."""
    pairs = _pairs(viewer, personas, exhibits, tell)
    both = np.stack([pairs.caption, pairs.picture], axis=1)
    return {
        "both": _tuned(both, pairs),
        "caption": _tuned(both * (1, 0), pairs),
        "picture": _tuned(both * (0, 1), pairs),
    }


def _pairs(
    viewer: ConseViewer, personas: Sequence[Persona], exhibits: Sequence[Exhibit], tell: Tell
) -> _Pairs:
    rows: list[tuple[float, float, bool, bool, bool]] = []
    for number, exhibit in enumerate(exhibits):
        second = hashlib.sha256(exhibit.footage.encode()).digest()[0] % 2 == 1
        for caption in (exhibit.caption, _TAGS.sub("", exhibit.caption)):
            seen = viewer.look((exhibit.frame,), caption)
            for place, persona in enumerate(personas):
                opinion = viewer.judge(seen, persona.traits)
                assert opinion.caption is not None
                rows.append(
                    (
                        opinion.caption.overall,
                        opinion.picture.overall,
                        exhibit.theme in persona.themes,
                        second and place % 2 == 1,
                        not second and place % 2 == 0,
                    )
                )
        tell("looking", number + 1, len(exhibits))
    columns = np.array(rows, dtype=np.float64).T
    fits, held_out, development = columns[2:].astype(np.bool_)
    return _Pairs(columns[0], columns[1], fits, held_out, development)


def _tuned(features: Floats, pairs: _Pairs) -> Tuned:
    half = pairs.development
    caption, picture, offset = _logistic(features[half], pairs.fits[half])
    yes = features @ (caption, picture) + offset >= 0
    return Tuned(
        Weights(float(caption), float(picture), float(offset)),
        _balanced(yes[half], pairs.fits[half]),
        _balanced(yes[pairs.held_out], pairs.fits[pairs.held_out]),
    )


def _logistic(features: Floats, hits: NDArray[np.bool_]) -> Floats:
    """Fit a logistic curve by Newton's method, both classes weighing the same; offset last."""
    design = np.column_stack([features, np.ones(len(features))])
    weight = np.where(hits, 0.5 / hits.mean(), 0.5 / (1 - hits.mean()))
    found: Floats = np.zeros(design.shape[1])
    for _ in range(50):
        p = 1 / (1 + np.exp(-design @ found))
        slope = design.T @ (weight * (hits - p)) - _RIDGE * found
        bend = (design.T * (weight * p * (1 - p))) @ design + _RIDGE * np.eye(len(found))
        step = np.linalg.solve(bend, slope)
        found = found + step
        if np.abs(step).max() < 1e-9:
            break
    return found


def _balanced(yes: NDArray[np.bool_], fits: NDArray[np.bool_]) -> float:
    return float((yes[fits].mean() + (~yes[~fits]).mean()) / 2)
