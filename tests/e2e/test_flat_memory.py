"""What commands hold does not grow with the steps that they look through."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from store.runs.data_folder import DataFolder
from tests.large_ledgers import STUDY, make_one_run, make_study

REPO = Path(__file__).parents[2]
MOST_A_STEP = 6_000
"""Bytes; what pydantic makes of a step and its opening takes some 30,000."""
LOOKED, COMPUTED = (500, 3_000), (6_000, 12_000)
"""Steps of the runs compared; below some 6,000, draws do not fill the blocks they are made in."""
STEPS = 100_000
RUN = "long-run"
LOOK, FIGURES = 250, 600
"""MiB of the whole process: of what looks through ledgers, and of what computes with rows."""

PROBE = """
import json, os, subprocess, sys
child = subprocess.Popen(sys.argv[1:], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
said = child.stderr.read().decode(errors="replace")
_, status, used = os.wait4(child.pid, 0)
code = os.waitstatus_to_exitcode(status)
print(json.dumps({"code": code, "said": said[-2000:], "most": used.ru_maxrss * 1024}))
"""
"""Its own memory is small: a child's most is at least that of whoever has started it."""


def peak_of(data: DataFolder, *words: str) -> int:
    """Run a command, and return the most bytes that it or a child of it held."""
    done = subprocess.run(
        [sys.executable, "-c", PROBE, sys.executable, "-m", *words],
        cwd=REPO,
        env=os.environ | {"FEEDSWAY_DATA": str(data.root)},
        check=True,
        capture_output=True,
        text=True,
    )
    told = json.loads(done.stdout)
    assert told["code"] == 0, told["said"]
    return int(told["most"])


@pytest.fixture(scope="module")
def by_steps(tmp_path_factory: pytest.TempPathFactory) -> dict[int, DataFolder]:
    folder = tmp_path_factory.mktemp("runs")
    made = {steps: DataFolder(folder / str(steps)) for steps in (*LOOKED, *COMPUTED)}
    for steps, data in made.items():
        make_one_run(data, steps, files=40)
    return made


@pytest.mark.parametrize(
    ("steps", "words"),
    [
        (LOOKED, ("store", "show", RUN)),
        (LOOKED, ("store", "show", RUN, "--json")),
        (LOOKED, ("store", "verify")),
        (LOOKED, ("store", "stats", "--quick")),
        (COMPUTED, ("analysis", "summary", RUN)),
        (COMPUTED, ("analysis", "iavg", RUN)),
    ],
    ids=lambda value: " ".join(map(str, value)),
)
def test_a_longer_run_takes_hardly_more_memory(
    by_steps: dict[int, DataFolder], steps: tuple[int, int], words: tuple[str, ...]
) -> None:
    few, many = steps
    growth = (peak_of(by_steps[many], *words) - peak_of(by_steps[few], *words)) / (many - few)
    assert growth < MOST_A_STEP


@pytest.fixture(scope="module")
def one_run(tmp_path_factory: pytest.TempPathFactory) -> DataFolder:
    data = DataFolder(tmp_path_factory.mktemp("one") / "data")
    make_one_run(data, STEPS, files=STEPS)
    return data


@pytest.fixture(scope="module")
def study(one_run: DataFolder) -> DataFolder:
    """The same number of steps over 500 runs, with the same frames."""
    data = DataFolder(one_run.root.with_name("study"))
    data.root.mkdir()
    data.frames_dir.symlink_to(one_run.frames_dir)
    make_study(data, 500, STEPS // 500)
    return data


@pytest.mark.drill
@pytest.mark.timeout(1800)
@pytest.mark.parametrize(
    ("most", "words"),
    [
        (LOOK, ("store", "show", RUN)),
        (LOOK, ("store", "show", RUN, "--json")),
        (LOOK, ("store", "verify")),
        (FIGURES, ("analysis", "summary", RUN)),
        (FIGURES, ("analysis", "report", RUN, "--out", "OUT")),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else "",
)
def test_a_run_of_100_000_steps_stays_within_its_limit(
    one_run: DataFolder, tmp_path: Path, most: int, words: tuple[str, ...]
) -> None:
    named = [str(tmp_path / "report") if word == "OUT" else word for word in words]
    assert peak_of(one_run, *named) < most << 20


@pytest.mark.drill
@pytest.mark.timeout(1800)
@pytest.mark.parametrize(
    ("most", "words"),
    [
        (LOOK, ("store", "show", "large-0001")),
        (LOOK, ("store", "verify")),
        (FIGURES, ("analysis", "summary", "large-0001")),
        (FIGURES, ("analysis", "report", STUDY, "--out", "OUT")),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else "",
)
def test_500_runs_of_200_steps_stay_within_their_limits(
    study: DataFolder, tmp_path: Path, most: int, words: tuple[str, ...]
) -> None:
    named = [str(tmp_path / "report") if word == "OUT" else word for word in words]
    assert peak_of(study, *named) < most << 20
