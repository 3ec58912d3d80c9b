"""Commands on a data folder in a real S3 server: begun on one machine, finished on another.

Each machine has a cache of its own, and dies by ``kill -9`` with all its processes.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest

from store.jsonl.mirrors import CACHE_MARK
from store.runs.data_folder import DataFolder
from store.runs.ledger import read
from store.runs.payment_book import PaymentBook
from tests.agent.evaluation.test_shards import answers, persona
from tests.agent.models.fault_server import Server
from tests.agent.study.test_shards import study_file
from tests.store.remote.stores import child_environment
from tests.store.samples import COLOURS, keep_run

ROOT = Path(__file__).parents[3]
LEASE_S = 15.0
PATIENCE_S = LEASE_S + 6.0
RUN = ["run", "--persona", "p12", "--before", "6", "--after", "6", "--no-index"]


class Machine:
    """A cache of its own, and the commands typed there."""

    def __init__(self, cache: Path, url: str) -> None:
        self.cache, self.url = cache, url
        self.env = child_environment(cache, LEASE_S)

    @property
    def data(self) -> DataFolder:
        (mark,) = self.cache.glob(f"*/*/{CACHE_MARK}")  # by service, and by URL
        return DataFolder(mark.parent)

    def words(self, *words: str, package: str = "agent") -> list[str]:
        return [sys.executable, "-m", package, *words, "--data", self.url]

    def type(self, *words: str, package: str = "agent") -> subprocess.CompletedProcess[str]:
        told = self.words(*words, package=package)
        return subprocess.run(
            told, cwd=ROOT, env=self.env, capture_output=True, text=True, check=False
        )

    def type_until_free(self, *words: str) -> subprocess.CompletedProcess[str]:
        """Type a command again for as long as a dead machine's leases last."""
        began = time.monotonic()
        while True:
            done = self.type(*words)
            free_by = time.monotonic() - began > PATIENCE_S + 10.0
            if done.returncode == 0 or free_by or "is free at" not in done.stderr:
                return done

    def die(self, words: list[str], ripe: Callable[[], bool]) -> bool:
        """Start a command and kill all of it once something holds; tell whether it was killed."""
        with subprocess.Popen(
            words, cwd=ROOT, env=self.env, stdout=-3, stderr=-3, start_new_session=True
        ) as child:
            while child.poll() is None and not ripe():
                time.sleep(0.02)
            killed = child.poll() is None
            with_children = _descendants(child.pid)
            for pid in (child.pid, *with_children):
                _kill(pid)
        return killed

    def steps(self) -> int:
        found = self.cache.glob("*/*/runs/*/ledger.jsonl")
        return sum(path.read_bytes().count(b'"kind":"step"') for path in found)


def _descendants(pid: int) -> list[int]:
    import psutil

    try:
        return [child.pid for child in psutil.Process(pid).children(recursive=True)]
    except psutil.NoSuchProcess:
        return []


def _kill(pid: int) -> None:
    try:
        os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:
        return


@pytest.fixture
def machines(bucket: str, tmp_path: Path) -> tuple[Machine, Machine]:
    return Machine(tmp_path / "one", bucket), Machine(tmp_path / "two", bucket)


@pytest.mark.drill
def test_a_run_goes_on_where_another_machine_died(machines: tuple[Machine, Machine]) -> None:
    one, two = machines
    words = [*RUN, "--account", "watcher"]
    assert one.die(one.words(*words), lambda: one.steps() >= 3)
    died = time.monotonic()
    refused = two.type(*words)
    if refused.returncode:  # a slow machine may find it free already
        assert refused.returncode == 2, refused.stderr
        assert "is being written by process" in refused.stderr
        assert "if that machine is dead, it is free at" in refused.stderr
    done = two.type_until_free(*words)
    assert done.returncode == 0, done.stderr
    assert time.monotonic() - died < PATIENCE_S + 60.0
    (run,) = two.data.runs()
    assert (run.status, run.steps) == ("complete", 12)
    assert len(read(run.path).resumes) == 1
    sound = one.type("verify", package="store")
    assert sound.returncode == 0, sound.stdout + sound.stderr
    assert [run.status for run in one.data.runs()] == ["complete"]
    assert not (one.data.root / ".aside").exists()
    assert "not-to-be-shown" not in done.stderr + sound.stdout + refused.stderr


def test_two_machines_want_one_account(machines: tuple[Machine, Machine]) -> None:
    """Both start at once; one watches, and the other is told who does."""
    starts = []
    for seed, machine in enumerate(machines):
        words = machine.words(*RUN, "--account", "watcher", "--seed", str(seed))
        starts.append(
            subprocess.Popen(words, cwd=ROOT, env=machine.env, stdout=-3, stderr=-1, text=True)
        )
    told = [child.communicate()[1] for child in starts]
    codes = [child.returncode for child in starts]
    assert sorted(codes) == [0, 2], told
    assert "in use by process" in told[codes.index(2)]


