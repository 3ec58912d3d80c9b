"""``python -m agent plan``: which study a budget pays for, and what it can find."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from agent.cli.options import json_option, python_to_type
from analysis.cli.power import Points
from store.terminal.printing import echo

if TYPE_CHECKING:
    from agent.study.proposal import StudyProposal
    from agent.study.quote import StudyQuote
    from analysis.simulation.affordable_studies import AffordableStudy, StudySearch, TriedSizes
    from analysis.simulation.scenarios import StudyPlan

EPILOG = """
\b
Examples:
  python -m agent plan --budget 20 --target 10pp
  python -m agent plan --budget 6 --model openai/gpt-4o --write study.toml
"""
FINAL_STUDIES = 400
"""Simulated studies behind the powers of the study that is recommended."""


@click.command(epilog=EPILOG)
@click.option("--budget", type=click.FloatRange(0), required=True, metavar="USD", help="To spend.")
@click.option("--target", type=Points(), default="10pp", show_default=True, help="Sway to find.")
@click.option(
    "--model",
    "models",
    multiple=True,
    default=("openai/gpt-4o",),
    show_default=True,
    help="Who judges; of several, the one whose study finds most.",
)
@click.option("--strategy", default="simple", show_default=True, help="simple or isq.")
@click.option("--platform", default="playground", show_default=True, help="What is watched.")
@click.option(
    "--base",
    type=click.FloatRange(0.01, 0.9),
    default=0.2,
    show_default=True,
    help="Share of yes in an unpersonalised feed.",
)
@click.option("--hours", type=click.FloatRange(0, min_open=True), help="To spend, at most.")
@click.option("--personas", type=click.IntRange(6, 60), help="How many, where that is settled.")
@click.option("--videos", type=click.IntRange(60, 400), help="Of each run, where that is settled.")
@click.option(
    "--gpu-hour",
    type=click.FloatRange(0),
    default=0.0,
    metavar="USD",
    help="What an hour of your GPU costs, for models that run here.",
)
@click.option("--parallel", type=click.IntRange(1), default=1, show_default=True)
@click.option("--name", default="planned", show_default=True, help="Name of the study.")
@click.option("--write", type=click.Path(path_type=Path, dir_okay=False), help="Write its file.")
@click.option(
    "--studies",
    type=click.IntRange(50),
    default=200,
    show_default=True,
    help="Simulated studies behind each choice.",
)
@click.option("--seed", type=click.IntRange(0), default=1, show_default=True)
@json_option
def plan(as_json: bool, **given: Any) -> None:
    """Choose personas, length and judge for a budget, and print the study file.

    A persona matrix is planned: every run is judged again as every persona. Its power is quoted for
    feeds that learn at once and slowly, since nobody knows which yours is.
    """
    from agent.cli.plan_text import alternatives_text, summary_text
    from analysis.simulation.affordable_studies import TIME_CONSTANTS, choose

    wish = PlanWish(**given)
    offers = _offers(wish)
    place = choose([offer.study for offer in offers], [offer.cost_usd for offer in offers])
    best = _mirrored_if_paid(offers[place], wish)
    search = wish.search(FINAL_STUDIES, wish.seed + 1)  # the draws that chose it flatter it
    powers = search.powers(best.study.plan, best.study.others, TIME_CONSTANTS)
    final = replace(best, study=powers)
    file = final.proposal.file_text()
    if wish.write is not None:
        _write_new(wish.write, file)
    if as_json:
        echo(json.dumps(final.as_dict(wish, search), indent=2))
        return
    echo(summary_text(final, wish, search))
    echo(alternatives_text(final, wish))
    if wish.write is None:
        echo(file, nl=False)
        return
    echo(f"Type: {python_to_type()} -m agent study {wish.write} --dry-run")


@dataclass(frozen=True)
class PlanWish:
    """What is asked of a plan; money in US dollars, the target as a share of 1."""

    budget: float
    target: float
    models: tuple[str, ...]
    strategy: str
    platform: str
    base: float
    hours: float | None
    personas: int | None
    videos: int | None
    gpu_hour: float
    parallel: int
    name: str
    write: Path | None
    studies: int
    seed: int

    def search(self, studies: int, seed: int) -> StudySearch:
        from analysis.simulation.affordable_studies import StudySearch
        from analysis.simulation.power import Trials
        from analysis.simulation.scenarios import World

        return StudySearch(self.target, World(base=self.base), Trials(studies, seed))

    def propose(self, model: str, plan: StudyPlan, others: float) -> StudyProposal:
        from agent.study.proposal import StudyProposal
        from store.runs.ledger_lines import Windows

        windows = Windows(
            before=plan.before, adapt=plan.adapt, after=plan.after, baseline="passive"
        )
        return StudyProposal(
            name=self.name,
            model=model,
            strategy=self.strategy,
            platform=self.platform,
            personas=plan.personas,
            windows=windows,
            others=others,
            budget_usd=self.budget,
            parallel=self.parallel,
        )

    def cost(self, quote: StudyQuote) -> float:
        """The most that a study may cost by its quote, hours of the GPU included."""
        from agent.models import find_capabilities

        local = any(find_capabilities(judge.model).on_gpu for judge in quote.judges)
        _, most = quote.bounds or (0.0, 0.0)
        return most + (self.gpu_hour * quote.hours if local else 0.0)

    def pays(self, quote: StudyQuote) -> bool:
        in_time = self.hours is None or quote.hours <= self.hours
        return in_time and self.cost(quote) <= self.budget


@dataclass(frozen=True)
class PlanOffer:
    """A study that the budget pays for: as it is proposed, quoted and simulated."""

    proposal: StudyProposal
    quote: StudyQuote
    study: AffordableStudy
    cost_usd: float  # at most

    def as_dict(self, wish: PlanWish, search: StudySearch) -> dict[str, Any]:
        questions, bounds = self.quote.questions, self.quote.bounds
        return {
            "model": self.proposal.model,
            "personas": self.study.plan.personas,
            "videos": self.study.plan.videos,
            "others": self.study.others,
            "mirrored": self.proposal.mirrored,
            "target_pp": 100 * wish.target,
            "power": {f"{constant:g}": power for constant, power in self.study.power.items()},
            "reaches": self.study.reaches,
            "simulated_studies": search.trials.studies,
            "calls": {"watching": questions.watching, "stored": questions.stored},
            "cost_usd": self.quote.cost_usd,
            "bounds_usd": bounds,
            "batch_usd": self.quote.batch_usd,
            "hours": self.quote.hours,
            "file": self.proposal.file_text(),
        }


def _offers(wish: PlanWish) -> list[PlanOffer]:
    """Every study that is paid for, by each of the models."""
    from agent.errors import BadConfig
    from agent.judge.spending_cap import SpendingCap
    from agent.models import check
    from analysis.errors import BadPlan
    from analysis.simulation.affordable_studies import find_affordable
    from personas.strategies import hashes
    from store.terminal.printing import counting

    hashes(wish.strategy)
    sizes = _sizes(wish)
    offers: list[PlanOffer] = []
    for model in wish.models:
        check(model)
        SpendingCap(cost_usd=wish.budget).check(model)

        def offer(plan: StudyPlan, others: float, model: str = model) -> StudyQuote:
            return wish.propose(model, plan, others).quote()

        def affords(plan: StudyPlan, others: float) -> bool:
            return wish.pays(offer(plan, others))

        search = wish.search(wish.studies, wish.seed)
        try:
            with counting("ways to spend it") as tell:
                found = find_affordable(search, affords, sizes, tell)
        except BadPlan:
            if len(wish.models) == 1:
                raise
            continue
        for study in found:
            quote = offer(study.plan, study.others)
            proposal = wish.propose(model, study.plan, study.others)
            offers.append(PlanOffer(proposal, quote, study, wish.cost(quote)))
    if not offers:
        raise BadConfig("No study of these judges is paid for by that. Type: --budget with more")
    return offers


def _sizes(wish: PlanWish) -> TriedSizes:
    """What is tried; no run is longer than the playground's smallest theme."""
    from agent.platforms import load_platform
    from agent.playground.catalogue import load_catalogue
    from analysis.simulation.affordable_studies import SIZES, TriedSizes
    from analysis.simulation.video_budget import MOST

    most = MOST
    if load_platform(wish.platform).own_site:
        most = min(most, *load_catalogue().videos_by_theme.values())
    personas = (wish.personas,) if wish.personas else SIZES
    return TriedSizes(personas, wish.videos or most, settled=wish.videos is not None)


def _mirrored_if_paid(offer: PlanOffer, wish: PlanWish) -> PlanOffer:
    """Add the opposite questions where the budget pays for them and the strategy has any."""
    if wish.strategy == "isq":
        return offer
    proposal = replace(offer.proposal, mirrored=True)
    quote = proposal.quote()
    if not wish.pays(quote):
        return offer
    return PlanOffer(proposal, quote, offer.study, wish.cost(quote))


def _write_new(path: Path, text: str) -> None:
    """Write a file that is not there yet; raises ``BadConfig`` where it is."""
    from agent.errors import BadConfig
    from store.jsonl.atomic import write_whole

    if path.exists():
        raise BadConfig(f"{path} is there already. Type: the same with --write ANOTHER.toml")
    write_whole(path, text.encode())
