"""One warm viewer for all runs of a machine, through the commands that people type."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from store.runs.data_folder import DataFolder
from store.runs.rejudgements import RejudgedAnswer, judgement_files, read_judgements
from tests.agent.models import tiny
from tests.agent.models.worker_machine import WorkerMachine, worker_machine
from tests.e2e.commands import LONG_S, feedsway, only, start, steps_written, until
from tests.store.samples import keep_run

VIEWER = "embedded/conse"
RUN = ("run", "--persona", "p12", "--speed", "16", "--before", "6", "--after", "6")


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[WorkerMachine]:
    with worker_machine(tmp_path, monkeypatch) as made:
        yield made


def rejudged(data: Path, model: str = VIEWER) -> list[RejudgedAnswer]:
    keep_run(DataFolder(data), "r1", ["red", "blue", "green", "purple"])
    done = feedsway("rejudge", "r1", "--model", model, "--data", str(data))
    assert done.returncode == 0, done.stderr
    files = judgement_files(DataFolder(data).run_dir("r1"))
    asked = [line for file in files for line in read_judgements(file).asked]
    return sorted(asked, key=lambda line: line.position)


@pytest.mark.drill
def test_answers_and_their_keys_are_those_of_a_model_in_the_process(
    machine: WorkerMachine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    warm = rejudged(tmp_path / "warm")
    assert len(machine.workers()) == 1
    monkeypatch.setenv("FEEDSWAY_WARM_S", "0")
    cold = rejudged(tmp_path / "cold")
    assert len(warm) == 4
    for mine, theirs in zip(warm, cold, strict=True):
        same = {"latency_s": theirs.judgement.latency_s}
        assert mine.judgement.model_copy(update=same) == theirs.judgement
    names = [
        [file.name for file in judgement_files(DataFolder(tmp_path / each).run_dir("r1"))]
        for each in ("warm", "cold")
    ]
    assert names[0] == names[1], "the fingerprint is in the name"


@pytest.mark.drill
def test_four_runs_share_one_viewer_and_outlive_its_death_and_each_others(
    machine: WorkerMachine, tmp_path: Path
) -> None:
    folders = [tmp_path / f"d{number}" for number in range(4)]
    logs = [tmp_path / f"log{number}" for number in range(4)]
    runs = [
        start(*RUN, "--data", str(folder), log=log)
        for folder, log in zip(folders, logs, strict=True)
    ]
    until(lambda: all(steps_written(folder) >= 2 for folder in folders), LONG_S)
    first = machine.worker()
    first.kill()
    until(lambda: all(steps_written(folder) >= 4 for folder in folders), LONG_S)
    assert machine.worker().pid != first.pid
    runs[0].kill()
    runs[0].wait()
    ends = [run.wait(timeout=LONG_S) for run in runs[1:]]
    assert ends == [0, 0, 0], [log.read_text() for log in logs]
    for folder in folders[1:]:
        steps = only(folder).steps
        assert len(steps) >= 12
        assert all(step.judgement.answer in ("yes", "no") for step in steps if step.eligible)
    until(machine.is_empty, LONG_S)
    again = feedsway(*RUN, "--data", str(folders[0]))
    assert again.returncode == 0, again.stderr
    assert only(folders[0]).status == "complete"


@pytest.mark.drill
def test_four_commands_share_one_copy_of_a_local_model_and_answer_as_one_alone_does(
    machine: WorkerMachine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A command puts its own questions into one batch, which moves the last digits."""
    model = f"hfvlm/{tiny.save_llava(tmp_path / 'llava')}"
    with monkeypatch.context() as alone:
        alone.setenv("FEEDSWAY_WARM_S", "0")
        expected = [line.judgement.p_yes for line in rejudged(tmp_path / "cold", model)]
    with ThreadPoolExecutor(4) as pool:
        places = [tmp_path / f"d{number}" for number in range(4)]
        asked = pool.map(lambda place: rejudged(place, model), places)
        worker = machine.worker()
        answers = [[line.judgement.p_yes for line in lines] for lines in asked]
    assert [each.pid for each in machine.workers()] == [worker.pid]
    assert len(expected) == 4
    assert len(set(expected)) > 1
    for line in answers:
        assert line == pytest.approx(expected, abs=1e-6)
    until(machine.is_empty, LONG_S)


@pytest.mark.drill
def test_a_checkpoint_that_cannot_be_loaded_is_told_as_without_a_worker(
    machine: WorkerMachine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    keep_run(DataFolder(tmp_path / "d"), "r1", ["red"])
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "config.json").write_text('{"model_type": "bert"}', "utf-8")
    words = (
        "rejudge",
        "r1",
        "--model",
        f"hfvlm/{tmp_path / 'model'}",
        "--data",
        str(tmp_path / "d"),
    )
    warm = feedsway(*words)
    monkeypatch.setenv("FEEDSWAY_WARM_S", "0")
    cold = feedsway(*words)
    told = [
        line for line in warm.stderr.splitlines() if "is starting:" not in line
    ]  # if it is slow
    assert (warm.returncode, told) == (cold.returncode, cold.stderr.splitlines())
    assert warm.returncode == 2
    assert "does not answer in words about pictures" in warm.stderr
