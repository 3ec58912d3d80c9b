"""The pages of runs: the list with its filters, and one run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from agent.explorer.errors import NoSuchPage
from agent.explorer.exposure_catalogue import DamagedRun
from agent.explorer.film_strips import list_marks
from agent.explorer.workbench import Workbench
from agent.study.matrix import log_path
from analysis.errors import AnalysisError
from store.api.run_reader import RunReader
from store.errors import StoreError
from store.runs import ledger
from store.runs.ledger import Ledger

if TYPE_CHECKING:
    from starlette.datastructures import QueryParams

_MOST = 500
STRIP = 400
"""Videos of a run that its own page shows; the grid has all."""
_LOG_BYTES = 20_000
FILTERS = ("platform", "persona", "arm", "model", "study", "status")


@dataclass(frozen=True)
class RunFilter:
    """One property that runs are chosen by, its values, and the one chosen."""

    name: str
    values: tuple[str, ...]
    chosen: str


@dataclass(frozen=True)
class RunList:
    """The runs that are left, the newest first; at most ``_MOST`` of them are shown."""

    runs: tuple[RunReader, ...]
    left: int
    total: int
    filters: tuple[RunFilter, ...]
    since: str
    until: str
    damaged: tuple[DamagedRun, ...]


def make_list(bench: Workbench, _: Mapping[str, Any], query: QueryParams) -> RunList:
    """Return the runs that agree with the address; dates are days in UTC."""
    runs = [run for run in reversed(bench.reader.runs()) if run.started is not None]
    filters = [RunFilter(name, _values(runs, name), query.get(name, "")) for name in FILTERS]
    since, until = query.get("since", ""), query.get("until", "")
    left = [
        run
        for run in runs
        if all(one.chosen in ("", value_of(run, one.name)) for one in filters)
        and (not since or day_of(run) >= since)
        and (not until or day_of(run) <= until)
    ]
    shown = tuple(left[:_MOST])
    return RunList(
        shown, len(left), len(runs), tuple(filters), since, until, bench.catalogue.damaged
    )


def value_of(run: RunReader, name: str) -> str:
    """Return a run's value of one of ``FILTERS``, in words."""
    values = {
        "platform": run.platform,
        "persona": run.persona,
        "arm": run.arm,
        "model": run.model,
        "study": run.study,
        "status": run.status,
    }
    return values[name] or "none"


def day_of(run: RunReader) -> str:
    return f"{run.started:%Y-%m-%d}" if run.started else ""


def _values(runs: Sequence[RunReader], name: str) -> tuple[str, ...]:
    return tuple(sorted({value_of(run, name) for run in runs}))


@dataclass(frozen=True)
class RunPage:
    """One run: what it was, every step, its faults and its log."""

    run: RunReader
    kept: Ledger
    report: str
    """Path of its report, if it was written."""
    log: str
    """The end of its log, if there is one."""

    @property
    def ended(self) -> datetime | None:
        return self.kept.finished.at if self.kept.finished else None

    @property
    def marks(self) -> tuple[str, ...]:
        """What makes the feed or the answers other than a real site's."""
        first = self.kept.started
        return list_marks(first.platform, first.config, first.model)

    @property
    def strip(self) -> list[tuple[int, str | None, str, str]]:
        """Return position, frame, answer (or why there is none) and window of the first videos."""
        return [
            (
                step.position,
                next((one.sha256 for one in step.frames if one.quality != "blank"), None),
                step.excluded or step.judgement.answer or step.judgement.missing or "none",
                step.phase,
            )
            for step in self.kept.seen[:STRIP]
        ]


def make(bench: Workbench, parts: Mapping[str, Any], _: QueryParams) -> RunPage:
    """Read a run; raises ``RunNotFound`` and ``DamagedLedger``."""
    run = find_run(bench, parts["run"])
    kept = bench.read_ledger(run.path)
    page = run.path.parent / "report" / "index.html"
    return RunPage(run, kept, str(page) if page.is_file() else "", _read_log(bench, run, kept))


def make_summary(bench: Workbench, parts: Mapping[str, Any], _: QueryParams) -> str:
    """Return in words what a run shows, as ``agent run`` tells it at its end."""
    from analysis.api.measurement import measure_run

    run = find_run(bench, parts["run"])
    try:
        return measure_run(bench.reader, run.id).summary()
    except (StoreError, AnalysisError) as error:  # what cannot be said is said, too
        return str(error)


def draw_curve(bench: Workbench, name: str) -> bytes:
    """Draw the share of yes along one run's feed, as PNG."""
    from analysis.api.measurement import measure_run

    measured = measure_run(bench.reader, find_run(bench, name).id)
    return draw(measured.plot_curve, (7, 3.0))


def draw(plot: Any, size: tuple[float, float]) -> bytes:
    """Draw one plot of the analysis on axes of its own, as PNG; size in inches."""
    from matplotlib.figure import Figure

    from analysis.plots import as_png

    figure = Figure(figsize=size, layout="constrained")
    plot(figure.subplots())
    return as_png(figure)


def find_run(bench: Workbench, name: str) -> RunReader:
    """Return the run of an id; raises ``NoSuchPage``."""
    path = bench.data.ledger_path(name)
    found = ledger.summarise(path) if path.is_file() else None
    if found is None:
        raise NoSuchPage(f"There is no run {name[:80]!r}. It may have been forgotten.")
    return RunReader.of(found)


def _read_log(bench: Workbench, run: RunReader, kept: Ledger) -> str:
    """Return the end of the log of a study's cell, which is where runs have one."""
    if run.study is None:
        return ""
    path = log_path(bench.data.study_dir(run.study), str(kept.started.config.get("cell") or ""))
    try:
        return path.read_bytes()[-_LOG_BYTES:].decode("utf-8", "replace")
    except OSError:
        return ""
