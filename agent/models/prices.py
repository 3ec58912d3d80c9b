"""What a served model's tokens cost, by the price lists of the installed genai-prices."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from importlib.metadata import version
from typing import Any

from agent.models.providers import parse_model_name


@dataclass(frozen=True)
class Price:
    """How to price the calls of one model, in US dollars."""

    provider: str  # id of the list; empty where calls cost nothing
    model: str

    @staticmethod
    def of(price: Price | None, input_tokens: int, output_tokens: int) -> float | None:
        """What a call costs; ``None`` where no price is known."""
        return None if price is None else price.cost(input_tokens, output_tokens)

    def cost(self, input_tokens: int, output_tokens: int) -> float:
        """What a call costs, as of today."""
        if not self.provider:
            return 0.0
        from genai_prices import Usage, calc_price

        usage = Usage(input_tokens=input_tokens, output_tokens=output_tokens)
        return float(calc_price(usage, self.model, provider_id=self.provider).total_price)


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
