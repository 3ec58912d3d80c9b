"""The comparison of designs as Markdown, which reads well at a terminal too."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

from analysis.simulation.design_comparison import RIVALS, SCENES, DesignResult, DesignTable


def table_text(told: DesignTable) -> str:
    five, half = told.error(0.05), told.error(0.5)
    blocks = [
        f"{told.studies:,} simulated studies a figure: simulation error {five:.3f} at 5 %, "
        f"{half:.3f} at 50 %. Runs of 100 videos; 10 runs unless said otherwise.",
        "**Power**, one-sided at 0.05, for +10 pp:",
        _by_scene(told, lambda cell: share_text(cell.power)),
        "**False positives**, one-sided, where nothing happens:",
        _by_scene(told, lambda cell: share_text(cell.false, 3)),
        "**False positives**, two-sided:",
        _by_scene(told, lambda cell: share_text(cell.false_two, 3)),
        "**Coverage** of the 95 % intervals, each of its design's own estimand (I_avg in its null "
        "has no interval):",
        _by_scene(told, lambda cell: share_text(cell.coverage, 3)),
        "**Bias** in pp with its simulation error, and the estimand; of I_avg, its mean in % where "
        "nothing happens:",
        _by_scene(told, _bias),
        "**What breaks them**: false positives, one-sided at 0.05, with nothing happening. Then "
        "how often the placebo is below 0.05, how often the others' feeds seem to change, and the "
        "false positives of the borrowed base where it is still offered:",
        _broken(told),
    ]
    return "\n\n".join(blocks) + "\n"


def _by_scene(told: DesignTable, show: Callable[[DesignResult], str]) -> str:
    """One row a world, one column a design."""
    found = {(cell.scene, cell.design): cell for cell in told.cells}
    names = [rival.name for rival in RIVALS]
    rows = [
        [scene.name, *(show(found[scene.name, name]) for name in names)]
        for scene in SCENES
        if (scene.name, names[0]) in found
    ]
    return markdown(["", *names], rows)


def _broken(told: DesignTable) -> str:
    names = list(told.broken[0].false)
    head = ["", *names, "placebo", "change", "borrowed, offered", "what is done"]
    rows = [
        [
            case.name,
            *(share_text(case.false[name], 3) for name in names),
            *(share_text(value, 3) for value in (case.placebo, case.drift, case.offered)),
            case.remedy,
        ]
        for case in told.broken
    ]
    return markdown(head, rows)


def markdown(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    widths = [max(3, *(len(row[i]) for row in [head, *rows])) for i in range(len(head))]
    lines = [
        "| " + " | ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) + " |"
        for row in [head, ["-" * width for width in widths], *rows]
    ]
    return "\n".join(lines)


def share_text(value: float, digits: int = 2) -> str:
    """A share, or a dash where there is none."""
    return "–" if math.isnan(value) else f"{value:.{digits}f}"


def _bias(cell: DesignResult) -> str:
    if math.isnan(cell.bias):
        return "–"
    if math.isnan(cell.truth):
        return f"{cell.bias:+.0f} % ± {cell.bias_error:.0f}"
    return f"{cell.bias:+.1f} ± {cell.bias_error:.1f} of {cell.truth:.1f}"
