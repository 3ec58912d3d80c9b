"""Plots on matplotlib's axes, for notebooks and the pictures beside a result, and their colours.

The report's page draws its own figures (``report.figures``).
"""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from store.frames.frame_store import FrameStore
from store.runs.ledger_lines import Step
from store.untrusted.size_limits import open_picture

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from analysis.estimators.rejudged_matrix import PersonaMatrix
    from analysis.report.breakdown import Drift, PersonaSway
    from analysis.report.primary_outcome import Primary
    from analysis.statistics.estimate import Estimate

BLUE, ORANGE, GREEN, PURPLE = "#0072b2", "#e69f00", "#009e73", "#cc79a7"
VERMILION, SKY, YELLOW = "#d55e00", "#56b4e9", "#f0e442"
"""Okabe and Ito's palette, which everybody can tell apart."""
COLOURS = {"treatment": "#0a5c9e", "passive": "#b25405", "yoked": "#00735a"}
"""Darker blue, orange and green after that palette."""
_LOOKS = (("o", BLUE), ("s", ORANGE), ("D", GREEN), ("^", PURPLE), ("v", SKY))
_SMALL = (180, 320)
DASHES = {"treatment": "-", "passive": "--", "yoked": ":"}


def forest(axes: Axes, rows: Sequence[PersonaSway], whole: Estimate) -> None:
    """Draw each persona's sway with its interval, and that of all together below."""
    names = [row.persona for row in rows] + ["all"]
    told = [row.estimate for row in rows] + [whole]
    for place, one in enumerate(told):
        colour = COLOURS["treatment"] if place == len(rows) else "0.4"
        axes.plot([one.low, one.high], [place, place], color=colour, lw=2, solid_capstyle="round")
        axes.plot(one.value, place, "o", color=colour)
    axes.axvline(0, color="0.6", lw=1, ls=":")
    axes.set_yticks(range(len(names)), names)
    axes.invert_yaxis()
    axes.set_xlabel("sway, percentage points")
    _set_title(axes, "Sway of each persona, with 95 % intervals")
    bare(axes)


def drift(axes: Axes, told: Drift) -> None:
    x = [part.middle for part in told.bins]
    for part in told.bins:
        if part.phase != "adapt":
            axes.axvspan(part.first - 0.5, part.last + 0.5, color="0.95", zorder=0)
    for curve in told.curves:
        value, low, high = (
            np.array([getattr(point, name) for point in curve.points])
            for name in ("value", "low", "high")
        )
        colour = COLOURS[curve.arm]
        axes.fill_between(x, low, high, color=colour, alpha=0.15, lw=0)
        axes.plot(x, value, DASHES[curve.arm], marker="o", ms=4, color=colour, label=curve.arm)
    axes.set_xlabel("videos that count, in order")
    axes.set_ylabel("yes, %")
    axes.set_ylim(bottom=0)
    axes.legend(frameon=False)
    _set_title(axes, "Share of yes along the feed; shaded: the compared windows")
    bare(axes)


def null(axes: Axes, told: Primary) -> None:
    """Draw the primary estimate over what chance alone would give."""
    axes.hist(told.null.drawn, bins=40, color="0.83")
    top = axes.get_ylim()[1]
    one = told.estimate
    colour = COLOURS["treatment"]
    axes.plot([one.low, one.high], [1.1 * top] * 2, color=colour, lw=3, solid_capstyle="round")
    axes.plot(one.value, 1.1 * top, "o", color=colour, ms=9)
    axes.axvline(0, color="0.6", lw=1, ls=":")
    axes.set_yticks([])
    axes.set_xlabel("percentage points; grey: if nothing happened")
    _set_title(axes, "The estimate, beside what chance alone would give")
    bare(axes)


def matrix(axes: Axes, told: PersonaMatrix) -> None:
    size = len(told.personas)
    axes.imshow(told.after, cmap="Blues", vmin=0)
    for i in range(size):
        for j in range(size):
            dark = told.after[i, j] > 0.65 * told.after.max()
            axes.text(
                j,
                i,
                f"{told.after[i, j]:.0f}",
                ha="center",
                va="center",
                color="white" if dark else "black",
                weight="bold" if i == j else "normal",
            )
    axes.set_xticks(range(size), told.personas)
    axes.set_yticks(range(size), told.personas)
    axes.set_xlabel("in the feed of")
    axes.set_ylabel("asked as")
    axes.tick_params(length=0)
    _set_title(axes, "Yes in the after windows, %")


def frames(axes: Sequence[Axes], steps: Sequence[Step], store: FrameStore) -> None:
    """Show the first frame of each step that has one still, with the answer."""
    shown = [step for step in steps if step.frames and store.has(step.frames[0].sha256)]
    for one, step in zip(axes, shown, strict=False):
        with open_picture(store.read(step.frames[0].sha256)) as picture:
            picture.draft("RGB", _SMALL)
            one.imshow(np.asarray(picture.convert("RGB").resize(_SMALL)))
        p_yes = step.judgement.p_yes
        sure = "" if p_yes is None else f", p = {p_yes:.2f}"
        one.set_title(f"{step.judgement.answer or 'no answer'}{sure}", fontsize=9)
    for one in axes:
        one.set_axis_off()


def power(
    axes: Axes, sizes: Sequence[int], powers: Mapping[str, Sequence[float]], sway: float
) -> None:
    """Draw each design's power over the personas; ``sway`` in percentage points, for the label."""
    for (name, found), look in zip(powers.items(), _LOOKS, strict=False):
        axes.plot(sizes, found, marker=look[0], color=look[1], ms=5, label=name)
    axes.set_xticks(list(sizes))
    axes.axhline(0.8, color="0.6", lw=1, ls=":")
    axes.set_xlabel("personas")
    axes.set_ylabel(f"power for {sway:g} pp")
    axes.set_ylim(0, 1.02)
    axes.legend(frameon=False)
    _set_title(axes, f"Chance of finding a sway of {sway:g} pp")
    bare(axes)


def _set_title(axes: Axes, title: str) -> None:
    axes.set_title(title, fontsize=10, loc="left")


def bare(axes: Axes) -> None:
    """Take the frame off above and to the right."""
    axes.spines[["top", "right"]].set_visible(False)


def as_png(figure: Figure) -> bytes:
    out = io.BytesIO()
    figure.savefig(out, dpi=110)
    return out.getvalue()
