"""An encoder whose space has three dimensions: how red, green and blue something is."""

from collections.abc import Sequence

import numpy as np
from PIL import Image

from store.encoders import CustomEncoder, Vectors, unit

WORDS = {"red": (1.0, 0.0, 0.0), "green": (0.0, 1.0, 0.0), "blue": (0.0, 0.0, 1.0)}


class MeanColour(CustomEncoder):
    """Places a picture by its mean colour, and a text by the colours that it names."""

    dim = 3

    def images(self, images: Sequence[Image.Image]) -> Vectors:
        """Return the mean colours, as directions."""
        pixels = [np.asarray(image.convert("RGB"), dtype=np.float64) for image in images]
        return unit(np.array([each.mean(axis=(0, 1)) + 1.0 for each in pixels]))

    def texts(self, texts: Sequence[str]) -> Vectors:
        """Return the sum of the colours that each text names, and grey where it names none."""
        named = [
            [WORDS[word] for word in text.lower().split() if word in WORDS] or [(1.0, 1.0, 1.0)]
            for text in texts
        ]
        return unit(np.array([np.sum(colours, axis=0) for colours in named]))
