"""Batch services that break in ways beyond the usual: nothing paid is lost, nothing paid twice."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from agent.cli import cli
from agent.models.batches import desk
from agent.models.batches.service import BatchService
from store.errors import DataUnwritable
from store.runs.data_folder import DataFolder
from store.runs.payment_book import BatchSent, PaymentBook
from tests.agent.models.batches.test_batched_rejudge import (
    _IN_A_PROCESS,
    CLAUDE,
    GPT,
    VIDEOS,
    _handed_over,
    _quick,
    _words,
    answered,
    answers,
    billed,
    booked,
    data,
    in_processes,
    rejudge,
    server,
    spent,
    start,
    two_services,
    wait_until,
)
from tests.agent.models.billing_server import BillingServer
from tests.agent.models.test_billing import need_client
from tests.store.samples import keep_run

_PATIENT = _IN_A_PROCESS.replace("0.05", "60")
"""It looks for nothing after it has handed over."""

__all__ = ["_quick", "data", "server"]  # fixtures

pytestmark = [
    pytest.mark.filterwarnings("ignore:The 'initial' parameter:DeprecationWarning"),
    pytest.mark.filterwarnings("ignore:Inheritance class AiohttpClientSession:DeprecationWarning"),
]


def break_book(monkeypatch: pytest.MonkeyPatch, at: int) -> None:
    """Let the book of payments take no line of a batch, the n-th time, as on a full disk."""
    send, times = PaymentBook.send, []

    def refuse_one(book: PaymentBook, line: BatchSent) -> None:
        times.append(line)
        if len(times) == at:
            raise DataUnwritable(Path("payments.jsonl"), "the disk is full")
        send(book, line)

    monkeypatch.setattr(PaymentBook, "send", refuse_one)


@pytest.mark.parametrize("at", [1, 2])
def test_a_full_disk_ends_the_asking_and_loses_no_batch(
    at: int, server: BillingServer, data: DataFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Before the batch is handed over, and after the service took it."""
    with monkeypatch.context() as broken:
        break_book(broken, at)
        ended = rejudge(data, GPT)
    assert ended.exit_code != 0
    assert "cannot be written" in ended.output
    done = rejudge(data, GPT)
    assert done.exit_code == 0, done.output
    assert answered(data) == VIDEOS
    assert len(server.bills) == VIDEOS


