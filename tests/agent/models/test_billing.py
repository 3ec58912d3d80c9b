"""What providers report, cached and cache-written tokens apart, is priced by the list."""

from __future__ import annotations

import asyncio
from importlib.metadata import PackageNotFoundError, version
from types import SimpleNamespace
from typing import Any

import pytest

from agent.errors import BudgetSpent
from agent.judge.judge import ModelJudge
from agent.judge.spending_cap import Budgeted, SpendingCap
from agent.models import load, prices
from agent.models.paid_calls import TokenUse, read_usage
from tests.agent.models.billing_server import Bill, BillingServer
from tests.agent.models.made_models import GUITARIST, frame

# inspect_ai calls tenacity, and Google's client aiohttp, in deprecated ways; it is theirs to mend
pytestmark = [
    pytest.mark.filterwarnings("ignore:The 'initial' parameter:DeprecationWarning"),
    pytest.mark.filterwarnings("ignore:Inheritance class AiohttpClientSession:DeprecationWarning"),
]

CLIENTS = {"anthropic": "anthropic", "google": "google-genai"}
"""Packages of providers; Google's wants a tenacity that is older than the one pinned here."""


def need_client(model: str) -> None:
    """Skip where the provider's own package is not installed."""
    client = CLIENTS.get(model.partition("/")[0])
    if client is not None and not is_installed(client):
        pytest.skip(f"pip install {client}")


def is_installed(package: str) -> bool:
    try:
        version(package)
    except PackageNotFoundError:
        return False
    return True


A_MILLION = 1_000_000
BILL = Bill(fresh=100_000, written=300_000, read=600_000, replied=10_000)
DOLLARS = {
    # per million tokens: full rate, written, read, replied
    "openai/gpt-6.1-sol": (2.0, 2.5, 0.1, 10.0),
    "anthropic/claude-sonnet-5-5": (2.0, 2.5, 0.1, 10.0),
    "google/gemini-3.8-flash": (0.75, 0.75, 0.075, 3.75),
}


@pytest.mark.parametrize(
    "model", ["openai/gpt-4o", "anthropic/claude-sonnet-5-5", "google/gemini-3.8-flash"]
)
def test_a_ledger_holds_what_the_provider_charges(
    model: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """GPT-4o's list has a rate for what is read of a cache, and none for what is written."""
    need_client(model)
    fresh, written, read, replied = DOLLARS.get(model, (2.5, 2.5, 1.25, 10.0))
    with BillingServer().running(monkeypatch) as server:
        bill = Bill(400_000, 0, 600_000, 10_000) if "gemini" in model else BILL
        server.given = [bill]
        loaded = load(model)
        judge = ModelJudge.of(loaded, "simple", GUITARIST)
        said = asyncio.run(_asked(judge))
    assert said.answer == "yes"
    used = said.usage
    assert used.input_tokens == bill.total
    assert used.cache_read_tokens == bill.read
    assert used.output_tokens == bill.replied
    dollars = (
        bill.fresh * fresh + bill.written * written + bill.read * read + bill.replied * replied
    )
    assert used.cost_usd == pytest.approx(dollars / A_MILLION)


async def _asked(judge: ModelJudge) -> Any:
    try:
        return await judge.judge((frame(),), None)
    finally:
        await judge.close()


def test_a_cap_counts_what_is_written_into_a_cache(monkeypatch: pytest.MonkeyPatch) -> None:
    """A dollar's worth of written tokens is a fifth dearer than the same tokens read."""
    need_client("anthropic/claude-sonnet-5-5")
    with BillingServer().running(monkeypatch) as server:
        server.given = [Bill(0, written=100_000) for _ in range(9)]
        model = Budgeted(load("anthropic/claude-sonnet-5-5"), SpendingCap(cost_usd=1.0))

        async def ask_all() -> int:
            judge = ModelJudge.of(model, "simple", GUITARIST)
            for had in range(9):
                try:
                    await judge.judge((frame(),), None, repeat=had)
                except BudgetSpent:
                    return had
            return 9

        async def ask_and_close() -> int:
            try:
                return await ask_all()
            finally:
                await model.close()

        had = asyncio.run(ask_and_close())
    assert had == 3  # of 25 cents each; at the full rate it would be four, which cost a dollar
    assert model.balance.cost_usd == pytest.approx(0.75, abs=0.001)


def test_cached_tokens_are_part_of_what_was_read() -> None:
    told = usage(100, 5, cache_read=600, cache_write=300, reasoning=2)
    assert read_usage(told) == TokenUse(1000, 5, 600, 300, 2)
    assert read_usage(usage(1000, 5)) == TokenUse(1000, 5)


def test_more_cached_than_read_is_charged_at_the_full_rate() -> None:
    assert read_usage(usage(-40, 5, cache_read=50)) == TokenUse(10, 5)
    assert read_usage(usage(-60, 5, cache_read=50)) is None
    assert read_usage(usage(10, -1)) is None


def usage(
    fresh: int,
    replied: int,
    cache_read: int | None = None,
    cache_write: int | None = None,
    reasoning: int | None = None,
) -> SimpleNamespace:
    return SimpleNamespace(
        input_tokens=fresh,
        output_tokens=replied,
        input_tokens_cache_read=cache_read,
        input_tokens_cache_write=cache_write,
        reasoning_tokens=reasoning,
    )


@pytest.mark.parametrize(("model", "rates"), DOLLARS.items())
def test_batches_cost_half(model: str, rates: tuple[float, ...]) -> None:
    price = prices.find(model)
    assert price is not None
    live = price.cost(1000, 10, cache_read=100, cache_write=100)
    assert price.batched.cost(1000, 10, cache_read=100, cache_write=100) == live / 2
    assert price.cost(1000, 0) == pytest.approx(rates[0] / 1000)
    assert price.dearest(1000, 0) == pytest.approx(rates[1] / 1000)
