"""Encoders, which turn pictures and texts into vectors, by name; ``load`` loads what is heavy."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import Protocol

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from store.errors import UnknownEncoder

__all__ = ["Encoder", "Vectors", "check", "load", "unit"]

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


def check(name: str) -> None:
    """Refuse a name that no encoder has, without loading anything; raises ``UnknownEncoder``."""
    is_clip = name.startswith("open_clip:") and "/" in name
    if not is_clip and name.partition("-")[0] != "conse":
        raise UnknownEncoder(name)


@cache
def load(name: str, device: str | None = None) -> Encoder:
    """Load an encoder once per process; the same call returns the same instance.

    ``name`` is ``conse``, or ``open_clip:<model>/<pretrained tag or path of a checkpoint>``;
    ``device`` is ``cuda``, ``mps`` or ``cpu``, and ``None`` the best there is. Raises
    ``UnknownEncoder``, and ``EncoderUnavailable`` where its weights cannot be had here.
    """
    if name.startswith("open_clip:"):
        from store.encoders.openclip import OpenClipEncoder  # loads open_clip: seconds

        return OpenClipEncoder.load(name, device)
    if name.partition("-")[0] == "conse":
        from store.encoders.conse import ID, ConseEncoder  # loads timm and transformers: seconds

        if name in ("conse", ID):
            return ConseEncoder.load(device)
    raise UnknownEncoder(name)
