"""A contact sheet: the frames of a search as one picture, best first.

Refuses to know how they were found.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from textwrap import shorten, wrap
from typing import TYPE_CHECKING

from store.errors import DataUnwritable, StoreError
from store.foreign.limits import UnreadablePicture, decode_picture
from store.frames.frame_store import FrameStore
from store.index.entries import Hit

if TYPE_CHECKING:
    from PIL.Image import Image
    from PIL.ImageDraw import ImageDraw

_COLUMNS = 5
_CELL = (200, 356)
"""Room for one frame, in pixels; nine by sixteen fills it."""
_TEXT = 66
_GAP = 12
_INK, _SOFT, _PAPER, _HOLE = "#1a1a1a", "#5f5f5f", "#ffffff", "#dcdcdc"


def write_sheet(hits: Sequence[Hit], frames: FrameStore, path: Path) -> None:
    """Draw frames with rank, similarity, persona, answer and caption, and save the picture.

    Raises
    ------
    DataUnwritable
        The picture cannot be saved there.
    """
    from PIL import Image, ImageDraw

    columns = max(1, min(_COLUMNS, len(hits)))
    rows = max(1, -(-len(hits) // columns))
    width, height = _CELL[0] + _GAP, _CELL[1] + _TEXT + _GAP
    sheet = Image.new("RGB", (columns * width + _GAP, rows * height + _GAP), _PAPER)
    draw = ImageDraw.Draw(sheet)
    for number, hit in enumerate(hits):
        left = _GAP + number % columns * width
        top = _GAP + number // columns * height
        picture = _picture(frames, hit.entry.sha256)
        offset = (_CELL[0] - picture.width) // 2, (_CELL[1] - picture.height) // 2
        sheet.paste(picture, (left + offset[0], top + offset[1]))
        _label(draw, (left, top + _CELL[1] + 6), number + 1, hit)
    try:
        sheet.save(path)
    except (OSError, ValueError) as error:  # ValueError: no picture format has this suffix
        raise DataUnwritable(path, str(error)) from None


def _label(draw: ImageDraw, corner: tuple[int, int], rank: int, hit: Hit) -> None:
    from PIL import ImageFont

    left, top = corner
    entry = hit.entry
    head = f"{rank}.  {hit.similarity:.3f}  {entry.persona}  {entry.answer}"
    draw.text((left, top), head, fill=_INK, font=ImageFont.load_default(15))
    caption = wrap(shorten(entry.caption, 60, placeholder="…"), 32)
    draw.text((left, top + 22), "\n".join(caption), fill=_SOFT, font=ImageFont.load_default(12))


def _picture(frames: FrameStore, sha256: str) -> Image:
    """The frame, fitted to its cell; a grey hole where it is lost."""
    from PIL import Image

    try:
        picture = decode_picture(frames.read(sha256))
    except (StoreError, UnreadablePicture):
        return Image.new("RGB", _CELL, _HOLE)
    picture.thumbnail(_CELL)
    return picture
