"""CLIP through open_clip: ``open_clip:<model>/<pretrained tag, or path of a checkpoint>``.

Radford et al., ICML 2021 (arXiv 2103.00020); the paper's index is made with it. Weights come from
open_clip's own sources, unless a path is given. Refuses to fall back on other weights.
"""

from __future__ import annotations

import difflib
import hashlib
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from pickle import UnpicklingError
from typing import Any, TypeVar

import numpy as np
from PIL import Image

from store.encoders._torch import load_torch, pick_device
from store.encoders.base import Vectors, unit
from store.errors import EncoderUnavailable, UnknownEncoder

PREFIX = "open_clip:"
BATCH = 32
_DIGITS = 12
_T = TypeVar("_T")
_PINNED = re.compile(rf"(?P<path>.+)@(?P<digest>[0-9a-f]{{{_DIGITS}}})")
_LOADING_FAULTS = (RuntimeError, OSError, KeyError, ValueError, AssertionError, UnpicklingError)
"""What open_clip and torch raise over weights that cannot be fetched, read or fitted."""
_FILES = (".pt", ".pth", ".bin", ".safetensors", ".npz")


@dataclass(frozen=True)
class Source:
    """Which weights, and the id that stands for exactly these."""

    model: str
    weights: str
    """A tag that open_clip knows, or a path."""
    id: str


class OpenClipEncoder:
    """A contrastive model of pictures and texts."""

    def __init__(self, source: Source, model: Any, preprocess: Any, tokenize: Any) -> None:
        self.id = source.id
        self._model = model
        self._preprocess = preprocess
        self._tokenize = tokenize
        self._device = next(model.parameters()).device
        self.dim = int(self.texts([""]).shape[1])

    @classmethod
    def load(cls, name: str, device: str | None = None) -> OpenClipEncoder:
        """Load a model and its weights.

        Raises
        ------
        UnknownEncoder
            The name is no model and weights, or open_clip knows no such model.
        EncoderUnavailable
            The weights are not known, cannot be fetched, or are not this model's.
        """
        load_torch()  # first: it mends what open_clip imports
        import open_clip

        source = _source(name, open_clip)
        try:
            model, _, preprocess = open_clip.create_model_and_transforms(
                source.model, pretrained=source.weights, device=pick_device(device)
            )
            tokenize = open_clip.get_tokenizer(source.model)
        except _LOADING_FAULTS as error:
            problem = next(iter(str(error).splitlines()), type(error).__name__)[:200]
            raise EncoderUnavailable(
                name,
                problem.rstrip("."),
                "With a checkpoint of this model on the disk, "
                f"type: --encoder {PREFIX}{source.model}/PATH",
            ) from error
        return cls(source, model.eval(), preprocess, tokenize)

    def images(self, images: Sequence[Image.Image]) -> Vectors:
        """Return one vector of unit length per picture, shape ``(n, dim)``."""
        torch = load_torch()

        def encode(batch: Sequence[Image.Image]) -> Any:
            pixels = torch.stack([self._preprocess(image.convert("RGB")) for image in batch])
            return self._model.encode_image(pixels.to(self._device))

        return self._encode(images, encode)

    def texts(self, texts: Sequence[str]) -> Vectors:
        """Return one vector of unit length per text, shape ``(n, dim)``."""

        def encode(batch: Sequence[str]) -> Any:
            return self._model.encode_text(self._tokenize(list(batch)).to(self._device))

        return self._encode(texts, encode)

    def _encode(self, items: Sequence[_T], encode: Callable[[Sequence[_T]], Any]) -> Vectors:
        with load_torch().inference_mode():
            rows = [encode(batch).float().cpu().numpy() for batch in _batches(items)]
        return unit(np.concatenate(rows)) if rows else np.empty((0, self.dim), np.float32)


def _batches(items: Sequence[_T]) -> Iterator[Sequence[_T]]:
    for start in range(0, len(items), BATCH):
        yield items[start : start + BATCH]


def _source(name: str, open_clip: Any) -> Source:
    """Find out which model and weights a name means, before anything is fetched."""
    model, _, weights = name.removeprefix(PREFIX).partition("/")
    if not weights or model not in open_clip.list_models():
        raise UnknownEncoder(name)
    if weights in open_clip.list_pretrained_tags_by_model(model):
        return Source(model, weights, name)
    pinned = _PINNED.fullmatch(weights)
    path = Path(pinned["path"] if pinned else weights).expanduser().absolute()
    if not path.is_file():
        raise EncoderUnavailable(name, *_no_weights(model, weights, open_clip))
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()[:_DIGITS]
    if pinned and pinned["digest"] != digest:
        raise EncoderUnavailable(
            name,
            f"the checkpoint has changed and is {digest} now",
            f"Type: --encoder {PREFIX}{model}/{path}",
        )
    return Source(model, str(path), f"{PREFIX}{model}/{path}@{digest}")


def _no_weights(model: str, weights: str, open_clip: Any) -> tuple[str, str]:
    """Say what is wrong and what to type."""
    if weights.endswith(_FILES) or "/" in weights or "\\" in weights:
        return f"there is no file {weights}", f"Type: --encoder {PREFIX}{model}/PATH"
    tags = open_clip.list_pretrained_tags_by_model(model)
    near = difflib.get_close_matches(weights, tags, n=1, cutoff=0.0) or ["PATH"]
    return (
        f"open_clip has no weights {weights!r} of {model}",
        f"Type: --encoder {PREFIX}{model}/{near[0]}",
    )
