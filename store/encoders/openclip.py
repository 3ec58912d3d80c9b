"""CLIP through open_clip: ``open_clip:<model>/<tag>``, ``…/<path>``, or ``…/<tag>=<path>``.

Radford et al., ICML 2021 (arXiv 2103.00020); the paper's index is made with it. Weights come from
open_clip's own sources, unless the path of a checkpoint is given, and never from another place. How
pictures are prepared, and which activation the layers have, goes by the tag: open_clip itself takes
the model's default for a path, and only warns where a tag needs another activation.

A name is loaded in half precision on ``cuda``, and its id then ends in ``+fp16``. An id is loaded
in the precision that it says, on any device.
"""

from __future__ import annotations

import difflib
import hashlib
import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from pickle import UnpicklingError
from typing import Any, TypeVar

import numpy as np
from PIL import Image

from store.encoders._torch import choose_batch, count_loaders, load_torch, pick_device
from store.encoders.base import PictureStages, Vectors, unit
from store.errors import EncoderUnavailable, UnknownEncoder

PREFIX = "open_clip:"
_HALF, _FULL = "+fp16", "+fp32"
"""How a name may end, to say its precision."""
_DIGITS = 12
_T = TypeVar("_T")
_MARKED = re.compile(r"(?P<name>.+)\+(?P<mark>[0-9a-f]{8})")
"""An id says by a hash how pictures are prepared."""
_PINNED = re.compile(rf"(?P<path>.+)@(?P<digest>[0-9a-f]{{{_DIGITS}}})")
_LOADING_FAULTS = (RuntimeError, OSError, KeyError, ValueError, AssertionError, UnpicklingError)
"""What open_clip and torch raise over weights that cannot be fetched, read or fitted."""
_FILES = (".pt", ".pth", ".bin", ".safetensors", ".npz")


@dataclass(frozen=True)
class Preparation:
    """What weights were trained with, beside the model's layers."""

    mean: tuple[float, ...]
    std: tuple[float, ...]
    """Of each colour, from 0 to 1."""
    interpolation: str
    resize_mode: str
    quick_gelu: bool
    """Whether the activation is OpenAI's approximation of GELU."""

    @property
    def mark(self) -> str:
        return hashlib.sha256(json.dumps(asdict(self)).encode()).hexdigest()[:8]


@dataclass(frozen=True)
class WeightsSource:
    """Which weights, and the id that stands for exactly these."""

    model: str
    weights: str
    """A tag that open_clip knows, or a path."""
    prepared: Preparation
    id: str
    half: bool
    """Whether they are used in half precision (float16)."""


@dataclass(frozen=True)
class _PixelPreparer:
    """Makes of a picture what the model reads; small enough to be sent to other processes."""

    preprocess: Any
    dtype: Any

    def __call__(self, image: Image.Image) -> Any:
        return self.preprocess(image.convert("RGB")).to(self.dtype)