@pytest.mark.drill
def test_a_study_is_finished_by_another_machine(
    machines: tuple[Machine, Machine], tmp_path: Path
) -> None:
    """Twelve cells; each machine in turn is killed after some steps more."""
    words = ["study", str(study_file(tmp_path)), "--no-index"]
    kills = 0
    for number in range(5):
        machine = machines[number % 2]
        goal = 6 + 10 * number
        began = time.monotonic()
        while not machine.die(machine.words(*words), lambda: machine.steps() >= goal):  # noqa: B023
            assert time.monotonic() - began < PATIENCE_S + 60.0, "a dead machine's lease stays"
        kills += 1
    done = machines[1].type_until_free(*words)
    assert done.returncode == 0, done.stderr
    third = Machine(tmp_path / "three", machines[0].url)
    assert third.type("verify", package="store").returncode == 0
    runs = third.data.runs()
    cells = Counter(run.started.config["cell"] for run in runs if run.started)
    assert (len(cells), set(cells.values())) == (12, {1})
    assert {run.status for run in runs} == {"complete"}
    finished = [read(run.path).finished for run in runs]  # a step cut off is one more, and no view
    assert [end.eligible for end in finished if end is not None] == [6] * 12
    assert kills == 5


@pytest.mark.drill
def test_a_paid_question_is_paid_once_on_many_machines(bucket: str, tmp_path: Path) -> None:
    home = DataFolder(tmp_path / "begun")
    for number, name in enumerate(("ann", "bob", "cid")):
        study = {"study": "many", "cell": name}
        keep_run(
            home, f"r-{name}", COLOURS[number : number + 6], persona=persona(name), config=study
        )
    home.study_dir("many").mkdir(parents=True)
    (home.study_dir("many") / "study.toml").write_bytes(b"")
    first = Machine(tmp_path / "m0", bucket)
    put = first.type("merge", str(home.root), package="store")
    assert put.returncode == 0, put.stderr
    words = ["rejudge", "many", "--everyone", "--model", "openai-api/loopback/yes"]
    words += ["--connections", "1"]
    with Server().running() as server:
        kills = 0
        for number in range(1, 6):
            machine = Machine(tmp_path / f"m{number % 3}", bucket)
            machine.env |= {"LOOPBACK_BASE_URL": f"{server.url}/yes/v1", "LOOPBACK_API_KEY": "none"}
            before = server.requests["yes"]
            began = time.monotonic()
            while not machine.die(
                machine.words(*words),
                lambda: server.requests["yes"] >= before + 6,  # noqa: B023
            ):
                assert time.monotonic() - began < PATIENCE_S + 60.0
            kills += 1
        machine = Machine(tmp_path / "last", bucket)
        machine.env |= {"LOOPBACK_BASE_URL": f"{server.url}/yes/v1", "LOOPBACK_API_KEY": "none"}
        done = machine.type_until_free(*words)
        assert done.returncode == 0, done.stderr
        paid = server.requests["yes"]
        again = machine.type(*words)
        assert "0 questions answered" in again.stdout, again.stderr
        assert server.requests["yes"] == paid
    said = answers(machine.data.root)
    questions = sum(map(len, said.values()))
    assert questions == 3 * 3 * 6
    assert questions <= paid <= questions + kills  # a call under way at a kill is sent again
    accounts = [Path(name).with_suffix("").as_posix() for name in said]
    assert PaymentBook(machine.data.payments).balance(accounts).calls == paid
    shutil.rmtree(tmp_path / "m0")


INDEXER = (
    "from store import encoders; from tests.store.samples import ColourEncoder\n"
    "encoders.load = lambda name, device=None: ColourEncoder()\n"
    "from store.cli.main import main; main()"
)


@pytest.mark.drill
def test_five_thousand_frames_are_embedded_where_another_machine_died(
    bucket: str, tmp_path: Path
) -> None:
    """Each machine has an index of its own; the frames come from the store, each once."""
    home = DataFolder(tmp_path / "begun")
    for run in range(10):
        colours = [COLOURS[number % len(COLOURS)] for number in range(500)]
        keep_run(home, f"r-{run}", colours, first=500 * run)
    one, two = Machine(tmp_path / "one", bucket), Machine(tmp_path / "two", bucket)
    put = one.type("merge", str(home.root), package="store")
    assert put.returncode == 0, put.stderr
    words = [sys.executable, "-c", INDEXER, "index", "--data", bucket]
    kills = 0
    for machine in (one, one, two, two, two):
        began = time.monotonic()
        wait_s = 2.0 + 1.5 * kills
        kills += machine.die(words, lambda: time.monotonic() - began > wait_s)  # noqa: B023
    for machine in (one, two):
        done = subprocess.run(
            words, cwd=ROOT, env=machine.env, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr
        assert "the index holds 5000" in done.stdout.replace(",", "")
    assert kills >= 3
    assert two.type("verify", package="store").returncode == 0
