"""The two-judge persona matrix: a dear judge of a sample beside a cheap judge of all videos.

The matrix is what the dear judge would find in all videos: in each cell the cheap judge's share,
put right by how the two differ on the sample (prediction-powered inference: Angelopoulos et al.,
Science 2023; tuned as in Angelopoulos, Duchi and Zrnic, arXiv:2311.01453). As the sample is drawn
from the very videos that the cheap judge has seen, the tuning is that of the regression estimator
of survey sampling.

The permutation test stays exact for feeds that do not depend on the persona at all. Which videos
are drawn does not depend on it, every persona is asked about the same ones, and the tuning is one
number for all cells, so that runs can be exchanged. Where the feeds show what the cheap judge alone
takes to, own cells vary otherwise than the others. So the interval, and Student's t with it, are
the jackknife's, and are not moved to where the permutation test would have them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from analysis.errors import NotOffered
from analysis.estimators.persona_matrix import (
    estimate,
    own_minus_others,
    residuals,
    specific_sway,
)
from analysis.estimators.rejudged_matrix import PersonaMatrix, layout
from analysis.estimators.rejudged_replies import RejudgedReplies
from analysis.statistics.estimate import NAN, Estimate, Floats, Ints
from analysis.statistics.permutation import Permutation

UNKNOWN = 0.5
"""What a missing answer of the cheap judge counts as: it only helps to guess the dear one's."""


@dataclass(frozen=True, eq=False)
class JointCounts:
    """Videos and answers of two judges, by window (before, after) and cell.

    All have the shape ``(2, ..., K, K)``. ``whole``, ``whole_yes``: videos, and yes of the cheap
    judge. The others are of the sample.
    """

    whole: Floats
    whole_yes: Floats
    drawn: Floats  # videos that the dear judge answered about
    first: Floats  # of these, yes of the cheap judge, and the sum of their squares
    squares: Floats
    second: Floats  # yes of the dear judge, and of both
    both: Floats
    lost: Floats  # videos that the dear judge gave no answer about, and the cheap judge's yes there
    lost_first: Floats

    @property
    def tuning(self) -> Floats:
        """How much of the cheap judge is taken over, 0 to 1; shape ``(...)``.

        The regression of the dear judge's answers on the cheap one's within cells, pooled.
        """
        size = np.maximum(self.drawn, 1)
        axes = (0, -2, -1)
        joint = (self.both - self.first * self.second / size).sum(axes)
        spread = (self.squares - self.first**2 / size).sum(axes)
        share = np.divide(joint, spread, out=np.zeros_like(joint), where=spread > 1e-9)
        return np.asarray(np.clip(share, 0.0, 1.0), dtype=np.float64)

    def shares(self, tuning: Floats) -> Floats:
        """Shares in pp as the dear judge would give them; nan where it answered nothing."""
        part = tuning[..., None, None]
        seen = (self.drawn > 0) & (self.whole > 0)
        guess = self.whole_yes / np.maximum(self.whole, 1)
        right = (self.second - part * self.first) / np.maximum(self.drawn, 1)
        return np.where(seen, 100 * (part * guess + right), NAN)

    def completed(self, *, own_yes: bool) -> JointCounts:
        """Every missing answer of the dear judge a yes in own cells and a no elsewhere, or both
        the other way round."""
        own = np.eye(self.whole.shape[-1], dtype=bool)
        return replace(
            self,
            drawn=self.drawn + self.lost,
            first=self.first + self.lost_first,
            second=self.second + self.lost * (own == own_yes),
        )


@dataclass(frozen=True, eq=False)
class TwoJudgeMatrix:
    """The specific sway as the judge of a sample would find it in all videos."""

    estimate: Estimate
    """D with its jackknife interval over personas; its p is Student's t."""
    test: Permutation  # of feeds that do not depend on the persona at all
    tuning: float  # how much of the cheap judge was taken over, mean over replicates
    share: float  # share of the compared questions that the dear judge was asked
    narrower: float
    """How much narrower the interval is than from the sample alone, in %; nan without either."""
    bounds: tuple[float, float]
    """Lowest and highest D in pp, as it is and with all missing answers of the sample to a side."""


def beside_whole(
    whole: RejudgedReplies | None,
    told: RejudgedReplies,
    alone: PersonaMatrix | None,
    rng: np.random.Generator,
) -> TwoJudgeMatrix | None:
    """The two-judge matrix of a judge of a sample; ``None`` where there is none to be made."""
    if whole is None or alone is None or told.sample == 1:
        return None
    try:
        return two_judge_matrix(whole, told, alone, rng)
    except NotOffered:
        return None


