"""A made-up ladder of trainings whose saturation is known, for trying the analysis out.

Nothing was trained for it: scores, preferences and losses are drawn around planted curves.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from analysis.alignment.saturation import MARGIN, step
from store.results import trainings
from store.results.trainings import (
    HeldOutItem,
    ScoringJudge,
    TrainingLoss,
    TrainingPlan,
    TrainingRecipe,
    TrainingRun,
    TrainingScores,
)
from store.runs.records import Judgement, Provenance

SIZES = (0, 16, 32, 64, 128, 256)
SEEDS = 4
CURVE = 90 - 70 * np.exp2(-np.array(SIZES) / 14)  # planted mean scores
SATURATED = SIZES[step(CURVE, MARGIN)]
ASKED = ScoringJudge(judge="made-up/judge", about="- romantic", question="made up")
_VIDEOS, _PAIRS = 40, 2
_UPDATES = range(8, 201, 8)


def write_ladder(out: Path, seed: int = 1) -> Path:
    """Write the folder that ``python -m agent align`` would have left, and return it."""
    rng = np.random.default_rng(seed)
    recipe = TrainingRecipe(
        model="hfvlm/made-up",
        pairs="made-up",
        updates=200,
        batch=8,
        learning_rate=5e-5,
        beta=0.1,
        rank=16,
    )
    nowhere = Provenance(code_version="", code_dirty=None, python="", system="", libraries={})
    ladder = TrainingPlan(recipe=recipe, held_out=_VIDEOS * _PAIRS, provenance=nowhere)
    trainings.keep(out / trainings.LADDER, ladder)
    judged = trainings.judged_folder(out, ASKED)
    trainings.keep(judged / trainings.JUDGE, ASKED)
    for rung, size in enumerate(SIZES):
        for training in range(1, SEEDS + 1 if size else 2):
            cell = _cell(size, training, rung, rng)
            trainings.keep(trainings.cell_folder(out, size, training) / trainings.RECORD, cell)
            scored = TrainingScores(judgements=_judgements(CURVE[rung], rng))
            trainings.keep(judged / f"{trainings.name(size, training)}.json", scored)
    return out


def _cell(size: int, training: int, rung: int, rng: np.random.Generator) -> TrainingRun:
    losses = [
        TrainingLoss(update=update, loss=float(0.69 * np.exp(-update / 150) + rng.normal(0, 0.01)))
        for update in _UPDATES
    ]
    return TrainingRun(
        size=size,
        seed=training if size else 0,
        weights="",
        trained_on=tuple(str(place) for place in range(size)),
        losses=tuple(losses) if size else (),
        items=tuple(_item(place, rung, rng) for place in range(_VIDEOS * _PAIRS)),
        seconds=0.0,
    )


def _item(place: int, rung: int, rng: np.random.Generator) -> HeldOutItem:
    chosen, rejected = rng.normal((rung / 2 - 1, 0), 1)
    return HeldOutItem(
        id=str(place),
        video=str(place // _PAIRS),
        kind="style",
        reply="made up",
        chosen=chosen,
        rejected=rejected,
        chosen_tokens=1,
        rejected_tokens=1,
        p_yes=tuple(rng.uniform(0.4, 1, 4) - 0.04 * rung),
    )


def _judgements(mean: float, rng: np.random.Generator) -> tuple[Judgement, ...]:
    scores = np.clip(mean + rng.normal(0, 2) + rng.normal(0, 12, _VIDEOS * _PAIRS), 0, 100)
    return tuple(
        Judgement(answer="yes" if score >= 50 else "no", p_yes=score / 100) for score in scores
    )
