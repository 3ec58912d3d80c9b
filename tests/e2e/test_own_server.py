"""``vllm/`` without an address: one server for all processes of a machine, and none afterwards."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import stat
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

import psutil
import pytest

from agent.judge.reply_cache import Cached
from agent.models import load
from agent.models.base import Question
from personas import strategies
from store.runs.data_folder import DataFolder
from store.runs.rejudgements import RejudgedAnswer, judgement_files, read_judgements
from tests.agent.models.made_models import frame
from tests.e2e.commands import LONG_S, feedsway, start, until
from tests.store.samples import keep_run

FAKE = Path(__file__).parents[1] / "agent" / "models" / "fake_vllm.py"
MODEL = "vllm/tiny/model"
VIDEOS = 8
COLOURS = ["red", "blue", "green", "purple"]


class Machine:
    """A machine with a ``vllm`` on its PATH, and a runtime folder of its own."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.starts = folder / "starts"
        for each in (self.starts, folder / "bin", folder / "runtime", folder / "site"):
            each.mkdir(mode=0o700)
        (folder / "site" / "vllm.py").touch()  # as if its package were installed
        command = folder / "bin" / "vllm"
        command.write_text(f'#!/bin/sh\nexec "{sys.executable}" "{FAKE}" "$@"\n')
        command.chmod(0o755)

    def environment(self, **more: str) -> dict[str, str]:
        """Return what a command finds around it."""
        mine = {
            "PATH": f"{self.folder / 'bin'}:{os.environ['PATH']}",
            "PYTHONPATH": f"{os.environ.get('PYTHONPATH', '')}:{self.folder / 'site'}",
            "XDG_RUNTIME_DIR": str(self.folder / "runtime"),
            "FAKE_VLLM": str(self.starts),
            "FAKE_VLLM_START_S": "2",
        }
        rest = {key: value for key, value in os.environ.items() if not key.startswith("VLLM_")}
        return {**rest, **mine, **more}

    def data(self, name: str, videos: int = VIDEOS) -> Path:
        """Return a data folder with one run."""
        folder = self.folder / name
        keep_run(DataFolder(folder), "r1", (COLOURS * videos)[:videos])
        return folder

    def servers(self) -> list[dict[str, Any]]:
        """Return what was told about each start."""
        return [json.loads(path.read_text()) for path in sorted(self.starts.glob("*.json"))]

    def living(self) -> list[int]:
        """Return the processes that belong to any server or to its keeper."""
        started = [pid for told in self.servers() for pid in (told["pid"], told["worker"])]
        found = [pid for pid in started if _lives(pid)]
        for process in psutil.process_iter(["cmdline"]):
            words = " ".join(process.info["cmdline"] or [])
            if "agent.models.local_server" in words and str(self.folder) in words:
                found.append(process.pid)
        return found


