"""Pictures of what models hold true that is false: the rates, and contact sheets of examples."""

from __future__ import annotations

import io
from collections.abc import Sequence
from pathlib import Path
from textwrap import wrap
from typing import TYPE_CHECKING, Any

from analysis.plots import BLUE, GREEN, PURPLE, VERMILION, as_png, bare
from analysis.preference_pairs.hallucination_rates import Example, Misalignment
from analysis.report.example_frames import small_jpeg
from analysis.report.page_files import ReportTable, write_folder
from store.frames.frame_store import FrameStore
from store.results.preference_pairs import LEVELS
from store.untrusted.size_limits import decode_picture

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from PIL.Image import Image

MOST = 10  # examples on a sheet
_LOOKS = (("o", BLUE), ("s", VERMILION), ("D", GREEN), ("^", PURPLE))
_RATES = (
    ("choice", "wrong of two"),
    ("statements", "wrong on one"),
    ("accepts", "false one held true"),
    ("invents", "reason names what is not there"),
)
_COLUMNS, _CELL, _TEXT, _GAP = 5, (250, 300), 178, 14
_WARNING = 26  # height of a line of the warning
_INK, _SOFT, _WRONG, _PAPER, _HOLE = "#1a1a1a", "#5f5f5f", "#a63c00", "#ffffff", "#dcdcdc"


def write(models: Sequence[Misalignment], frames: FrameStore, folder: Path) -> list[Path]:
    """Write the figure, a sheet for each model and level that has examples, and the tables."""
    pictures = {"rates.png": rates(models)}
    for number, one in enumerate(models, 1):
        for level in LEVELS:
            found = [each for each in one.examples if each.pair.error == level][:MOST]
            if found:
                pictures[f"examples-{number}-{level}.jpg"] = sheet(found, frames, one.made_up)
    write_folder(folder, pictures, [_table(models)])
    return [folder / name for name in pictures]


def rates(models: Sequence[Misalignment]) -> bytes:
    """Draw the rates by level, and each model's tendency to yes (PNG)."""
    from matplotlib.figure import Figure

    drawn = Figure(figsize=(11, 2 + 1.9 * len(models)), layout="constrained")
    grid = drawn.subplots(len(models), 2, width_ratios=(3, 1), squeeze=False)
    for row, one in zip(grid, models, strict=True):
        _draw_levels(row[0], one)
        _draw_tendencies(row[1], one)
    marks, names = grid[0][0].get_legend_handles_labels()
    drawn.legend(marks, names, loc="outside upper center", ncols=len(_RATES), frameon=False)
    if warnings := dict.fromkeys(one.made_up for one in models if one.made_up):
        # at the foot, since a title would lie over the legend
        drawn.supxlabel("\n".join(warnings), color=_WRONG, fontsize=12)
    return as_png(drawn)


def sheet(examples: Sequence[Example], frames: FrameStore, made_up: str = "") -> bytes:
    """Draw frames with what is true, what was taken for true, and why (JPEG).

    ``made_up`` stands over them, where it is not empty.
    """
    from PIL import Image, ImageDraw, ImageFont

    columns = min(_COLUMNS, len(examples))
    rows = -(-len(examples) // columns)
    width, height = _CELL[0] + _GAP, _CELL[1] + _TEXT + _GAP
    warning = "\n".join(wrap(made_up, 34 * columns))
    head = _WARNING * (1 + warning.count("\n")) if warning else 0
    picture = Image.new("RGB", (columns * width + _GAP, head + rows * height + _GAP), _PAPER)
    draw = ImageDraw.Draw(picture)
    draw.multiline_text((_GAP, _GAP), warning, fill=_WRONG, font=ImageFont.load_default(16))
    for number, example in enumerate(examples):
        left = _GAP + number % columns * width
        top = head + _GAP + number // columns * height
        frame = _frame(frames, example.pair.source.frame)
        picture.paste(frame, (left + (_CELL[0] - frame.width) // 2, top))
        _label(draw, (left, top + _CELL[1] + 6), example)
    out = io.BytesIO()
    picture.save(out, "JPEG", quality=88)
    return out.getvalue()


def _label(draw: Any, corner: tuple[int, int], example: Example) -> None:
    from PIL import ImageFont

    left, top = corner
    pair = example.pair
    told = [
        (f"true: {pair.statements[0]}", _INK, 3),
        (f"chosen: {pair.statements[1]}", _WRONG, 3),
        (f"wrong in {100 * example.wrong:.0f} % of choices", _SOFT, 1),
    ]
    if example.reason:
        told.append((f"why: {example.reason}", _SOFT, 3))
    if example.names:
        told.append((f"not in the frame: {', '.join(dict.fromkeys(example.names))}", _WRONG, 1))
    for text, colour, most in told:
        lines = wrap(text, 38)
        lines = lines if len(lines) <= most else [*lines[: most - 1], f"{lines[most - 1][:36]} …"]
        draw.multiline_text(
            (left, top), "\n".join(lines), fill=colour, font=ImageFont.load_default(13), spacing=3
        )
        top += 17 * len(lines) + 3


def _frame(frames: FrameStore, sha256: str) -> Image:
    """The frame, fitted to its cell; a grey hole where it is lost."""
    from PIL import Image

    small = small_jpeg(frames, sha256, _CELL)
    if small is None:
        return Image.new("RGB", _CELL, _HOLE)
    picture = decode_picture(small)
    picture.thumbnail(_CELL)
    return picture


def _draw_levels(axes: Axes, one: Misalignment) -> None:
    for number, (name, label) in enumerate(_RATES):
        marker, colour = _LOOKS[number]
        found = [getattr(level, name) for level in one.levels.values()]
        for place, rate in enumerate(found):
            at = place + 0.16 * (number - 1.5)
            if rate.bounded:
                axes.plot([rate.low, rate.high], [at, at], color=colour, lw=1.6)
            if rate.exists:
                axes.plot(rate.value, at, marker, color=colour, ms=6)
        axes.plot([], [], marker, color=colour, label=label)
    axes.axvline(50, color="0.6", lw=1, ls=":")
    axes.set_yticks(range(len(one.levels)), list(one.levels))
    axes.set_ylim(len(one.levels) - 0.5, -0.5)
    axes.set_xlim(-2, 102)
    axes.set_xlabel("% of pairs; dotted: chance for a choice")
    axes.set_title(one.model, loc="left", fontsize=10)
    bare(axes)


def _draw_tendencies(axes: Axes, one: Misalignment) -> None:
    for place, rate in enumerate((one.yes, one.first)):
        if rate.bounded:
            axes.plot([rate.low, rate.high], [place, place], color="0.3", lw=1.8)
        if rate.exists:
            axes.plot(rate.value, place, "o", color="0.15")
    axes.axvline(50, color="0.6", lw=1, ls=":")
    axes.set_yticks([0, 1], ["says yes", "takes the first"])
    axes.set_ylim(1.5, -0.5)
    axes.set_xlim(-2, 102)
    axes.set_xlabel("% of answers; 50 is even")
    axes.set_title(one.tendency.partition(":")[0], loc="left", fontsize=10)
    bare(axes)


def _table(models: Sequence[Misalignment]) -> ReportTable:
    rows = [
        (one.model, level, name, rate.value, rate.low, rate.high, found.pairs, rate.clusters)
        for one in models
        for level, found in one.levels.items()
        for name, _ in _RATES
        for rate in (getattr(found, name),)
    ]
    names = ("model", "level", "rate", "value", "low", "high", "pairs", "videos")
    return ReportTable("rates", names, rows)
