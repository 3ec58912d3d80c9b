"""A study runs by one command, survives kill -9 of itself and of a browser, and resumes."""

from __future__ import annotations

import os
import signal
import subprocess
from pathlib import Path

import psutil
import pytest

from store.runs.data_folder import DataFolder
from tests.e2e.commands import browsers_of, feedsway, ledgers, start, steps_written, until

DECLARED = """
name = "small"
seed = 7
[matrix]
personas = {personas}
arms = ["treatment", "passive"]
[windows]
before = {before}
adapt = 2
after = {after}
baseline = "passive"
[pace]
parallel = 2
"""


def declared(folder: Path, personas: list[str], before: int = 4, after: int = 4) -> Path:
    file = folder / "study.toml"
    names = str(personas).replace("'", '"')
    file.write_text(DECLARED.format(personas=names, before=before, after=after), encoding="utf-8")
    return file


def survive(tmp_path: Path, personas: list[str], videos: int) -> None:
    """Conduct a study with a killed study process and a killed browser on the way."""
    data = tmp_path / "data"
    file = declared(tmp_path, personas, videos, videos)
    words = ("study", str(file), "--data", str(data))
    process = start(*words, log=tmp_path / "log")
    until(lambda: steps_written(data) >= 5, limit_s=120)
    children = psutil.Process(process.pid).children(recursive=True)
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    _, alive = psutil.wait_procs(children, timeout=20)
    assert alive == [], "a killed study left processes behind"
    kept = {ledger.started.run_id: ledger.steps for ledger in ledgers(data)}
    again = start(*words, log=tmp_path / "log")
    until(lambda: steps_written(data) >= 9, limit_s=120)
    until(lambda: bool(browsers_of(again.pid)), limit_s=60)
    browsers_of(again.pid)[0].kill()
    assert again.wait(timeout=900) == 0, (tmp_path / "log").read_text(encoding="utf-8")
    found = {ledger.started.run_id: ledger for ledger in ledgers(data)}
    assert len(found) == 2 * len(personas)
    for run_id, steps in kept.items():
        assert found[run_id].steps[: len(steps)] == steps
    for ledger in found.values():
        assert ledger.status == "complete"
        assert sum(step.eligible for step in ledger.steps) == 2 * videos + 2
        assert [step.position for step in ledger.steps] == list(range(len(ledger.steps)))


@pytest.mark.drill
@pytest.mark.timeout(400)
def test_a_study_survives_and_is_extended_without_repeating(tmp_path: Path) -> None:
    survive(tmp_path, ["p12", "p09"], 4)
    data = tmp_path / "data"
    before = {run.run_id for run in DataFolder(data).runs()}
    file = declared(tmp_path, ["p12", "p09", "p30"])
    done = feedsway("study", str(file), "--data", str(data))
    assert done.returncode == 0, done.stderr
    runs = DataFolder(data).runs()
    new = [run for run in runs if run.run_id not in before]
    assert before < {run.run_id for run in runs}
    assert sorted(run.started.persona.id for run in new if run.started) == ["p30", "p30"]


@pytest.mark.drill
@pytest.mark.timeout(1700)
def test_six_personas_in_two_arms(tmp_path: Path) -> None:
    survive(tmp_path, ["p05", "p09", "p12", "p16", "p21", "p30"], 12)


