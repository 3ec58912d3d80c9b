"""Cells of a persona matrix, counted from stored frames that were judged again.

Every cell has to come from the same blind re-judging, the diagonal included: answers that were
given while acting are more lenient, and on the diagonal alone they pass for a sway.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from analysis.errors import NotOffered
from analysis.estimators.persona_matrix import same_block, shares
from analysis.statistics.estimate import Floats, Ints, Mask
from analysis.statistics.intervals import share_variance

HINT = "Type: python -m agent rejudge --help"


@dataclass(frozen=True, eq=False)
class RejudgedColumns:
    """Re-judgements as columns, one row per question asked."""

    persona: Ints  # index of the persona that was asked
    run: Ints  # index of the persona whose run the frame comes from
    after: Mask  # whether the frame was seen in the after window (else before)
    batch: Ints  # batch of the video within its run
    answer: Ints  # 1 yes, 0 no, -1 missing
    grade: Floats | None = None  # the graded answer, 0 to 100; nan where there is none


@dataclass(frozen=True, eq=False)
class MatrixCells:
    """Questions asked, answers and yes by window (before, after), persona and run.

    All of shape ``(2, K, K)``; ``within`` is the variance in pp^2 of a before share, by persona.
    ``before`` and ``after`` are shares in pp, nan where nothing was judged.
    """

    asked: Floats
    judged: Floats
    yes: Floats
    within: Floats

    @property
    def before(self) -> Floats:
        return shares(self.judged[0], self.yes[0])

    @property
    def after(self) -> Floats:
        return shares(self.judged[1], self.yes[1])

    def extreme(self, window: int, own_yes: bool) -> Floats:
        """Shares in pp with every missing answer a yes in own cells and a no elsewhere, or both
        the other way round; shape ``(K, K)``."""
        own = np.eye(self.asked.shape[-1], dtype=bool)
        lost = self.asked[window] - self.judged[window]
        return shares(self.asked[window], self.yes[window] + lost * (own == own_yes))


def missing_shares(replicates: Sequence[MatrixCells]) -> tuple[float, float]:
    """Share of all the questions without an answer in %: own cells, and the others'."""
    asked = np.sum([cells.asked for cells in replicates], axis=0)
    lost = asked - np.sum([cells.judged for cells in replicates], axis=0)
    own = np.eye(asked.shape[-1], dtype=bool)
    one, other = (
        float(100 * lost[:, part].sum() / max(asked[:, part].sum(), 1)) for part in (own, ~own)
    )
    return one, other


def count_cells(
    rows: RejudgedColumns, size: int, blocks: Ints | None = None, *, drawn: bool = False
) -> MatrixCells:
    """Count the cells of a study with K personas and one run of each.

    ``blocks``: draw that each persona comes from, shape ``(K,)``; cells between draws are not
    compared. Raises ``NotOffered`` where the frames of a run were not put to every persona of its
    draw equally often, so that own and other cells would not rest on the same videos; but for
    ``drawn``, where each was asked about a share of the others' frames.
    """
    asked = _by_cell(rows, np.ones(len(rows.answer), dtype=bool), size)
    inside = np.where(same_block(size, blocks), asked, 0)
    most = inside.max(axis=1, keepdims=True)
    if not drawn and (same_block(size, blocks) & (asked != most)).any():
        raise NotOffered(
            "Some frames were put to some personas only; a persona matrix needs every frame of a "
            f"run judged again as every persona. {HINT}"
        )
    early = ~rows.after & (rows.answer >= 0)
    n, yes = (_by_batch(rows, mask, size) for mask in (early, early & (rows.answer == 1)))
    return MatrixCells(
        asked=asked,
        judged=_by_cell(rows, rows.answer >= 0, size),
        yes=_by_cell(rows, rows.answer == 1, size),
        within=1e4 * share_variance(n, yes).mean(-1),
    )


def graded_cells(rows: RejudgedColumns, size: int) -> Floats:
    """Mean graded answer by window, persona and run, over the videos that were judged.

    Shape ``(2, K, K)``; nan where nothing was judged, or something without a grade.
    """
    judged = rows.answer >= 0
    n = _by_cell(rows, judged, size)
    if rows.grade is None:
        return np.full(n.shape, np.nan)
    total = _by_cell(rows, judged, size, rows.grade)
    mean: Floats = np.divide(total, n, out=np.full(n.shape, np.nan), where=n > 0)
    return mean


def _by_cell(rows: RejudgedColumns, kept: Mask, size: int, values: Floats | None = None) -> Floats:
    """Rows, or the sum of their values, by window, persona and run."""
    cell = (rows.after[kept] * size + rows.persona[kept]) * size + rows.run[kept]
    weights = None if values is None else values[kept]
    sums = np.bincount(cell, weights, minlength=2 * size * size)
    return sums.reshape(2, size, size).astype(np.float64)


def _by_batch(rows: RejudgedColumns, kept: Mask, size: int) -> Floats:
    batches = int(rows.batch.max(initial=0)) + 1
    cell = (rows.persona[kept] * size + rows.run[kept]) * batches + rows.batch[kept]
    counts = np.bincount(cell, minlength=size * size * batches)
    return counts.reshape(size, size, batches).astype(np.float64)
