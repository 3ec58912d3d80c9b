"""The comparison of refinements as Markdown."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

from analysis.simulation.design_comparison import SimulatedSetting
from analysis.simulation.refinements import (
    LARGE,
    REFINEMENTS,
    SCENES,
    RefinementResult,
    Refinements,
)
from analysis.terminal.design_text import markdown, share_text


def refinements_text(told: Refinements) -> str:
    """All tables, each with what its figures are."""
    five, half = (math.sqrt(share * (1 - share) / told.studies) for share in (0.05, 0.5))
    most = max(cell.gain_error for cell in told.cells if not math.isnan(cell.gain_error))
    blocks = [
        f"{told.studies:,} simulated studies a figure: simulation error {five:.3f} at 5 %, "
        f"{half:.3f} at 50 %; of a gain at most {most:.3f}.",
        "**Power of refinements**, one-sided at 0.05, for +10 pp, and in brackets the gain over "
        "the plain design on the same studies:",
        _by_way(told, SCENES, _power),
        "**False positives of refinements**, one-sided, where nothing happens:",
        _by_way(told, SCENES, lambda cell: share_text(cell.false, 3)),
        "**Coverage of refinements**, each of its own estimand:",
        _by_way(told, (*SCENES, LARGE), lambda cell: share_text(cell.coverage, 3)),
        "**Bias of refinements** with its simulation error, and the estimand, in points of its own "
        "scale:",
        _by_way(told, (SCENES[0], LARGE), _bias),
    ]
    return "\n\n".join(blocks) + "\n"


def _by_way(
    told: Refinements, scenes: Sequence[SimulatedSetting], show: Callable[[RefinementResult], str]
) -> str:
    """One row a refinement, one column a world."""
    found = {(cell.scene, cell.name): cell for cell in told.cells}
    rows = [
        [way.name, *(show(found[scene.name, way.name]) for scene in scenes)] for way in REFINEMENTS
    ]
    return markdown(["", *(scene.name for scene in scenes)], rows)


def _power(cell: RefinementResult) -> str:
    gain = "" if math.isnan(cell.gain) else f" ({cell.gain:+.3f})"
    return share_text(cell.power) + gain


def _bias(cell: RefinementResult) -> str:
    return f"{cell.bias:+.2f} ± {cell.bias_error:.2f} of {cell.truth:.1f}"
