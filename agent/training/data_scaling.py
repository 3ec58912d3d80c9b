"""The whole ladder: every size with every seed, each measured and scored, whatever interrupts it.

A training is done when its record is there, which is written last. The model as it came (size 0)
is measured once.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path

from agent import models
from agent.errors import BadConfig
from agent.judge.model_under_cap import NO_CAP, guarded
from agent.models import local_checkpoint
from agent.models.base import Model
from agent.models.local_checkpoint import Checkpoint
from agent.models.paid_calls import CappedAccounts
from agent.models.providers import parse_model_name
from agent.provenance import provenance
from agent.training import dpo, evaluate
from agent.training.dataset import TrainingPairs
from store.results import trainings
from store.results.trainings import TrainingPlan, TrainingRecipe, TrainingRun, TrainingScores
from store.runs.data_folder import DataFolder
from store.runs.payment_book import PaymentBook

FIRST = 16
"""The smallest size above 0, unless sizes are named."""

Tell = Callable[[int, int], None]
"""Called with how many of how many are done."""


@dataclass(frozen=True)
class ScalingPlan:
    """What is trained, how, and who scores."""

    sizes: tuple[int, ...]
    """In rising order; 0 is the model as it came."""
    seeds: int
    """How many trainings there are of each size."""
    recipe: TrainingRecipe
    judge: str
    scale: evaluate.AnswerScale

    @property
    def cells(self) -> list[tuple[int, int]]:
        """Every training: all sizes of one seed, then the next seed's."""
        return [
            (size, seed)
            for seed in range(1, self.seeds + 1)
            for size in self.sizes
            if size or seed == 1
        ]


def choose_sizes(named: Sequence[int] | None, pairs: int) -> tuple[int, ...]:
    """Sizes of the ladder: those named, or 0 and then doubled while pairs last.

    Raises
    ------
    BadConfig
        More pairs are asked for than there are.
    """
    if named is None:
        ladder = [0]
        while (following := max(FIRST, 2 * ladder[-1])) <= pairs:
            ladder.append(following)
        return tuple(ladder)
    asked = sorted({0, *named})
    if asked[-1] > pairs:
        fitting = ",".join(str(size) for size in asked if size <= pairs)
        raise BadConfig(f"There are {pairs} pairs to train on. Type: --sizes {fitting}")
    return tuple(asked)


def train_all(plan: ScalingPlan, pairs: TrainingPairs, out: Path, tell: Tell) -> None:
    """Do the trainings that are left; ``BadConfig`` where the folder holds another ladder."""
    _begin(plan, len(pairs.held_out), out)
    each = plan.recipe.updates + len(pairs.held_out)
    whole = each * len(plan.cells)
    base: Checkpoint | None = None  # loaded once for all
    for place, (size, seed) in enumerate(plan.cells):
        if trainings.cell(out, size, seed) is None:
            base = base or _load_base(plan, out)
            training = _Training(
                plan.recipe, base, size, seed, trainings.cell_folder(out, size, seed)
            )
            _train(training, pairs, _after(place * each, whole, tell))
        tell((place + 1) * each, whole)


def score_all(
    plan: ScalingPlan, pairs: TrainingPairs, out: Path, data: DataFolder, tell: Tell
) -> None:
    """Let the judge score what is not scored yet. Its calls are booked in the data folder."""
    folder = trainings.judged_folder(out, plan.scale.make_scorer(plan.judge))
    account = f"alignment/{out.resolve().name}/{folder.name}"
    till = CappedAccounts(PaymentBook(data.payments), (account,))
    judge = guarded(models.load(plan.judge), NO_CAP, till, data.replies_dir)
    try:
        asyncio.run(_score(plan, judge, pairs, out, tell))
    finally:
        asyncio.run(judge.close())


def _begin(plan: ScalingPlan, held_out: int, out: Path) -> None:
    """Write down what all trainings share, or hold it against what is written."""
    path = out / trainings.LADDER
    kept = trainings.recall(path, TrainingPlan)
    if kept is None:
        made = TrainingPlan(recipe=plan.recipe, held_out=held_out, provenance=provenance())
        trainings.keep(path, made)
        return
    other = [name for name, value in plan.recipe if getattr(kept.recipe, name) != value]
    if other:
        raise BadConfig(
            f"{out} was begun with other {' and other '.join(other)}. Type: --out another-folder"
        )


def _load_base(plan: ScalingPlan, out: Path) -> Checkpoint:
    """Load the model as it came; ``BadConfig`` where it is not the one that was measured."""
    base = local_checkpoint.load(parse_model_name(plan.recipe.model).model)
    untrained = trainings.cell(out, 0, 0)
    if untrained is not None and untrained.weights != base.weights:
        raise BadConfig(
            f"{plan.recipe.model} has changed since {out} was begun. Type: --out another-folder"
        )
    return base


@dataclass(frozen=True)
class _Training:
    recipe: TrainingRecipe
    base: Checkpoint
    size: int
    seed: int
    folder: Path


def _train(training: _Training, pairs: TrainingPairs, tell: Callable[[int], None]) -> None:
    """Train, measure, and write the record last."""
    recipe, seed, folder = training.recipe, training.seed, training.folder
    started = time.monotonic()
    subset = pairs.subset(training.size, seed)
    untrained = nullcontext(dpo.TrainedModel(training.base, ()))
    done = dpo.train_model(training.base, subset, recipe, seed, folder, tell)
    with done if training.size else untrained as ready:
        items = evaluate.measure_model(
            ready.checkpoint,
            pairs.held_out,
            recipe.model,
            lambda count: tell(recipe.updates + count),
        )
    record = TrainingRun(
        size=training.size,
        seed=seed if training.size else 0,
        weights=training.base.weights,
        losses=ready.losses,
        items=items,
        trained_on=tuple(subset["id"]),
        seconds=round(time.monotonic() - started, 1),
    )
    trainings.keep(folder / trainings.RECORD, record)
    dpo.forget_checkpoints(folder)


async def _score(
    plan: ScalingPlan, judge: Model, pairs: TrainingPairs, out: Path, tell: Tell
) -> None:
    asked = plan.scale.make_scorer(plan.judge)
    folder = trainings.judged_folder(out, asked)
    trainings.keep(folder / trainings.JUDGE, asked)
    whole = len(plan.cells) * len(pairs.held_out)
    for place, (size, seed) in enumerate(plan.cells):
        cell = trainings.cell(out, size, seed)
        path = folder / f"{trainings.name(size, seed)}.json"
        if cell is not None and trainings.recall(path, TrainingScores) is None:
            before = place * len(pairs.held_out)
            scored = await evaluate.score_replies(
                judge, plan.scale, cell.items, pairs.held_out, _after(before, whole, tell)
            )
            trainings.keep(path, scored)
        tell((place + 1) * len(pairs.held_out), whole)


def _after(before: int, whole: int, tell: Tell) -> Callable[[int], None]:
    return lambda done: tell(before + done, whole)
