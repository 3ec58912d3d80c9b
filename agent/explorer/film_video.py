"""Two film strips as a short video: two players side by side, a position at a time."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

from PIL import Image, ImageDraw

from agent.explorer.errors import FilmFailed
from agent.explorer.film_drawing import (
    ACCENT,
    ANSWERS,
    INK,
    PAPER,
    RULE,
    SHADE,
    SOFT,
    FrameLoader,
    draw_answer,
    draw_badges,
    fit_text,
    load_font,
    tell_answer,
)
from agent.explorer.film_strips import FilmStrip, StripPair

WIDTH, HEIGHT = 1280, 720
SPEEDS = (1, 2, 4)
"""Positions a second."""
MOST_POSITIONS = 600
_RATE = 12
_SHOWN = (315, 560)
_TOP, _TRACK = 76, HEIGHT - 54
_HALF = WIDTH // 2


def make_video(pair: StripPair, frames: FrameLoader, speed: int) -> bytes:
    """Return the video as MP4 (H.264); raises ``FilmFailed``, also for one that is too long."""
    import imageio_ffmpeg  # looks for its program when imported

    if len(pair.positions) > MOST_POSITIONS:
        raise FilmFailed(
            f"A video of {len(pair.positions)} positions is too long: {MOST_POSITIONS} are the "
            f"most. Choose fewer. In a terminal, type: --positions 0 {MOST_POSITIONS - 1}"
        )
    options = ["-r", str(_RATE), "-crf", "20", "-preset", "veryfast"]
    with TemporaryDirectory() as folder:
        path = Path(folder) / "film.mp4"
        writer = imageio_ffmpeg.write_frames(
            str(path),
            (WIDTH, HEIGHT),
            fps=speed,
            codec="libx264",
            quality=None,
            output_params=[*options, "-movflags", "+faststart"],
            ffmpeg_log_level="error",
        )
        try:
            writer.send(None)
            for picture in draw_frames(pair, frames):
                writer.send(picture.tobytes())
            writer.close()
            return path.read_bytes()
        except OSError as error:
            told = " ".join(str(error)[-300:].split())
            raise FilmFailed(f"ffmpeg failed ({told}). Type: python -m agent doctor") from None


def draw_frames(pair: StripPair, frames: FrameLoader) -> Iterator[Image.Image]:
    """Yield one picture for each position."""
    for position in pair.positions:
        picture = Image.new("RGB", (WIDTH, HEIGHT), PAPER)
        draw = ImageDraw.Draw(picture)
        for number, strip in enumerate((pair.a, pair.b)):
            _draw_player(picture, (strip, number * _HALF), position, frames)
            _draw_track(draw, (strip, number * _HALF), pair.positions, position)
        _draw_middle(draw, pair, position)
        yield picture


def _draw_player(
    picture: Image.Image, side: tuple[FilmStrip, int], position: int, frames: FrameLoader
) -> None:
    (strip, left), draw = side, ImageDraw.Draw(picture)
    title, small = load_font(24, bold=True), load_font(15)
    draw.text((left + 24, 12), fit_text(draw, strip.title, title, _HALF - 48), INK, title)
    draw.text((left + 24, 44), fit_text(draw, strip.under, small, _HALF - 48), SOFT, small)
    cell = strip.cells.get(position)
    at = (left + 24, _TOP)
    box = (*at, at[0] + _SHOWN[0], at[1] + _SHOWN[1])
    shown = frames.load(cell.frame, _SHOWN) if cell else None
    if shown is None:
        draw.rectangle(box, fill=SHADE, outline=RULE)
        middle = ((box[0] + box[2]) // 2, (box[1] + box[3]) // 2)
        draw.text(middle, "no frame", SOFT, small, anchor="mm")
    else:
        picture.paste(shown, at)
    answer = cell.answer if cell else "none"
    beside = box[2] + 20
    big = load_font(44 if answer != "none" else 24, bold=True)
    said = fit_text(draw, tell_answer(cell), big, left + _HALF - beside - 8)
    draw.text((beside, _TOP + 70), said, ANSWERS[answer], big)
    if cell is not None:
        draw.text((beside, _TOP + 16), cell.phase, INK, load_font(22))
        draw_answer(draw, (beside, _TOP + 132, beside + 120, _TOP + 146), answer)
        if cell.p_yes is not None:
            draw.text((beside, _TOP + 160), f"p(yes) {cell.p_yes:.2f}", SOFT, load_font(18))
        if not cell.eligible:
            told = fit_text(draw, f"{cell.why}: does not count", small, left + _HALF - beside - 8)
            draw.text((beside, _TOP + 190), told, SOFT, small)
    for place, mark in enumerate(strip.marks):
        at = (beside, box[3] - 30 - 32 * place)
        draw_badges(draw, at, (mark,), 14, left + _HALF - beside - 8)


def _draw_track(
    draw: ImageDraw.ImageDraw,
    side: tuple[FilmStrip, int],
    positions: tuple[int, ...],
    now: int,
) -> None:
    """Draw the answers so far as one line of bars, with a stroke where a window begins."""
    strip, left = side
    across = (_HALF - 48) / len(positions)
    phase = None
    for place, position in enumerate(positions):
        cell = strip.cells.get(position)
        if cell is None:
            continue
        start = left + 24 + round(place * across)
        end = max(start + 1, left + 24 + round((place + 1) * across) - (across > 4))
        if position <= now:
            draw_answer(draw, (start, _TRACK, end, _TRACK + 18), cell.answer)
        else:
            draw.rectangle((start, _TRACK + 14, end, _TRACK + 18), fill=RULE)
        if phase is not None and cell.phase != phase:
            draw.rectangle((start - 1, _TRACK - 8, start, _TRACK + 22), fill=INK)
        phase = cell.phase


def _draw_middle(draw: ImageDraw.ImageDraw, pair: StripPair, position: int) -> None:
    """Draw the position, and whether both see the same video."""
    draw.rectangle((_HALF - 1, 20, _HALF, HEIGHT - 44), fill=RULE)
    told = f"position {position} of {pair.positions[0]} to {pair.positions[-1]}"
    draw.text((_HALF, HEIGHT - 16), told, INK, load_font(18, bold=True), anchor="mm")
    word = ""
    if pair.differs(position):
        word = "same video, answers differ"
    elif pair.is_shared(position) and not pair.is_one_feed:
        word = "same video"
    if word:
        draw.text((_HALF + 24, HEIGHT - 72), word, ACCENT, load_font(16, bold=True), anchor="lm")
    draw.text((WIDTH - 24, HEIGHT - 16), "feedsway", SOFT, load_font(14), anchor="rm")
