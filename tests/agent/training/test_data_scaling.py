"""The whole ladder on the made example, through TRL on the CPU: interrupted and resumed."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from agent.training import data_scaling
from agent.training.dataset import read_training_pairs
from agent.training.evaluate import AnswerScale
from store.results import trainings
from store.results.trainings import TrainingRecipe

pytestmark = [pytest.mark.drill, pytest.mark.filterwarnings("ignore")]  # TRL's warnings, in-process
ROOT = Path(__file__).parents[3]
JUDGE = "scripted/keywords?words=dear,love,heart,darling"
SIZES, SEEDS, UPDATES, RATE = (0, 1, 8, 32), 2, 24, 5e-4
CUT_OFF = 14
"""Updates after which the first training is interrupted; the last checkpoint is of 12."""


@dataclass(frozen=True)
class Done:
    folder: Path
    resumed: list[int]
    """Updates told of the training that had been cut off."""
    told: str

    def align(self, *options: str) -> subprocess.CompletedProcess[str]:
        return command(
            self.folder,
            "align",
            "example/pairs",
            "--model=hfvlm/example/vlm",
            "--style=romantic",
            f"--sizes={','.join(map(str, SIZES))}",
            f"--seeds={SEEDS}",
            f"--updates={UPDATES}",
            f"--rate={RATE}",
            *options,
        )


def command(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    path = os.pathsep.join([str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])])
    return subprocess.run(
        [sys.executable, "-m", "agent", *words],
        cwd=folder,
        capture_output=True,
        text=True,
        env=os.environ | {"PYTHONPATH": path},
        timeout=600,
        check=False,
    )


@pytest.fixture(scope="module")
def done(tmp_path_factory: pytest.TempPathFactory) -> Done:
    folder = tmp_path_factory.mktemp("ladder")
    wrote = command(folder, "align", "--example", "example")
    assert wrote.returncode == 0, wrote.stderr
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        resumed = cut_off_and_resumed()
    whole = Done(folder, resumed, "").align(f"--judge={JUDGE}")
    assert whole.returncode == 0, whole.stderr
    return Done(folder, resumed, whole.stdout)


def cut_off_and_resumed() -> list[int]:
    """Train the first size, interrupted once; the command then finds it done."""
    loaded = read_training_pairs(Path("example/pairs"))
    recipe = TrainingRecipe(
        model="hfvlm/example/vlm",
        pairs=loaded.digest,
        updates=UPDATES,
        batch=8,
        learning_rate=RATE,
        beta=0.1,
        rank=16,
    )
    plan = data_scaling.ScalingPlan(SIZES[:2], 1, recipe, JUDGE, AnswerScale.of("romantic", None))
    own = UPDATES + len(loaded.held_out)  # what size 0 counts as

    def interrupt(count: int, _: int) -> None:
        if count == own + CUT_OFF:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        data_scaling.train_all(plan, loaded, Path("ladder"), interrupt)
    assert trainings.cell(Path("ladder"), 1, 1) is None
    told: list[int] = []
    data_scaling.train_all(plan, loaded, Path("ladder"), lambda count, _: told.append(count - own))
    return told


def test_a_training_goes_on_from_its_last_checkpoint(done: Done) -> None:
    assert [count for count in done.resumed if count > 0][0] == CUT_OFF - 2 + 1  # noqa: RUF015
    cell = trainings.cell(done.folder / "ladder", 1, 1)
    assert cell is not None
    assert [row.update for row in cell.losses] == list(range(1, UPDATES + 1))


def test_every_training_learns(done: Done) -> None:
    for size in SIZES[1:]:
        for seed in range(1, SEEDS + 1):
            cell = trainings.cell(done.folder / "ladder", size, seed)
            assert cell is not None
            losses = [row.loss for row in cell.losses]
            assert np.mean(losses[-4:]) < np.mean(losses[:4]) - 0.05
            assert len(cell.trained_on) == size


def test_the_style_is_learned_and_the_result_is_drawn(done: Done) -> None:
    told = json.loads((done.folder / "ladder" / "result.json").read_bytes())
    score = [point["value"] for point in told["score"]]
    assert score[-1] > score[0] + 50
    assert told["preference"][-1]["value"] > 90
    assert "aturat" in done.told or "not reached" in done.told
    assert all((done.folder / name).stat().st_size > 10_000 for name in told["figures"])


def test_the_untrained_model_is_measured_once_and_nothing_is_left_behind(done: Done) -> None:
    cells = sorted((done.folder / "ladder" / "cells").iterdir())
    assert [cell.name for cell in cells][:3] == ["0000-0", "0001-1", "0001-2"]
    assert not list((done.folder / "ladder").rglob("training"))
    assert len(list((done.folder / "ladder").rglob("adapter_model.safetensors"))) == 6


def test_another_judge_scores_the_same_replies_and_nothing_is_trained(done: Done) -> None:
    before = {path: path.stat().st_mtime_ns for path in done.folder.rglob("cell.json")}
    again = done.align("--judge=embedded/conse", "--json")
    assert again.returncode == 0, again.stderr
    assert json.loads(again.stdout)["judge"] == "embedded/conse"
    assert {path: path.stat().st_mtime_ns for path in done.folder.rglob("cell.json")} == before


def test_other_settings_need_another_folder(done: Done) -> None:
    refused = done.align(f"--judge={JUDGE}", "--beta=0.2")
    assert refused.returncode == 2
    assert refused.stderr.strip().endswith("Type: --out another-folder")
    assert "beta" in refused.stderr
