"""A package's encoder, held to what it promises each time that it embeds."""

from __future__ import annotations

from collections.abc import Callable, Sequence, Sized
from dataclasses import replace
from typing import TypeVar

import numpy as np
from PIL import Image

from store.encoders.base import CustomEncoder, PictureStages, Vectors
from store.errors import StoreError
from store.plug_ins.entry_points import RAISED, PlugIn
from store.plug_ins.stdout_guard import print_to_stderr

_OFF = 1e-3
"""How far from 1 the length of a vector may be."""
_Batch = TypeVar("_Batch", bound=Sized)


class CheckedEncoder:
    """An encoder of a package; whatever it gives but unit vectors is refused in words."""

    def __init__(self, encoder: CustomEncoder, plug_in: PlugIn) -> None:
        self.id = encoder.id
        self.dim = encoder.dim
        self._encoder = encoder
        self._plug_in = plug_in

    @property
    def stages(self) -> PictureStages | None:
        """The encoder's own, whose vectors are checked too."""
        stages = self._encoder.stages
        if stages is None:
            return None
        embed = stages.embed
        return replace(stages, embed=lambda prepared: self._embed(embed, prepared))

    def images(self, images: Sequence[Image.Image]) -> Vectors:
        """Return one vector of unit length per picture, shape ``(n, dim)``."""
        return self._embed(self._encoder.images, images)

    def texts(self, texts: Sequence[str]) -> Vectors:
        """Return one vector of unit length per text, shape ``(n, dim)``."""
        return self._embed(self._encoder.texts, texts)

    def _embed(self, embed: Callable[[_Batch], Vectors], batch: _Batch) -> Vectors:
        try:
            with print_to_stderr():
                vectors = embed(batch)
        except StoreError:
            raise
        except RAISED as error:
            problem = f"embedding fails with {self._plug_in.tell_error(error)}"
            raise self._plug_in.refuse(problem) from error
        if not isinstance(vectors, np.ndarray):
            raise self._plug_in.refuse(f"its vectors are a {type(vectors).__name__}, and no array")
        if vectors.shape != (len(batch), self.dim):
            wanted = f"{len(batch)}, {self.dim}"
            raise self._plug_in.refuse(
                f"{len(batch)} make vectors of shape {vectors.shape}, not {wanted}"
            )
        try:
            plain = vectors.astype(np.float32, copy=False)
        except (TypeError, ValueError) as error:
            raise self._plug_in.refuse(f"its vectors are of {vectors.dtype}") from error
        if not np.all(np.abs(np.linalg.norm(plain, axis=1) - 1) <= _OFF):  # nor is nan
            raise self._plug_in.refuse("its vectors are not of unit length")
        return plain
