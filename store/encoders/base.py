"""What an encoder is: pictures and texts as unit vectors of one space."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray
from PIL import Image

Vectors = NDArray[np.float32]


@dataclass(frozen=True)
class PictureStages:
    """The two halves of embedding pictures, which different processes can do at once."""

    prepare: Callable[[Image.Image], Any]
    """Make of one picture the tensor that the model reads. It can be sent to other processes."""
    embed: Callable[[Any], Vectors]
    """Return the vectors of tensors in one stack, shape ``(n, dim)``."""
    batch: int
    """Pictures that the model takes at once."""
    workers: int
    """Processes that prepare, unless told otherwise; 0 where the model needs the same cores."""


class VectorSpace(Protocol):
    """The space that an encoder places pictures and texts in."""

    id: str
    """Changes whenever the same picture would get another vector."""
    dim: int


class Encoder(VectorSpace, Protocol):
    """Places pictures and texts in one space, so that either finds the other."""

    @property
    def stages(self) -> PictureStages | None:
        """How other processes can prepare its pictures; ``None`` where they cannot."""
        ...

    def images(self, images: Sequence[Image.Image]) -> Vectors:
        """Return one vector of unit length per picture, shape ``(n, dim)``."""
        ...

    def texts(self, texts: Sequence[str]) -> Vectors:
        """Return one vector of unit length per text, shape ``(n, dim)``."""
        ...


class CustomEncoder:
    """An encoder of one's own: derive from it, name it and its space, and embed both.

    A package names its class as an entry point of the group ``feedsway.encoders``.
    """

    id: str
    """Begins with the entry point's name, as in ``colour`` or ``colour:v2``."""
    dim: int
    stages: PictureStages | None = None

    def __init__(self, name: str, device: str | None) -> None:  # noqa: ARG002 - others use it
        """Load what embeds; ``name`` is all that was typed after ``--encoder``."""
        self.id = name

    def images(self, images: Sequence[Image.Image]) -> Vectors:
        """Return one vector of unit length per picture, shape ``(n, dim)``."""
        raise NotImplementedError

    def texts(self, texts: Sequence[str]) -> Vectors:
        """Return one vector of unit length per text, shape ``(n, dim)``."""
        raise NotImplementedError


def unit(vectors: NDArray[np.floating]) -> Vectors:
    """Scale each row of ``vectors`` to unit length; a row of zeros stays zero."""
    lengths = np.linalg.norm(vectors, axis=-1, keepdims=True)
    scaled: Vectors = (vectors / np.maximum(lengths, 1e-12)).astype(np.float32)
    return scaled
