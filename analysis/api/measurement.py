"""A run or a study as a notebook asks about it: its report's numbers as tables and plots."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

import store
from analysis.data.reported_uses import USES
from analysis.data.run_columns import read_run
from analysis.errors import NothingToCompare
from analysis.estimators.one_run import summarise
from analysis.report.group_measures import MeasuredGroup, Measures, measure
from analysis.report.page_files import Rendered, make_arrow
from analysis.report.report_inputs import Material, is_study, nearest_names, read_runs, read_study
from analysis.report.report_page import findings_of, findings_text
from analysis.report.tables import tables
from analysis.terminal.run_text import render
from store.api.data_reader import DataReader
from store.api.run_reader import RunReader
from store.api.table_formats import TableFormat, check_format, convert_table, make_showable
from store.terminal.printing import count_of

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_NO_PAGE = Rendered("", ())
BEGIN = "Type: python -m agent study --example > study.toml"


@dataclass(frozen=True, eq=False, repr=False)
class Measurement:
    """What a run or a study shows. Made by ``analysis.open_run`` and ``analysis.open_study``.

    Everything is drawn with ``seed`` and computed once, when it is first asked for.
    """

    data: DataReader
    material: Material
    """The rows and what is known of them, as a report takes them."""
    seed: int = 0

    def __repr__(self) -> str:
        views = self.material.views
        runs = count_of(len(views.runs), "run")
        return f"<{self.material.title}: {runs}, {count_of(len(views), 'video')}>"

    @cached_property
    def measures(self) -> Measures:
        """Everything that its report says, as values; raises ``NothingToCompare``."""
        return measure(self.material, np.random.default_rng(self.seed))

    @property
    def groups(self) -> tuple[MeasuredGroup, ...]:
        """One for each platform, strategy and model."""
        return self.measures.groups

    @cached_property
    def runs(self) -> tuple[RunReader, ...]:
        """Its runs, in the order of ``steps``."""
        known = {run.id: run for run in self.data.runs()}
        return tuple(known[run.run_id] for run in self.material.views.runs)

    def summary(self) -> str:
        """Return in words what one run shows, or what a study found."""
        if len(self.runs) == 1 and self.material.study is None:
            run = read_run(self.runs[0].path)
            return render(summarise(run, np.random.default_rng(self.seed)))
        return findings_text(findings_of(self.measures))

    def steps(self, format: TableFormat = "pandas") -> Any:  # noqa: A002 - as the word is typed
        """Return the steps as ``store`` does, with a last column ``use``: what became of each.

        ``before`` and ``after`` are compared; every other use is a reason why a row is not. Shape
        ``(videos, columns)``. Raises ``FormatUnavailable``.
        """
        check_format(format)
        steps = self.data.steps(runs=self.runs, format="arrow")
        use = [USES[code] for code in self.measures.rows.use]
        return convert_table(steps.append_column("use", [use]), format)

    def table(self, name: str, format: TableFormat = "pandas") -> Any:  # noqa: A002
        """Return one of the report's tables (``docs/report.md``), such as ``runs``.

        Raises ``NothingToCompare`` for a name that no table has, and ``FormatUnavailable``.
        """
        check_format(format)
        made = {table.name: table for table in tables(self.measures, _NO_PAGE)}
        made.pop("numbers")  # of the page, which is not made here
        if name not in made:
            raise NothingToCompare(f"No table {name[:40]!r}. Type one of: {', '.join(made)}")
        return convert_table(_make_showable_texts(make_arrow(made[name])), format)

    def curve(self, format: TableFormat = "pandas") -> Any:  # noqa: A002
        """Return the share of yes along the feed, in %, one row for each arm and bin of videos.

        ``first`` and ``last`` count eligible videos from 0; ``low`` and ``high`` end the 95 %
        interval over runs, which one run does not have.
        """
        return self.table("drift", format)

    def matrix(self, format: TableFormat = "pandas") -> Any:  # noqa: A002
        """Return the persona matrix, in % of yes: ``persona`` asked about the feed of ``feed_of``.

        It has no row where nothing was judged again.
        """
        return self.table("matrix", format)

    def plot_curve(self, axes: Axes | None = None, group: int = 0) -> Axes:
        """Plot the share of yes along the feed; ``group`` counts ``groups`` from 0."""
        from analysis import plots

        axes = axes or _new_axes(7, 3.2)
        plots.drift(axes, self.groups[group].drift)
        return axes

    def plot_null(self, axes: Axes | None = None, group: int = 0) -> Axes:
        """Plot the primary estimate over what these runs would give if nothing happened."""
        from analysis import plots

        axes = axes or _new_axes(7, 2.8)
        plots.null(axes, self.groups[group].primary)
        return axes

    def plot_personas(self, axes: Axes | None = None, group: int = 0) -> Axes:
        """Plot the sway of each persona, and of all together."""
        from analysis import plots

        axes = axes or _new_axes(6, 3.4)
        one = self.groups[group]
        treated = [arm.sway for arm in one.result.arms if arm.arm == "treatment"]
        whole = [contrast.estimate for contrast in one.result.contrasts] or treated
        if not whole:
            raise NothingToCompare(
                "No run of the treatment arm is here. Type: python -m agent run --arm treatment"
            )
        plots.forest(axes, one.forest, whole[0])
        return axes

    def plot_matrix(self, axes: Axes | None = None, group: int = 0) -> Axes:
        """Plot the after windows' persona matrix of the judge whom the primary test takes.

        Raises ``NothingToCompare`` where nothing was judged again.
        """
        from analysis import plots

        judge = self.groups[group].matrix_judge
        if judge is None or judge.matrix is None:
            raise NothingToCompare(
                "No persona matrix is here. Type: python -m agent rejudge STUDY --everyone"
            )
        axes = axes or _new_axes(4.4, 4.4)
        plots.matrix(axes, judge.matrix)
        return axes


def measure_run(data: DataReader | str | Path | None, run: str) -> Measurement:
    """See ``analysis.open_run``."""
    reader = open_reader(data)
    return measure_runs(reader, [reader.run(run)])


def measure_runs(reader: DataReader, runs: Sequence[RunReader]) -> Measurement:
    """Measure runs together, in their order."""
    paths, names = [run.path for run in runs], [run.id for run in runs]
    return Measurement(reader, read_runs(reader.folder, paths, names))


def measure_study(data: DataReader | str | Path | None, study: str) -> Measurement:
    """See ``analysis.open_study``."""
    reader = open_reader(data)
    if study == "latest":
        study = next(iter(studies_with_runs(reader)), "")
        if not study:
            raise NothingToCompare(f"There is no study with a run in {reader.folder.root}. {BEGIN}")
    elif not is_study(reader.folder, study):
        raise nearest_names(reader.folder, study)
    return Measurement(reader, read_study(reader.folder, study))


def studies_with_runs(reader: DataReader) -> list[str]:
    """Return the declared studies that have a run, the latest first."""
    run = {each.study for each in reader.runs()}
    declared = [name for name in reader.studies() if is_study(reader.folder, name)]
    return [name for name in reversed(declared) if name in run]


def open_reader(data: DataReader | str | Path | None) -> DataReader:
    """Return what ``store.open`` makes of this, or the reader that it is."""
    return data if isinstance(data, DataReader) else store.open(data)


def _make_showable_texts(table: Any) -> Any:
    """Spell out in an Arrow table what could steer a terminal that shows its texts."""
    import pyarrow as pa

    for place, field in enumerate(table.schema):
        if pa.types.is_string(field.type):
            texts = [make_showable(text) for text in table.column(place).to_pylist()]
            table = table.set_column(place, field, pa.array(texts, field.type))
    return table


def _new_axes(width: float, height: float) -> Axes:
    import matplotlib.pyplot as plt  # a second

    return plt.subplots(figsize=(width, height), layout="constrained")[1]
