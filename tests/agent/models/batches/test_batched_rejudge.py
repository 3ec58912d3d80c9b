"""Re-judging through batch services: paid once and remembered, whatever breaks on the way."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from agent.cli import cli
from agent.models.batches import desk
from store.runs.data_folder import DataFolder
from store.runs.payment_book import PaymentBook
from store.runs.rejudgements import RejudgedAnswer, judgement_files, read_judgements
from tests.agent.models.billing_server import BillingServer
from tests.agent.models.test_billing import need_client
from tests.agent.study.test_quote_against_ledger import study_with_runs
from tests.slow_cases import drills_but
from tests.store.samples import keep_run

pytestmark = [
    pytest.mark.filterwarnings("ignore:The 'initial' parameter:DeprecationWarning"),
    pytest.mark.filterwarnings("ignore:Inheritance class AiohttpClientSession:DeprecationWarning"),
]

GPT, CLAUDE, GEMINI = "openai/gpt-4o", "anthropic/claude-sonnet-5-5", "google/gemini-3.8-flash"
WAITS = {"TICK_S": 0.05, "GATHER_S": 2.0, "GRACE_S": 0.5}
VIDEOS = 8

two_services = pytest.mark.parametrize("model", [GPT, CLAUDE])
all_services = pytest.mark.parametrize("model", [GPT, CLAUDE, GEMINI])
in_processes = pytest.mark.parametrize("model", drills_but([GPT], [GPT, CLAUDE, GEMINI]))
"""Each costs the start of another program."""


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, seconds in WAITS.items():
        monkeypatch.setattr(desk, name, seconds)


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[BillingServer]:
    with BillingServer().running(monkeypatch) as running:
        yield running


@pytest.fixture
def data(tmp_path: Path) -> DataFolder:
    folder = DataFolder(tmp_path)
    keep_run(folder, "r1", ["red", "blue", "green", "purple"] * (VIDEOS // 4))
    return folder


def rejudge(data: DataFolder, model: str, *more: str, batch: bool = True) -> Result:
    words = ["rejudge", "r1", "--model", model, *more, "--data", str(data.root)]
    return CliRunner().invoke(cli, [*words, "--batch"] if batch else words)


def answers(data: DataFolder) -> list[RejudgedAnswer]:
    files = judgement_files(data.run_dir("r1"))
    return [line for file in files for line in read_judgements(file).asked]


def answered(data: DataFolder) -> int:
    return sum(line.judgement.answer == "yes" for line in answers(data))


def billed(server: BillingServer) -> Counter[str]:
    """How often each question of a batch was billed."""
    return Counter(bill.custom_id for bill in server.batch_bills)


def booked(data: DataFolder) -> PaymentBook:
    return PaymentBook(data.payments)


def spent(data: DataFolder) -> float:
    (file,) = judgement_files(data.run_dir("r1"))
    account = file.relative_to(data.root).with_suffix("").as_posix()
    return booked(data).balance([account]).cost_usd


@all_services
def test_the_first_question_is_asked_live_and_the_rest_at_half_the_price(
    model: str, server: BillingServer, data: DataFolder
) -> None:
    need_client(model)
    done = rejudge(data, model)
    assert done.exit_code == 0, done.output
    assert answered(data) == VIDEOS
    assert len(server.bills) == VIDEOS
    assert len(server.batch_bills) == VIDEOS - 1
    assert set(billed(server).values()) == {1}
    assert f"with {VIDEOS - 1} questions is with the provider" in done.output
    costs = sorted(line.judgement.usage.cost_usd or 0 for line in answers(data))
    assert costs[-1] == pytest.approx(2 * costs[0], rel=0.02)  # pictures differ by no token
    assert spent(data) == pytest.approx(sum(costs))
    assert not booked(data).standing()
    again = rejudge(data, model)
    assert "0 questions answered" in again.output
    assert len(server.bills) == VIDEOS


_IN_A_PROCESS = f"""
import sys
from agent.models.batches import desk
for name, seconds in {WAITS}.items():
    setattr(desk, name, seconds)
