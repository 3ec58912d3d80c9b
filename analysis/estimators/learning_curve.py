"""A ladder of trainings as numbers: score, preference, tendency to say yes, saturation size.

Reads what ``store.results.trainings`` keeps and puts it into arrays of sizes, trainings and
held-out videos; several pairs of one video count as their mean. Videos that lack an answer anywhere
are left out everywhere, and counted, so that all sizes are compared on the same videos. Trainings
and videos are crossed samples, and ``intervals.crossed`` speaks for both.

**Plateau**: mean score of the two largest sizes. **Saturation size**: the smallest size from which
on every size below these two scores within a stated margin of the plateau; where not even the size
next to them does, the plateau was *not reached* on this ladder.

**Its interval** comes from testing the rungs in order, so that no test needs an adjustment
(Marcus, Peritz and Gabriel, Biometrika 1976). From the smallest size upwards: a rung is left out
as long as its gap to the plateau is beyond the margin at 5 %, one-sided. From the largest
downwards: a rung is taken as saturated as long as its gap is within the margin at 5 %. The lower
end errs only if the test of the saturation size itself does, the upper end only if that of the
rung below it does; no shape of the curve is assumed. Both at once are possible only where these two
rungs straddle the margin by less than the noise (``docs/alignment.md`` has the coverage).
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from analysis.errors import NothingToCompare
from analysis.statistics.estimate import NAN, Estimate, Floats
from analysis.statistics.intervals import crossed
from store.results import trainings
from store.results.trainings import (
    HeldOutItem,
    ScoringJudge,
    TrainingPlan,
    TrainingRun,
    TrainingScores,
)
from store.runs.ledger_lines import Judgement

PLATEAU = 2  # sizes whose mean is the plateau
MARGIN = 5.0  # points of 100
SCALE = (0.0, 100.0)
_ONE_SIDED = 0.90  # level of the two-sided interval whose ends are one-sided bounds at 5 %


@dataclass(frozen=True)
class Saturation:
    """Where a curve levels off.

    ``size``, ``low``, ``high``: sizes of the ladder; ``None`` means that the plateau was not
    reached, and stands above every size.
    ``plateau``, ``gain``: mean score of the largest sizes, and how far it is above the score
    without training.
    """

    margin: float
    plateau: Estimate
    gain: Estimate
    size: int | None = None
    low: int | None = None
    high: int | None = None
    steps: int = 0  # rungs of the ladder from ``low`` to ``high``: 0 where one size is left
    reason: str = ""  # why there is no interval (or nothing at all), else empty


def learning_curve(scores: Floats, scale: tuple[float, float] = SCALE) -> list[Estimate]:
    """Mean score of each size with its 95 % interval, cut where the scale ends.

    ``scores``: shape ``(sizes, trainings, videos)``, without nan. A size that needs no training
    holds the same numbers for each.
    """
    return [_cut(crossed(size, unit="points"), scale) for size in scores]


def saturation(sizes: Sequence[int], scores: Floats, margin: float = MARGIN) -> Saturation:
    """Find the saturation size and its interval; ``margin`` in points of 100.

    ``sizes``: in rising order, at least three. ``scores``: as in ``learning_curve``.
    """
    nothing = Estimate(NAN, unit="points")
    if not scores.size:
        return Saturation(margin, nothing, nothing, reason="no video has all its scores")
    if len(sizes) <= PLATEAU:
        few = f"a ladder of {len(sizes)} sizes has no rung below its plateau"
        return Saturation(margin, nothing, nothing, reason=few)
    top = scores[-PLATEAU:].mean(0)
    rungs: list[int | None] = [*sizes[:-PLATEAU], None]
    found = Saturation(
        margin,
        _cut(crossed(top, unit="points"), SCALE),
        crossed(top - scores[0], unit="points"),
        rungs[find_rung(scores.mean((1, 2)), margin)],
    )
    told = _limits(top - scores[:-PLATEAU], margin)
    if isinstance(told, str):
        return replace(found, reason=told)
    low, high = told
    return replace(found, low=rungs[low], high=rungs[high], steps=high - low)


def find_rung(curve: Floats, margin: float) -> int:
    """Rung at which a known curve is saturated; the number of candidates where it never is."""
    within = curve[-PLATEAU:].mean() - curve[:-PLATEAU] <= margin
    outside = np.flatnonzero(~within)
    return int(outside[-1]) + 1 if len(outside) else 0


def _cut(one: Estimate, scale: tuple[float, float]) -> Estimate:
    low, high = (float(np.clip(end, *scale)) for end in (one.low, one.high))
    return replace(one, low=low, high=high)


def _limits(gaps: Floats, margin: float) -> tuple[int, int] | str:
    """Ends of the interval as places on the ladder, or the reason why there are none."""
    if min(gaps.shape[1:]) < 2:
        return "one training, or one held-out video, has no spread"
    bounds = [_bounds(gap) for gap in gaps]
    low, high = 0, len(gaps)
    while low < len(gaps) and bounds[low][0] > margin:
        low += 1
    while high and bounds[high - 1][1] <= margin:
        high -= 1
    return low, high


def _bounds(gap: Floats) -> tuple[float, float]:
    """One-sided bounds of a mean gap, shape ``(trainings, videos)``.

    Where no video differs from any other, at most a share ``p`` of all would, by the exact binomial
    bound for as many videos, and by no more than the whole scale.
    """
    told = crossed(gap, unit="points", level=_ONE_SIDED)
    if told.bounded:
        return told.low, told.high
    half = 100 * (1 - ((1 - _ONE_SIDED) / 2) ** (1 / gap.shape[1]))
    return told.value - half, told.value + half


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
    """Read a ladder, or raise ``NothingToCompare`` where a training or its scores are missing."""
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
    """Read what the judge who came last has scored: the sizes of which every seed is there."""
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
