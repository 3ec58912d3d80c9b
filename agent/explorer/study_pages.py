"""The pages of studies: the list, and one study."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

from agent.explorer.errors import NoSuchPage
from agent.explorer.film_strips import list_marks
from agent.explorer.run_pages import draw
from agent.explorer.workbench import Workbench
from agent.study.study_list import ListedStudy, list_studies
from analysis.errors import AnalysisError
from store.api.run_reader import RunReader
from store.errors import StoreError
from store.jsonl.paths import is_name

if TYPE_CHECKING:
    from starlette.datastructures import QueryParams

    from analysis.api.measurement import Measurement


@dataclass(frozen=True)
class StudyPage:
    """One study as lists show it, and the runs that were made of it, the newest first."""

    listed: ListedStudy
    runs: tuple[RunReader, ...]
    declared: str
    """The study file as it was frozen."""
    marks: tuple[str, ...] = ()
    """What makes its feeds or its answers other than those of real sites."""

    @property
    def name(self) -> str:
        return self.listed.name

    @property
    def report(self) -> str:
        """Path of its report, if it was written."""
        return str(self.listed.report or "")


def make_list(bench: Workbench, _: Mapping[str, Any], __: QueryParams) -> tuple[StudyPage, ...]:
    """Return every study, the latest first."""
    runs = bench.reader.runs()
    listed = {one.name: one for one in list_studies(bench.data)}
    names = reversed(bench.reader.studies())
    return tuple(_read(bench, listed.get(name) or _without_file(name), runs) for name in names)


def make(bench: Workbench, parts: Mapping[str, Any], query: QueryParams) -> StudyPage:
    """Return one study; raises ``NoSuchPage``."""
    for study in make_list(bench, parts, query):
        if study.name == parts["study"]:
            return study
    raise NoSuchPage(f"There is no study {parts['study'][:80]!r}.")


def _without_file(name: str) -> ListedStudy:
    """Return a study that runs name and that is not declared here."""
    return ListedStudy(name, "damaged", problem="Its runs are here, and its study.toml is not.")


def _read(bench: Workbench, listed: ListedStudy, runs: list[RunReader]) -> StudyPage:
    declared = bench.data.study_dir(listed.name) / "study.toml"
    try:
        text = declared.read_text(encoding="utf-8", errors="replace")
    except OSError:
        text = ""
    own = tuple(run for run in reversed(runs) if run.study == listed.name)
    marks = {
        mark
        for note in bench.catalogue.runs
        if note.started.study == listed.name
        for mark in list_marks(note.started.platform, note.started.config, note.started.model)
    }
    return StudyPage(listed, own, text, tuple(sorted(marks)))


def make_findings(bench: Workbench, parts: Mapping[str, Any], _: QueryParams) -> str:
    """Return in words what a study found, as its report's command prints it."""
    try:
        return _measure(bench, parts["study"]).summary()
    except (StoreError, AnalysisError) as error:  # what cannot be said is said, too
        return str(error)


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
