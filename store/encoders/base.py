"""What an encoder is: pictures and texts as unit vectors of one space."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray
from PIL import Image

Vectors = NDArray[np.float32]


class Encoder(Protocol):
    """Places pictures and texts in one space, so that either finds the other."""

    id: str
    """Changes whenever the same picture would get another vector."""
    dim: int

    def images(self, images: Sequence[Image.Image]) -> Vectors:
        """Return one vector of unit length per picture, shape ``(n, dim)``."""
        ...

    def texts(self, texts: Sequence[str]) -> Vectors:
        """Return one vector of unit length per text, shape ``(n, dim)``."""
        ...


def unit(vectors: NDArray[np.floating]) -> Vectors:
    """Scale each row of ``vectors`` to unit length; a row of zeros stays zero."""
    lengths = np.linalg.norm(vectors, axis=-1, keepdims=True)
    scaled: Vectors = (vectors / np.maximum(lengths, 1e-12)).astype(np.float32)
    return scaled
