"""What people's labels say about each platform, strategy and model, without the whole report."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from analysis.data.people_labels import PERSON
from analysis.estimators.people_results import PeopleResult, measure_people
from analysis.report.rejudgings import Rejudging, measure_rejudgings, name_judges
from analysis.report.report_inputs import Material
from analysis.statistics.estimate import Estimate


@dataclass(frozen=True)
class PersonMatrix:
    """The specific sway as a person would find it, of a draw for the persona matrix."""

    judge: str
    estimate: Estimate | None
    refused: str


@dataclass(frozen=True)
class GroupLabels:
    """One platform, strategy and model."""

    platform: str
    strategy: str
    model: str
    draws: tuple[PeopleResult, ...]
    matrices: tuple[PersonMatrix, ...]


def measure_labels(material: Material, rng: np.random.Generator) -> tuple[GroupLabels, ...]:
    """Measure what the labels say, group by group, of the runs that were drawn of."""
    views = material.views
    names = sorted({(run.platform, run.strategy, run.model) for run in views.runs})
    told = []
    for name in names:
        members = [
            index
            for index, run in enumerate(views.runs)
            if (run.platform, run.strategy, run.model) == name
        ]
        known = {views.runs[index].run_id for index in members}
        draws = [one for one in material.people if known.intersection(one.header.runs)]
        if not draws:
            continue
        rejudged = measure_rejudgings(material, members, rng)
        judges = name_judges(rejudged)
        results = tuple(measure_people(one, views, members, judges) for one in draws)
        told.append(GroupLabels(*name, results, tuple(map(_matrix, _people(rejudged)))))
    return tuple(told)


def _people(rejudged: tuple[Rejudging, ...]) -> list[Rejudging]:
    return [one for one in rejudged if one.judge.model.startswith(PERSON)]


def _matrix(told: Rejudging) -> PersonMatrix:
    estimate = told.both.estimate if told.both is not None else None
    return PersonMatrix(told.judge.model, estimate, told.refused if estimate is None else "")
