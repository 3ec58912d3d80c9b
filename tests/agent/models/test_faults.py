"""Served models over HTTP: each fault is its own reading, in bounded time, and tells no key."""

from __future__ import annotations

import asyncio
import io
import logging
from collections.abc import Iterator
from typing import Any

import pytest
from PIL import Image
from tenacity import wait_none

from agent.errors import UserError
from agent.judge.judge import ModelJudge, QuestionForm
from agent.models import load
from agent.models.api import SETTINGS, ServedModel
from agent.models.local_vlm import HfVlm
from personas.questionnaire import ITEMS
from store.runs.ledger_lines import Judgement
from tests.agent.models import tiny
from tests.agent.models.fault_server import HUGE, REPLIES, STATUSES, Server, answering, frames_of
from tests.agent.models.made_models import GUITARIST, frame

# inspect_ai calls tenacity in a way that tenacity 9.2 has deprecated; it is theirs to mend
pytestmark = pytest.mark.filterwarnings("ignore:The 'initial' parameter:DeprecationWarning")

CANARY = "sk-canary-4f1d0c"
FRAMES = (frame(colour="red"), frame(colour="blue"))


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    import openai.resources.chat  # noqa: F401 - seconds on a busy machine, which no test counts

    with Server().running() as running:
        yield running


@pytest.fixture(autouse=True)
def key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOOPBACK_API_KEY", CANARY)


def ask(server: Server, way: str, monkeypatch: pytest.MonkeyPatch, **settings: Any) -> Judgement:
    return ask_often(server, way, monkeypatch, **settings)[0]


def ask_often(
    server: Server,
    way: str,
    monkeypatch: pytest.MonkeyPatch,
    strategy: str = "simple",
    manner: QuestionForm = QuestionForm(limit_s=30),  # noqa: B008
    times: int = 1,
    **settings: Any,
) -> list[Judgement]:
    monkeypatch.setenv("LOOPBACK_BASE_URL", f"{server.url}/{way}/v1")
    model = load(f"openai-api/loopback/{way}", **{"max_retries": 1} | settings)
    assert isinstance(model, ServedModel)
    # its seconds between attempts are its own affair
    monkeypatch.setattr(model._model.api, "retry_wait", wait_none)

    async def judge() -> list[Judgement]:
        try:
            judge = ModelJudge.of(model, strategy, GUITARIST, manner)
            return [await judge.judge(FRAMES, "A caption", repeat=n) for n in range(times)]
        finally:
            await model.close()

    return asyncio.run(judge())


@pytest.mark.parametrize(
    ("way", "missing", "requests"),
    [
        ("429", "rate_limited", 2),
        ("429-later", "rate_limited", 2),
        ("400", "failed", 1),
        ("500", "failed", 2),
        ("cut", "failed", 2),
        ("not-json", "failed", 1),
        ("wrong-json", "failed", 1),
        ("no-choice", "filtered", 1),
        ("filtered", "filtered", 1),
        ("empty", "empty", 1),
        ("blank", "empty", 1),
        ("refusal", "refused", 1),
        ("both", "unreadable", 2),
        ("language", "unreadable", 2),
        ("long", "unreadable", 2),
    ],
)
def test_each_fault_is_its_own_reading(
    server: Server,
    way: str,
    missing: str,
    requests: int,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    capfd: pytest.CaptureFixture[str],
) -> None:
    caplog.set_level(logging.DEBUG)
    said = ask(server, way, monkeypatch)

    assert (said.answer, said.missing, said.p_yes) == (None, missing, None)
    assert server.requests[way] == requests
    assert said.latency_s < 15, "in half of the limit"  # inspect_ai draws each new traceback: 1.3 s
    assert f"Bearer {CANARY}" in server.keys
    told = capfd.readouterr()
    for output in (said.model_dump_json(), caplog.text, told.out, told.err):
        assert CANARY not in output


