"""Prices are found by a model's name, are dated, and are never invented."""

from __future__ import annotations

from datetime import date

import pytest

from agent.models import prices


@pytest.mark.parametrize(
    "name",
    [
        "openai/gpt-4o",
        "anthropic/claude-sonnet-4-5",
        "google/gemini-2.5-flash",
        "openrouter/qwen/qwen-vl-plus",
        "openai-api/deepseek/deepseek-chat",
    ],
)
def test_listed_models_have_a_price_that_grows_with_tokens(name: str) -> None:
    price = prices.find(name)
    assert price is not None
    assert 0 < price.cost(1000, 10) < price.cost(2000, 10) < price.cost(2000, 500) < 1


def test_a_price_is_in_dollars_for_the_tokens_given() -> None:
    price = prices.find("openai/gpt-4o")  # 2.50 and 10 dollars for a million, since October 2024
    assert price is not None
    assert price.cost(1_000_000, 0) == pytest.approx(2.5)
    assert price.cost(0, 1_000_000) == pytest.approx(10)


@pytest.mark.parametrize("name", ["hfvlm/a/b", "vllm/a/b", "embedded/conse", "scripted/yes"])
def test_a_machine_of_ones_own_costs_nothing(name: str) -> None:
    price = prices.find(name)
    assert price is not None
    assert price.cost(10**6, 10**6) == 0


@pytest.mark.parametrize(
    "name", ["openai/no-such-model", "sagemaker/x", "openai-api/loopback/x", "openai-api/x", "x"]
)
def test_what_is_not_listed_has_no_price(name: str) -> None:
    assert prices.find(name) is None


def test_the_list_is_dated() -> None:
    told = prices.dated(date(2026, 1, 31))
    assert told.startswith("genai-prices ")
    day = date.fromisoformat(told.rpartition(" ")[2])
    assert date(2025, 1, 1) < day <= date(2026, 1, 31)
    assert "up to" not in prices.dated(date(1990, 1, 1))
