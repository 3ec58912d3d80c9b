"""``python -m agent judge-check``: is this viewer worth a study?"""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Any

import click

from agent.cli.options import json_option

if TYPE_CHECKING:
    from agent.benchmarks.shares import Share
    from agent.benchmarks.viewer import Agreement, Row

EPILOG = """
\b
Examples:
  python -m agent judge-check --per-theme 2
  python -m agent judge-check --model scripted/keywords?words=guitar,rose --per-theme 1 --json
"""


@click.command("judge-check", epilog=EPILOG)
@click.option("--model", default="embedded/conse", show_default=True, help="Who answers.")
@click.option("--strategy", default="simple", show_default=True, help="simple or isq.")
@click.option(
    "--per-theme",
    type=click.IntRange(1),
    default=6,
    show_default=True,
    help="Videos asked about for each of the playground's themes.",
)
@click.option("--seed", type=click.IntRange(0), default=1, show_default=True)
@json_option
def judge_check(model: str, strategy: str, *, per_theme: int, seed: int, as_json: bool) -> None:
    """Measure how far a viewer's answers agree with the playground's planted themes.

    Every persona judges real frames of the playground's clips. The figures hold for the
    playground; nothing is claimed of a stranger's videos.
    """
    from agent.models import check
    from personas.strategies import hashes

    check(model)
    hashes(strategy)
    found = asyncio.run(_measure(model, strategy, per_theme, seed))
    if as_json:
        click.echo(json.dumps(_plain(found), indent=2))
    else:
        _show(found)


async def _measure(model: str, strategy: str, per_theme: int, seed: int) -> Agreement:
    import numpy as np

    from agent.benchmarks.exhibits import sample, show
    from agent.benchmarks.viewer import agreement
    from agent.cli.progress import counting
    from agent.models import load
    from agent.playground import catalogue
    from agent.playground.clips import ClipStore, default_cache
    from personas.library import all_personas

    items = sample(catalogue.load(), per_theme, np.random.default_rng(seed))
    with counting("looking") as tell:
        exhibits = show(items, ClipStore(default_cache()), lambda _, done, total: tell(done, total))
    viewer = load(model)
    with counting("judging") as tell:
        found = await agreement(
            viewer, strategy, all_personas(), exhibits, lambda _, done, total: tell(done, total)
        )
    await viewer.close()
    return found


def _plain(value: Any) -> Any:
    """Return JSON-able data; what does not exist is null."""
    from dataclasses import asdict, is_dataclass

    if is_dataclass(value) and not isinstance(value, type):
        return _plain(asdict(value))
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    return None if isinstance(value, float) and value != value else value


def _show(found: Agreement) -> None:
    click.echo(f"{found.model}, {found.strategy}: {found.personas} personas, {found.videos} videos")
    click.echo(f"{'':<14} {'fitting: yes':<22} {'unfitting: no':<22} balanced accuracy")
    _show_row("all", found.overall)
    for theme, row in found.by_theme.items():
        _show_row(theme, row)
    told = ", ".join(f"{count} {reason}" for reason, count in found.missing.items()) or "none"
    click.echo(f"missing answers: {told}; {1000 * found.latency_s:.0f} ms a new video (median)")
    click.echo("Brackets: 95 % intervals. These figures hold for the playground only.")


def _show_row(name: str, row: Row) -> None:
    cells = [_cell(share) for share in (row.fitting_yes, row.unfitting_no, row.balanced)]
    click.echo(f"{name:<14} {cells[0]:<22} {cells[1]:<22} {cells[2]}")


def _cell(share: Share) -> str:
    if share.value != share.value:
        return "–"
    return f"{share.value:.3f} [{share.low:.3f}, {share.high:.3f}]"
