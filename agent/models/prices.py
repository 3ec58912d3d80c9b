"""What a served model's tokens cost, by the price lists of the installed genai-prices."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import date
from importlib.metadata import version
from typing import Any

from agent.models.providers import parse_model_name


@dataclass(frozen=True)
class Price:
    """How to price the calls of one model, in US dollars."""

    provider: str  # id of the list; empty where calls cost nothing
    model: str
    batch: bool = False
    """Whether the provider's batch service is asked; at the full rate where none is listed."""

    @property
    def batched(self) -> Price:
        """The price of the same calls to the provider's batch service."""
        return replace(self, batch=True)

    def cost(
        self,
        input_tokens: int,
        output_tokens: int,
        *,
        cache_read: int = 0,
        cache_write: int = 0,
    ) -> float:
        """What a call costs, as of today.

        Parameters
        ----------
        input_tokens
            All that were read, cached ones included; ``output_tokens`` includes thoughts.
        cache_read, cache_write
            Of these, those from the provider's prompt cache, and those written into it. A list
            without a rate for them has them at the full rate.
        """
        if not self.provider:
            return 0.0
        from genai_prices import Usage, calc_price

        usage = Usage(
            input_tokens=input_tokens,
            output_tokens=output_tokens,
            cache_read_tokens=cache_read,
            cache_write_tokens=cache_write,
        )
        context = {"processing": "batch"} if self.batch else None
        price = calc_price(usage, self.model, provider_id=self.provider, price_context=context)
        return float(price.total_price)

    def dearest(self, input_tokens: int, output_tokens: int) -> float:
        """The most that a call of so many tokens costs: all of them written into a cache."""
        written = self.cost(input_tokens, output_tokens, cache_write=input_tokens)
        return max(written, self.cost(input_tokens, output_tokens))


def find(name: str) -> Price | None:
    """Return the price of a model by its name, or ``None`` where none is known.

    ``openai-api/<service>/<model>`` is looked for under the service's own name.
    """
    parts = parse_model_name(name)
    if not parts.provider.capabilities.costs:
        return Price("", parts.model)
    price_list = parts.service if parts.provider.relays else parts.provider.price_list
    if not price_list or not parts.model:
        return None
    price = Price(price_list, parts.model)
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
    changes = f", with changes up to {max(starts)}" if starts else ""
    return f"genai-prices {version('genai-prices')}{changes}"


def _starts(prices: Any) -> list[date]:
    if not isinstance(prices, list):
        return []
    starts = (getattr(getattr(price, "constraint", None), "start_date", None) for price in prices)
    return [start for start in starts if isinstance(start, date)]
