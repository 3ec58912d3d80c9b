"""How far a model's answers agree with the playground's planted themes.

Every persona with planted themes judges every exhibit through the same judge as in a run. A video
fits a persona where its theme is one of the persona's: of those the share answered yes counts, of
all others the share answered no. Missing answers are counted apart and are in neither. What comes
out holds for the playground; nothing is claimed of a stranger's videos.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from agent.benchmarks.two_way_clusters import (
    Grid,
    GridCell,
    MeasuredShare,
    ask_pairs,
    balance_shares,
    measure_share,
)
from agent.benchmarks.viewer_inputs import Exhibit, Tell, match_themes
from agent.judge.judge import ModelJudge, QuestionForm
from agent.models.base import Model
from personas.persona import Persona
from personas.strategies import Order


@dataclass(frozen=True)
class AgreementRow:
    """Agreement over some of the answers."""

    fitting_yes: MeasuredShare
    unfitting_no: MeasuredShare
    balanced: MeasuredShare
    """Balanced accuracy: the mean of the two."""


@dataclass(frozen=True)
class ViewerAgreement:
    """Agreement of one model, asked in one strategy."""

    model: str
    strategy: str
    order: Order
    personas: int
    videos: int
    overall: AgreementRow
    by_theme: dict[str, AgreementRow]
    by_persona: dict[str, AgreementRow]
    missing: dict[str, int]
    """Answers that there are not, by reason."""
    latency_s: float
    """Median wall time of a judgement that was the first about its video."""


async def measure_agreement(
    model: Model,
    strategy: str,
    personas: Sequence[Persona],
    exhibits: Sequence[Exhibit],
    tell: Tell,
    order: Order = "persona-first",
) -> ViewerAgreement:
    """Ask a model about every exhibit as every persona; those without themes are left out."""
    judged = [persona for persona in personas if persona.themes]
    form = QuestionForm(order=order)
    judges = [ModelJudge.of(model, strategy, persona, form) for persona in judged]
    pairs = [GridCell(row, column) for column in range(len(exhibits)) for row in range(len(judged))]
    answers = await ask_pairs(judges, exhibits, pairs, tell)
    said = answers.yes
    missing = Counter(one.missing for one in answers.said.values() if one.missing is not None)
    first_s = [one.latency_s for pair, one in answers.said.items() if pair.persona == 0]
    shown = [exhibit.theme for exhibit in exhibits]
    themes, fits = np.array(shown), match_themes(judged, shown)
    return ViewerAgreement(
        model=model.name,
        strategy=strategy,
        order=order,
        personas=len(judged),
        videos=len(exhibits),
        overall=_row(said, fits),
        by_theme={
            str(theme): _row(said[:, themes == theme], fits[:, themes == theme])
            for theme in np.unique(themes)
        },
        by_persona={
            persona.id: _row(said[[row]], fits[[row]]) for row, persona in enumerate(judged)
        },
        missing={str(reason): count for reason, count in missing.items()},
        latency_s=float(np.median(first_s)) if first_s else np.nan,
    )


def _row(said: Grid, fits: NDArray[np.bool_]) -> AgreementRow:
    fitting, unfitting = np.where(fits, said, np.nan), np.where(fits, np.nan, 1 - said)
    return AgreementRow(
        measure_share(fitting), measure_share(unfitting), balance_shares(fitting, unfitting)
    )
