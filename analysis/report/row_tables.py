"""The tables with a row for each video that was shown, and for each run."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from analysis.data.exposures import MISSING, NO, NONE, PHASES, REPEAT, UNKNOWN, YES
from analysis.data.reported_uses import USES
from analysis.report.group_measures import Measures
from analysis.report.page_files import BLOCK, Cell, ReportTable
from analysis.statistics.estimate import Ints

GROUP = ("platform", "strategy", "model")
_OF_RUN = ("run_id", "persona", "arm", *GROUP, "replicate")
_ANSWERS = {YES: "yes", NO: "no", NONE: None}


def views_table(measures: Measures) -> ReportTable:
    """One row per video that was shown, with the use that was made of it."""
    columns = (
        "run",
        "persona",
        "arm",
        *GROUP,
        "replicate",
        "position",
        "window",
        "batch",
        "video",
        "answer",
        "missing",
        "use",
        "repeat",
        "p_yes",
        "score",
        "dwell_s",
        "author",
        "frame",
    )
    return ReportTable("views", columns, blocks=_ViewBlocks(measures))


@dataclass(frozen=True, eq=False)
class _ViewBlocks:
    """The columns of that table, many rows at a time: a study may have millions."""

    measures: Measures

    def __iter__(self) -> Iterator[list[list[Cell]]]:
        views = self.measures.material.views
        run = [
            np.array([getattr(one, name) for one in views.runs], dtype=object) for name in _OF_RUN
        ]
        for start in range(0, len(views), BLOCK):
            at = slice(start, start + BLOCK)
            yield [*(column[views.run[at]].tolist() for column in run), *self._columns(at)]

    def _columns(self, at: slice) -> tuple[list[Cell], ...]:
        views, seen = self.measures.material.views, self.measures.material.seen
        batch = views.batch[at].astype(object)
        batch[views.batch[at] == UNKNOWN] = None
        unknown: list[Cell] = [None] * len(batch)
        return (
            views.position[at].tolist(),
            _named(PHASES, views.phase[at]),
            batch.tolist(),
            views.video[at].tolist(),
            [_ANSWERS[answer] for answer in views.answer[at].tolist()],
            _named([name or None for name in MISSING], views.missing[at]),
            _named(USES, self.measures.rows.use[at]),
            _named([name or None for name in REPEAT], views.repeat[at]),
            views.p_yes[at].tolist(),
            views.score[at].tolist(),
            views.dwell[at].tolist(),
            seen.author[at].tolist() if seen else unknown,
            seen.frame[at].tolist() if seen else unknown,
        )


def _named(names: Sequence[str | None], codes: Ints) -> list[Cell]:
    told: list[Cell] = np.array(names, dtype=object)[codes].tolist()
    return told


def runs_table(measures: Measures) -> ReportTable:
    columns = (
        "run",
        "persona",
        "arm",
        *GROUP,
        "replicate",
        "account",
        "status",
        "judged_before",
        "yes_before",
        "judged_after",
        "yes_after",
        "sway",
        "i",
    )
    rows = []
    for group in measures.groups:
        for run, counts in zip(group.runs, group.counts, strict=True):
            n, yes = counts.n.sum(1), counts.yes.sum(1)
            share = counts.share
            rows.append(
                (
                    run.run_id,
                    run.persona,
                    run.arm,
                    run.platform,
                    run.strategy,
                    run.model,
                    run.replicate,
                    run.account,
                    run.status,
                    int(n[0]),
                    int(yes[0]),
                    int(n[1]),
                    int(yes[1]),
                    float(100 * (share[1] - share[0])),
                    counts.change,
                )
            )
    return ReportTable("runs", columns, rows)
