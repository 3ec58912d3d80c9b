"""Users, workers and keepers killed at random: whole answers, and nothing left behind."""

from __future__ import annotations

import random
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from tests.agent.models.worker_machine import LINGER_S, WorkerMachine, worker_machine
from tests.e2e.commands import until

USERS = 4
KILLS = 25
PROGRAM = """
import asyncio
from agent.errors import ModelFailed
from tests.agent.models.test_warm_model import opened, question

async def ask(model, number):
    try:
        return (await model.ask(question(("red", "blue", "green")[number]))).text
    except ModelFailed:
        return "failed"

async def ask_on():
    model = opened("scripted/yes?latency=0.05")
    while True:
        for answer in await asyncio.gather(*(ask(model, number) for number in range(3))):
            print(answer, flush=True)

asyncio.run(ask_on())
"""


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[WorkerMachine]:
    with worker_machine(tmp_path, monkeypatch) as made:
        yield made


def start_user(log: Path) -> subprocess.Popen[bytes]:
    with log.open("ab") as stream:
        return subprocess.Popen([sys.executable, "-c", PROGRAM], stdout=stream)


@pytest.mark.drill
def test_whoever_is_killed_every_answer_is_whole_and_nothing_stays(
    machine: WorkerMachine, tmp_path: Path
) -> None:
    rng, logs = random.Random(1), [tmp_path / f"log{number}" for number in range(USERS)]
    users = [start_user(log) for log in logs]
    try:
        for _ in range(KILLS):
            time.sleep(rng.uniform(0.3, 2))
            place = rng.randrange(USERS)
            kind = rng.choice(["user", "worker", "keeper"])
            victims = machine.workers() if kind == "worker" else machine.keepers()
            if kind == "user":
                users[place].kill()
                users[place].wait()
            elif victims:
                kill(victims[0])
            for number, user in enumerate(users):
                if user.poll() is not None:
                    users[number] = start_user(logs[number])
        sizes = [log.stat().st_size for log in logs]
        until(lambda: all(log.stat().st_size > size for log, size in zip(logs, sizes, strict=True)))
        assert len(machine.workers()) == 1
    finally:
        for user in users:
            user.kill()
            user.wait()
    answers = [word for log in logs for word in log.read_text("utf-8").split()]
    assert set(answers) <= {"Yes", "failed"}
    assert answers.count("Yes") > 10 * answers.count("failed")
    until(machine.is_empty, LINGER_S + 20)


def kill(process: psutil.Process) -> None:
    try:
        process.kill()
    except psutil.NoSuchProcess:
        return  # it was about to end
