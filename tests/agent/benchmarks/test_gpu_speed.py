"""The GPU's benchmark without a GPU: it says so, and what measures runs on the CPU in small."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from agent.benchmarks.gpu_speed import GpuLoad, describe_machine, measure_gpu
from agent.benchmarks.shared_picture_cost import Shape
from agent.cli.bench import bench
from store.encoders import _torch
from tests.store.tiny_clip import save_tiny_clip


def test_without_a_gpu_one_sentence_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_torch, "pick_device", lambda: "cpu")
    done = CliRunner().invoke(bench, ["--gpu"])
    assert done.exit_code == 0
    assert done.stdout == "This machine has no GPU that torch can use, so nothing was measured.\n"


@pytest.mark.drill
def test_pictures_and_questions_are_measured_and_the_machine_is_named(tmp_path: Path) -> None:
    save_tiny_clip(tmp_path)
    load = GpuLoad(clip="tiny", tag="", pictures=40, vlm=Shape(16, 16), personas=1)
    told: list[str] = []
    found = json.loads(json.dumps(measure_gpu("cpu", load, 1, tmp_path, told.append)))
    assert found["machine"] == describe_machine("cpu")
    assert found["machine"].keys() == {"device", "torch", "cores", "system"}
    pictures, questions = found["pictures"], found["questions"]
    assert (pictures["pictures"], pictures["half_precision"]) == (40, False)
    assert pictures["per_second"].keys() == {
        "0 processes prepare",
        "2 processes prepare",
        "prepared before",
    }
    assert questions["per_second"].keys() == {"one by one", "in batches", "one picture"}
    assert questions["questions"] == 2
    speeds = [*pictures["per_second"].values(), *questions["per_second"].values()]
    assert len(speeds) == 6
    assert all(len(speed) == 1 and min(speed) > 0 for speed in speeds)
    assert len(told) == 2
