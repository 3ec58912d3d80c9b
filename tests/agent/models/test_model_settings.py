"""Settings of models: read as typed, refused where nobody takes them, sent and recorded."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Any

import pytest

from agent.errors import BadConfig
from agent.judge.judge import ModelJudge
from agent.model_settings import EXAMPLES, ModelSettings
from agent.models import ModelRequest, check_settings, load
from agent.models.base import Question, question_key
from agent.models.local_checkpoint import ATTENTIONS, QUANTIZATIONS
from agent.run.run_options import check_names
from agent.run_config import RunConfig
from personas import strategies
from personas.library import find
from store.runs.rejudgements import RejudgementHeader
from tests.agent.models.fault_server import Server
from tests.agent.models.made_models import GUITARIST, frame
from tests.store.samples import START

# inspect_ai calls tenacity in a way that tenacity 9.2 has deprecated; it is theirs to mend
pytestmark = pytest.mark.filterwarnings("ignore:The 'initial' parameter:DeprecationWarning")

NAME = "openai-api/loopback/m"


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    with Server().running() as running:
        monkeypatch.setenv("LOOPBACK_API_KEY", "none")
        monkeypatch.setenv("LOOPBACK_BASE_URL", f"{running.url}/likely/v1")
        yield running


def test_each_setting_can_be_typed() -> None:
    words = [f"{name}={value}" for name, value in EXAMPLES.items()]
    several, one = ModelSettings.parse(words), ModelSettings.parse([",".join(words)])
    assert several == one
    assert set(several.chosen) == set(ModelSettings.model_fields) == set(EXAMPLES)
    assert ModelSettings.parse(["max-tokens=4096"]).chosen == {"max_tokens": 4096}
    assert ModelSettings.parse([]).chosen == {}
    assert EXAMPLES["quantization"] in QUANTIZATIONS
    assert EXAMPLES["attention"] in ATTENTIONS


@pytest.mark.parametrize(
    ("words", "problem"),
    [
        (["warmth=1"], "is no setting of a model"),
        (["temperature"], "is no setting of a model"),
        (["temperature=0", "temperature=1"], "is given twice"),
        (["temperature=3"], "temperature=3 cannot be set"),
        (["temperature=hot"], "temperature=hot cannot be set"),
        (["batch_size=0"], "batch_size=0 cannot be set"),
    ],
)
def test_what_cannot_be_set_says_what_to_type(words: list[str], problem: str) -> None:
    with pytest.raises(BadConfig, match=problem) as error:
        ModelSettings.parse(words)
    assert "Type: --model-setting " in str(error.value)


@pytest.mark.parametrize(
    ("name", "word"),
    [
        ("scripted/yes", "temperature=0"),
        ("embedded/conse", "temperature=0"),
        ("hfvlm/some/folder", "temperature=0"),
        ("openai/gpt-4o", "device=cuda"),
        ("anthropic/claude-sonnet-5-5", "logprobs=true"),
    ],
)
def test_a_setting_that_nobody_takes_is_refused(name: str, word: str) -> None:
    with pytest.raises(BadConfig, match="takes no setting") as error:
        check_settings(name, ModelSettings.parse([word]))
    assert f"Type: the same without --model-setting {word.split('=')[0]}" in str(error.value)


def test_a_setting_that_the_model_s_package_would_leave_out_is_refused(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "none")
    effort = ModelSettings(reasoning_effort="low")
    with pytest.raises(BadConfig, match="does not think"):
        load("openai/gpt-4o", settings=effort)
    with pytest.raises(BadConfig, match="since it thinks"):
        load("openai/o3", settings=ModelSettings(temperature=0.5))


@pytest.mark.parametrize(
    ("name", "settings", "left_out"),
    [
        ("anthropic/claude-3-haiku-20240307", {"reasoning_effort": "high"}, "reasoning_effort"),
        ("anthropic/claude-3-haiku-20240307", {"reasoning_tokens": 2048}, "reasoning_tokens"),
        ("anthropic/claude-opus-5-5", {"reasoning_effort": "none"}, "reasoning_effort"),
        ("anthropic/claude-opus-5-5", {"reasoning_tokens": 2048}, "reasoning_tokens"),
        (
            "anthropic/claude-sonnet-4-6",
            {"reasoning_effort": "low", "reasoning_tokens": 2048},
            "reasoning_tokens",
        ),
        (
            "openrouter/openai/gpt-6-luna",
            {"reasoning_effort": "low", "reasoning_tokens": 2048},
            "reasoning_tokens",
        ),
        ("ollama/qwen3-vl", {"reasoning_effort": "none"}, "reasoning_effort"),
        ("together/Qwen/Qwen3-VL-8B", {"reasoning_effort": "none"}, "reasoning_effort"),
    ],
)
def test_a_setting_of_thinking_that_would_not_be_sent_is_refused(
    name: str, settings: dict[str, Any], left_out: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for key in ("ANTHROPIC_API_KEY", "OPENROUTER_API_KEY", "TOGETHER_API_KEY"):
        monkeypatch.setenv(key, "none")
    with pytest.raises(BadConfig, match=f"would not be sent {left_out}=") as error:
        load(name, settings=ModelSettings(**settings))
    assert f"without --model-setting {left_out}={settings[left_out]}" in str(error.value)


@pytest.mark.parametrize(
    ("name", "settings"),
    [
        ("anthropic/claude-opus-5-5", {"reasoning_effort": "low"}),
        ("anthropic/claude-sonnet-5-5", {"reasoning_effort": "none", "max_tokens": 9000}),
        ("anthropic/claude-sonnet-4-0", {"reasoning_tokens": 2048}),
        ("openrouter/openai/gpt-6-luna", {"reasoning_effort": "low"}),
        ("ollama/qwen3-vl", {"reasoning_effort": "low", "temperature": 0}),
        ("mockllm/model", {"reasoning_effort": "low"}),
    ],
)
def test_a_setting_of_thinking_that_is_sent_is_taken(
    name: str, settings: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    for key in ("ANTHROPIC_API_KEY", "OPENROUTER_API_KEY"):
        monkeypatch.setenv(key, "none")
    asyncio.run(load(name, settings=ModelSettings(**settings)).close())


def judged(settings: ModelSettings, **how: Any) -> tuple[Any, Any]:
    """Ask once; returns the model and what it said."""
    model = load(NAME, settings=settings)
    judge = ModelJudge.of(model, "simple", GUITARIST, **how)

    async def ask() -> Any:
        try:
            return await judge.judge((frame(),), None)
        finally:
            await model.close()

    return model, asyncio.run(ask())


def test_settings_are_sent_and_a_share_of_yes_comes_back(server: Server) -> None:
    chosen = ModelSettings(temperature=0.2, max_tokens=4096, logprobs=True)
    _, said = judged(chosen)
    (body,) = server.bodies
    assert (body["temperature"], body["logprobs"], body["top_logprobs"]) == (0.2, True, 20)
    assert 4096 in (body.get("max_tokens"), body.get("max_completion_tokens"))
    assert said.answer == "yes"
    assert said.p_yes == pytest.approx(0.6 / 0.9)


def test_without_them_nothing_of_it_is_sent(server: Server) -> None:
    _, said = judged(ModelSettings())
    (body,) = server.bodies
    assert "temperature" not in body
    assert "logprobs" not in body
    assert said.p_yes is None


def test_what_was_set_counts_in_keys_and_hashes_and_nothing_else(server: Server) -> None:
    question = Question(strategies.build("simple", GUITARIST), (frame(),))
    keys, slugs, digests = set(), set(), set()
    for settings in (ModelSettings(), ModelSettings(temperature=0.2)):
        model = load(NAME, settings=settings)
        keys.add(question_key(model, question))
        slugs.add(header(settings=settings.chosen).slug)
        digests.add(RunConfig(persona=find("p12"), settings=settings).digest())
        asyncio.run(model.close())
    assert (len(keys), len(slugs), len(digests)) == (2, 2, 2)
    assert header().slug in slugs
    assert RunConfig(persona=find("p12")).digest() in digests
    assert RunConfig(persona=find("p12")).resolved()["settings"] == {}


def header(**more: Any) -> RejudgementHeader:
    fields = {"run_id": "r", "model": NAME, "strategy": "simple", "prompts": {}, "seed": 1}
    return RejudgementHeader(**fields, at=START, code_version="c", **more)


def test_a_model_that_takes_no_pictures_is_refused_where_it_would_be_shown_one() -> None:
    request = ModelRequest("deepseek/deepseek-v4-flash")
    request.check({"DEEPSEEK_API_KEY": "none"})
    model = RunConfig(persona=find("p12"), model=request.name)
    with pytest.raises(BadConfig, match=r"takes no pictures.*--describe-by"):
        check_names(model)
