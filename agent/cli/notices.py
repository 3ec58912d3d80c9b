"""What is said once before a model is first asked: who gets what, and how old the prices are."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from agent.models.budget import Cap


def announce(model: str, cap: Cap) -> None:
    """Say it on stderr.

    Raises
    ------
    BadConfig
        The cap is in dollars, and nobody knows the model's price.
    """
    from agent.models import sent_to
    from agent.models.prices import dated

    cap.check(model)
    if (told := sent_to(model)) is not None:
        click.echo(told, err=True)
    if cap.cost_usd is not None:
        click.echo(f"Prices: {dated(datetime.now(UTC).date())}", err=True)
