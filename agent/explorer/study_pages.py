"""The pages of studies: the list, and one study."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import TYPE_CHECKING, Any

from agent.daemon.web.study_status import count_drawn
from agent.explorer.errors import NoSuchPage
from agent.explorer.run_pages import draw
from agent.explorer.workbench import Workbench
from store.api.run_reader import RunReader
from store.jsonl.paths import is_name

if TYPE_CHECKING:
    from starlette.datastructures import QueryParams

    from analysis.api.measurement import Measurement


@dataclass(frozen=True)
class StudyPage:
    """One study: its cells and the runs that were made of them, the newest first."""

    name: str
    cells: int
    """As drawn; 0 where no draw can be read."""
    runs: tuple[RunReader, ...]
    declared: str
    """The study file as it was frozen."""
    report: str
    """Path of its report, if it was written."""

    @property
    def complete(self) -> int:
        """How many cells have a complete run, of each the newest."""
        return sum(run.status == "complete" for run in self.runs)

    @property
    def started(self) -> datetime | None:
        return min((run.started for run in self.runs if run.started), default=None)

    @property
    def state(self) -> str:
        """``running``, ``complete``, ``not begun``, or ``interrupted``."""
        if any(run.status == "running" for run in self.runs):
            return "running"
        if not self.runs:
            return "not begun"
        return "complete" if 0 < self.cells <= self.complete else "interrupted"


def make_list(bench: Workbench, _: Mapping[str, Any], __: QueryParams) -> tuple[StudyPage, ...]:
    """Return every study, the latest first."""
    runs = bench.reader.runs()
    return tuple(_read(bench, name, runs) for name in reversed(bench.reader.studies()))


def make(bench: Workbench, parts: Mapping[str, Any], _: QueryParams) -> StudyPage:
    """Return one study; raises ``NoSuchPage``."""
    name = parts["study"]
    if name not in bench.reader.studies():
        raise NoSuchPage(f"There is no study {name[:80]!r}.")
    return _read(bench, name, bench.reader.runs())


def _read(bench: Workbench, name: str, runs: list[RunReader]) -> StudyPage:
    folder = bench.data.study_dir(name)
    own = tuple(run for run in reversed(runs) if run.study == name)
    page, declared = folder / "report" / "index.html", folder / "study.toml"
    try:
        text = declared.read_text(encoding="utf-8", errors="replace")
    except OSError:
        text = ""
    report = str(page) if page.is_file() else ""
    return StudyPage(name, count_drawn(folder / "draws.json"), own, text, report)


def make_findings(bench: Workbench, parts: Mapping[str, Any], _: QueryParams) -> str:
    """Return in words what a study found, as its report's command prints it."""
    return _measure(bench, parts["study"]).summary()


def draw_curve(bench: Workbench, name: str) -> bytes:
    """Draw the share of yes along the feed of a study's first group, as PNG."""
    return draw(_measure(bench, name).plot_curve, (7, 3.2))


def draw_matrix(bench: Workbench, name: str) -> bytes:
    """Draw the persona matrix of a study's first group, as PNG."""
    return draw(partial(_measure(bench, name).plot_matrix, group=0), (4.6, 4.6))


def _measure(bench: Workbench, name: str) -> Measurement:
    from analysis.api.measurement import measure_study

    if not is_name(name):
        raise NoSuchPage("There is no such study.")
    return measure_study(bench.reader, name)