def test_a_full_disk_leaves_batches_that_are_under_way_open(
    server: BillingServer, data: DataFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = BatchService.__init__

    def make_small(self: BatchService, batcher: Any) -> None:
        made(self, batcher)
        self.most_requests = 4

    monkeypatch.setattr(BatchService, "__init__", make_small)
    server.knobs.hold = True
    with monkeypatch.context() as broken:
        break_book(broken, 3)
        ended = rejudge(data, GPT)
    assert ended.exit_code != 0
    assert _handed_over(data) == 4
    server.release()
    done = rejudge(data, GPT)
    assert done.exit_code == 0, done.output
    assert len(server.bills) == VIDEOS


def change_replies(
    server: BillingServer, monkeypatch: pytest.MonkeyPatch, change: Callable[[dict[str, Any]], Any]
) -> None:
    answer = server._answers["openai"]

    def changed(body: dict[str, Any]) -> dict[str, Any]:
        reply = answer(body)
        change(reply)
        return reply

    monkeypatch.setitem(server._answers, "openai", changed)


def test_results_of_many_questions_may_be_longer_than_one_reply(
    server: BillingServer, data: DataFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(desk, "SILENCE_S", 0.5)
    change_replies(server, monkeypatch, lambda reply: reply.update(padding=" " * 2**21))
    done = rejudge(data, GPT)
    assert done.exit_code == 0, done.output
    assert answered(data) == VIDEOS


def test_a_line_separator_in_a_reply_loses_no_batch(
    server: BillingServer, data: DataFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    from starlette.responses import Response

    from tests.agent.models import batch_endpoints

    monkeypatch.setattr(desk, "SILENCE_S", 0.5)
    change_replies(
        server,
        monkeypatch,
        lambda reply: reply["choices"][0]["message"].update(content="Yes\u2028\x85"),
    )

    def send_lines(lines: list[Any]) -> Response:
        import json

        return Response("".join(json.dumps(line, ensure_ascii=False) + "\n" for line in lines))

    monkeypatch.setattr(batch_endpoints, "_send_lines", send_lines)
    done = rejudge(data, GPT)
    assert done.exit_code == 0, done.output
    assert answered(data) == VIDEOS


def test_a_reply_of_another_form_counts_as_paid(
    server: BillingServer, data: DataFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    answer = server._answers["openai"]

    def odd(body: dict[str, Any]) -> dict[str, Any]:
        reply = answer(body)
        return reply if len(server.bills) == 1 else reply | {"choices": "Yes"}

    monkeypatch.setitem(server._answers, "openai", odd)
    done = rejudge(data, GPT, "--max-missing", "0")
    assert f"{VIDEOS - 1} have no reply yet" in done.output
    pilot = max(line.judgement.usage.cost_usd or 0 for line in answers(data))
    assert spent(data) > 1.5 * pilot


@two_services
def test_a_lost_batch_is_known_by_any_of_its_questions(
    model: str, server: BillingServer, data: DataFolder
) -> None:
    """Few questions are under way again, and the batch holds others too."""
    server.knobs.drop_reply_of_next_create = True
    program = subprocess.Popen(
        [sys.executable, "-c", _PATIENT, *_words(data, model)],
        env=os.environ,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    with program:
        wait_until(lambda: bool(server.batches))
        assert len(server.batches[0].questions) == VIDEOS - 1
        program.send_signal(signal.SIGKILL)
    assert _handed_over(data) == 0
    done = rejudge(data, model, "--connections", "1")
    assert done.exit_code == 0, done.output
    assert len(server.batches) == 1
    assert answered(data) == VIDEOS
    assert len(server.bills) == VIDEOS


def test_a_lost_batch_is_found_by_a_clock_that_is_off(
    server: BillingServer, data: DataFolder
) -> None:
    server.knobs.hold = server.knobs.drop_reply_of_next_create = True
    program = subprocess.Popen(
        [sys.executable, "-c", _PATIENT, *_words(data, CLAUDE)],
        env=os.environ,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    with program:
        wait_until(lambda: bool(server.batches))
        assert len(server.batches[0].questions) == VIDEOS - 1
        program.send_signal(signal.SIGKILL)
    server.batches[0].created_at -= timedelta(hours=3).total_seconds()
    server.release()
    done = rejudge(data, CLAUDE)
    assert done.exit_code == 0, done.output
    assert len(server.batches) == 1
    assert len(server.bills) == VIDEOS


def test_a_picture_of_two_runs_is_paid_once_after_a_kill(
    server: BillingServer, data: DataFolder
) -> None:
    keep_run(data, "r2", ["red", "blue", "green", "purple"] * (VIDEOS // 4))
    server.knobs.hold = True
    words = ["rejudge", "r1", "r2", "--model", GPT, "--batch", "--data", str(data.root)]
    program = subprocess.Popen(
        [sys.executable, "-c", _IN_A_PROCESS, *words],
        env=os.environ,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    with program:
        wait_until(lambda: bool(server.batches) and _handed_over(data) > 1)
        program.send_signal(signal.SIGKILL)
    first = {custom for batch in server.batches for custom in batch.custom_ids}
    server.release()
    done = CliRunner().invoke(cli, words)
    assert done.exit_code == 0, done.output
    assert set(billed(server)) == first
    assert not booked(data).standing()


@in_processes
def test_new_questions_are_asked_beside_a_batch_that_is_waited_for(
    model: str, server: BillingServer, data: DataFolder
) -> None:
    """The first of them is asked live, while others take up the batch."""
    need_client(model)
    new = [f"rgb({20 * number}, 90, 60)" for number in range(12)]
    keep_run(data, "r2", new)
    server.knobs.hold = True
    with start(data, model) as program:
        wait_until(lambda: _handed_over(data) == VIDEOS - 1)
        program.send_signal(signal.SIGKILL)
    server.release()
    words = ["rejudge", "r2", "r1", "--model", model, "--batch", "--data", str(data.root)]
    done = CliRunner().invoke(cli, words)
    assert done.exit_code == 0, done.output
    assert len(server.bills) == VIDEOS + len(new)


def test_what_was_not_handed_over_yet_may_be_asked_live(
    server: BillingServer, data: DataFolder
) -> None:
    program = subprocess.Popen(
        [sys.executable, "-c", _IN_A_PROCESS.replace("1.0", "60"), *_words(data, GPT)],
        env=os.environ,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    with program:
        wait_until(lambda: len(booked(data).standing()) == VIDEOS - 1)
        program.send_signal(signal.SIGKILL)
    done = rejudge(data, GPT, batch=False)
    assert done.exit_code == 0, done.output
    assert answered(data) == len(server.bills) == VIDEOS
    assert not booked(data).standing()


def test_a_key_that_is_refused_in_the_middle_is_named(
    server: BillingServer, data: DataFolder
) -> None:
    server.knobs.hold = True
    with start(data, GPT) as program:
        wait_until(lambda: _handed_over(data) == VIDEOS - 1)
        program.send_signal(signal.SIGKILL)
    server.knobs.refuse_polls, server.knobs.refuse_polls_with = 10**6, 401
    done = rejudge(data, GPT)
    assert done.exit_code == 2
    assert "refuses the key (401)" in done.output
    server.knobs.refuse_polls = 0
    server.release()
    done = rejudge(data, GPT)
    assert done.exit_code == 0, done.output
    assert len(server.bills) == VIDEOS


def test_a_live_checker_of_pairs_keeps_no_batch_small(
    server: BillingServer, tmp_path: Path
) -> None:
    """It takes few questions at once, and the editor's batch all."""
    data = DataFolder(tmp_path)
    keep_run(data, "r1", [f"rgb({20 * number}, 90, 60)" for number in range(12)])
    words = ["pairs", "r1", "--model", GPT, "--checker", CLAUDE, "--kind", "object", "--batch"]
    done = CliRunner().invoke(cli, [*words, "--data", str(tmp_path)])
    assert done.exit_code == 0, done.output
    assert [len(batch.questions) for batch in server.batches] == [11, 12]