def two_judge_matrix(
    whole: RejudgedReplies,
    sampled: RejudgedReplies,
    alone: PersonaMatrix,
    rng: np.random.Generator,
) -> TwoJudgeMatrix:
    """Estimate and test the specific sway as the judge of the sample would find it everywhere.

    ``alone``: the matrix of the sample by itself. Raises ``NotOffered``: the judge of all was not
    asked everything that the other was asked.
    """
    personas, replicates = layout(sampled)
    parts = [_joint(whole, sampled, personas, list(runs.values())) for runs in replicates]
    joint = JointCounts(*np.stack(parts, axis=2))
    blocks, passive = alone.blocks, alone.sway.adjusted

    def windows(counts: JointCounts, tuning: Floats) -> tuple[Floats, Floats | None]:
        before, after = counts.shares(tuning)
        return after, before if passive else None

    after, before = windows(joint, joint.tuning)
    told = estimate(after, before, blocks)
    sides = [windows(joint.completed(own_yes=yes), joint.tuning) for yes in (False, True)]
    # an adjusted D may be furthest where the before window alone is as it was answered
    values = [
        float(own_minus_others(residuals(late, early, blocks), blocks).mean())
        for late, _ in sides
        for _, early in ((after, before), *sides)
    ]
    return TwoJudgeMatrix(
        estimate=told,
        test=specific_sway(after, rng, before, blocks=blocks).test,
        tuning=float(joint.tuning.mean()),
        share=float((joint.drawn + joint.lost).sum() / joint.whole.sum()),
        narrower=_narrower(told, estimate(*windows(joint, 0 * joint.tuning), blocks)),
        bounds=(min(told.value, *values), max(told.value, *values)),
    )


def _narrower(told: Estimate, alone: Estimate) -> float:
    if not (told.bounded and alone.bounded) or alone.high <= alone.low:
        return NAN
    return 100 * (1 - (told.high - told.low) / (alone.high - alone.low))


def _joint(
    whole: RejudgedReplies, sampled: RejudgedReplies, personas: Sequence[str], runs: Sequence[int]
) -> Floats:
    """The fields of ``JointCounts`` of one replicate, in their order; shape ``(9, 2, K, K)``."""
    size = len(personas)
    cells, places, guesses = _answers(whole, personas, runs)
    dear_cells, dear_places, answers = _answers(sampled, personas, runs)
    videos = 1 + max(int(places.max(initial=0)), int(dear_places.max(initial=0)))
    known, asked = cells * videos + places, dear_cells * videos + dear_places
    order = np.argsort(known)
    at = order[np.minimum(np.searchsorted(known[order], asked), len(order) - 1)]
    if not len(order) or (known[at] != asked).any():
        raise NotOffered(
            "The judge of a sample was asked what no judge of all videos was asked. "
            "Type: python -m agent rejudge --help"
        )
    cheap = np.where(guesses < 0, UNKNOWN, guesses)
    first, missing = cheap[at], answers < 0
    dear = np.where(missing, 0, answers)

    def sums(cell: Ints, values: Floats) -> Floats:
        found = np.bincount(cell, values, minlength=2 * size * size)
        return np.asarray(found.reshape(2, size, size), dtype=np.float64)

    kept = (~missing).astype(np.float64)
    of_sample = (kept, kept * first, kept * first**2, dear, first * dear, 1 - kept)
    return np.stack(
        [
            sums(cells, np.ones(len(cells))),
            sums(cells, cheap),
            *(sums(dear_cells, values) for values in of_sample),
            sums(dear_cells, (1 - kept) * first),
        ]
    )


def _answers(
    told: RejudgedReplies, personas: Sequence[str], runs: Sequence[int]
) -> tuple[Ints, Ints, Ints]:
    """Cell (by window, persona and run), position and answer of each plain question."""
    order, size = np.array(personas), len(personas)
    rows = told.plain & np.isin(told.run, runs) & np.isin(told.persona, order)
    place = np.full(len(told.runs), -1, dtype=np.int64)
    place[list(runs)] = np.arange(size)
    persona = np.searchsorted(order, told.persona[rows])
    cell = (told.after[rows] * size + persona) * size + place[told.run[rows]]
    return cell, told.position[rows], told.answer[rows]
