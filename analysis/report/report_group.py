"""One group of runs as the sections of the report see it: its numbers, rows and sources."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from analysis.data.exposures import RunInfo, Views
from analysis.report.group_measures import MeasuredGroup, Measures
from analysis.report.number_sources import NumberSource
from analysis.statistics.estimate import Mask


@dataclass(frozen=True, eq=False)
class GroupRows:
    """A group with the rows that it came from."""

    measures: Measures
    group: MeasuredGroup

    @property
    def views(self) -> Views:
        return self.measures.material.views

    @property
    def told(self) -> str:
        """Which group this is, after a comma; nothing where there is one only."""
        return group_told(self.views.runs, self.group.runs[0])

    def rows(self, arms: Iterable[str] | None = None) -> Mask:
        wanted = set(self.group.arms if arms is None else arms)
        members = [index for index in self.group.members if self.views.runs[index].arm in wanted]
        return self.measures.rows.of(members)

    def source(
        self,
        function: str,
        arms: Iterable[str] | None = None,
        used: Mask | None = None,
        *,
        noun: str = "judged video",
        otherwise: str = "not part of this number",
    ) -> NumberSource:
        """Say where a number comes from that rests on the rows of these arms."""
        made = self.measures.rows.source(
            f"analysis.{function}", self.rows(arms), used, noun=noun, otherwise=otherwise
        )
        return replace(made, used=f"{made.used}{self.told}")

    def everything(self, function: str, arms: Iterable[str] | None = None) -> NumberSource:
        """Say that a number counts every video of these arms, whether or not it is compared."""
        every = np.ones(len(self.views), dtype=bool)
        return self.source(function, arms, every, noun="video")

    def paired(self) -> tuple[Mask, str]:
        """Rows behind the sway, and why others that count are not: runs without a partner."""
        contrasts = self.group.result.contrasts
        counted = self.measures.rows.counted
        if not self.group.control or not contrasts:
            return counted & self.rows(["treatment"]), "of control runs"
        ids = {run for pair in contrasts[0].pairs for run in pair}
        members = [index for index in self.group.members if self.views.runs[index].run_id in ids]
        return counted & self.measures.rows.of(members), "of runs without a partner"


def group_told(runs: Sequence[RunInfo], one: RunInfo) -> str:
    """Which platform, strategy and model a run is of; nothing where all runs are of one."""
    names = {(run.platform, run.strategy, run.model) for run in runs}
    return f", {one.platform}, {one.strategy} × {one.model}" if len(names) > 1 else ""
