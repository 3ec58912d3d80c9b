"""A study in shards, on real browsers: each cell once, whatever the order of merging."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import pytest
from click.testing import CliRunner

from agent.cli import cli
from store.cli.main import main as store_cli
from store.maintenance.verify import verify
from store.runs.data_folder import DataFolder
from store.runs.study_looks import StudyLook, keep_look
from tests.store.samples import START

ROOT = Path(__file__).parents[3]
STUDY = """
name = "small"
seed = 7
[matrix]
personas = ["p01", "p05", "p09", "p12", "p16", "p19"]
platforms = ["playground"]
strategies = ["simple"]
models = ["scripted/coin?p=0.5"]
arms = ["treatment", "passive"]
replicates = REPLICATES
[windows]
before = 3
after = 3
baseline = "passive"
[pace]
parallel = 2
"""


def study_file(folder: Path, more: str = "", replicates: int = 1) -> Path:
    file = folder / "study.toml"
    file.write_text(STUDY.replace("REPLICATES", str(replicates)) + more, encoding="utf-8")
    return file


def command(file: Path, data: Path, *words: str) -> list[str]:
    python = [sys.executable, "-m", "agent", "study", str(file), "--no-index"]
    return [*python, "--data", str(data), *words]


def test_a_shard_says_that_it_is_one(tmp_path: Path) -> None:
    file = study_file(tmp_path, "[budget]\nmax_tokens = 3000\n")
    words = ["study", str(file), "--dry-run", "--shard", "2/3", "--data", str(tmp_path / "d")]
    done = CliRunner().invoke(cli, words, catch_exceptions=False)
    assert done.exit_code == 0, done.output
    assert "Study small, shard 2/3 of 12 runs: 4 runs, 24 videos at least" in done.stdout
    assert done.stdout.count("replicate 1") == 4
    assert "All shards together, as if one machine did it:" in done.stdout
    assert "this shard may spend 1,000 tokens" in done.stdout


def test_a_shard_takes_no_look_and_ends_no_study(tmp_path: Path) -> None:
    """Of a study that was looked at to its end nothing is left; nor does a shard look."""
    file = study_file(tmp_path, '[test]\nprimary = "matrix"\nlooks = "replicates"\n', replicates=2)
    data = DataFolder(tmp_path / "d")
    for number in (1, 2):
        look = StudyLook(
            number=number, of=2, at=START, runs=(), statistic=1, p=1, spent=0, found=False,
            stands=False,
        )  # fmt: skip
        keep_look(data.study_dir("small"), look)
    words = ["study", str(file), "--shard", "1/3", "--data", str(data.root)]
    done = CliRunner().invoke(cli, words, catch_exceptions=False)
    assert done.exit_code == 0, done.output
    assert "Nothing is left for a shard." in done.stdout
    assert not data.ledgers()


@pytest.mark.drill
def test_twelve_cells_in_three_shards_with_a_kill(tmp_path: Path) -> None:
    file, shards = study_file(tmp_path), [tmp_path / f"s{number}" for number in (1, 2, 3)]
    for number, data in enumerate(shards, 1):
        words = command(file, data, "--shard", f"{number}/3")
        if number == 1:  # killed in the middle, and typed again
            with subprocess.Popen(words, cwd=ROOT, stdout=-3, stderr=-3) as child:
                while sum(p.read_bytes().count(b"step_opened") for p in _ledgers(data)) < 3:
                    time.sleep(0.1)
                os.kill(child.pid, signal.SIGKILL)
        done = subprocess.run(words, cwd=ROOT, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr[-2000:]
        assert f"Shard {number}/3 of study small is done: 4 of the study's 12 runs." in done.stdout
    for number, order in enumerate((shards, shards[::-1])):
        target = DataFolder(tmp_path / f"united{number}")
        for _ in range(2):
            for folder in order:
                words = ["merge", str(folder), "--data", str(target.root)]
                merged = CliRunner().invoke(store_cli, words, catch_exceptions=False)
                assert merged.exit_code == 0, merged.output
        runs = target.runs()
        cells = Counter(run.started.config["cell"] for run in runs if run.started)
        assert (len(cells), set(cells.values())) == (12, {1})
        assert {run.status for run in runs} == {"complete"}
        assert verify(target).sound
        code = subprocess.run(command(file, target.root), cwd=ROOT, check=False).returncode
        assert (code, len(target.runs())) == (0, 12)
        shutil.rmtree(target.root)


def _ledgers(data: Path) -> list[Path]:
    return list(data.glob("runs/*/ledger.jsonl"))
