"""The two-judge matrix: a dear judge of few questions beside a cheap judge of all.

The matrix is what the dear judge, a model or a person, would find in all videos: the specific sway
of the cheap judge, put right by how the two differ on a sample (prediction-powered inference:
Angelopoulos et al., Science 2023; tuned as in Angelopoulos, Duchi and Zrnic, arXiv:2311.01453). The
sample is of questions about after windows, own ones and others' drawn apart. Before the change no
feed has learnt, so that what the judges differ by there falls alike on own and others' feeds.

Persona and run are the clusters: the interval leaves out one persona at a time, with all that it
was asked and all that was asked about its run. That counts the others' part of the sample's chance
twice, so the interval is rather too wide where the sample is small.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from analysis.errors import NotOffered
from analysis.estimators.persona_matrix import (
    leaving_out_each,
    own_minus_others,
    residuals,
    same_block,
)
from analysis.estimators.rejudged_matrix import PersonaMatrix, layout
from analysis.estimators.rejudged_replies import RejudgedReplies
from analysis.statistics.estimate import NAN, Estimate, Floats, Ints, Mask
from analysis.statistics.intervals import jackknife

UNKNOWN = 0.5
"""What a missing answer of the cheap judge counts as: it only helps to guess the dear one's."""


@dataclass(frozen=True, eq=False)
class JointCounts:
    """Videos and answers of two judges, by replicate and cell.

    ``whole``, ``whole_yes``: videos, and yes of the cheap judge, by window (before, after); shape
    ``(2, ..., R, K, K)``. The others are of the sample in the after windows; ``(..., R, K, K)``.
    ``blocks``: draw that each persona comes from, shape ``(R, K)``.
    """

    blocks: Ints
    whole: Floats
    whole_yes: Floats
    drawn: Floats  # questions that the dear judge answered
    first: Floats  # of these, yes of the cheap judge, and the sum of their squares
    squares: Floats
    second: Floats  # yes of the dear judge, and of both
    both: Floats
    lost: Floats  # questions that the dear judge gave no answer to, and the cheap judge's yes there
    lost_first: Floats

    @property
    def parts(self) -> tuple[Floats, Floats]:
        """How much each own cell counts, and each of the others' of its draw; else 0.

        A persona's others count as much as its own cell together, as in D: levels of draws that
        differ in size then fall out.
        """
        same = same_block(self.whole.shape[-1], self.blocks)
        own = np.eye(self.whole.shape[-1], dtype=bool)
        mates = same.sum(-1, keepdims=True) - 1
        return (own & (mates > 0)).astype(np.float64), (same & ~own) / np.maximum(mates, 1)

    @property
    def tuning(self) -> Floats:
        """How much of the cheap judge is taken over, 0 to 1; shape ``(...)``.

        The regression of the dear judge's answers on the cheap one's, within own and within
        others' questions.
        """
        joint, spread = np.zeros(()), np.zeros(())
        for weight in self.parts:
            part = weight > 0
            size = np.maximum(_sum(self.drawn, part), 1)
            first = _sum(self.first, part)
            joint = joint + _sum(self.both, part) - first * _sum(self.second, part) / size
            spread = spread + _sum(self.squares, part) - first**2 / size
        share = np.divide(joint, spread, out=np.zeros_like(joint), where=spread > 1e-9)
        return np.asarray(np.clip(share, 0.0, 1.0), dtype=np.float64)

    def sway(self, tuning: Floats, *, passive: bool) -> Floats:
        """D in pp as the dear judge would find it; nan where a part of the sample is empty."""
        before, after = 100 * self.whole_yes / np.maximum(self.whole, 1)
        left = residuals(after, before if passive else None, self.blocks)
        cheap = own_minus_others(left, self.blocks).mean(-1)
        own, others = (self._difference(part, tuning) for part in self.parts)
        return np.asarray(tuning * cheap + own - others, dtype=np.float64)

    def _difference(self, part: Floats, tuning: Floats) -> Floats:
        """Dear less cheap judge in part of the cells, in pp; short windows count as much."""
        weight = part / np.maximum(self.whole[1], 1)
        size = _sum(self.drawn, weight)
        more = _sum(self.second - tuning[..., None, None, None] * self.first, weight)
        share: Floats = np.divide(more, size, out=np.full_like(more, NAN), where=size > 0)
        return 100 * share

    def without_each(self) -> Iterator[JointCounts]:
        """Yield the counts without each persona and its runs."""
        for kept, part in leaving_out_each(self.whole.shape[-1]):
            counts = {name: values[part] for name, values in vars(self).items() if name != "blocks"}
            yield JointCounts(blocks=self.blocks[..., kept], **counts)

    def completed(self, *, own_yes: bool) -> JointCounts:
        """Every missing answer of the dear judge a yes in own cells and a no elsewhere, or both
        the other way round."""
        own = self.parts[0] > 0
        return replace(
            self,
            drawn=self.drawn + self.lost,
            first=self.first + self.lost_first,
            second=self.second + self.lost * (own == own_yes),
        )