@pytest.mark.drill
@pytest.mark.timeout(900)
def test_the_printed_command_brings_the_declared_test(tmp_path: Path) -> None:
    """A persona matrix needs its frames judged again; what the study prints at its end does it."""
    file = declared(tmp_path, ["p05", "p09", "p12", "p16", "p30"], before=4, after=12)
    text = file.read_text(encoding="utf-8").replace('["treatment", "passive"]', '["treatment"]')
    text = text.replace("adapt = 2", "adapt = 24")  # what comes after was asked for by then
    file.write_text(text + '[site]\nspeed = 16\n[test]\nprimary = "matrix"\n', encoding="utf-8")
    data = str(tmp_path / "data")
    done = feedsway("study", str(file), "--data", data, timeout=800)
    assert done.returncode == 0, done.stderr
    assert "400 about stored frames afterwards" in done.stdout
    told = done.stdout.rpartition("Type: ")[2].strip()
    again, _, report = told.partition(" && ")
    assert "-m agent rejudge small --everyone" in again
    said = []
    for line in (again, report):
        ended = subprocess.run(line, shell=True, capture_output=True, text=True, check=False)
        assert ended.returncode == 0, ended.stderr
        said.append(ended.stdout)
    assert "400 questions answered about 5 runs" in said[0]
    assert "matrix" in said[1]
    assert "cannot be made" not in said[1]


@pytest.mark.drill
@pytest.mark.timeout(1700)
def test_a_study_with_looks_stops_when_the_answer_is_in(tmp_path: Path) -> None:
    """Five personas give 120 exchanges: too few for the first of three looks, not for two."""
    file = declared(tmp_path, ["p01", "p05", "p09", "p12", "p16"], before=8, after=24)
    text = file.read_text(encoding="utf-8").replace('["treatment", "passive"]', '["treatment"]')
    text = text.replace("adapt = 2", "adapt = 24").replace("[windows]", "replicates = 3\n[windows]")
    text += '[site]\nspeed = 16\n[test]\nprimary = "matrix"\nlooks = "replicates"\n'
    file.write_text(text, encoding="utf-8")
    data = str(tmp_path / "data")
    done = feedsway("study", str(file), "--data", data, timeout=1600)
    assert done.returncode == 0, done.stderr
    looks = [line for line in done.stdout.splitlines() if line.startswith("Look ")]
    assert looks[0].startswith("Look 1 of 3 finds nothing yet"), looks
    assert looks[-1].startswith("Look 2 of 3 finds a specific sway"), looks
    assert "is over: a look has found something, and it stands" in done.stdout
    assert len(DataFolder(tmp_path / "data").runs()) == 10  # the third replicate never began
    again = feedsway("study", str(file), "--data", data)
    assert again.returncode == 0
    assert "is over" in again.stdout
    assert len(DataFolder(tmp_path / "data").runs()) == 10
    told = feedsway("report", "small", "--data", data, "--json", package="analysis")
    assert told.returncode == 0, told.stderr
    longer = text.replace("replicates = 3", "replicates = 4")
    file.write_text(longer, encoding="utf-8")
    refused = feedsway("study", str(file), "--data", data)
    assert refused.returncode == 2
    assert "looks were declared for a size" in refused.stderr


def test_a_dry_run_runs_nothing(tmp_path: Path) -> None:
    file = declared(tmp_path, ["p12", "p09"])
    done = feedsway("study", str(file), "--dry-run", "--data", str(tmp_path / "data"))
    assert done.returncode == 0
    assert "4 runs, 40 videos" in done.stdout
    assert not (tmp_path / "data").exists()


@pytest.mark.parametrize(
    ("old", "new", "line", "words"),
    [
        ('arms = ["treatment", "passive"]', 'arms = ["yoked"]', 6, "yoked"),
        ("adapt = 2", "adapt = -2", 9, "adapt"),
        ("parallel = 2", "paralel = 2", 13, "paralel"),
        ("seed = 7", "seed = = 7", 3, "line 3"),
    ],
)
def test_a_bad_study_file_is_told_with_its_line(
    tmp_path: Path, old: str, new: str, line: int, words: str
) -> None:
    file = declared(tmp_path, ["p12", "p09"])
    text = file.read_text(encoding="utf-8")
    assert old in text
    file.write_text(text.replace(old, new), encoding="utf-8")
    done = feedsway("study", str(file), "--data", str(tmp_path / "data"))
    assert done.returncode == 2
    assert f"study.toml:{line}:" in done.stderr
    assert words in done.stderr
    assert "Type:" in done.stderr
    assert "Traceback" not in done.stderr