from agent.cli import cli
cli(sys.argv[1:])
"""


def start(data: DataFolder, model: str) -> subprocess.Popen[bytes]:
    words = ["rejudge", "r1", "--model", model, "--batch", "--data", str(data.root)]
    return subprocess.Popen(
        [sys.executable, "-c", _IN_A_PROCESS, *words],
        env=os.environ,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )


def wait_until(holds: Callable[[], bool], limit_s: float = 60) -> None:
    end = time.monotonic() + limit_s
    while not holds():
        assert time.monotonic() < end
        time.sleep(0.02)


@in_processes
def test_a_killed_program_finds_its_batch_again_and_pays_once(
    model: str, server: BillingServer, data: DataFolder
) -> None:
    need_client(model)
    server.knobs.hold = True
    with start(data, model) as program:
        wait_until(lambda: bool(server.batches) and _handed_over(data) == VIDEOS - 1)
        program.send_signal(signal.SIGKILL)
    assert len(booked(data).standing()) == VIDEOS - 1
    refused = rejudge(data, model, batch=False)
    assert refused.exit_code == 2
    assert "Type: the same with --batch" in refused.output
    server.release()
    done = rejudge(data, model)
    assert done.exit_code == 0, done.output
    assert f"Batch {server.batches[0].id.rpartition('/')[2]}" in done.output.replace("batches/", "")
    assert "is waited for" in done.output
    assert len(server.batches) == 1
    assert answered(data) == VIDEOS
    assert len(server.bills) == VIDEOS
    assert not booked(data).standing()


def _handed_over(data: DataFolder) -> int:
    book = booked(data)
    sent = [book.batch_of(call.id) for call in book.standing()]
    return sum(line is not None and line.batch is not None for line in sent)


@in_processes
def test_a_batch_whose_name_was_lost_with_the_program_is_found_by_the_next(
    model: str, server: BillingServer, data: DataFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Killed after the service took the batch, and before its reply."""
    need_client(model)
    server.knobs.hold = server.knobs.drop_reply_of_next_create = True
    monkeypatch.setitem(WAITS, "TICK_S", 60)
    program = subprocess.Popen(
        [sys.executable, "-c", _IN_A_PROCESS.replace("0.05", "60"), *_words(data, model)],
        env=os.environ,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    with program:
        wait_until(lambda: bool(server.batches))
        program.send_signal(signal.SIGKILL)
    assert _handed_over(data) == 0
    server.release()
    done = rejudge(data, model)
    assert done.exit_code == 0, done.output
    assert len(server.batches) == 1
    assert answered(data) == VIDEOS
    assert len(server.bills) == VIDEOS


def _words(data: DataFolder, model: str) -> list[str]:
    return ["rejudge", "r1", "--model", model, "--batch", "--data", str(data.root)]


@all_services
def test_a_batch_whose_reply_broke_off_is_found_by_the_same_program(
    model: str, server: BillingServer, data: DataFolder
) -> None:
    need_client(model)
    server.knobs.drop_reply_of_next_create = True
    done = rejudge(data, model)
    assert done.exit_code == 0, done.output
    assert len(server.batches) == 1
    assert answered(data) == VIDEOS
    assert len(server.bills) == VIDEOS


@two_services
def test_a_service_that_is_busy_is_handed_the_same_again(
    model: str, server: BillingServer, data: DataFolder
) -> None:
    server.knobs.refuse_create, server.knobs.refuse_polls = [429, 500], 2
    done = rejudge(data, model)
    assert done.exit_code == 0, done.output
    assert answered(data) == VIDEOS
    assert set(billed(server).values()) == {1}


@two_services
@pytest.mark.parametrize("knob", ["expire", "fail"])
def test_what_a_batch_did_not_answer_is_not_charged_and_asked_again(
    knob: str, model: str, server: BillingServer, data: DataFolder
) -> None:
    setattr(server.knobs, knob, [1, 3])
    done = rejudge(data, model)
    assert answered(data) == VIDEOS - 2
    assert "2 have no reply yet" in done.output
    assert not booked(data).standing()
    costs = [line.judgement.usage.cost_usd or 0 for line in answers(data)]
    assert spent(data) == pytest.approx(sum(costs))
    setattr(server.knobs, knob, ())
    done = rejudge(data, model)
    assert done.exit_code == 0, done.output
    assert answered(data) == VIDEOS
    assert len(server.bills) == VIDEOS


@two_services
def test_lost_results_count_as_paid_and_are_asked_again(
    model: str, server: BillingServer, data: DataFolder
) -> None:
    server.knobs.lose_lines = [0, 2]
    rejudge(data, model)
    assert answered(data) == VIDEOS - 2
    book = booked(data)
    assert not book.standing()
    paid = sum(line.judgement.usage.cost_usd or 0 for line in answers(data))
    assert spent(data) > paid
    server.knobs.lose_lines = ()
    rejudge(data, model)
    assert answered(data) == VIDEOS


def test_a_batch_that_ends_with_no_file_at_all_is_not_waited_for(
    server: BillingServer, data: DataFolder
) -> None:
    server.knobs.lose_results = True
    done = rejudge(data, GPT)
    assert answered(data) == 1
    assert f"{VIDEOS - 1} have no reply yet" in done.output
    assert not booked(data).standing()


def test_a_batch_that_is_refused_as_a_whole_says_why_and_costs_nothing(
    server: BillingServer, data: DataFolder
) -> None:
    server.knobs.reject_next = "token_limit_exceeded"
    done = rejudge(data, GPT)
    assert "token_limit_exceeded" in done.output
    assert "--connections 100" in done.output
    assert spent(data) == pytest.approx(answers(data)[0].judgement.usage.cost_usd or 0)
    done = rejudge(data, GPT)
    assert done.exit_code == 0, done.output
    assert answered(data) == VIDEOS


@two_services
def test_a_cap_waits_for_what_is_under_way_before_it_ends_the_asking(
    model: str, server: BillingServer, data: DataFolder
) -> None:
    """Calls are reserved at the live price of the first; a batch costs half of that."""
    live = _live_price(server, data, model)
    done = rejudge(data, model, "--seed", "2", "--max-cost", f"{live * (1.6 + VIDEOS / 2):.6f}")
    assert done.exit_code == 0, done.output
    assert answered(data) == VIDEOS + 1
    assert len(server.batches) > 1
    short = rejudge(data, model, "--seed", "3", "--max-cost", f"{live * 2.6:.6f}")
    assert short.exit_code != 0
    assert "The cap of" in short.output
    assert booked(data).standing() == []


def _live_price(server: BillingServer, data: DataFolder, model: str) -> float:
    """Ask one question at the full price."""
    server.knobs.reject_next = True
    rejudge(data, model, "--attempts", "1")
    return max(line.judgement.usage.cost_usd or 0 for line in answers(data))


def test_pictures_that_come_twice_are_paid_once(server: BillingServer, tmp_path: Path) -> None:
    data = DataFolder(tmp_path)
    keep_run(data, "r1", ["red", "blue", "red", "blue", "red", "red"])
    done = rejudge(data, GPT)
    assert done.exit_code == 0, done.output
    assert set(billed(server).values()) == {1}
    assert len(server.bills) <= len(answers(data)) == 6


@pytest.mark.parametrize("model", ["vllm/a", "embedded/conse", "openai/azure/gpt-4o"])
def test_a_model_without_a_batch_service_is_refused(model: str, data: DataFolder) -> None:
    done = rejudge(data, model)
    assert done.exit_code == 2
    assert "Type: the same without --batch" in done.output


def test_a_study_with_a_budget_is_judged_in_batches_for_what_the_quote_says(
    server: BillingServer, tmp_path: Path
) -> None:
    file, root = study_with_runs(tmp_path, GPT)
    data = DataFolder(root)
    done = CliRunner().invoke(
        cli,
        ["rejudge", "small", "--everyone", "--model", GPT, "--batch", "--data", str(root)],
    )
    assert done.exit_code == 0, done.output
    assert len(server.bills) == 36
    assert file.exists()
    assert not PaymentBook(data.payments).standing()


@two_services
def test_a_batch_is_as_large_as_its_own_command_says(
    model: str, server: BillingServer, data: DataFolder
) -> None:
    """Whatever a command before it in the same program pinned."""
    assert rejudge(data, model, "--connections", "1", "--max-cost", "0.01").exit_code == 0
    before = len(server.batches)
    done = rejudge(data, model, "--seed", "2")
    assert done.exit_code == 0, done.output
    assert len(server.batches) == before + 1
