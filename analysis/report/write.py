"""Makes a report: measured, composed, rendered, and put into a folder."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np

from analysis.report.export import write_tables
from analysis.report.material import Material
from analysis.report.measured import Measures, measure
from analysis.report.page import compose, render
from analysis.report.tables import tables
from analysis.statistics.estimate import Estimate
from store.errors import DataUnwritable
from store.jsonl.atomic import write_whole

PAGE, TABLES = "index.html", "tables"


@dataclass(frozen=True)
class Finding:
    """The headline of one platform, strategy and model."""

    platform: str
    strategy: str
    model: str
    design: str
    declared: bool
    verdict: str
    estimate: Estimate
    sides: str
    p: float
    p_holm: float


@dataclass(frozen=True)
class WrittenReport:
    """A report that was written."""

    page: Path
    tables: tuple[Path, ...]
    findings: tuple[Finding, ...]

    def as_dict(self) -> dict[str, Any]:
        from analysis.statistics.estimate import as_json

        told: dict[str, Any] = as_json(self)
        return told | {"page": str(self.page), "tables": [str(path) for path in self.tables]}


def write_report(material: Material, folder: Path, seed: int, now: datetime) -> WrittenReport:
    """Measure the material, and write ``index.html`` and ``tables/`` in place of an older report.

    ``seed``: of everything that is drawn at random: nulls, permutations, frames.
    Raises ``NothingToCompare`` without a run, ``DataUnwritable`` for a folder that takes nothing.
    """
    measures = measure(material, np.random.default_rng(seed))
    rendered = render(compose(measures, seed, now))
    try:
        written = write_tables(tables(measures, rendered), folder / TABLES)
        write_whole(folder / PAGE, rendered.html.encode(), sync=False)
    except OSError as error:
        raise DataUnwritable(folder, error.strerror or str(error)) from None
    return WrittenReport(folder / PAGE, tuple(written), _findings(measures))


def _findings(measures: Measures) -> tuple[Finding, ...]:
    test = measures.material.test
    return tuple(
        Finding(
            *group.name,
            design=group.primary.design,
            declared=test.declared,
            verdict=group.primary.verdict(test.alpha, group.p_holm),
            estimate=group.primary.estimate,
            sides=group.primary.sides,
            p=group.primary.p,
            p_holm=group.p_holm,
        )
        for group in measures.groups
    )


def findings_text(findings: Sequence[Finding]) -> str:
    from analysis.terminal.run_text import estimate_text

    verdicts = {
        "up": "towards the personas",
        "down": "away from the personas",
        "chance": "not told from chance",
        "untested": "not tested",
        "absent": "no estimate",
    }
    lines = []
    for one in findings:
        lines.append(f"{one.platform}, {one.strategy}, {one.model}: {verdicts[one.verdict]}")
        tested = "" if np.isnan(one.p) else f"   p = {one.p:.2g}, {one.sides}-sided"
        if len(findings) > 1 and not np.isnan(one.p_holm):
            tested += f", {one.p_holm:.2g} after Holm's correction"
        lines.append(f"  {one.design}  {estimate_text(one.estimate)}{tested}")
    return "\n".join(lines)
