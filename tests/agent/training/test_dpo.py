"""One base for many trainings, and an update in parts: with TRL, on a model of a few numbers."""

from __future__ import annotations

import gc
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from agent.models import local_checkpoint
from agent.models.local_checkpoint import Checkpoint
from agent.training import dpo
from agent.training.dataset import TrainingPairs
from agent.training.example import _pairs, _tokenizer, _untaught
from store.results.trainings import TrainingLoss, TrainingRecipe

pytestmark = [pytest.mark.drill, pytest.mark.filterwarnings("ignore")]  # TRL's warnings, in-process
RECIPE = TrainingRecipe(
    model="hfvlm/tiny", pairs="", updates=3, batch=4, learning_rate=5e-3, beta=0.1, rank=2
)


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("vlm")
    made, processor = _untaught(_tokenizer())
    made.save_pretrained(folder)
    processor.save_pretrained(folder)
    return folder


@pytest.fixture(scope="module")
def pairs() -> TrainingPairs:
    dpo.check_training()
    splits = _pairs(np.random.default_rng(1))
    return TrainingPairs(splits["train"], splits["test"].select(range(3)), "")


def train(
    base: Checkpoint, pairs: TrainingPairs, folder: Path, seed: int = 1, **changes: Any
) -> tuple[Sequence[TrainingLoss], list[Any]]:
    """Losses of a training, and what the trained model thinks of held-out pairs."""
    recipe = RECIPE.model_copy(update=changes)
    with dpo.train_model(base, pairs.subset(8, seed), recipe, seed, folder, lambda _: None) as done:
        return done.losses, dpo.log_probabilities(done.checkpoint, pairs.held_out)


def test_a_base_that_was_trained_before_trains_as_a_fresh_one(
    model: Path, pairs: TrainingPairs, tmp_path: Path
) -> None:
    base = local_checkpoint.load(str(model))
    untrained = dpo.log_probabilities(base, pairs.held_out)
    first = train(base, pairs, tmp_path / "1", seed=2)
    assert first[1] != untrained
    assert dpo.log_probabilities(base, pairs.held_out) == untrained
    again = train(base, pairs, tmp_path / "2")
    assert again == train(local_checkpoint.load(str(model)), pairs, tmp_path / "3")
    assert "forward" not in vars(base.model)
    gc.collect()
    assert not [each for each in gc.get_objects() if type(each).__name__ == "DPOTrainer"]


def test_an_update_in_parts_is_the_same_update(
    model: Path, pairs: TrainingPairs, tmp_path: Path
) -> None:
    base = local_checkpoint.load(str(model))
    whole, in_parts = (
        train(base, pairs, tmp_path / str(parts), accumulation=parts) for parts in (1, 2)
    )
    assert [row.update for row in in_parts[0]] == [1, 2, 3]
    for one, other in zip(whole[0], in_parts[0], strict=True):
        assert other.loss == pytest.approx(one.loss, abs=1e-4)
    np.testing.assert_allclose(in_parts[1], whole[1], atol=1e-2)


def test_processes_that_prepare_pairs_change_no_update(
    model: Path, pairs: TrainingPairs, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As on a GPU, where other processes prepare the pictures of the next pairs."""
    base = local_checkpoint.load(str(model))
    alone = train(base, pairs, tmp_path / "alone")
    monkeypatch.setattr(dpo, "count_loaders", lambda device: 2)
    assert train(base, pairs, tmp_path / "beside") == alone


def test_what_does_not_fit_is_to_be_cut_into_more_parts() -> None:
    def said(batch: int, parts: int) -> str:
        return str(dpo._too_big(RECIPE.model_copy(update={"batch": batch, "accumulation": parts})))

    assert said(8, 1).endswith("Type: --accumulate 2 --out another-folder")
    assert said(9, 1).endswith("Type: --accumulate 3 --out another-folder")
    assert said(6, 3).endswith("Type: --accumulate 6 --out another-folder")
    assert "smaller model" in said(4, 4)
