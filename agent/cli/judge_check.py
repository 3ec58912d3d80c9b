"""``python -m agent judge-check``: is this viewer worth a study?"""

from __future__ import annotations

import asyncio
import json
import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import click

from agent.cli.options import (
    cap_options,
    data_option,
    json_option,
    model_option,
    order_option,
    settings_option,
)
from agent.cli.privacy_notice import announce
from store.terminal.printing import count_of, echo

if TYPE_CHECKING:
    from agent.benchmarks.judge_consistency import Measure
    from agent.benchmarks.two_way_clusters import MeasuredShare
    from agent.benchmarks.viewer import AgreementRow, ViewerAgreement
    from agent.judge.spending_cap import Spending, SpendingCap
    from agent.models import ModelRequest
    from personas.strategies import Order

EPILOG = """
\b
Examples:
  python -m agent judge-check --per-theme 1 --personas 20
  python -m agent judge-check --model scripted/coin --per-theme 1 --personas 9 --json
  python -m agent judge-check --order picture-first --per-theme 1 --personas 9
"""


@dataclass(frozen=True)
class _Found:
    agreement: ViewerAgreement
    measures: list[Measure]
    spent: Spending | None
    """By this call; ``None`` for a model that costs nothing."""


@click.command("judge-check", epilog=EPILOG)
@model_option
@click.option("--strategy", default="simple", show_default=True, help="simple or isq.")
@click.option(
    "--per-theme",
    type=click.IntRange(1),
    default=6,
    show_default=True,
    help="Videos asked about for each of the playground's themes.",
)
@click.option(
    "--personas",
    type=click.IntRange(2),
    help="Personas that are asked, drawn at random.  [default: all]",
)
@click.option("--seed", type=click.IntRange(0), default=1, show_default=True)
@order_option
@cap_options
@settings_option
@data_option
@json_option
def judge_check(*, as_json: bool, **options: Any) -> None:
    """Measure what a study rests on: does this viewer see, and does it answer steadily?

    Personas judge real frames of the playground's clips: plainly, again, the opposite, in other
    words, in the other order of persona and picture, and with orders written on the screen. No
    kept reply is used. The figures hold for the playground; nothing is claimed of a stranger's
    videos.
    """
    from agent.errors import BadConfig
    from agent.judge.spending_cap import SpendingCap
    from agent.model_settings import ModelSettings
    from agent.models import ModelRequest, check_looks
    from personas.strategies import hashes

    settings = ModelSettings.parse(options.pop("model_settings"))
    request = ModelRequest(options["model"], settings=settings)
    request.check(os.environ)
    check_looks(options["model"])
    hashes(options["strategy"])
    if options["strategy"] == "plain":
        raise BadConfig("Without a persona there is nothing to agree with. Type: --strategy simple")
    cap = SpendingCap(options["max_cost"], options["max_tokens"])
    announce(options["model"], cap)
    found = asyncio.run(_measure(options, request, cap))
    if as_json:
        echo(json.dumps(_as_dict(found), indent=2))
    else:
        _show(found)


