"""An encoder of tests whose batches take a moment, so that something can happen meanwhile."""

from __future__ import annotations

import threading
from collections.abc import Sequence

from PIL import Image

from store.encoders import Vectors
from tests.store.samples import ColourEncoder


class SlowEncoder(ColourEncoder):
    """A batch in a second and a half."""

    def images(self, images: Sequence[Image.Image]) -> Vectors:
        threading.Event().wait(1.5)
        return super().images(images)
