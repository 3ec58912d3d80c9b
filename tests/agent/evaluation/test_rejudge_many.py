"""Many runs are asked about again with few descriptors, and made-up or imported ones at all."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from analysis.examples.study import PERSONAS, traits_of, write_example
from personas.persona import Persona
from store.dataset.import_screenshots import Collection, bring_in
from store.errors import RunLocked
from store.jsonl.atomic import write_whole
from store.privacy.forget import forget
from store.privacy.forget_plan import Request
from store.runs.data_folder import DataFolder
from store.runs.ledger_lines import PersonaRecord
from store.runs.rejudgements import (
    JudgementWriter,
    RejudgementHeader,
    judgement_files,
    read_judgements,
)
from tests.store.samples import COLOURS, START, jpeg, keep_run

ROOT = Path(__file__).parents[3]
HOLDER = """
import sys
from pathlib import Path
from store.runs.data_folder import DataFolder
from store.runs.rejudgements import JudgementWriter
from tests.agent.evaluation.test_rejudge_many import judge
data = DataFolder(Path(sys.argv[1]))
one = judge(sys.argv[2])
writer = JudgementWriter(one.path(data.run_dir(one.run_id)), one, data.answers_lock)
print("held", flush=True)
sys.stdin.read()
"""


def judge(run_id: str) -> RejudgementHeader:
    """A judge of one run."""
    return RejudgementHeader(
        run_id=run_id, model="m", strategy="simple", prompts={}, seed=1, at=START, code_version="0"
    )


def open_answers(data: DataFolder, run_id: str) -> JudgementWriter:
    one = judge(run_id)
    return JudgementWriter(one.path(data.run_dir(run_id)), one, data.answers_lock)


def rejudge(
    data: DataFolder, *words: str, descriptors: int = 256
) -> subprocess.CompletedProcess[str]:
    """The public command, with so many descriptors."""
    limited = f'ulimit -n {descriptors}; exec "$0" -m agent rejudge "$@"'
    command = ["bash", "-c", limited, sys.executable, *words, "--data", str(data.root)]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)


def _ask_about(data: DataFolder, runs: int, descriptors: int) -> None:
    for number in range(runs):
        keep_run(data, f"r{number:03}", ["red"], config={"study": "many"})
    write_whole(data.study_dir("many") / "study.toml", b"")
    done = rejudge(data, "many", "--model", "scripted/coin?p=0.5", descriptors=descriptors)
    assert done.returncode == 0, done.stderr[-2000:]
    assert f"{runs} questions answered about {runs} runs." in done.stdout
    files = [
        path for number in range(runs) for path in judgement_files(data.run_dir(f"r{number:03}"))
    ]
    assert [len(read_judgements(path).asked) for path in files] == [1] * runs


def test_thirty_runs_with_forty_descriptors(tmp_path: Path) -> None:
    _ask_about(DataFolder(tmp_path / "data"), 30, 40)


@pytest.mark.drill
def test_three_hundred_runs_with_256_descriptors(tmp_path: Path) -> None:
    _ask_about(DataFolder(tmp_path / "data"), 300, 256)


def test_a_file_of_answers_has_one_writer_all_the_same(tmp_path: Path) -> None:
    data = DataFolder(tmp_path)
    keep_run(data, "r1", COLOURS[:1])
    keep_run(data, "r2", COLOURS[:1])
    command = [sys.executable, "-c", HOLDER, str(data.root), "r1"]
    with subprocess.Popen(command, cwd=ROOT, stdin=-1, stdout=-1) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == b"held\n"
        with open_answers(data, "r2"):
            with pytest.raises(RunLocked, match=f"process {other.pid} "):
                open_answers(data, "r1")
            with pytest.raises(RunLocked, match="r2 is being written by process"):
                open_answers(data, "r2")
        with pytest.raises(RunLocked, match=f"process {other.pid} "):
            forget(data, Request(asked="video", value="r1-0", at=START))
        other.kill()  # the lock goes with its holder
    with open_answers(data, "r1"), open_answers(data, "r2"):
        pass
    with open_answers(data, "r1"):  # closing is letting go
        pass


@pytest.mark.drill
def test_the_made_up_study_can_be_asked_about(tmp_path: Path) -> None:
    data = write_example(tmp_path)
    done = rejudge(data, "example", "--everyone", "--model", "scripted/coin?p=0.5", "--seed", "3")
    assert (done.returncode, done.stderr.count("Traceback")) == (0, 0), done.stderr[-2000:]
    assert f"questions answered about {len(PERSONAS)} runs." in done.stdout


def test_its_personas_are_personas() -> None:
    for name in PERSONAS:
        assert len(Persona(id=name, traits=traits_of(name)).traits) == 3


def test_a_persona_is_asked_as_it_was(tmp_path: Path) -> None:
    """Whatever a persona's file may hold today: older made-up studies have one trait each."""
    data = DataFolder(tmp_path)
    one = PersonaRecord(id="kim", traits=("I surf before work.",), source="example", licence="MIT")
    keep_run(data, "r1", COLOURS[:2], persona=one)
    done = rejudge(data, "r1", "--model", "scripted/coin?p=0.5")
    assert "2 questions answered about 1 run." in done.stdout, done.stderr[-2000:]


def test_pictures_that_nobody_watched_are_asked_about_plainly(tmp_path: Path) -> None:
    data = DataFolder(tmp_path / "data")
    write_whole(tmp_path / "a.jpg", jpeg("blue"))
    write_whole(tmp_path / "a.csv", b"file\na.jpg\n")
    done = bring_in(data, Collection(tmp_path, tmp_path / "a.csv", "mine", "CC0", "0"), START)
    words = (done.run_id, "--model", "scripted/coin?p=0.5")
    refused = rejudge(data, *words)
    assert refused.returncode == 2
    assert "Traceback" not in refused.stderr
    assert refused.stderr.strip().endswith("Type: the same with --strategy plain")
    assert "1 question answered" in rejudge(data, *words, "--strategy", "plain").stdout
