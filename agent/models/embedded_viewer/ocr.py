"""Words on a frame, read by OCR (RapidOCR, PP-OCRv4 models, Apache-2.0, packaged).

Used only where the platform gives no caption. Its cost is bounded by the size of the picture that
is searched and by the number of lines that are read.
"""

from __future__ import annotations

import re
from functools import cache
from typing import Any

import numpy as np
from PIL import Image

LONGEST_SIDE = 640  # pixels; letters of a phone's interface stay legible
MOST_LINES = 24
SURE = 0.6  # confidence below which a line is left out
_WORDS = re.compile(r"[^\W\d_]{3,}")


@cache
def _reader() -> Any:
    from rapidocr_onnxruntime import RapidOCR  # loads onnxruntime and OpenCV: half a second

    return RapidOCR(
        det_limit_type="max",
        det_limit_side_len=LONGEST_SIDE,
        det_max_candidates=MOST_LINES,
        intra_op_num_threads=2,
    )


def read(frame: Image.Image) -> str | None:
    """Return the lines on a frame, top to bottom; ``None`` where there are none.

    Handles (``@name``) and counts are the site's furniture and left out.
    """
    picture = frame.convert("RGB")
    picture.thumbnail((LONGEST_SIDE, LONGEST_SIDE))
    pixels = np.ascontiguousarray(np.asarray(picture)[:, :, ::-1])  # OpenCV's order of colours
    boxes, _ = _reader()(pixels, use_cls=False)
    lines = [(box[0][1], text.strip()) for box, text, sure in boxes or () if float(sure) >= SURE]
    words = [text for _, text in sorted(lines) if _WORDS.search(text) and not text.startswith("@")]
    return " ".join(words) or None
