"""A reply that came is paid for once, wherever between its coming and its entry a kill falls."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tenacity import wait_none

from agent.judge.judge import ModelJudge, QuestionForm
from agent.judge.model_under_cap import guarded
from agent.judge.spending_cap import SpendingCap
from agent.models import load
from agent.models.paid_calls import CappedAccounts
from store.runs.ledger_lines import Judgement
from store.runs.payment_book import CallSettled, PaymentBook
from tests.agent.models.fault_server import Server
from tests.agent.models.made_models import GUITARIST, frame

# inspect_ai calls tenacity in a way that tenacity 9.2 has deprecated; it is theirs to mend
pytestmark = pytest.mark.filterwarnings("ignore:The 'initial' parameter:DeprecationWarning")

WAYS = [
    ("yes", None, 1),
    ("refusal", "refused", 1),
    ("filtered", "filtered", 1),
    ("empty", "empty", 1),
    ("both", "unreadable", 2),
]
"""A way, what it is read as, and its requests."""


class Killed(BaseException):
    """Ends everything at one point, as a kill does: nothing after it is written."""


@pytest.fixture
def server() -> Iterator[Server]:
    import openai.resources.chat  # noqa: F401 - seconds on a busy machine, which no attempt counts

    with Server().running() as running:
        yield running


@pytest.fixture(autouse=True)
def key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOOPBACK_API_KEY", "none")


def judge(
    server: Server, way: str, root: Path, patch: pytest.MonkeyPatch, account: str = "a"
) -> Judgement:
    """Ask one question as a new process would, with what is on the disk."""
    return judged(opened(server, way, patch), root, account)


def opened(server: Server, way: str, patch: pytest.MonkeyPatch) -> Any:
    patch.setenv("LOOPBACK_BASE_URL", f"{server.url}/{way}/v1")
    model: Any = load(f"openai-api/loopback/{way}", max_retries=1, attempt_timeout=3)
    patch.setattr(model._model.api, "retry_wait", wait_none)
    return model


def judged(model: Any, root: Path, account: str = "a") -> Judgement:
    till = CappedAccounts(PaymentBook(root / "payments.jsonl"), (account,))
    asked = ModelJudge.of(
        guarded(model, SpendingCap(), till, root / "replies"),
        "simple",
        GUITARIST,
        QuestionForm(limit_s=50),
    )

    async def one() -> Judgement:
        try:
            return await asked.judge((frame(),), None)
        finally:
            await asked.close()

    return asyncio.run(one())


@pytest.mark.parametrize(("way", "missing", "requests"), WAYS)
def test_a_kill_before_the_settlement_asks_nothing_again(
    server: Server,
    way: str,
    missing: str | None,
    requests: int,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def killed(book: PaymentBook, line: CallSettled) -> None:
        raise Killed

    with monkeypatch.context() as patch:
        patch.setattr(PaymentBook, "settle", killed)
        with pytest.raises(Killed):
            judge(server, way, tmp_path, patch)
    assert server.requests[way] == 1
    assert judge(server, way, tmp_path, monkeypatch).missing == missing
    assert server.requests[way] == requests
    balance = PaymentBook(tmp_path / "payments.jsonl").balance(["a"])
    assert (balance.calls, balance.standing) == (requests, 1)
    assert balance.tokens >= 902 * requests


@pytest.mark.parametrize(("way", "missing", "requests"), WAYS)
def test_a_kill_before_the_entry_asks_nothing_again(
    server: Server,
    way: str,
    missing: str | None,
    requests: int,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for _ in range(2):  # nothing enters what was judged first
        assert judge(server, way, tmp_path, monkeypatch).missing == missing
    assert server.requests[way] == requests
    balance = PaymentBook(tmp_path / "payments.jsonl").balance(["a"])
    assert (balance.calls, balance.tokens) == (requests, 902 * requests)

    # another account asks anew what was no answer
    judge(server, way, tmp_path, monkeypatch, "b")
    assert server.requests[way] == (1 if missing is None else 2 * requests)


def test_a_reply_that_came_as_its_time_ran_out_is_the_reply(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = opened(server, "yes", monkeypatch)
    once = model._model.api.generate

    async def late(**asked: Any) -> Any:
        made = await once(**asked)
        await asyncio.sleep(10)  # the attempt's limit cuts this off, after the settlement
        return made

    monkeypatch.setattr(model._model.api, "generate", late)
    assert judged(model, tmp_path).answer == "yes"
    assert server.requests["yes"] == 1
    balance = PaymentBook(tmp_path / "payments.jsonl").balance(["a"])
    assert (balance.calls, balance.estimated, balance.tokens) == (1, 0, 902)


@pytest.mark.parametrize(("way", "keys"), [("cut", 1), ("429", 1), ("500", 2)])
def test_a_call_whose_end_is_not_known_keeps_its_key(
    server: Server, way: str, keys: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    judge(server, way, tmp_path, monkeypatch)
    assert server.requests[way] == 2
    lines = (tmp_path / "payments.jsonl").read_text().splitlines()
    sent = {line.partition('"key":"')[2].partition('"')[0] for line in lines if '"key"' in line}
    assert len(sent) == keys


@pytest.mark.parametrize("way", ["not-json", "wrong-json"])
def test_a_reply_that_is_no_completion_counts_as_spent(
    server: Server, way: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    judge(server, way, tmp_path, monkeypatch)
    assert server.requests[way] == 1
    balance = PaymentBook(tmp_path / "payments.jsonl").balance(["a"])
    assert (balance.calls, balance.estimated) == (1, 1)
    assert balance.tokens > 902


def test_a_call_that_our_own_limit_cuts_off_counts_as_spent(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LOOPBACK_BASE_URL", f"{server.url}/hang/v1")
    model = load("openai-api/loopback/hang", max_retries=0, attempt_timeout=1)
    assert judged(model, tmp_path).missing == "timed_out"
    assert server.requests["hang"] == 1
    balance = PaymentBook(tmp_path / "payments.jsonl").balance(["a"])
    assert (balance.calls, balance.estimated + balance.standing) == (1, 1)
    assert balance.tokens > 0
