"""A random CLIP of a few thousand numbers, saved as a checkpoint as real ones are."""

from __future__ import annotations

import json
from pathlib import Path

TINY = {
    "embed_dim": 16,
    "vision_cfg": {"image_size": 32, "layers": 1, "width": 32, "head_width": 16, "patch_size": 16},
    "text_cfg": {"context_length": 77, "vocab_size": 49408, "width": 16, "heads": 2, "layers": 1},
}


def save_tiny_clip(folder: Path) -> Path:
    """Save random weights; from then on open_clip knows their architecture as ``tiny``."""
    from store.encoders._torch import load_torch

    torch = load_torch()
    import open_clip

    (folder / "tiny.json").write_text(json.dumps(TINY))
    open_clip.add_model_config(folder / "tiny.json")
    torch.manual_seed(0)
    model = open_clip.create_model("tiny")
    path = folder / "tiny.pt"
    torch.save(model.state_dict(), path)
    return path
