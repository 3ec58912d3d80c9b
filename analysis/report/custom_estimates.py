"""Estimators of others in a report: computed for each group, shown with their package."""

from __future__ import annotations

from dataclasses import dataclass, replace

from analysis.estimators.custom_estimators import CustomEstimates, estimate_by_plug_ins
from analysis.report.group_measures import Measures
from analysis.report.number_sources import Name, PrintedEstimate
from analysis.report.report_group import GroupRows


@dataclass(frozen=True)
class EstimatorSection:
    """One package's estimator as the page shows it."""

    name: Name
    package: Name
    problem: Name | None
    rows: tuple[tuple[Name, PrintedEstimate, Name], ...]
    """Each number with its name, and what it is in or why it does not exist."""


def with_custom_estimates(measures: Measures, seed: int) -> Measures:
    """Return the measures, with what the estimators of other packages say of each group."""
    views = measures.material.views
    groups = [
        replace(group, custom_estimates=estimate_by_plug_ins(views, group.members, seed))
        for group in measures.groups
    ]
    return replace(measures, groups=tuple(groups))


def estimator_sections(scene: GroupRows) -> tuple[EstimatorSection, ...]:
    return tuple(_shown(scene, one) for one in scene.group.custom_estimates)


def _shown(scene: GroupRows, one: CustomEstimates) -> EstimatorSection:
    made = scene.everything("estimators.custom_estimators.estimate_by_plug_ins")
    package = f"{one.made_by.package} {one.made_by.version}"
    source = replace(made, function=f"{one.target} of {package} (code {one.made_by.code})")
    return EstimatorSection(
        name=Name(one.made_by.name),
        package=Name(package),
        problem=Name(one.problem) if one.problem else None,
        rows=tuple(
            (Name(name), source.estimate(each, name), Name(each.reason or each.unit))
            for name, each in one.estimates.items()
        ),
    )
