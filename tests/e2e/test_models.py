"""Whole runs with models that are no fakes: one behind HTTP, one in the run's own process.

What a tiny model answers is not judged; what the code does with it is.
"""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from shutil import rmtree
from subprocess import CompletedProcess

import pytest

from agent.models.local_vlm import HfVlm
from store.frames.frame_store import FrameStore
from store.runs.data_folder import DataFolder
from store.runs.ledger import Ledger, read
from store.runs.ledger_lines import Usage
from store.runs.payment_book import PaymentBook
from store.runs.rejudgements import RejudgedAnswer, judgement_files, read_judgements
from tests.agent.models import tiny
from tests.agent.models.fault_server import Server, answering, frames_of
from tests.e2e.commands import feedsway, until

CANARY = "sk-canary-7c2e91d4"
MODEL = "openai-api/loopback/tiny"
VIDEOS = 6


@dataclass
class Place:
    """A server with a tiny model behind it, and a data folder."""

    server: Server
    data: Path
    checkpoint: Path

    def feedsway(self, *words: str, way: str = "model", data: bool = True) -> CompletedProcess[str]:
        env = {
            **os.environ,
            "LOOPBACK_BASE_URL": f"{self.server.url}/{way}/v1",
            "LOOPBACK_API_KEY": CANARY,
        }
        where = ("--data", str(self.data)) if data else ()
        done = feedsway(*words, *where, env=env)
        assert CANARY not in done.stdout + done.stderr
        return done

    def run(self, *more: str, model: str = MODEL, way: str = "model") -> CompletedProcess[str]:
        words = ("run", "--persona", "p12", "--no-index", "--json", "--model", model)
        return self.feedsway(*words, *more, way=way)


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    checkpoint = tiny.save_llava(tmp_path_factory.mktemp("llava"))
    model = HfVlm.load(f"hfvlm/{checkpoint}", device="cpu")
    with Server(answering(model)).running() as server:
        yield Place(server, tmp_path_factory.mktemp("data"), checkpoint)


