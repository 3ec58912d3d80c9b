"""A ladder of trainings as numbers: the judge's score, preference, tendency to say yes.

Reads what ``store.results.trainings`` keeps and puts it into arrays of sizes, trainings and
held-out videos; several pairs of one video count as their mean. Videos that lack an answer anywhere
are left out everywhere, and counted, so that all sizes are compared on the same videos.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from analysis.alignment.saturation import MARGIN, SCALE, Saturation, learning_curve, saturation
from analysis.errors import NothingToCompare
from analysis.statistics.estimate import NAN, Estimate
from analysis.statistics.intervals import crossed
from store.results import trainings
from store.results.trainings import (
    HeldOutItem,
    ScoringJudge,
    TrainingPlan,
    TrainingRun,
    TrainingScores,
)
from store.runs.records import Judgement

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class LearningCurve:
    """One measure over the sizes."""

    name: str
    points: tuple[Estimate, ...]  # mean of each size with its 95 % interval
    scores: Floats  # shape ``(sizes, trainings, videos)``
    left_out: int = 0  # held-out videos that lack an answer somewhere


@dataclass(frozen=True)
class Alignment:
    """What a ladder says.

    ``score``, ``preference``, ``yes``: the judge's score; share of held-out pairs whose chosen
    response is likelier by token; and the tendency to say yes, where 0 is even-handed.
    """

    ladder: TrainingPlan
    asked: ScoringJudge
    sizes: tuple[int, ...]
    seeds: int
    score: LearningCurve
    preference: LearningCurve
    yes: LearningCurve
    yes_change: Estimate  # at the largest size less without training
    saturation: Saturation
    losses: Mapping[tuple[int, int], tuple[tuple[int, float], ...]]
    """Updates and losses by size and seed."""
    missing: Mapping[str, int]  # replies without a score, by reason
    empty: int  # empty replies, which score 0


def read(
    out: Path, asked: ScoringJudge, sizes: Sequence[int], seeds: int, margin: float
) -> Alignment:
    """Read a ladder that is done.

    Raises ``NothingToCompare``: a training, or its scores, are not there.
    """
    ladder = trainings.recall(out / trainings.LADDER, TrainingPlan)
    cells = {(size, seed): _cell(out, size, seed) for size in sizes for seed in _seeds(seeds)}
    judged = {
        (size, seed): _scored(out, asked, size, seed) for size in sizes for seed in _seeds(seeds)
    }
    if ladder is None:
        raise _unfinished(out)
    videos = [item.video for item in cells[sizes[0], 1].items]
    shape = len(sizes), seeds, len(videos)

    def curve(
        name: str,
        value: Callable[[TrainingRun, TrainingScores, int], float],
        scale: tuple[float, float] = SCALE,
    ) -> LearningCurve:
        each = [
            value(cells[place], judged[place], number)
            for place in cells
            for number in range(len(videos))
        ]
        return _curve(name, np.array(each).reshape(shape), videos, scale)

    score = curve("score, 0 to 100", lambda _, told, i: points(told.judgements[i]))
    yes = curve(
        "yes-tendency, points", lambda cell, _, i: tendency(cell.items[i].p_yes), (-100, 100)
    )
    answers = [told.judgements for told in judged.values()]
    trained = {place: cell for place, cell in cells.items() if place[0]}
    return Alignment(
        ladder,
        asked,
        tuple(sizes),
        seeds,
        score,
        curve("held-out pairs preferred, %", lambda cell, _, i: preferred(cell.items[i])),
        yes,
        _change(yes),
        saturation(sizes, score.scores, margin),
        {
            place: tuple((row.update, row.loss) for row in cell.losses)
            for place, cell in trained.items()
        },
        Counter(one.missing for row in answers for one in row if one is not None and one.missing),
        sum(one is None for row in answers for one in row),
    )


def latest(out: Path, margin: float = MARGIN) -> Alignment:
    """Read what the judge who came last has scored: the sizes of which every seed is there.

    Raises ``NothingToCompare``: nobody has scored anything.
    """
    folders = sorted((out / "judged").glob("*/"), key=lambda folder: folder.stat().st_mtime_ns)
    asked = trainings.recall(folders[-1] / trainings.JUDGE, ScoringJudge) if folders else None
    if asked is None:
        raise _unfinished(out)
    names = [path.stem.split("-") for path in folders[-1].glob("*-*.json")]
    places = {(int(size), int(seed)) for size, seed in names}
    seeds = max(seed for _, seed in places)
    sizes = sorted({size for size, _ in places})
    whole = [
        size for size in sizes if not size or all((size, seed) in places for seed in _seeds(seeds))
    ]
    return read(out, asked, whole, seeds, margin)


def points(judged: Judgement | None) -> float:
    """Score of a reply, 0 to 100: the judge's probability of yes, or else its answer."""
    if judged is None:
        return 0.0  # an empty reply shows nothing
    if judged.answer is None:
        return NAN
    return 100 * (float(judged.answer == "yes") if judged.p_yes is None else judged.p_yes)


def preferred(item: HeldOutItem) -> float:
    """100 where the chosen response is likelier by token than the rejected one, else 0."""
    chosen = item.chosen / max(item.chosen_tokens, 1)
    return 100.0 * (chosen > item.rejected / max(item.rejected_tokens, 1))


def tendency(p_yes: Sequence[float | None]) -> float:
    """Tendency to say yes, -100 to 100, from statements called right and wrong in turn."""
    known = [NAN if each is None else each for each in p_yes]
    return 200 * (math.fsum(known) / len(known)) - 100


def _curve(
    name: str, each: Floats, videos: Sequence[str], scale: tuple[float, float]
) -> LearningCurve:
    """Means by video, without those that lack an answer anywhere."""
    names, own = np.unique(videos, return_inverse=True)
    means = np.stack([each[:, :, own == place].mean(-1) for place in range(len(names))], axis=-1)
    whole = ~np.isnan(means).any(axis=(0, 1))
    if not whole.any():
        nothing = Estimate(NAN, unit="points", reason="no video has all its answers")
        return LearningCurve(name, (nothing,) * len(each), means[:, :, :0], len(names))
    kept = means[:, :, whole]
    return LearningCurve(name, tuple(learning_curve(kept, scale)), kept, int((~whole).sum()))


def _change(curve: LearningCurve) -> Estimate:
    """Difference of two tendencies, each from -100 to 100."""
    if not curve.scores.size:
        return curve.points[-1]
    return crossed(curve.scores[-1] - curve.scores[0], unit="points").within(-200, 200)


def _seeds(count: int) -> range:
    return range(1, count + 1)


def _cell(out: Path, size: int, seed: int) -> TrainingRun:
    found = trainings.cell(out, size, seed)
    if found is None:
        raise _unfinished(out)
    return found


def _scored(out: Path, asked: ScoringJudge, size: int, seed: int) -> TrainingScores:
    path = trainings.judged_folder(out, asked) / f"{trainings.name(size, seed)}.json"
    found = trainings.recall(path, TrainingScores)
    if found is None:
        raise _unfinished(out)
    return found


def _unfinished(out: Path) -> NothingToCompare:
    return NothingToCompare(f"{out} is not finished. Type: python -m agent align --help")
