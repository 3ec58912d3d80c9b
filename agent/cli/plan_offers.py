"""Studies that a budget pays for, as `python -m agent plan` finds them."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from agent.study.proposal import StudyProposal
    from agent.study.quote import StudyQuote
    from analysis.simulation.affordable_studies import AffordableStudy, StudySearch, TriedSizes
    from analysis.simulation.scenarios import StudyPlan


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
    batch: bool
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
            batch=self.batch and self.hours is None,  # nobody knows how long a batch takes
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
            "live_usd": self.quote.live_usd,
            "batch_usd": self.quote.batch_usd,
            "batches": self.quote.batches,
            "thinking_usd": self.quote.judges[0].thinking_usd,
            "hours": self.quote.hours,
            "file": self.proposal.file_text(),
        }


def find_offers(wish: PlanWish) -> list[PlanOffer]:
    """Every study that is paid for, by each of the models."""
    from agent.errors import BadConfig
    from agent.judge.spending_cap import SpendingCap
    from agent.models import check
    from agent.study.study_file import NAME
    from analysis.errors import BadPlan
    from analysis.simulation.affordable_studies import find_affordable
    from personas.library import find
    from personas.strategies import build, hashes
    from store.terminal.printing import counting

    if re.fullmatch(NAME, wish.name) is None:
        raise BadConfig(f"{wish.name!r} is no name of a study. Type: --name my-study")
    hashes(wish.strategy)
    if not build(wish.strategy, find("p01")).traits:
        raise BadConfig(f"{wish.strategy} asks as nobody, so no matrix. Type: --strategy simple")
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


def mirror_if_paid(offer: PlanOffer, wish: PlanWish) -> PlanOffer:
    """Add the opposite questions where the budget pays for them and the strategy has any."""
    if wish.strategy == "isq":
        return offer
    proposal = replace(offer.proposal, mirrored=True)
    quote = proposal.quote()
    if not wish.pays(quote):
        return offer
    return PlanOffer(proposal, quote, offer.study, wish.cost(quote))