def _lives(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


# inspect_ai calls tenacity in a way that tenacity 9.2 has deprecated; it is theirs to mend
pytestmark = pytest.mark.filterwarnings("ignore:The 'initial' parameter:DeprecationWarning")


@pytest.fixture
def machine(tmp_path: Path) -> Iterator[Machine]:
    made = Machine(tmp_path)
    yield made
    for pid in made.living():
        os.kill(pid, signal.SIGKILL)


def rejudge(data: Path, *more: str) -> tuple[str, ...]:
    return ("rejudge", "r1", "--model", MODEL, "--data", str(data), *more)


def answers(data: Path) -> list[RejudgedAnswer]:
    files = judgement_files(DataFolder(data).run_dir("r1"))
    return [line for file in files for line in read_judgements(file).asked]


@pytest.mark.drill
def test_processes_share_one_server_that_ends_with_the_last_and_nothing_is_lost(
    machine: Machine,
) -> None:
    """Also where users are killed while it starts and while it answers."""
    env = machine.environment()
    folders = [machine.data(f"d{number}") for number in range(2)]
    doomed = [machine.data(f"k{number}", 400) for number in range(2)]
    log = machine.folder / "log"
    started = [start(*rejudge(folder), log=log, env=env) for folder in folders]
    early, late = (start(*rejudge(folder), log=log, env=env) for folder in doomed)
    until(lambda: bool(machine.servers()), LONG_S)
    early.kill()
    early.wait()
    assert [process.wait(timeout=LONG_S) for process in started] == [0, 0], log.read_text()
    until(lambda: bool(answers(doomed[1])), LONG_S)
    assert machine.living(), "somebody still asks it"
    late.kill()
    late.wait()
    until(lambda: not machine.living(), LONG_S)
    for folder in folders:
        assert [line.judgement.answer for line in answers(folder)] == ["yes"] * VIDEOS
    (server,) = machine.servers()
    assert server["host"] == "127.0.0.1"
    assert len(server["key"]) >= 32
    assert server["key"] not in " ".join(server["argv"]), "a list of processes would show it"
    assert "is starting" in log.read_text()
    assert server["key"] not in log.read_text()


def test_neither_port_nor_key_is_part_of_who_answers(
    machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The same model behind another server has the same fingerprint, settings and kept replies."""
    for name, text in machine.environment(FAKE_VLLM_START_S="0").items():
        monkeypatch.setenv(name, text)
    question = Question(strategies.build("plain", None), (frame(colour="red"),))
    told, tallies = [], []

    async def ask() -> None:
        model = Cached(load(MODEL), machine.folder / "kept")
        try:
            assert (await model.ask(question)).text == "Yes."
            told.append((model.fingerprint, cast("Any", model)._model.settings))
            tallies.append((model.tally.asked, model.tally.kept))
        finally:
            await model.close()

    for _ in range(2):
        asyncio.run(ask())
        until(lambda: not machine.living(), LONG_S)
    first, second = machine.servers()
    assert first["key"] != second["key"]
    assert told[0] == told[1]
    assert tallies == [(1, 0), (0, 1)]
    kept = [path for path in (machine.folder / "kept").rglob("*") if path.is_file()]
    assert len(kept) == 1
    for secret in (first["key"], second["key"], str(first["port"])):
        assert secret not in kept[0].read_text() + json.dumps(told)


@pytest.mark.drill
def test_waiting_is_outside_of_every_limit(machine: Machine) -> None:
    """A server that starts for longer than a question or an attempt may take loses no answer."""
    data = machine.data("d")
    done = feedsway(*rejudge(data), env=machine.environment(FAKE_VLLM_START_S="75"))
    assert done.returncode == 0, done.stderr
    assert [line.judgement.missing for line in answers(data)] == [None] * VIDEOS
    assert done.stderr.count("is starting") >= 3
    assert len(machine.servers()) == 1


@pytest.mark.drill
def test_a_server_that_does_not_start_is_told_in_one_sentence(machine: Machine) -> None:
    done = feedsway(*rejudge(machine.data("d")), env=machine.environment(FAKE_VLLM_FAILS="1"))
    assert done.returncode == 1
    assert "did not start" in done.stderr
    assert "Traceback" not in done.stderr
    (log,) = (machine.folder / "runtime").rglob("server.log")
    assert str(log) in done.stderr
    assert "no GPU here" in log.read_text()
    until(lambda: not machine.living(), LONG_S)


@pytest.mark.drill
def test_ctrl_c_while_it_starts_ends_the_server_too(machine: Machine) -> None:
    env = machine.environment(FAKE_VLLM_START_S="60")
    process = start(*rejudge(machine.data("d")), log=machine.folder / "log", env=env)
    until(lambda: bool(machine.servers()), LONG_S)
    process.send_signal(signal.SIGINT)
    assert process.wait(timeout=LONG_S) == 130
    until(lambda: not machine.living(), LONG_S)


@pytest.mark.drill
def test_a_killed_keeper_leaves_no_server_and_the_next_command_starts_another(
    machine: Machine,
) -> None:
    env = machine.environment(FAKE_VLLM_START_S="0")
    process = start(*rejudge(machine.data("d", 400)), log=machine.folder / "log", env=env)
    until(lambda: (machine.starts / "answers").exists(), LONG_S)
    (server,) = machine.servers()
    runtime = machine.folder / "runtime" / "feedsway"
    (address,) = runtime.rglob("address.json")
    assert stat.S_IMODE(runtime.stat().st_mode) == 0o700
    assert stat.S_IMODE(address.stat().st_mode) == 0o600
    keepers = [pid for pid in machine.living() if pid not in (server["pid"], server["worker"])]
    assert len(keepers) == 1
    os.kill(keepers[0], signal.SIGKILL)
    until(lambda: not _lives(server["pid"]))
    process.kill()
    process.wait()
    done = feedsway(*rejudge(machine.data("e")), env=env)
    assert done.returncode == 0, done.stderr
    until(lambda: not machine.living(), LONG_S)


def test_without_vllm_it_says_what_to_type(machine: Machine) -> None:
    env = machine.environment(PATH=str(Path(sys.executable).parent))
    done = feedsway(*rejudge(machine.data("d")), env=env)
    assert done.returncode == 2
    assert done.stderr.strip().endswith("Type: pip install vllm")
