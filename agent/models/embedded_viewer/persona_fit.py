"""How well something seen or said fits a persona, against what other people like.

Pure arithmetic on vectors of unit length from one encoder: no model, no picture, no theme.

A trait fits a content in two ways, and the mean of both counts: *directly*, by the cosine of their
vectors, and *through the background*, by the cosine of their profiles of likeness to a hundred
sentences about what people like (as in explicit semantic analysis, Gabrilovich & Markovitch, IJCAI
2007). Each kind of content is first freed of what all of its kind have in common: traits of the
mean of those sentences, captions of the mean of a hundred other captions, pictures of the mean of
all labels.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

import numpy as np
from numpy.typing import NDArray

from store.encoders import Vectors, unit

FLOOR = 0.05  # likeness below this tells nothing and is left out of a profile
SHARPNESS = 12.0  # how much more the best-fitting trait counts than the others

Floats = NDArray[np.float32]


@cache
def sentences(name: str) -> tuple[str, ...]:
    """Return the background ``people`` or ``videos``, one sentence a line of its file."""
    folder = files("agent.models.embedded_viewer").joinpath("data")
    text = folder.joinpath(f"{name}.txt").read_text(encoding="utf-8")
    return tuple(line for line in text.splitlines() if line and not line.startswith("#"))


@dataclass(frozen=True)
class Fit:
    """How one content fits a persona."""

    overall: float  # about -0.3 (nothing in common) to 1.2
    best: int  # index of the trait that fits best
    best_fit: float
    typical: float  # the same for a sentence of the background, on average: what means nothing


@dataclass(frozen=True)
class Likeness:
    """A content's two views: its own direction, and its profile against the background."""

    direct: Vectors
    profile: Vectors


class Background:
    """What other people like, and what other videos say and show; vectors of shape ``(n, dim)``."""

    def __init__(self, people: Vectors, videos: Vectors, pictures: Vectors) -> None:
        self._means = {
            "trait": people.mean(axis=0),
            "caption": videos.mean(axis=0),
            "picture": pictures.mean(axis=0),
        }
        self._anchors = unit(people - self._means["trait"])
        self._others = self.likeness(people, "trait")

    def likeness(self, vectors: Vectors, kind: str) -> Likeness:
        """Free vectors of what their kind (trait, caption, picture) has in common."""
        direct = unit(vectors - self._means[kind])
        return Likeness(direct, unit(np.maximum(direct @ self._anchors.T - FLOOR, 0.0)))

    def typical(self, content: Likeness) -> float:
        """How well a sentence of the background fits, on average."""
        return float(_fits(self._others, content).mean())


class PersonaTaste:
    """One persona's traits, ready to be held against what is seen."""

    def __init__(self, traits: Vectors, background: Background) -> None:
        self._background = background
        self._traits = background.likeness(traits, "trait")

    def fit(self, content: Vectors, kind: str) -> Fit:
        """Hold one content, of shape ``(dim,)``, against the traits."""
        likeness = self._background.likeness(content[np.newaxis], kind)
        fits = _fits(self._traits, likeness)
        best = int(fits.argmax())
        return Fit(
            overall=float(np.log(np.exp(SHARPNESS * fits).sum()) / SHARPNESS),
            best=best,
            best_fit=float(fits[best]),
            typical=self._background.typical(likeness),
        )


def _fits(sentences_: Likeness, content: Likeness) -> Floats:
    """Fit of each sentence with one content, shape ``(n,)``."""
    direct = sentences_.direct @ content.direct[0]
    through_background = sentences_.profile @ content.profile[0]
    fits: Floats = (direct + through_background) / 2
    return fits


@dataclass(frozen=True)
class Weights:
    """A logistic curve over fits."""

    caption: float
    picture: float
    offset: float

    def p_yes(self, caption: float, picture: float) -> float:
        """Probability of a yes, where fitting and unfitting contents are equally many."""
        score = self.caption * caption + self.picture * picture + self.offset
        return float(1.0 / (1.0 + np.exp(-score)))


def mean_direction(parts: Sequence[Vectors]) -> Vectors:
    """Return the direction midway between vectors of unit length, shape ``(dim,)``."""
    return unit(np.mean(np.stack(parts), axis=0))