@pytest.fixture(scope="module")
def done(place: Place) -> CompletedProcess[str]:
    windows = ("--before", str(VIDEOS // 2), "--after", str(VIDEOS // 2))
    return place.run(*windows, "--frames", "2", "--frame-span", "1")


def whole(place: Place, done: CompletedProcess[str]) -> Ledger:
    assert done.returncode == 0, done.stderr
    return read(DataFolder(place.data).find_run(json.loads(done.stdout)["run"]["run_id"]))


def asked_again(place: Place, run_id: str) -> list[RejudgedAnswer]:
    files = judgement_files(DataFolder(place.data).run_dir(run_id))
    return [line for file in files for line in read_judgements(file).asked]


def test_a_run_over_http_is_whole(place: Place, done: CompletedProcess[str]) -> None:
    ledger = whole(place, done)
    steps = [step for step in ledger.steps if step.eligible]
    assert (ledger.status, len(steps)) == ("complete", VIDEOS)
    assert place.server.requests["model"] == VIDEOS
    store = FrameStore(DataFolder(place.data).frames_dir)
    for step, body in zip(steps, place.server.bodies, strict=True):
        assert step.judgement.answer in ("yes", "no")
        assert step.judgement.usage.input_tokens
        assert len(step.frames) == 2
        assert frames_of(body) == [store.read(frame.sha256) for frame in step.frames]
        assert step.judgement.reason is None, "a reason costs tokens and was not asked for"
    assert f"Bearer {CANARY}" in place.server.keys
    assert done.stderr.count("are sent to loopback") == 1


@pytest.mark.drill
def test_no_key_is_kept_or_told(place: Place, done: CompletedProcess[str]) -> None:
    """Also not where the service repeats it in what it says about a failure."""
    failed = place.run("--before", "2", "--after", "0", "--max-missing", "0", way="400")
    steps = whole(place, failed).steps
    assert {s.judgement.missing for s in steps if s.eligible} == {"failed"}
    refused = place.run("--before", "2", "--after", "0", "--new", way="401")
    assert refused.returncode == 2
    assert "refuses the key" in refused.stderr
    files = [path for path in place.data.rglob("*") if path.is_file()]
    assert len(files) > VIDEOS
    assert [path for path in files if CANARY.encode() in path.read_bytes()] == []


def tokens(usages: Iterable[Usage]) -> int:
    return sum((usage.input_tokens or 0) + (usage.output_tokens or 0) for usage in usages)


@pytest.mark.drill
def test_a_run_stops_at_its_cap_and_a_restart_remembers(
    place: Place, done: CompletedProcess[str]
) -> None:
    each = max(tokens([step.judgement.usage]) for step in whole(place, done).steps)
    cap = 3 * each + 1
    words = ("--before", "3", "--after", "3", "--seed", "9", "--max-tokens", str(cap))
    place.server.requests.clear()
    for _ in range(2):
        stopped = place.run(*words)
        assert stopped.returncode == 1
        assert "Type the same command with a higher cap" in stopped.stderr
        assert place.server.requests["model"] == 3
    ledger = read(DataFolder(place.data).find_run("latest"))
    assert (ledger.status, len(ledger.resumes)) == ("interrupted", 1)
    assert [fault.fault for fault in ledger.faults] == ["BudgetSpent", "BudgetSpent"]
    assert cap - each < tokens(step.judgement.usage for step in ledger.steps) <= cap


@pytest.mark.drill
def test_rejudging_stops_at_its_cap_too(place: Place, done: CompletedProcess[str]) -> None:
    run_id = whole(place, done).started.run_id
    words = ("rejudge", run_id, "--model", MODEL, "--mirrored", "--max-tokens", "2500")
    place.server.requests.clear()
    stopped = place.feedsway(*words)
    assert stopped.returncode == 1
    assert "The cap of 2,500 tokens" in stopped.stderr
    assert stopped.stderr.count("are sent to loopback") == 1
    usages = [line.judgement.usage for line in asked_again(place, run_id)]
    assert 0 < tokens(usages) <= 2500
    assert sum(u.calls for u in usages if not u.cached) == place.server.requests["model"]


@pytest.mark.drill
def test_rejudging_with_kept_replies_calls_nobody_and_says_the_same(
    place: Place, done: CompletedProcess[str]
) -> None:
    run_id = whole(place, done).started.run_id
    words = ("rejudge", run_id, "--model", MODEL, "--repeats", "2", "--seed", "5")
    folder = DataFolder(place.data).run_dir(run_id) / "judgements"
    said = []
    for _ in range(2):
        rmtree(folder, ignore_errors=True)
        place.server.requests.clear()
        told = place.feedsway(*words)
        assert told.returncode == 0, told.stderr
        lines = asked_again(place, run_id)
        said.append({line.key: (line.judgement.answer, line.judgement.reply) for line in lines})
    assert len(said[0]) == 2 * VIDEOS
    assert said[0] == said[1]
    assert place.server.requests["model"] == 0
    assert f"{2 * VIDEOS} replies were kept from before, 0 were asked for" in told.stdout


@pytest.mark.drill
def test_a_judge_is_checked_over_http(place: Place) -> None:
    words = ("judge-check", "--model", MODEL, "--personas", "2", "--per-theme", "1", "--json")
    place.server.requests.clear()
    done = place.feedsway(*words, "--max-tokens", "100000000")
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    calls = place.server.requests["model"]
    account = f"judge-check/{MODEL}/simple/1/2/1"
    booked = PaymentBook(DataFolder(place.data).payments).balance([account])
    assert (booked.calls, booked.tokens) == (calls, told["spent"]["tokens"])
    assert told["measures"]["same answer when asked again"]["value"] == 1  # it does not sample
    assert told["measures"]["no answer, for any reason"]["value"] == 0
    pairs = told["measures"]["says yes"]["answers"]
    assert calls == 2 * told["videos"] + 9 * pairs, "a kept reply was used, or one asked twice"
    assert told["spent"]["tokens"] > 100 * calls


@pytest.mark.drill
def test_a_run_with_a_model_of_its_own_process_knows_p_yes(place: Place) -> None:
    words = ("--before", "2", "--after", "2", "--explain", "yes")
    done = place.run(*words, model=f"hfvlm/{place.checkpoint}")
    ledger = whole(place, done)
    steps = [step for step in ledger.steps if step.eligible]
    assert (len(steps), ledger.started.config["explain"]) == (4, "yes")
    assert "llava" in done.stderr
    assert "are sent to" not in done.stderr
    for step in steps:
        assert step.judgement.answer == "no"
        assert step.judgement.p_yes is not None
        assert 0 < step.judgement.p_yes < 0.5
        assert step.judgement.usage.output_tokens == 1, "a no is not explained"


@pytest.fixture
def own_server(place: Place, tmp_path: Path) -> Iterator[str]:
    """Transformers' own server with the tiny model; yields its address."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "tests.agent.models.serving", str(place.checkpoint)]
    options = ["--host", "127.0.0.1", "--port", str(port), "--device", "cpu"]
    environment = {**os.environ, "HF_HUB_OFFLINE": "1"}
    with (tmp_path / "server.log").open("wb") as log:
        server = subprocess.Popen([*command, *options], env=environment, stdout=log, stderr=log)
    try:
        until(lambda: server.poll() is not None or listens(port), limit_s=120)
        yield f"http://127.0.0.1:{port}/v1"
    finally:
        server.terminate()
        server.wait()


def listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


@pytest.mark.drill
@pytest.mark.timeout(1800)  # it makes 2,048 tokens a video, in 45 seconds on a busy machine
def test_a_whole_run_on_a_server_that_others_made(place: Place, own_server: str) -> None:
    env = {**os.environ, "LOOPBACK_BASE_URL": own_server, "LOOPBACK_API_KEY": CANARY}
    words = ["run", "--persona", "p12", "--no-index", "--json", "--data", str(place.data)]
    model = f"openai-api/loopback/{place.checkpoint}"
    windows = ["--before", "4", "--after", "4"]
    done = feedsway(*words, *windows, "--model", model, env=env, timeout=1200)
    steps = [step for step in whole(place, done).steps if step.eligible]
    assert len(steps) == 8
    for step in steps:
        judged = step.judgement
        assert judged.fault is None
        assert judged.reply
        assert judged.usage.input_tokens
        assert judged.usage.output_tokens
        assert (judged.answer is None) == (judged.missing == "unreadable")
    windows = ["--before", "2", "--after", "0", "--max-missing", "0"]
    other = feedsway(*words, *windows, "--model", MODEL, env=env)
    for step in whole(place, other).steps:  # the server has one model and refuses another name
        assert step.judgement.missing == "failed"
        assert "status 400" in (step.judgement.fault or "")
