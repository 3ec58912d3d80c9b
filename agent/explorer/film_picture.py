"""Two film strips as one picture for a slide."""

from __future__ import annotations

import io
from dataclasses import dataclass

from PIL import Image, ImageDraw

from agent.explorer.errors import FilmFailed
from agent.explorer.film_drawing import (
    ACCENT,
    INK,
    PAPER,
    RULE,
    SHADE,
    SOFT,
    FrameLoader,
    draw_answer,
    draw_badges,
    draw_legend,
    fit_text,
    load_font,
    tell_counts,
)
from agent.explorer.film_strips import FilmStrip, StripPair

WIDTH, HEIGHT = 1920, 1080
_EDGE, _TOP, _FOOT = 40, 176, 64
_GAP = 3
_RATIO = 16 / 9


@dataclass(frozen=True)
class BandLayout:
    """How many positions stand in a line, and how large each frame is."""

    columns: int
    bands: int
    width: int
    height: int
    mark: int
    """Height of the bar below a frame, and of the line above it."""

    @property
    def band_height(self) -> int:
        """Two frames with their bars, and the numbers between."""
        return 2 * (self.height + 2 * self.mark) + self.label + 10

    @property
    def label(self) -> int:
        return max(9, min(22, self.width // 3))


def arrange_bands(count: int) -> BandLayout:
    """Return the layout in which frames are largest."""
    across, down = WIDTH - 2 * _EDGE, HEIGHT - _TOP - _FOOT
    best: BandLayout | None = None
    for bands in range(1, count + 1):
        columns = -(-count // bands)
        width = across // columns - _GAP
        height = round(width * _RATIO)
        layout = BandLayout(columns, bands, width, height, max(3, min(12, width // 6)))
        if layout.band_height * bands > down:
            spare = down // bands - (layout.band_height - 2 * height)
            height = spare // 2
            width = round(height / _RATIO)
            layout = BandLayout(columns, bands, width, height, layout.mark)
        if height >= 1 and width >= 1 and (best is None or layout.width > best.width):
            best = layout
    if best is None:
        raise FilmFailed(f"{count} positions are too many for a picture. Choose fewer.")
    return best


def draw_picture(pair: StripPair, frames: FrameLoader) -> bytes:
    """Draw both strips, with titles, windows, answers and what the marks mean, as PNG."""
    picture = Image.new("RGB", (WIDTH, HEIGHT), PAPER)
    draw = ImageDraw.Draw(picture)
    for number, strip in enumerate((pair.a, pair.b)):
        _draw_title(draw, strip, number)
    layout = arrange_bands(len(pair.positions))
    for band in range(layout.bands):
        positions = pair.positions[band * layout.columns : (band + 1) * layout.columns]
        _draw_band(picture, pair, positions, (layout, _TOP + band * layout.band_height), frames)
    _draw_foot(draw, pair)
    sink = io.BytesIO()
    picture.save(sink, "PNG")
    return sink.getvalue()


def _draw_title(draw: ImageDraw.ImageDraw, strip: FilmStrip, number: int) -> None:
    left, most = _EDGE + number * (WIDTH // 2), WIDTH // 2 - _EDGE - 20
    name = "AB"[number]
    big, small = load_font(30, bold=True), load_font(20)
    draw.text((left, 28), fit_text(draw, f"{name}  {strip.title}", big, most), INK, big)
    draw.text((left, 70), fit_text(draw, strip.under, small, most), SOFT, small)
    draw.text((left, 100), fit_text(draw, tell_counts(strip), small, most), INK, small)
    draw_badges(draw, (left, 132), strip.marks, 18, most)


def _draw_band(
    picture: Image.Image,
    pair: StripPair,
    positions: tuple[int, ...],
    place: tuple[BandLayout, int],
    frames: FrameLoader,
) -> None:
    layout, top = place
    draw = ImageDraw.Draw(picture)
    font = load_font(layout.label)
    row = layout.height + 2 * layout.mark
    phases: list[str | None] = [None, None]
    for column, position in enumerate(positions):
        left = _EDGE + column * (layout.width + _GAP)
        middle = top + row + layout.label // 2 + 2
        if pair.is_shared(position) and (not pair.is_one_feed or pair.differs(position)):
            box = (left, top + row + 1, left + layout.width, top + row + layout.label + 3)
            draw.rectangle(box, fill=ACCENT)
            shade = PAPER
        else:
            shade = SOFT
        if layout.width >= 2 * layout.label:
            draw.text((left + layout.width // 2, middle), str(position), shade, font, anchor="mm")
        for number, strip in enumerate((pair.a, pair.b)):
            cell = strip.cells.get(position)
            at = top + number * (row + layout.label + 4)
            if cell is None:
                continue
            shown = frames.load(cell.frame, (layout.width, layout.height))
            box = (left, at + layout.mark, left + layout.width, at + layout.mark + layout.height)
            if shown is None:
                draw.rectangle(box, fill=SHADE, outline=RULE)
            else:
                picture.paste(shown, box[:2])
            bar = (left, box[3] + 1, left + layout.width, box[3] + layout.mark)
            draw_answer(draw, bar, cell.answer)
            _draw_window(draw, (left, at, layout), cell.phase, phases[number])
            phases[number] = cell.phase


def _draw_window(
    draw: ImageDraw.ImageDraw, place: tuple[int, int, BandLayout], phase: str, last: str | None
) -> None:
    """Draw the line above a frame that tells its window, and where one begins a stroke."""
    left, top, layout = place
    colour = {"before": SOFT, "adapt": RULE, "after": INK}[phase]
    draw.rectangle((left, top, left + layout.width + _GAP, top + max(1, layout.mark // 3)), colour)
    if last is not None and phase != last:
        bottom = top + layout.height + layout.mark
        draw.rectangle((left - _GAP, top, left - 1, bottom), fill=INK)


def _draw_foot(draw: ImageDraw.ImageDraw, pair: StripPair) -> None:
    top, font = HEIGHT - _FOOT + 16, load_font(18)
    left = draw_legend(draw, (_EDGE, top), 20)
    for phase, colour in (("before", SOFT), ("adapt", RULE), ("after", INK)):
        draw.rectangle((left, top + 9, left + 36, top + 13), fill=colour)
        draw.text((left + 44, top + 12), phase, INK, font, anchor="lm")
        left += 60 + round(draw.textlength(phase, font))
    draw.rectangle((left + 8, top + 2, left + 44, top + 22), fill=ACCENT)
    told = "answers differ" if pair.is_one_feed else "the same video in both"
    draw.text((left + 52, top + 12), told, INK, font, anchor="lm")
    last = f"A above, B below · positions {pair.positions[0]} to {pair.positions[-1]} · feedsway"
    draw.text((WIDTH - _EDGE, top + 12), last, SOFT, font, anchor="rm")
