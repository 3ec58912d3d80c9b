"""What a ladder of trainings says: text for a terminal, JSON, and two figures beside it."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from analysis.alignment.curve_figures import draw_learning_curve, draw_losses, draw_saturation
from analysis.estimators.learning_curve import Alignment, LearningCurve, Saturation
from analysis.statistics.estimate import Estimate, as_json
from analysis.terminal.runs_table import columns
from store.jsonl.atomic import write_whole
from store.terminal.printing import count_of

CURVE, LOSS, RESULT = "curve.png", "loss.png", "result.json"
_DPI = 120


@dataclass(frozen=True)
class AlignmentReport:
    """A result that was written."""

    told: Alignment
    out: Path

    def as_dict(self) -> dict[str, Any]:
        told = self.told
        return {
            "judge": told.asked.judge,
            "sizes": list(told.sizes),
            "seeds": told.seeds,
            "videos": told.score.scores.shape[2],
            "left_out": told.score.left_out,
            "missing": dict(told.missing),
            "empty": told.empty,
            **{name: as_json(curve.points) for name, curve in _curves(told).items()},
            "yes_change": as_json(told.yes_change),
            "saturation": as_json(told.saturation),
            "figures": [str(self.out / name) for name in (CURVE, LOSS)],
        }

    def text(self) -> str:
        told = self.told
        head = ("pairs", *(curve.name for curve in _curves(told).values()))
        rows = [
            (str(size), *(_estimate(curve.points[place]) for curve in _curves(told).values()))
            for place, size in enumerate(told.sizes)
        ]
        parts = [
            f"{told.ladder.recipe.model}, {told.seeds} trainings of each size, "
            f"{told.ladder.recipe.updates} updates each; scored by {told.asked.judge} on "
            f"{count_of(told.score.scores.shape[2], 'video')} that no training saw",
            columns(head, rows),
            sentence(told.saturation),
            f"Tendency to say yes, {count_of(told.sizes[-1], 'pair')} less none: "
            f"{_estimate(told.yes_change)}.",
            *_notes(told),
            f"{self.out / CURVE}  {self.out / LOSS}",
        ]
        return "\n\n".join(parts)


def write(told: Alignment, out: Path) -> AlignmentReport:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(11, 3.6), layout="constrained")
    panels = figure.subplots(1, 3)
    for panel, curve in zip(panels, _curves(told).values(), strict=True):
        draw_learning_curve(panel, told, curve)
    draw_saturation(panels[0], told)
    figure.savefig(out / CURVE, dpi=_DPI)
    figure = Figure(figsize=(6, 3.6), layout="constrained")
    draw_losses(figure.subplots(), told)
    figure.savefig(out / LOSS, dpi=_DPI)
    written = AlignmentReport(told, out)
    write_whole(out / RESULT, json.dumps(written.as_dict(), indent=1).encode())
    return written


def sentence(found: Saturation) -> str:
    """Say where a curve levels off."""
    if not found.plateau.exists:
        return f"Saturation size: none, since {found.reason}."
    plateau = f"{found.margin:g} points of the plateau of {_estimate(found.plateau)}"
    if found.size is None:
        told = f"The plateau was not reached: no size below the two largest is within {plateau}"
    else:
        told = f"Saturation size: {count_of(found.size, 'pair')}, the smallest within {plateau}"
    if found.reason:
        return f"{told}. No interval: {found.reason}."
    if found.low is None:
        return f"{told}. That holds with 95 % confidence."
    reach = "not reached on this ladder" if found.high is None else f"{found.high} pairs"
    steps = f"{found.steps} step{'s' * (found.steps != 1)}"
    return f"{told}. 95 % interval: {found.low} pairs to {reach} ({steps})."


def _curves(told: Alignment) -> dict[str, LearningCurve]:
    return {"score": told.score, "preference": told.preference, "yes": told.yes}


def _estimate(one: Estimate) -> str:
    if not one.exists:
        return f"none: {one.reason}"
    if not one.bounded:
        return f"{one.value:.1f}"
    return f"{one.value:.1f} ({one.low:.1f} to {one.high:.1f})"


def _notes(told: Alignment) -> list[str]:
    notes = []
    if told.missing:
        reasons = ", ".join(f"{count} {reason}" for reason, count in told.missing.items())
        notes.append(f"No score: {reasons}; videos left out at every size: {told.score.left_out}.")
    if told.empty:
        notes.append(f"{told.empty} empty replies score 0.")
    return notes
