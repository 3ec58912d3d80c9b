"""Tiles of the grid, a block at a time."""

from __future__ import annotations

from typing import Any

import numpy as np

from agent.explorer.exposure_catalogue import ANSWERS
from agent.explorer.workbench import FrameResult
from analysis.data.exposures import EXCLUDED, MISSING, PHASES
from store.runs.recorded_model_names import invents

BLOCK = 120
"""Tiles of one answer."""
_CAPTION = 90


def read_tiles(found: FrameResult, start: int) -> dict[str, Any]:
    """Return how many tiles there are, and those of a block as values that the page shows."""
    rows = found.rows[start : start + BLOCK].tolist()
    return {
        "count": len(found.rows),
        "fitting": found.fitting,
        "looked": found.resemblance is not None,
        "problem": found.problem,
        "from": start,
        "tiles": [_tile(found, row) for row in rows],
    }


def _tile(found: FrameResult, row: int) -> dict[str, Any]:
    views, seen = found.catalogue.rows.views, found.catalogue.rows.seen
    run = views.runs[int(views.run[row])]
    answer = int(views.answer[row])
    p_yes = float(views.p_yes[row])
    return {
        "run": run.run_id,
        "position": int(views.position[row]),
        "frame": seen.frame[row],
        "answer": "yes" if answer == 1 else "no" if answer == 0 else ANSWERS[2],
        "missing": MISSING[int(views.missing[row])],
        "out": EXCLUDED[int(views.excluded[row])],
        "phase": PHASES[int(views.phase[row])],
        "persona": run.persona,
        "made": invents(run.model),
        "p": None if np.isnan(p_yes) else round(p_yes, 2),
        "caption": (seen.caption[row] or "")[:_CAPTION],
        "alike": None
        if found.resemblance is None
        else round(float(found.resemblance.similarities[row]), 3),
    }
