"""Places ImageNet's labels among sentences, and writes ``label_vectors.npy``.

Run it as ``python -m store.encoders._label_vectors`` after a change of the recipe; loading the
file takes a millisecond where computing it takes up to a minute. The names are open_clip's (MIT),
the definitions WordNet's (WordNet licence), as timm packs them; only vectors are written. Refuses
to know what they are used for.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from store.encoders._imagenet import names
from store.encoders._minilm import MiniLM
from store.encoders.base import Vectors, unit


def definitions() -> tuple[str, ...]:
    """Return WordNet's definition of each class, in the order of ``names``."""
    from timm.data import ImageNetInfo

    info = ImageNetInfo()
    return tuple(
        info.label_name_to_description(label, detailed=True).partition(": ")[2]
        for label in info.label_names()
    )


def place(sentences: MiniLM, named: Sequence[str], defined: Sequence[str]) -> Vectors:
    """Return the place of each label, midway between its name and its definition, ``(n, 384)``."""
    both = [f"{name}: {definition}" for name, definition in zip(named, defined, strict=True)]
    return unit(sentences.encode(named) + sentences.encode(both))


def main() -> None:
    """Write the file anew."""
    from store.encoders.conse import PLACES

    np.save(PLACES, place(MiniLM.load("cpu"), names(), definitions()).astype(np.float16))


if __name__ == "__main__":
    main()
