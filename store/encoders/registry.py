"""Encoders by name: where a new one is added. `load` loads what is heavy."""

from __future__ import annotations

from functools import cache

from store.encoders.base import Encoder
from store.errors import UnknownEncoder


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
        from store.encoders.imagenet_labels import (
            ID,
            ConseEncoder,
        )  # loads timm and transformers: seconds

        if name in ("conse", ID):
            return ConseEncoder.load(device)
    raise UnknownEncoder(name)
