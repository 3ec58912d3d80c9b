"""What a served model's tokens cost, by the public price lists that genai-prices keeps.

Refuses to reach for a newer list: the installed one is used, and `dated` says how old it is.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from importlib.metadata import version
from typing import Any

HERE = frozenset(
    {"embedded", "scripted", "hfvlm", "vllm", "sglang", "ollama", "llama-cpp-python", "mockllm"}
)
"""Families that run on a machine of one's own: no call costs money."""

_LISTS = {
    "anthropic": "anthropic",
    "azureai": "azure",
    "bedrock": "aws",
    "cloudflare": "cloudflare",
    "fireworks": "fireworks",
    "google": "google",
    "grok": "x-ai",
    "groq": "groq",
    "mistral": "mistral",
    "moonshot": "moonshotai",
    "openai": "openai",
    "openrouter": "openrouter",
    "perplexity": "perplexity",
    "together": "together",
}
"""Families of inspect_ai, and their lists' ids."""


@dataclass(frozen=True)
class Price:
    """How to price the calls of one model."""

    provider: str
    """Id of the list; empty where calls cost nothing."""
    model: str

    @staticmethod
    def of(price: Price | None, input_tokens: int, output_tokens: int) -> float | None:
        """Price of a call in US dollars; ``None`` where no price is known."""
        return None if price is None else price.cost(input_tokens, output_tokens)

    def cost(self, input_tokens: int, output_tokens: int) -> float:
        """Price of a call in US dollars, as of today."""
        if not self.provider:
            return 0.0
        from genai_prices import Usage, calc_price

        used = Usage(input_tokens=input_tokens, output_tokens=output_tokens)
        return float(calc_price(used, self.model, provider_id=self.provider).total_price)


def find(name: str) -> Price | None:
    """Return the price of a model by its name (``openai/gpt-4o``), or ``None`` where none is known.

    ``openai-api/<service>/<model>`` is looked for under the service's own name.
    """
    family, _, model = name.partition("/")
    if family in HERE:
        return Price("", model)
    if family == "openai-api":
        family, _, model = model.partition("/")
        provider: str | None = family
    else:
        provider = _LISTS.get(family)
    if not provider or not model:
        return None
    price = Price(provider, model)
    try:
        price.cost(1, 1)
    except LookupError:
        return None
    return price


def dated(today: date) -> str:
    """Name the price list and the last change of a price that it knows of."""
    from genai_prices.data_snapshot import get_snapshot

    starts = [
        start
        for provider in get_snapshot().providers
        for model in provider.models
        for start in _starts(model.prices)
        if start <= today
    ]
    known = f", with changes up to {max(starts)}" if starts else ""
    return f"genai-prices {version('genai-prices')}{known}"


def _starts(prices: Any) -> list[date]:
    """Dates from which a model's prices hold, where the list gives any."""
    if not isinstance(prices, list):
        return []
    starts = (getattr(getattr(price, "constraint", None), "start_date", None) for price in prices)
    return [start for start in starts if isinstance(start, date)]
