"""Learning curves, their saturation and the losses of trainings, drawn on matplotlib's axes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from analysis.estimators.learning_curve import Alignment, LearningCurve
from analysis.plots import COLOURS, bare

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def draw_learning_curve(axes: Axes, told: Alignment, curve: LearningCurve) -> None:
    """Draw one measure over the sizes: its band, and a grey line for each training seed."""
    rungs = np.arange(len(told.sizes))
    value, low, high = (
        np.array([getattr(point, name) for point in curve.points])
        for name in ("value", "low", "high")
    )
    if curve.scores.size:
        axes.plot(rungs, curve.scores.mean(2), color="0.7", lw=1, zorder=1)
    colour = COLOURS["treatment"]
    axes.fill_between(rungs, low, high, color=colour, alpha=0.15, lw=0)
    axes.plot(rungs, value, marker="o", ms=5, color=colour)
    axes.set_xticks(rungs, [str(size) for size in told.sizes])
    axes.set_xlabel("pairs trained on")
    axes.set_title(curve.name, fontsize=10, loc="left")
    bare(axes)


def draw_saturation(axes: Axes, told: Alignment) -> None:
    """Add the plateau with its margin, and the interval of the saturation size, to its curve."""
    found = told.saturation
    if not found.plateau.exists:
        return
    last = len(told.sizes) - 1
    axes.axhspan(
        found.plateau.value - found.margin,
        found.plateau.value,
        color="0.9",
        zorder=0,
        label=f"within {found.margin:g} points of the plateau",
    )
    axes.axhline(found.plateau.value, color="0.5", lw=1, ls=":", zorder=0)
    axes.legend(frameon=False, fontsize=8, loc="lower right")
    if found.reason:
        return
    low, value, high = (
        last if size is None else told.sizes.index(size)
        for size in (found.low, found.size, found.high)
    )
    colour = COLOURS["passive"]
    bottom = axes.get_ylim()[0]
    axes.plot(
        [low, high],
        [bottom, bottom],
        color=colour,
        lw=4,
        solid_capstyle="butt",
        clip_on=False,
        label="saturation size, 95 % interval",
    )
    if found.high is None:  # not reached, perhaps
        axes.plot(last, bottom, ">", color=colour, ms=8, clip_on=False)
    if found.size is not None:
        axes.plot(value, bottom, "o", color=colour, ms=8, clip_on=False)
    axes.set_ylim(bottom=bottom)
    axes.legend(frameon=False, fontsize=8, loc="lower right")


def draw_losses(axes: Axes, told: Alignment) -> None:
    """Draw the loss over the updates, a line a size: the mean over its trainings."""
    trained = [size for size in told.sizes if size]
    for place, size in enumerate(trained):
        rows = np.array([told.losses[size, seed] for seed in range(1, told.seeds + 1)]).mean(0)
        shade = 0.25 + 0.75 * place / max(len(trained) - 1, 1)
        axes.plot(*rows.T, color=(0.04, 0.36, 0.62, shade), lw=1.5, label=f"{size} pairs")
    axes.axhline(np.log(2), color="0.6", lw=1, ls=":")
    axes.set_xlabel("updates; dotted: a model that prefers neither")
    axes.set_ylabel("loss, mean over trainings")
    axes.set_title("Loss of each size", fontsize=10, loc="left")
    axes.legend(frameon=False, fontsize=8)
    bare(axes)