class OpenClipEncoder:
    """A contrastive model of pictures and texts."""

    def __init__(self, source: WeightsSource, model: Any, preprocess: Any, tokenize: Any) -> None:
        self.id = source.id
        self.half = source.half
        self._model = model
        self._preprocess = preprocess
        self._tokenize = tokenize
        self._device = next(model.parameters()).device
        torch = load_torch()
        self.stages = PictureStages(
            _PixelPreparer(preprocess, torch.float16 if source.half else torch.float32),
            self._embed,
            choose_batch(self._device.type),
            count_loaders(self._device.type),
        )
        self.dim = int(self.texts([""]).shape[1])

    @classmethod
    def load(cls, name: str, device: str | None = None) -> OpenClipEncoder:
        """Load a model and its weights.

        Raises ``UnknownEncoder`` where open_clip knows no such model, and ``EncoderUnavailable``
        where the weights are not known, cannot be fetched, or are not this model's.
        """
        load_torch()  # first: it mends what open_clip imports
        import open_clip

        device = pick_device(device)
        source = _source(name, open_clip, device)
        try:
            how = source.prepared
            model, _, preprocess = open_clip.create_model_and_transforms(
                source.model,
                pretrained=source.weights,
                precision="fp16" if source.half else "fp32",
                device=device,
                force_quick_gelu=how.quick_gelu,
                image_mean=how.mean,
                image_std=how.std,
                image_interpolation=how.interpolation,
                image_resize_mode=how.resize_mode,
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
        prepare = self.stages.prepare
        stack = load_torch().stack
        return self._join(
            [self._embed(stack([*map(prepare, batch)])) for batch in self._cut(images)]
        )

    def texts(self, texts: Sequence[str]) -> Vectors:
        with load_torch().inference_mode():
            return self._join(
                [
                    _rows(self._model.encode_text(self._tokenize(list(batch)).to(self._device)))
                    for batch in self._cut(texts)
                ]
            )

    def _embed(self, pixels: Any) -> Vectors:
        with load_torch().inference_mode():
            # from pinned memory the copy goes on beside the device's work
            return _rows(self._model.encode_image(pixels.to(self._device, non_blocking=True)))

    def _cut(self, items: Sequence[_T]) -> Iterator[Sequence[_T]]:
        for start in range(0, len(items), self.stages.batch):
            yield items[start : start + self.stages.batch]

    def _join(self, rows: list[Vectors]) -> Vectors:
        return np.concatenate(rows) if rows else np.empty((0, self.dim), np.float32)


def save_random_weights(model: str, path: Path) -> None:
    """Save a checkpoint of random weights: speed needs the shape, not what was learned."""
    torch = load_torch()
    import open_clip

    torch.manual_seed(0)
    torch.save(open_clip.create_model(model, load_weights=False).state_dict(), path)


def _rows(vectors: Any) -> Vectors:
    return unit(vectors.float().cpu().numpy())


def _source(name: str, open_clip: Any, device: str) -> WeightsSource:
    """Find the weights of a name in the precision that it says, or that suits the device.

    An id without one is of full precision.
    """
    exact = name.removesuffix(_HALF).removesuffix(_FULL)
    half = name.endswith(_HALF)
    if exact == name and _MARKED.fullmatch(name) is None:
        half = device.startswith("cuda")
    source = _full_source(exact, open_clip)
    return replace(source, id=source.id + _HALF, half=True) if half else source


def _full_source(name: str, open_clip: Any) -> WeightsSource:
    """Find weights, in full precision."""
    marked = _MARKED.fullmatch(name)
    whole = marked["name"] if marked else name
    model, _, weights = whole.removeprefix(PREFIX).partition("/")
    if not weights or model not in open_clip.list_models():
        raise UnknownEncoder(name)
    tags = open_clip.list_pretrained_tags_by_model(model)
    if weights in tags:
        prepared = preparation(model, weights, open_clip)
        own_id = f"{PREFIX}{model}/{weights}+{prepared.mark}"
        source = WeightsSource(model, weights, prepared, own_id, half=False)
    else:
        source = _of_path(name, model, weights, open_clip, marked=marked is not None)
    if marked and not source.id.endswith(marked["mark"]):
        raise EncoderUnavailable(
            name, "pictures are prepared in another way now", f"Type: --encoder {whole}"
        )
    return source


def _of_path(name: str, model: str, weights: str, open_clip: Any, *, marked: bool) -> WeightsSource:
    tag, parted, path_ = weights.partition("=")
    if not parted or tag not in open_clip.list_pretrained_tags_by_model(model):
        tag, path_ = "", weights
    pinned = _PINNED.fullmatch(path_)
    path = Path(pinned["path"] if pinned else path_).expanduser().absolute()
    if not path.is_file():
        raise EncoderUnavailable(name, *_no_weights(model, weights, open_clip))
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()[:_DIGITS]
    again = f"Type: --encoder {PREFIX}{model}/{tag}{parted if tag else ''}{path}"
    if pinned and pinned["digest"] != digest:
        raise EncoderUnavailable(name, f"the checkpoint has changed and is {digest} now", again)
    if pinned and not marked:
        problem = "an id of an older feedsway does not say how pictures are prepared"
        raise EncoderUnavailable(name, problem, again)
    prepared = preparation(model, tag, open_clip) if tag else _only(name, model, path, open_clip)
    own = f"{tag}={path}" if tag else str(path)
    own_id = f"{PREFIX}{model}/{own}@{digest}+{prepared.mark}"
    return WeightsSource(model, str(path), prepared, own_id, half=False)


def preparation(model: str, tag: str, open_clip: Any) -> Preparation:
    """How pictures are prepared for the weights of a tag; the model's default without one."""
    from open_clip.transform import PreprocessCfg

    told = open_clip.get_pretrained_cfg(model, tag) if tag else {}
    usual = asdict(PreprocessCfg())
    quick = (open_clip.get_model_config(model) or {}).get("quick_gelu") or told.get("quick_gelu")
    return Preparation(
        mean=tuple(told.get("mean") or usual["mean"]),
        std=tuple(told.get("std") or usual["std"]),
        interpolation=told.get("interpolation") or usual["interpolation"],
        resize_mode=told.get("resize_mode") or usual["resize_mode"],
        quick_gelu=bool(quick),
    )


def _only(name: str, model: str, path: Path, open_clip: Any) -> Preparation:
    """How pictures are prepared for all weights of a model that are known; refused if unlike."""
    tags = open_clip.list_pretrained_tags_by_model(model) or [""]
    ways: dict[Preparation, str] = {}
    for tag in tags:
        ways.setdefault(preparation(model, tag, open_clip), tag)
    if len(ways) > 1:
        problem = (
            f"weights of {model} are prepared for in {len(ways)} ways, like those of "
            f"{', '.join(ways.values())}; say like which"
        )
        first = next(iter(ways.values()))
        raise EncoderUnavailable(name, problem, f"Type: --encoder {PREFIX}{model}/{first}={path}")
    return next(iter(ways))


def _no_weights(model: str, weights: str, open_clip: Any) -> tuple[str, str]:
    if weights.endswith(_FILES) or "/" in weights or "\\" in weights:
        return f"there is no file {weights}", f"Type: --encoder {PREFIX}{model}/PATH"
    tags = open_clip.list_pretrained_tags_by_model(model)
    near = difflib.get_close_matches(weights, tags, n=1, cutoff=0.0) or ["PATH"]
    return (
        f"open_clip has no weights {weights!r} of {model}",
        f"Type: --encoder {PREFIX}{model}/{near[0]}",
    )
