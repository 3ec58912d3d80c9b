"""What is said once before a run: who gets what, prices' age, what must repeat."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from store.terminal.printing import echo

if TYPE_CHECKING:
    from agent.judge.spending_cap import SpendingCap
    from agent.run_config import SiteConfig
    from store.runs.ledger_lines import Windows

FEWEST_OF_A_THEME = 300
"""Videos of any theme of the shipped catalogue, at least: a shorter run needs no look at it."""


def announce(model: str, cap: SpendingCap) -> None:
    """Say on stderr who gets the frames. ``BadConfig`` for a cap in dollars without a price."""
    from agent.models import sent_to
    from agent.models.prices import dated

    cap.check(model)
    if (notice := sent_to(model)) is not None:
        echo(notice, err=True)
    if cap.cost_usd is not None:
        echo(f"Prices: {dated(datetime.now(UTC).date())}", err=True)


def announce_repeats(site: SiteConfig | None, windows: Windows) -> None:
    """Say on stderr where the windows are longer than what the playground has to show."""
    if site is None or (site.catalogue is None and windows.total <= FEWEST_OF_A_THEME):
        return
    from agent.playground.catalogue import load_catalogue
    from agent.playground.clip_folder import count_videos

    own = site.catalogue
    videos = load_catalogue().videos_by_theme if own is None else count_videos(own)
    listens = site.feed != "random" and site.gain > 0
    most = min(videos.values(), default=0) if listens else sum(videos.values())
    if not videos or windows.total <= most:
        return
    where = "A theme of this catalogue" if listens else "This catalogue"
    fit = (most - windows.adapt) // 2
    remedy = f"--before {fit} --after {fit}" if fit > 0 else "python -m agent playground --help"
    echo(
        f"{where} has {most} videos and the run watches {windows.total}, so some are shown again. "
        f"Repeats count, and the shares without them are shown too. For fewer, type: {remedy}",
        err=True,
    )
