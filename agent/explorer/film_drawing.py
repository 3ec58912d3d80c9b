"""What pictures and videos of film strips are drawn with: frames, fonts, colours and marks."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from PIL import Image, ImageDraw, ImageFont, ImageOps

from store.errors import StoreError
from store.frames.frame_store import FrameStore
from store.untrusted.size_limits import UnreadablePicture, decode_picture

if TYPE_CHECKING:
    from agent.explorer.film_strips import FilmFrame, FilmStrip
    from store.dataset.published_pictures import Blur

PAPER, INK, SOFT, RULE, SHADE = "#fcfbf8", "#1d1c1a", "#67635c", "#d9d4c9", "#eeeae1"
ACCENT, WARN, WARN_RULE = "#0a5c9e", "#fbf3de", "#c9ac55"
ANSWERS = {"yes": "#00735a", "no": "#8a8378", "none": "#c9ac55"}
WORDS = {"yes": "yes", "no": "no", "none": "no answer"}


@cache
def load_font(size: int, *, bold: bool = False) -> ImageFont.FreeTypeFont:
    """Return DejaVu Sans, which comes with Matplotlib."""
    import matplotlib

    name = "DejaVuSans-Bold.ttf" if bold else "DejaVuSans.ttf"
    return ImageFont.truetype(Path(matplotlib.get_data_path()) / "fonts" / "ttf" / name, size)


class FrameLoader:
    """Reads stored frames for an export, blurred if a blur is given; ``told`` of each."""

    def __init__(
        self,
        frames: FrameStore,
        blur: Blur | None = None,
        told: Callable[[], None] = lambda: None,
    ) -> None:
        self._frames, self._blur, self._told = frames, blur, told

    def load(self, sha256: str | None, size: tuple[int, int]) -> Image.Image | None:
        """Return a frame cut to a size; ``None`` where it is gone or damaged."""
        self._told()
        if sha256 is None:
            return None
        try:
            content = self._frames.read(sha256)
            if self._blur is not None:
                content = self._blur(content)
            return ImageOps.fit(decode_picture(content), size)
        except (StoreError, UnreadablePicture):
            return None


def fit_text(draw: ImageDraw.ImageDraw, text: str, font: ImageFont.FreeTypeFont, most: int) -> str:
    """Cut a text to a width in pixels, with an ellipsis."""
    line = " ".join(text.split())[:300]
    if draw.textlength(line, font) <= most:
        return line
    while line and draw.textlength(f"{line}…", font) > most:
        line = line[:-1]
    return f"{line}…"


def draw_badges(
    draw: ImageDraw.ImageDraw, at: tuple[int, int], marks: tuple[str, ...], size: int, most: int
) -> int:
    """Draw marks in boxes to the right, all within so many pixels; returns where they end."""
    font, left = load_font(size, bold=True), at[0]
    around = size + size // 2  # of one mark
    if sum(draw.textlength(mark, font) + around for mark in marks) > most:
        marks = tuple(fit_text(draw, mark, font, most // len(marks) - around) for mark in marks)
    for mark in marks:
        width = round(draw.textlength(mark, font)) + size
        box = (left, at[1], left + width, at[1] + size + size // 2)
        draw.rounded_rectangle(box, size // 2, fill=WARN, outline=WARN_RULE, width=2)
        draw.text((left + size // 2, at[1] + size * 3 // 4), mark, INK, font, anchor="lm")
        left += width + size // 2
    return left


def draw_answer(draw: ImageDraw.ImageDraw, box: tuple[int, int, int, int], answer: str) -> None:
    """Draw an answer as a bar: full for yes, an outline for no, a dash for none."""
    colour, (left, top, right, bottom) = ANSWERS[answer], box
    if answer == "yes":
        draw.rectangle(box, fill=colour)
    elif answer == "no":
        draw.rectangle(box, outline=colour, width=max(1, min(3, (right - left) // 8)))
    else:
        middle = (left + right) // 2
        third = max(1, (right - left) // 6)
        draw.rectangle((middle - third, top, middle + third, bottom), fill=colour)


def draw_legend(draw: ImageDraw.ImageDraw, at: tuple[int, int], size: int) -> int:
    """Draw what the bars mean, to the right; returns where it ends."""
    font, left = load_font(size), at[0]
    for answer, word in WORDS.items():
        draw_answer(draw, (left, at[1] + size // 4, left + 2 * size, at[1] + size), answer)
        left += 2 * size + size // 2
        draw.text((left, at[1] + size * 5 // 8), word, INK, font, anchor="lm")
        left += round(draw.textlength(word, font)) + size * 3 // 2
    return left


def tell_counts(strip: FilmStrip) -> str:
    """Say how many answers of each window were yes."""
    told = (f"{one.yes} of {one.answered} {one.phase}" for one in strip.counts)
    return f"yes: {', '.join(told)}" if strip.counts else "no answer yet"


def tell_answer(cell: FilmFrame | None) -> str:
    """Say what was answered, in words for a large label."""
    if cell is None:
        return "no video"
    return cell.why if cell.why and cell.answer == "none" else WORDS[cell.answer]