@pytest.mark.parametrize("way", ["huge", "packed"])
def test_a_reply_without_end_is_left(
    server: Server, way: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    said = ask(server, way, monkeypatch, max_retries=0)
    assert (said.answer, said.missing) == (None, "failed")
    assert "TooManyBytes" in (said.fault or "")
    assert server.sent < HUGE / 2


def test_half_a_character_loses_no_paid_reply(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    said = ask(server, "surrogate", monkeypatch)
    assert (said.answer, said.reply) == ("yes", "Yes.\ufffd\ufffd")
    assert Judgement.model_validate_json(said.model_dump_json()) == said


def test_every_way_of_the_server_is_tried() -> None:
    mark = next(iter(test_each_fault_is_its_own_reading.pytestmark))  # type: ignore[attr-defined]
    tried = {way for way, *_ in mark.args[1]}
    assert {*STATUSES, *REPLIES} - tried == {"401", "403", "404", "yes"}


@pytest.mark.parametrize("status", ["401", "403", "404"])
def test_what_a_person_can_mend_ends_the_run_at_the_first_call(
    server: Server,
    status: str,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    capfd: pytest.CaptureFixture[str],
) -> None:
    caplog.set_level(logging.DEBUG)
    with pytest.raises(UserError, match=r"[Tt]ype: --model ") as caught:
        ask(server, status, monkeypatch)
    assert server.requests[status] == 1
    told = capfd.readouterr()
    for output in (str(caught.value), caplog.text, told.out, told.err):
        assert CANARY not in output


def test_a_hanging_server_is_left_in_time(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    said = ask(server, "hang", monkeypatch, attempt_timeout=1, timeout=3)
    assert (said.answer, said.missing) == (None, "timed_out")
    assert server.requests["hang"] == 2
    assert said.latency_s < 8


def test_a_server_that_is_not_there_is_a_failure(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Nowhere(Server):
        url = "http://127.0.0.1:9"

    said = ask(Nowhere.__new__(Nowhere), "gone", monkeypatch)
    assert (said.answer, said.missing) == (None, "failed")


def test_all_attempts_end_before_the_judge_gives_up() -> None:
    assert SETTINGS["timeout"] < QuestionForm().limit_s
    assert SETTINGS["attempt_timeout"] < SETTINGS["timeout"]
    assert SETTINGS["max_retries"] == 3


def test_tokens_of_a_reply_that_was_held_back_are_counted(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    usage = ask(server, "filtered", monkeypatch).usage
    assert (usage.calls, usage.input_tokens, usage.output_tokens) == (1, 900, 2)


@pytest.mark.drill
def test_a_tiny_model_behind_a_server_answers_as_it_does_here(
    tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tiny.save_llava(tmp_path_factory.mktemp("llava"))
    model = HfVlm.load(f"hfvlm/{folder}", device="cpu")

    with Server(answering(model)).running() as running:
        said = ask(running, "model", monkeypatch)

    here = asyncio.run(ModelJudge.of(model, "simple", GUITARIST).judge(FRAMES, None))
    system, user = running.bodies[0]["messages"]
    assert (system["role"], user["role"]) == ("system", "user")
    assert all(trait in str(system["content"]) for trait in GUITARIST.traits)
    assert frames_of(running.bodies[0]) == list(FRAMES)
    assert (said.answer, said.missing) == (here.answer, here.missing) == ("no", None)
    assert said.usage.model_dump() == here.usage.model_dump()


# The questionnaire's form


def schemas(server: Server) -> list[Any]:
    """The forms that the last questions came with."""
    return [body.get("response_format") for body in server.bodies]


@pytest.mark.parametrize("mirrored", [False, True])
def test_a_questionnaire_goes_with_its_form(
    mirrored: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    manner = QuestionForm(mirrored=mirrored, explain="all")
    with Server().running() as server:
        said = ask_often(server, "schema", monkeypatch, "isq", manner)[0]
    assert (said.answer, said.score) == ("yes", 80)
    assert (said.reason, said.description) == ("Its reason.", "Its description.")
    (sent,) = schemas(server)
    form = sent["json_schema"]
    assert (sent["type"], form["strict"]) == ("json_schema", True)
    keys = list(reversed(ITEMS)) if mirrored else list(ITEMS)
    assert form["schema"]["required"] == [*keys, "reason", "description"]
    assert list(form["schema"]["properties"]) == form["schema"]["required"]
    assert form["schema"]["additionalProperties"] is False
    assert form["schema"]["properties"]["p_a"] == {"type": "integer"}


def test_a_service_without_forms_is_asked_without_one_and_remembered(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with Server().running() as server:
        said = ask_often(server, "no-schema", monkeypatch, "isq", times=3)
    assert [each.score for each in said] == [80, 80, 80]
    assert [sent is not None for sent in schemas(server)] == [True, False, False, False]
    assert [each.attempts for each in said] == [1, 1, 1]


def test_a_service_that_refuses_everything_is_offered_the_form_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with Server().running() as server:
        said = ask_often(server, "400", monkeypatch, "isq", times=2)
    assert [each.missing for each in said] == ["failed", "failed"]
    assert [sent is not None for sent in schemas(server)] == [True, False, True, False]


def test_a_yes_or_no_question_has_no_form(monkeypatch: pytest.MonkeyPatch) -> None:
    with Server().running() as server:
        ask(server, "yes", monkeypatch)
    assert schemas(server) == [None]


# Pictures


def test_large_frames_are_sent_smaller_and_small_ones_as_they_are(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    large, small = frame("A title", size=(1080, 1920)), FRAMES[0]
    with Server().running() as server:
        monkeypatch.setattr("tests.agent.models.test_faults.FRAMES", (large, small))
        ask(server, "yes", monkeypatch)
    first, second = frames_of(server.bodies[0])
    with Image.open(io.BytesIO(first)) as picture:
        assert picture.size == (864, 1536)
    assert second == small
    assert len(first) < len(large)


def test_a_broken_frame_is_a_failure_and_is_not_sent(monkeypatch: pytest.MonkeyPatch) -> None:
    with Server().running() as server:
        monkeypatch.setattr("tests.agent.models.test_faults.FRAMES", (b"no picture",))
        assert ask(server, "yes", monkeypatch).missing == "failed"
    assert server.bodies == []
