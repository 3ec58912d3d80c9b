"""How many questions a service is asked at once: more while it answers well, fewer else, or pinned.

A real server on loopback counts them.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from itertools import pairwise
from typing import Any

import pytest
from tenacity import wait_none

from agent.errors import BadConfig
from agent.evaluation.question_stream import QuestionStream
from agent.judge.judge import ModelJudge
from agent.models import ModelRequest, load
from agent.models.service_connections import START
from store.runs.ledger_lines import Judgement
from tests.agent.models.fault_server import Server
from tests.agent.models.made_models import GUITARIST, frame


@pytest.fixture
def server() -> Iterator[Server]:
    import openai.resources.chat  # noqa: F401 - seconds on a busy machine, which no test counts

    with Server().running() as running:
        yield running


def ask(
    server: Server, way: str, monkeypatch: pytest.MonkeyPatch, questions: int, **how: Any
) -> tuple[list[Judgement], list[int]]:
    """Ask so many questions; return what was said, and how many were taken at once by and by.

    Each way has a key of its own: what inspect_ai has learnt of one is not of another.
    """
    service = f"{way}{server.url.rpartition(':')[2]}"
    monkeypatch.setenv(f"{service.upper()}_API_KEY", service)
    monkeypatch.setenv(f"{service.upper()}_BASE_URL", f"{server.url}/{way}/v1")
    model: Any = load(f"openai-api/{service}/m", **how)
    monkeypatch.setattr(model._model.api, "retry_wait", wait_none)
    judge = ModelJudge.of(model, "simple", GUITARIST)
    picture = frame()

    taken: list[int] = []

    def at_once() -> int:
        taken.append(model.at_once)
        return taken[-1]

    async def run() -> tuple[list[Judgement], list[int]]:
        stream: QuestionStream[int, Judgement] = QuestionStream(range(questions), at_once)
        await stream.answer(lambda number: judge.judge((picture,), None, repeat=number))
        await model.close()
        return [said for _, said in stream.answered], taken

    return asyncio.run(run())


def test_a_service_that_answers_well_is_asked_more_at_once(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    said, taken = ask(server, "slow", monkeypatch, 60)
    assert [one.answer for one in said] == ["yes"] * 60
    assert taken[0] == START < server.most <= max(taken)


def test_a_service_that_asks_to_slow_down_is_asked_less_and_no_answer_is_lost(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    said, taken = ask(server, "busy", monkeypatch, 60, max_retries=50)
    assert [one.answer for one in said] == ["yes"] * 60
    assert server.refused
    assert any(after < before for before, after in pairwise(taken))


def test_calls_that_run_out_of_time_count_as_a_service_that_is_full(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    said, taken = ask(server, "hang", monkeypatch, 1, max_retries=0, attempt_timeout=1)
    assert [one.missing for one in said] == ["timed_out"]
    assert taken[0] == START > taken[-1]


def test_a_number_that_is_pinned_stays(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    said, taken = ask(server, "slow", monkeypatch, 12, at_once=3)
    assert len(said) == 12
    assert set(taken) == {server.most} == {3}


def test_a_model_that_runs_here_has_no_connections() -> None:
    with pytest.raises(BadConfig, match="Type: the same without --connections"):
        ModelRequest("scripted/yes", connections=2).check({})