def _sum(cells: Floats, weight: Floats | Mask) -> Floats:
    total: Floats = (cells * weight).sum((-3, -2, -1))
    return total


@dataclass(frozen=True, eq=False)
class TwoJudgeMatrix:
    """The specific sway as the judge of a sample would find it in all videos."""

    estimate: Estimate  # D with its jackknife interval over personas; its p is Student's t
    tuning: float  # how much of the cheap judge was taken over
    own: int  # questions of the sample that were answered, in own feeds and in others'
    others: int
    narrower: float
    """How much narrower the interval is than from the sample alone, in %; nan without either."""
    bounds: tuple[float, float]
    """Lowest and highest D in pp, as it is and with all missing answers of the sample to a side."""


def two_judge_matrix(
    whole: RejudgedReplies, matrix: PersonaMatrix, sampled: RejudgedReplies
) -> TwoJudgeMatrix:
    """Estimate the specific sway as the judge of the sample would find it everywhere.

    ``matrix``: that of the judge of all. Raises ``NotOffered``: the sample is not answered to its
    end, or the judge of all was not asked everything that the other was asked.
    """
    personas, replicates = layout(whole)
    if len(sampled.samples) > 1:
        raise NotOffered(
            "Questions about these runs were drawn several times under one name and seed. "
            "Type: the same for all runs at once with --seed 2"
        )
    if any(run in sampled.unasked for runs in replicates for run in runs.values()):
        raise NotOffered(
            "Not every question of the sample has been answered, or runs came after it was drawn. "
            "Type: the same command again, or for a sample of all runs with --seed 2"
        )
    cells = [_joint(whole, sampled, personas, list(runs.values())) for runs in replicates]
    joint = JointCounts(
        matrix.blocks,
        *(np.stack(field, axis=-3) for field in zip(*cells, strict=True)),
    )
    passive = matrix.sway.adjusted
    told = _estimate(joint, passive=passive)
    value = told.value
    sides = [
        joint.completed(own_yes=yes).sway(joint.tuning, passive=passive) for yes in (False, True)
    ]
    own, others = (int(_sum(joint.drawn, part > 0)) for part in joint.parts)
    return TwoJudgeMatrix(
        estimate=told,
        tuning=float(joint.tuning),
        own=own,
        others=others,
        narrower=_narrower(told, _estimate(joint, passive=passive, alone=True)),
        bounds=(min(value, *map(float, sides)), max(value, *map(float, sides))),
    )


def _estimate(joint: JointCounts, *, passive: bool, alone: bool = False) -> Estimate:
    """D and its interval; ``alone``: from the sample by itself."""

    def sway(counts: JointCounts) -> float:
        return float(counts.sway(counts.tuning * (not alone), passive=passive))

    mates = same_block(joint.blocks.shape[-1], joint.blocks).sum(-1) > 1
    compared = mates.any(0)  # who was drawn alone is no cluster of D
    left_out = np.array([sway(part) for part in joint.without_each()])[compared]
    return jackknife(sway(joint), left_out, len(left_out) - 1).within(-100, 100)


def _narrower(told: Estimate, alone: Estimate) -> float:
    if not (told.bounded and alone.bounded) or alone.high <= alone.low:
        return NAN
    return 100 * (1 - (told.high - told.low) / (alone.high - alone.low))


def _joint(
    whole: RejudgedReplies, sampled: RejudgedReplies, personas: Sequence[str], runs: Sequence[int]
) -> list[Floats]:
    """The counts of ``JointCounts`` of one replicate, in their order."""
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
    return [
        sums(cells, np.ones(len(cells))),
        sums(cells, cheap),
        *(sums(dear_cells, values)[1] for values in (*of_sample, (1 - kept) * first)),
    ]


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
