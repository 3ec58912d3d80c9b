"""A cap holds over kills: what is under way when a sitting is killed counts as spent."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from starlette.requests import Request
from starlette.responses import Response

from agent.evaluation import pair_prompts as prompts
from agent.judge.model_under_cap import guarded, is_free
from agent.judge.spending_cap import SpendingCap
from agent.models.base import Model, Question, Reply
from agent.models.paid_calls import CappedAccounts
from agent.models.scripted import load as load_scripted
from agent.preference_pairs.generate import EditorAndChecker
from store.runs.data_folder import DataFolder
from store.runs.payment_book import PaymentBook
from tests.agent.models.fault_server import Server
from tests.agent.models.made_models import Recorded, frame
from tests.store.samples import keep_run

CALL = 902
"""Tokens of each call, as the server reports them."""
CALLS = 24
KILLS = 3


class SlowServer(Server):
    """Makes a completion at once, and is a moment late to tell it."""

    async def _complete(self, request: Request) -> Response:
        reply = await super()._complete(request)
        await asyncio.sleep(1)
        return reply


@pytest.mark.drill
def test_a_cap_of_rejudge_holds_over_kills(tmp_path: Path) -> None:
    data = DataFolder(tmp_path)
    keep_run(data, "r1", [f"#{number:06x}" for number in range(40)])
    with SlowServer().running() as server:
        env = {
            **os.environ,
            "LOOPBACK_BASE_URL": f"{server.url}/yes/v1",
            "LOOPBACK_API_KEY": "none",
        }
        words = ["rejudge", "r1", "--model", "openai-api/loopback/yes"]
        words += ["--max-tokens", str(CALLS * CALL), "--data", str(tmp_path)]
        for _ in range(KILLS):
            before = server.requests["yes"]
            with (tmp_path / "log").open("ab") as log:
                child = subprocess.Popen(
                    [sys.executable, "-m", "agent", *words], env=env, stdout=log, stderr=log
                )
            while child.poll() is None and server.requests["yes"] < before + 3:
                time.sleep(0.01)
            child.send_signal(signal.SIGKILL)
            assert child.wait() == -signal.SIGKILL, (tmp_path / "log").read_text("utf-8")
        last = subprocess.run(
            [sys.executable, "-m", "agent", *words],
            env=env,
            capture_output=True,
            text=True,
            check=False,
        )
    assert "is reached" in last.stderr, last.stderr
    assert "whose end is not known" in last.stderr
    assert 3 * KILLS < server.requests["yes"] <= CALLS
    accounts = [f"runs/r1/judgements/{path.stem}" for path in tmp_path.rglob("judgements/*.jsonl")]
    balance = PaymentBook(data.payments).balance(accounts)
    assert balance.standing >= KILLS
    assert balance.tokens >= CALL * server.requests["yes"]


def test_a_local_editor_beside_a_served_checker_is_booked(tmp_path: Path) -> None:
    def used(question: Question) -> Reply:
        return Reply(text="A red bird.", input_tokens=99, output_tokens=1)

    editor = Recorded(used)
    editor.name = "hfvlm/editor"
    till = CappedAccounts(PaymentBook(), ("a",))
    question = Question(prompts.describe(), (frame(),))
    checker = Recorded(used)
    checker.meters = True  # as a served one, which books its own calls
    checkers: list[Model] = [checker, load_scripted("scripted/yes")]
    for place, each in enumerate(checkers):
        model = guarded(
            EditorAndChecker(editor, each), SpendingCap(tokens=10_000), till, tmp_path / str(place)
        )
        asyncio.run(model.ask(question))
    balance = till.book.balance(["a"])
    assert (balance.calls, balance.tokens, balance.standing) == (2, 200, 0)


@pytest.mark.parametrize(("name", "free"), [("scripted/yes", True), ("openai/gpt-4o", False)])
def test_two_models_are_free_where_both_are(name: str, free: bool) -> None:
    checker = Recorded(lambda question: Reply(text="Yes"))
    checker.name = name
    assert is_free(EditorAndChecker(load_scripted("scripted/editor"), checker)) == free