async def _measure(options: dict[str, Any], request: ModelRequest, cap: SpendingCap) -> _Found:
    from contextlib import AsyncExitStack

    import numpy as np

    from agent.benchmarks.judge_consistency import Panel, probe_judge
    from agent.benchmarks.viewer import measure_agreement
    from agent.benchmarks.viewer_inputs import draw_videos, take_exhibits
    from agent.judge.model_under_cap import is_free
    from agent.judge.spending_cap import Budgeted, Spending
    from agent.models import load
    from agent.models.local_server import warmed
    from agent.models.local_server.warm_model import hold_worker
    from agent.models.paid_calls import CappedAccounts
    from agent.playground.catalogue import load_catalogue
    from agent.playground.clips import ClipStore, default_cache
    from personas.library import all_personas
    from store.runs.data_folder import DataFolder
    from store.runs.payment_book import PaymentBook
    from store.terminal.printing import counting

    rng = np.random.default_rng(options["seed"])
    items = draw_videos(load_catalogue(), options["per_theme"], rng)
    planted = [persona for persona in all_personas() if persona.themes]
    if options["personas"] is not None:
        planted = [planted[i] for i in sorted(rng.permutation(len(planted))[: options["personas"]])]
    with counting("looking") as tell:
        exhibits = take_exhibits(items, ClipStore(default_cache()), tell)
    strategy: str = options["strategy"]
    order: Order = options["order"]
    async with AsyncExitStack() as stack:
        await stack.enter_async_context(warmed(options["model"]))
        async with hold_worker(request.name, request.settings):
            loaded = await asyncio.to_thread(load, request.name, settings=request.settings)
        stack.push_async_callback(loaded.close)
        till = CappedAccounts(
            PaymentBook(DataFolder(options["data"]).payments), (_account(options),)
        )
        before = till.book.balance(till.accounts)
        viewer = loaded if is_free(loaded) else Budgeted(loaded, cap, till)
        with counting("judging") as tell:
            agreed = await measure_agreement(viewer, strategy, planted, exhibits, tell, order)
        with counting("asking in other ways") as tell:
            panel = Panel(viewer, strategy, planted, exhibits, order)
            measures = await probe_judge(panel, rng, tell)
    paid = viewer.balance if isinstance(viewer, Budgeted) else None
    spent = None
    if paid is not None:
        spent = Spending(paid.cost_usd - before.cost_usd, paid.tokens - before.tokens)
    return _Found(agreed, measures, spent)


def _account(options: dict[str, Any]) -> str:
    """Name who pays: the cap holds for the same check over its interruptions."""
    names = ("model", "strategy", "per_theme", "personas", "seed")
    parts = ["all" if options[name] is None else str(options[name]) for name in names]
    if options["order"] == "picture-first":
        parts.append("picture-first")
    return "/".join(["judge-check", *parts])


def _as_dict(found: _Found) -> dict[str, Any]:
    from analysis.statistics.estimate import as_json

    measures = {m.name: as_json(m.figure) | {"unit": m.unit} for m in found.measures}
    agreement: dict[str, Any] = as_json(found.agreement)
    return agreement | {"measures": measures, "spent": as_json(found.spent)}


def _show(found: _Found) -> None:
    agreement = found.agreement
    shown = f"{count_of(agreement.personas, 'persona')}, {count_of(agreement.videos, 'video')}"
    asked = f"{agreement.strategy}, {agreement.order}"
    echo(f"{agreement.model}, {asked}: {shown}")
    rows = [
        ("yes to what fits", agreement.overall.fitting_yes),
        ("no to what does not fit", agreement.overall.unfitting_no),
        ("balanced accuracy", agreement.overall.balanced),
    ]
    width = max(len(name) for name, _ in [*rows, *((m.name, None) for m in found.measures)])
    for name, figure in rows:
        echo(f"{name:<{width}}  {_cell(figure):<24} {count_of(figure.answers, 'answer')}")
    for measure in found.measures:
        cell = _cell(measure.figure, measure.unit)
        echo(f"{measure.name:<{width}}  {cell:<24} {count_of(measure.figure.answers, 'answer')}")
    echo(f"\n{'theme':<14} {'fitting: yes':<22} {'unfitting: no':<22} balanced accuracy")
    for theme, row in agreement.by_theme.items():
        _show_row(theme, row)
    lost = ", ".join(f"{count} {reason}" for reason, count in agreement.missing.items()) or "none"
    echo(f"missing answers: {lost}; {1000 * agreement.latency_s:.0f} ms a new video (median)")
    if found.spent is not None:
        echo(f"spent: ${found.spent.cost_usd:.4f}, {found.spent.tokens:,} tokens")
    echo("Brackets: 95 % intervals, clustered by persona and by video (docs/models.md).")
    echo("These figures hold for the playground only.")


def _show_row(name: str, row: AgreementRow) -> None:
    cells = [_cell(share) for share in (row.fitting_yes, row.unfitting_no, row.balanced)]
    echo(f"{name:<14} {cells[0]:<22} {cells[1]:<22} {cells[2]}")


def _cell(figure: MeasuredShare, unit: str = "share") -> str:
    if figure.value != figure.value:
        return "–"
    form = {"share": ".3f", "lean": "+.3f", "points": "+.1f"}[unit]
    if figure.low != figure.low:  # one persona or one video: no interval
        return f"{figure.value:{form}}"
    return f"{figure.value:{form}} [{figure.low:{form}}, {figure.high:{form}}]"
