"""The embedded encoder: ConSE (Norouzi et al., ICLR 2014, arXiv 1312.5650), offline.

A picture is placed at the convex combination of the sentence vectors of the labels that a
classifier gives it; a text at its own sentence vector. So text finds pictures, within ImageNet's
vocabulary. Refuses to know personas, and to be called a vision-language model.

Departures from the paper, each measured on the playground's footage (``docs/models.md``): the
classifier's probabilities are flattened by a temperature, since it is too sure of itself on footage
unlike its training; 50 labels are combined rather than 10; and a label is placed midway between its
name and its definition.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from store.encoders._imagenet import CLASSES, Classifier, names
from store.encoders._minilm import DIM, MiniLM
from store.encoders._torch import pick_device
from store.encoders.base import Vectors, unit

RECIPE = 1
ID = f"conse-{RECIPE}"
LABELS_COMBINED = 50
TEMPERATURE = 2.0
PLACES = Path(__file__).with_name("label_vectors.npy")
"""Where each label is placed, shape ``(1000, 384)``; made by ``_label_vectors``."""


class ConseEncoder:
    """Sees pictures in ImageNet's thousand words, and reads English."""

    id = ID
    dim = DIM

    def __init__(self, classifier: Classifier, sentences: MiniLM) -> None:
        self._classifier = classifier
        self._sentences = sentences
        self.labels = names()
        self.label_vectors: Vectors = np.load(PLACES).astype(np.float32)

    @classmethod
    @cache
    def load(cls, device: str | None = None) -> ConseEncoder:
        """Load the packaged weights, once per process and device."""
        chosen = pick_device(device)
        return cls(Classifier.load(chosen), MiniLM.load(chosen))

    def classify(self, images: Sequence[Image.Image]) -> NDArray[np.float32]:
        """Return the probability of every label for every picture, shape ``(n, 1000)``."""
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
        """Return one vector of unit length per picture, shape ``(n, 384)``."""
        return self.place(self.classify(images))

    def texts(self, texts: Sequence[str]) -> Vectors:
        """Return one vector of unit length per text, shape ``(n, 384)``."""
        return self._sentences.encode(texts)
