"""Tokens of questions, held against real tokenisers' counts and published tables."""

from __future__ import annotations

import re

import pytest

from agent.models.providers import PLANNED_JUDGES
from agent.models.token_estimate import (
    TEXT_WITHIN,
    count_words,
    estimate_tokens,
    find_picture_rule,
)
from personas import strategies
from personas.library import all_personas
from tests.agent.models.billing_server import count_text
from tests.agent.models.made_models import GUITARIST

MEASURED = [
    # data set JOHNISKING/image-token-cost, less the tokens of its prompt (77, 65, 1, 0)
    ("anthropic/claude-sonnet-5-5", (256, 256), 177 - 77),
    ("anthropic/claude-sonnet-5-5", (512, 512), 438 - 77),
    ("anthropic/claude-sonnet-5-5", (1280, 720), 1273 - 77),
    ("anthropic/claude-haiku-4-5", (256, 256), 165 - 65),
    ("anthropic/claude-haiku-4-5", (1280, 720), 1261 - 65),
    ("google/gemini-3.8-flash", (1280, 720), 1101 - 1),
    ("google/gemini-3.8-flash", (1024, 1024), 1090 - 1),
    ("openai/gpt-6.1-sol", (256, 256), 77),
    ("openai/gpt-6.1-sol", (512, 512), 308),
    ("openai/gpt-6-luna", (1280, 720), 1104),
    # examples of the providers' own pages
    ("openai/gpt-4o", (1024, 1024), 765),
    ("openai/gpt-4o", (2048, 4096), 1105),
    ("openai/gpt-4o", (150, 150), 255),
    ("openai/gpt-4o-mini", (1024, 1024), 25501),
    ("google/gemini-2.5-flash", (960, 540), 6 * 258),
    ("google/gemini-2.5-flash", (300, 200), 258),
]


@pytest.mark.parametrize(("model", "size", "tokens"), MEASURED)
def test_a_picture_counts_as_its_provider_says(
    model: str, size: tuple[int, int], tokens: int
) -> None:
    rule = find_picture_rule(model)
    assert rule.tokens(size) == pytest.approx(tokens, rel=rule.within)


def test_larger_pictures_are_counted_as_they_are_sent() -> None:
    rule = find_picture_rule("anthropic/claude-sonnet-5-5")
    assert rule.tokens((3000, 6000)) == rule.tokens((768, 1536))


def test_the_judges_of_a_plan_have_rules_of_their_own() -> None:
    for name in PLANNED_JUDGES:
        assert find_picture_rule(name).within <= 0.1
    assert find_picture_rule("nobody/knows-it").within == 0.5


@pytest.mark.parametrize("strategy", ["simple", "isq"])
@pytest.mark.parametrize("explain", [False, True])
def test_words_count_about_as_a_real_tokeniser_counts_them(strategy: str, explain: bool) -> None:
    """The tokeniser is MiniLM's; GPT-4o's, measured once, lies between."""
    personas = all_personas()
    assert len(personas) == 60
    ratios = []
    for persona in personas:
        prompt = strategies.build(strategy, persona, explain=explain)
        text = f"{prompt.system}\n{prompt.user}"
        ratios.append(count_words(text) / count_text(text))
    assert min(ratios) > 1 - TEXT_WITHIN
    assert max(ratios) < 1 + TEXT_WITHIN


def test_a_question_is_its_words_its_pictures_and_its_reply() -> None:
    prompt = strategies.build("simple", GUITARIST)
    one = estimate_tokens("openai/gpt-4o", prompt, 1, (360, 640))
    three = estimate_tokens("openai/gpt-4o", prompt, 3, (360, 640))
    assert three.input_tokens - one.input_tokens == 2 * 425
    words = len(re.findall(r"\w+", f"{prompt.system} {prompt.user}"))
    assert 425 + words < one.input_tokens < 425 + 2 * words
    asked = estimate_tokens("openai/gpt-4o", prompt, 1, (360, 640), explain=True)
    assert asked.output_tokens > one.output_tokens
