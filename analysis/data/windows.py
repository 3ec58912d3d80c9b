"""Windows: which rows of a run are compared, and in which batches they came."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from analysis.data.exposures import ADAPT, AFTER, ASSUMED_BATCH, BEFORE, UNKNOWN, Ints, Mask, Views

Drop = Literal["as declared"] | int
"""``as declared``, or the number of batches to drop after the change."""


@dataclass(frozen=True, eq=False)
class ComparedRows:
    """The rows of one run that are compared.

    ``before``, ``after``: masks over the run's rows: eligible, in the window, and able to react.
    """

    before: Mask
    after: Mask
    too_early: Mask  # eligible rows of the after window that could not react yet


def change_position(run: Views) -> int | None:
    """Position of the first step after the before window; ``None`` where there is none."""
    later = run.position[run.phase != BEFORE]
    return int(later[0]) if len(later) else None


def compared(run: Views, drop: Drop = "as declared") -> ComparedRows:
    """Choose the rows of one run that are compared.

    A feed sends videos in batches and asks for the next one early, so the first videos after the
    phase changed were chosen before it did. They can't show a reaction to it, and are dropped:

    - ``drop="as declared"``, passive baseline: every video of the after window whose batch was
      requested at a position before the change. Where the platform tells no request, the first
      batch shown from the change on, at least.
    - ``drop="as declared"``, active baseline (the paper's protocol): nothing. The persona reacts
      from the first video, so nothing changes between the windows.
    - ``drop=k``: what is dropped as declared, and the first k batches shown from the change on,
      whatever the baseline: the sensitivity that is printed for k = 1, 2, 3. It never puts back
      what the primary estimate leaves out.

    The change is the first position that is not in the before window. Videos of the adapt phase
    are never compared, so an adapt phase of two batches usually leaves nothing to drop. The rule
    depends on the declared windows only, so that every arm is treated alike.
    """
    early = _too_early(run, drop)
    eligible = run.eligible
    return ComparedRows(
        before=eligible & (run.phase == BEFORE),
        after=eligible & (run.phase == AFTER) & ~early,
        too_early=eligible & (run.phase == AFTER) & early,
    )


def _too_early(run: Views, drop: Drop) -> Mask:
    nothing = np.zeros(len(run), dtype=bool)
    change = change_position(run)
    if change is None:
        return nothing
    later: Mask = (run.phase == ADAPT) | (run.phase == AFTER)
    first = nothing if drop == "as declared" else _first_batches(run, change, drop)
    if run.runs[0].windows.baseline == "active":
        return later & first
    asked_before: Mask = (run.requested_at != UNKNOWN) & (run.requested_at < change)
    unknown: Mask = run.requested_at == UNKNOWN
    return later & (first | asked_before | unknown & _first_batches(run, change, 1))


def _first_batches(run: Views, change: int, count: int) -> Mask:
    codes = batches(run)
    shown = codes[run.position >= change]
    first_shown = np.unique(shown, return_index=True)
    in_order = first_shown[0][np.argsort(first_shown[1])]
    return np.isin(codes, in_order[:count])


def batches(run: Views) -> Ints:
    """Batch of each row of one run, as a cluster code.

    Videos whose batch is unknown are taken in blocks of 12 consecutive positions.
    """
    assumed = run.batch.max(initial=-1) + 1 + run.position // ASSUMED_BATCH
    return np.where(run.batch == UNKNOWN, assumed, run.batch)


def batches_assumed(run: Views) -> bool:
    return bool((run.batch == UNKNOWN).any())
