"""Starts transformers' own server: ``python -m tests.agent.models.serving MODEL --port 8000``.

Where torchvision's C++ parts do not load beside this torch, pictures are decoded by Pillow instead;
everything else is the server as it is installed.
"""

from __future__ import annotations

import io
import sys
from typing import Any

import numpy as np
from PIL import Image

from store.encoders._torch import load_torch


def decode_image(data: Any, *_: Any, **__: Any) -> Any:
    """Decode a picture to ``(3, height, width)``, as torchvision would."""
    torch = load_torch()
    image = Image.open(io.BytesIO(bytes(data.numpy().tobytes()))).convert("RGB")
    return torch.from_numpy(np.array(image)).permute(2, 0, 1).contiguous()


def main() -> None:
    """Serve until told to stop."""
    load_torch()
    import torchvision.io
    from transformers.cli.transformers import app

    if not torchvision.io.image._has_image_ops():
        torchvision.io.decode_image = decode_image
    sys.argv = ["transformers", "serve", *sys.argv[1:]]
    app()


if __name__ == "__main__":
    main()
