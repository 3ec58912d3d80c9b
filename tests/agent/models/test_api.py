"""Served models, through inspect_ai's mock provider: what is sent, how failures are read."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from inspect_ai.model import (
    ChatMessage,
    ChatMessageAssistant,
    ContentImage,
    ContentText,
    GenerateConfig,
    ModelOutput,
    ModelUsage,
    get_model,
)

from agent.errors import BadConfig, MissingExtra, UserError
from agent.judge.judge import ModelJudge, QuestionForm
from agent.judge.spending_cap import Budgeted, SpendingCap
from agent.models import prices
from agent.models.api import SETTINGS, ServedModel
from agent.models.paid_calls import CappedAccounts, read_usage
from store.runs.ledger_lines import Judgement
from store.runs.payment_book import PaymentBook
from tests.agent.models.made_models import GUITARIST, frame

# inspect_ai calls tenacity in a way that tenacity 9.2 has deprecated; it is theirs to mend
pytestmark = pytest.mark.filterwarnings("ignore:The 'initial' parameter:DeprecationWarning")

CANARY = "sk-canary-000"
Answer = Callable[[list[ChatMessage], GenerateConfig], ModelOutput]


class ProviderError(RuntimeError):
    """What a provider raises over a bad status; like real ones, it repeats what it was sent."""

    def __init__(self, status_code: int) -> None:
        super().__init__(f"{status_code}: key {CANARY}")
        self.status_code = status_code


def output(text: str, stop: Any = "stop") -> ModelOutput:
    made = ModelOutput.from_content("mockllm/model", text, stop_reason=stop)
    made.usage = ModelUsage(input_tokens=900, output_tokens=2, total_tokens=902)
    return made


def served(answer: Answer, **settings: Any) -> ServedModel:
    def custom(messages: list[ChatMessage], *rest: Any) -> ModelOutput:
        return answer(messages, rest[-1])

    config = GenerateConfig(**SETTINGS | settings)
    model = get_model("mockllm/model", config=config, memoize=False, custom_outputs=custom)
    return ServedModel("mockllm/model", model, config)


def ask(answer: Answer, strategy: str = "simple", **settings: Any) -> Judgement:
    judge = ModelJudge.of(served(answer, **settings), strategy, GUITARIST, QuestionForm(limit_s=5))
    return asyncio.run(judge.judge((frame(colour="red"), frame(colour="blue")), "A caption"))


def test_persona_and_frames_are_sent_in_the_chat_form() -> None:
    sent: list[list[ChatMessage]] = []

    def answer(messages: list[ChatMessage], config: GenerateConfig) -> ModelOutput:
        sent.append(messages)
        return output("Yes.")

    said = ask(answer)

    assert said.answer == "yes"
    system, user = sent[0]
    assert (system.role, user.role) == ("system", "user")
    assert all(trait in system.text for trait in GUITARIST.traits)
    assert isinstance(user.content, list)
    first, second, text = user.content
    assert isinstance(first, ContentImage)
    assert isinstance(second, ContentImage)
    assert isinstance(text, ContentText)
    head, _, body = first.image.partition(",")
    assert head == "data:image/jpeg;base64"
    assert base64.b64decode(body) == frame(colour="red")
    assert "A caption" not in text.text  # the method shows the screenshot only


def test_without_a_persona_there_is_no_system_message() -> None:
    sent: list[list[ChatMessage]] = []

    def answer(messages: list[ChatMessage], config: GenerateConfig) -> ModelOutput:
        sent.append(messages)
        return output("No")

    assert ask(answer, "plain").answer == "no"
    assert [message.role for message in sent[0]] == ["user"]


def test_tokens_are_counted() -> None:
    usage = ask(lambda messages, config: output("Yes")).usage
    assert (usage.calls, usage.input_tokens, usage.output_tokens) == (1, 900, 2)


def test_retries_time_and_cache_are_set_on_purpose() -> None:
    seen: list[GenerateConfig] = []

    def answer(messages: list[ChatMessage], config: GenerateConfig) -> ModelOutput:
        seen.append(config)
        return output("Yes")

    ask(answer, max_tokens=77)
    assert seen[0].max_retries == 3
    assert seen[0].timeout == 55
    assert seen[0].max_tokens == 77
    assert not seen[0].cache


@pytest.mark.parametrize(
    ("made", "missing"),
    [
        (output("", "content_filter"), "filtered"),
        (output("I can't", "content_filter"), "filtered"),
        (ModelOutput(model="mockllm/model", choices=[], usage=ModelUsage()), "filtered"),
        (output(""), "empty"),
        (output("Yes and no"), "unreadable"),
        (output("I'm sorry, but I can't assist with that."), "refused"),
    ],
)
def test_each_reply_that_is_no_answer_is_its_own_reading(made: ModelOutput, missing: str) -> None:
    said = ask(lambda messages, config: made)
    assert (said.answer, said.missing) == (None, missing)


@pytest.mark.parametrize(
    ("error", "missing"),
    [
        (ProviderError(400), "failed"),
        (ConnectionResetError("cut"), "failed"),
        (ValueError("no JSON"), "failed"),
        (TimeoutError("slow"), "timed_out"),
    ],
)
def test_a_failed_call_is_a_missing_answer(error: Exception, missing: str) -> None:
    def answer(messages: list[ChatMessage], config: GenerateConfig) -> ModelOutput:
        raise error

    said = ask(answer)
    assert (said.answer, said.missing) == (None, missing)
    assert CANARY not in said.model_dump_json()


@pytest.mark.parametrize("error", [ValueError("enum"), NotImplementedError(), ProviderError(422)])
def test_a_provider_that_cannot_send_a_form_is_asked_without(error: Exception) -> None:
    forms: list[bool] = []

    def answer(messages: list[ChatMessage], config: GenerateConfig) -> ModelOutput:
        forms.append(config.response_schema is not None)
        if forms[-1]:
            raise error
        return output('{"v_a": 7, "c_s": 7, "e_e": 7, "v_e": 7, "p_a": 1, "a_d": 1}')

    said = ask(answer, "isq")
    assert (said.answer, said.score) == ("yes", 80)
    assert forms == [True, False]


def test_what_a_provider_needs_is_said_also_when_it_says_so_late() -> None:
    from inspect_ai._util.error import PrerequisiteError

    def answer(messages: list[ChatMessage], config: GenerateConfig) -> ModelOutput:
        raise PrerequisiteError(
            "[bold]ERROR[/bold]: with:\n\n[bold]pip install google-genai[/bold]"
        )

    with pytest.raises(MissingExtra, match=r"Type: pip install google-genai$"):
        ask(answer)


@pytest.mark.parametrize("status", [401, 403, 404])
def test_what_a_person_can_mend_ends_the_run_and_tells_no_key(status: int) -> None:
    def answer(messages: list[ChatMessage], config: GenerateConfig) -> ModelOutput:
        raise ProviderError(status)

    with pytest.raises(BadConfig, match="mockllm/model") as caught:
        ask(answer)
    assert CANARY not in str(caught.value)
    assert "type: " in str(caught.value).lower()


def test_a_provider_that_is_not_installed_says_what_to_type() -> None:
    import importlib.util

    absent = [
        provider
        for provider, package in (("openai", "openai"), ("anthropic", "anthropic"))
        if importlib.util.find_spec(package) is None
    ]
    for provider in absent:
        with pytest.raises(MissingExtra, match=r"Type: pip install"):
            ServedModel.load(f"{provider}/model")


def test_a_provider_without_its_key_says_what_to_type(monkeypatch: pytest.MonkeyPatch) -> None:
    from agent.models.service_faults import read_prerequisite

    told = read_prerequisite("openai/x", "[bold]ERROR[/bold]: No OPENAI_API_KEY defined.")
    assert isinstance(told, UserError)
    assert str(told).endswith("Type: export OPENAI_API_KEY=…")


@pytest.mark.parametrize("missing", ["LOOPBACK_API_KEY", "LOOPBACK_BASE_URL"])
def test_a_service_without_its_key_or_address_says_what_to_type(
    missing: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LOOPBACK_API_KEY", CANARY)
    monkeypatch.setenv("LOOPBACK_BASE_URL", "http://127.0.0.1:9/v1")
    monkeypatch.delenv(missing)
    with pytest.raises(BadConfig, match=rf"Type: export {missing}=…$"):
        ServedModel.load("openai-api/loopback/tiny")


def test_tokens_from_the_providers_own_cache_are_counted_too() -> None:
    def answer(messages: list[ChatMessage], config: GenerateConfig) -> ModelOutput:
        made = output("Yes")
        made.usage = ModelUsage(
            input_tokens=100,
            input_tokens_cache_read=800,
            input_tokens_cache_write=50,
            output_tokens=2,
            total_tokens=952,
        )
        return made

    usage = ask(answer).usage
    assert (usage.input_tokens, usage.output_tokens) == (950, 2)


@pytest.mark.parametrize("tokens", [(-(10**9), 2), (10, -1), (10**30, 2)])
def test_a_count_that_cannot_be_is_no_money(
    tokens: tuple[int, int], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def answer(messages: list[ChatMessage], config: GenerateConfig) -> ModelOutput:
        made = output("Yes")
        made.usage = ModelUsage(input_tokens=tokens[0], output_tokens=tokens[1], total_tokens=1)
        return made

    book = PaymentBook(tmp_path / "payments.jsonl")
    budgeted = Budgeted(served(answer), SpendingCap(tokens=10**9), CappedAccounts(book, ("r",)))
    judge = ModelJudge.of(budgeted, "simple", GUITARIST)
    said = asyncio.run(judge.judge((frame(),), None))
    assert (said.answer, said.usage.input_tokens) == ("yes", None)
    spent = PaymentBook(tmp_path / "payments.jsonl").balance(["r"])
    assert (spent.calls, spent.estimated, spent.standing) == (1, 1, 0)
    assert 0 < spent.tokens < 10**6


def test_calls_are_priced() -> None:
    # 2.50 and 10 dollars for a million tokens
    used = read_usage(ModelUsage(input_tokens=900, output_tokens=2, total_tokens=902))
    assert used is not None
    assert used.cost(prices.find("openai/gpt-4o")) == pytest.approx(900 * 2.5e-6 + 2 * 1e-5)


def test_closing_is_quiet() -> None:
    asyncio.run(served(lambda messages, config: output("Yes")).close())


def test_the_assistant_never_speaks_first() -> None:
    def answer(messages: list[ChatMessage], config: GenerateConfig) -> ModelOutput:
        assert not any(isinstance(message, ChatMessageAssistant) for message in messages)
        return output("Yes")

    assert ask(answer).answer == "yes"
