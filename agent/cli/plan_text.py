"""A plan in words: what the study finds, what it takes, and what neither covers."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import TYPE_CHECKING

from agent.cli.quote_text import calls_text, dollars, money_text, time_text
from agent.models import find_capabilities
from agent.models.providers import PLANNED_JUDGES
from analysis.simulation.affordable_studies import AT_ONCE, SLOWLY
from analysis.simulation.power import WANTED
from analysis.terminal.runs_table import columns

if TYPE_CHECKING:
    from agent.cli.plan_offers import PlanOffer, PlanWish
    from analysis.simulation.affordable_studies import StudySearch


def summary_text(offer: PlanOffer, wish: PlanWish, search: StudySearch) -> str:
    """Tell what the recommended study is, finds and takes."""
    plan, proposal = offer.study.plan, offer.proposal
    asked = "all" if offer.study.others == 1 else f"a drawn {100 * offer.study.others:g} %"
    mirrored = "with" if proposal.mirrored else "without"
    lines = [
        f"{plan.personas} personas x {plan.videos} videos: {plan.before} before, {plan.adapt} "
        f"adapt, {plan.after} after",
        f"judged by {proposal.model}, strategy {proposal.strategy}",
        f"of the others' questions {asked}, {mirrored} their opposites",
        "",
        *_power_lines(offer, wish, search),
        "",
        time_text(offer.quote, wish.parallel),
        calls_text(offer.quote),
        *money_text(offer.quote),
        *_batch_lines(offer),
        f"The study ends where ${wish.budget:g} are spent: its file says so under [budget].",
        "",
    ]
    return "\n".join(lines)


def _power_lines(offer: PlanOffer, wish: PlanWish, search: StudySearch) -> list[str]:
    """Power by how fast the feed learns, and what can be had where it is below 0.8."""
    study, target = offer.study, 100 * wish.target
    tried = sorted(study.power)
    least = {constant: search.smallest(study, constant) for constant in (AT_ONCE, SLOWLY)}
    rows = [
        (
            _feed(constant),
            f"{study.power[constant]:.2f}",
            _sway(least[constant]) if constant in least else "",
        )
        for constant in tried
    ]
    head = ("the feed learns", f"power for {target:g} pp", f"sway found with {WANTED:g}")
    lines = [
        columns(head, rows),
        "",
        f"Two-sided at 0.05, over a base rate of {100 * wish.base:g} %; "
        f"{search.trials.studies} simulated studies, so within {2 * search.trials.error:.2f}.",
        "They know no errors of the judge, no lost runs and no feed that wanders by itself.",
    ]
    short = [_feed(constant) for constant in least if study.power[constant] < WANTED]
    if short:
        lines.append(
            f"This budget falls short of {WANTED:g} for {target:g} pp where the feed learns "
            f"{' and '.join(short)}; the last column is what it reaches."
        )
    return lines


def _feed(constant: float) -> str:
    return f"in {constant:g} videos" if constant else "at once"


def _sway(smallest: float) -> str:
    return "none" if math.isnan(smallest) else f"{smallest:.1f} pp"


def _batch_lines(offer: PlanOffer) -> list[str]:
    """What the provider's batch service saves, or would save, where it saves anything."""
    live, batch = offer.quote.live_usd, offer.quote.batch_usd
    if not live or batch is None or batch >= live:
        return []
    if offer.quote.batches:
        return [
            f"Stored frames go through the provider's batch service; live it is {dollars(live)}."
        ]
    return [
        f"By the provider's batch service the stored frames would make it {dollars(batch)}; "
        "this plan asks live."
    ]


def alternatives_text(offer: PlanOffer, wish: PlanWish) -> str:
    """Tell what the same study takes with other judges, of services and of a GPU here."""
    rows = []
    for model in PLANNED_JUDGES:
        if model == offer.proposal.model:
            continue
        quote = replace(offer.proposal, model=model).quote()
        if find_capabilities(model).on_gpu:
            money = dollars(wish.gpu_hour * quote.hours) if wish.gpu_hour else "your GPU's"
        else:
            money = "not known" if quote.cost_usd is None else dollars(quote.cost_usd)
        most = quote.judges[0].thinking_usd
        thinking = "" if most is None else dollars(most)
        rows.append((model, money, thinking, f"{quote.hours:.1f}"))
    return "\n".join(
        [
            "The same study with another judge, whose quality nobody compared here:",
            "",
            columns(("judge", "USD", "if it thinks first, at most", "hours"), rows),
            "",
        ]
    )
