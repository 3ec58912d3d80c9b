"""The paper's two tables of a study: made once, written as HTML, LaTeX and CSV."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from markupsafe import Markup

from analysis.estimators.iavg import Group
from analysis.estimators.strategy_contrasts import StrategyContrast, isq_minus_simple
from analysis.estimators.study_results import study
from analysis.paper.i_avg_table import (
    PAPER,
    READING_ERROR,
    IAvgTable,
    contrast_rows,
    i_avg_rows,
    i_avg_table,
    treated,
)
from analysis.paper.latex_text import LatexSource, print_interval, print_latex
from analysis.paper.value_table import ValueTable, value_rows, value_table
from analysis.report.number_sources import Name, NumberSource, TracedNumber, Traces
from analysis.report.page_files import (
    PAGE,
    TABLES,
    Rendered,
    page_environment,
    time_stamp,
    write_folder,
)
from analysis.report.report_inputs import Material
from analysis.report.row_uses import account
from analysis.report.tables import numbers_table
from analysis.spectrum.scores import SpectrumFindings
from analysis.statistics.estimate import as_json

if TYPE_CHECKING:
    from jinja2 import Environment

TEMPLATES = Path(__file__).with_name("templates")
I_AVG_TEX, VALUES_TEX = "i_avg.tex", "values.tex"


@dataclass(frozen=True)
class PaperPage:
    """What both the page and the LaTeX are rendered from."""

    study: Name
    table: IAvgTable
    values: ValueTable | None  # ``None`` where no spectrum was named
    paper: Name
    reading_error: TracedNumber
    level: TracedNumber  # nominal coverage of the intervals and of what chance gives, in %
    personas: TracedNumber
    runs: TracedNumber
    null_runs: TracedNumber | None  # runs that the nulls are drawn from; ``None`` for a model
    command: Name
    made: Markup


@dataclass(frozen=True)
class WrittenTables:
    """The files that were written, and what is in them."""

    page: Path
    latex: tuple[Path, ...]
    tables: tuple[Path, ...]
    i_avg: tuple[Group, ...]
    isq_minus_simple: tuple[StrategyContrast, ...]

    def as_dict(self) -> dict[str, Any]:
        told: dict[str, Any] = as_json(self)
        files = {name: [str(path) for path in getattr(self, name)] for name in ("latex", "tables")}
        return told | files | {"page": str(self.page)}


def write_paper_tables(
    material: Material,
    spectrum: SpectrumFindings | None,
    folder: Path,
    seed: int,
    now: datetime,
) -> WrittenTables:
    """Write ``index.html``, the LaTeX and ``tables/`` in place of older ones.

    ``seed``: of the nulls; they are those of the report and of ``iavg`` with the same seed.
    Raises ``NothingToCompare`` without a treatment run, ``DataUnwritable`` for a folder that takes
    nothing.
    """
    rng, frames = np.random.default_rng(seed), material.frames is not None
    results = study(material.views, rng, frames=frames, null_runs=material.null_runs.counts)
    table = i_avg_table(results, account(material.views))
    values = value_table(spectrum) if spectrum else None
    page = _page(material, table, values, seed, now)
    rendered = render_page(page)
    files = {PAGE: rendered.html.encode(), I_AVG_TEX: render_latex(page, I_AVG_TEX).encode()}
    if values:
        files[VALUES_TEX] = render_latex(page, VALUES_TEX).encode()
    tables = [i_avg_rows(results), contrast_rows(results), numbers_table(rendered)]
    tables += [value_rows(spectrum)] if spectrum else []
    written = write_folder(folder, files, tables, TABLES)
    groups = treated(results)
    latex = tuple(folder / name for name in files if name != PAGE)
    return WrittenTables(
        folder / PAGE, latex, tuple(written), tuple(groups), isq_minus_simple(groups)
    )


def _page(
    material: Material, table: IAvgTable, values: ValueTable | None, seed: int, now: datetime
) -> PaperPage:
    runs = [run for run in material.views.runs if run.arm == "treatment"]
    counted = NumberSource("analysis.data.exposures.RunInfo", "treatment runs of the study")
    figure = NumberSource("analysis.paper.i_avg_table.READING_ERROR", PAPER)
    nominal = NumberSource("analysis.statistics.estimate.Estimate", "every interval and null here")
    null_runs = material.null_runs
    drawn = NumberSource("analysis.data.null_runs.null_runs", null_runs.told)
    return PaperPage(
        study=Name(material.title),
        table=table,
        values=values,
        paper=Name(PAPER),
        reading_error=figure.count(READING_ERROR, "points that a figure read off may be wrong by"),
        level=nominal.count(95, "nominal coverage, in %"),
        personas=counted.count(len({run.persona for run in runs}), "personas"),
        runs=counted.count(len(runs), "treatment runs"),
        null_runs=drawn.count(len(null_runs.counts), "control runs") if null_runs.counts else None,
        command=Name(f"{material.command} --seed {seed}"),
        made=time_stamp(now),
    )


def render_page(page: PaperPage) -> Rendered:
    traces = Traces()
    template = page_environment(traces, TEMPLATES).get_template("paper.html")
    style = Markup((TEMPLATES / "paper.css").read_text(encoding="utf-8"))
    html = template.render(page=page, own_style=style)
    return Rendered(html, traces.number_all())


def render_latex(page: PaperPage, name: str) -> str:
    """One file to \\input into a document that has ``booktabs``."""
    return _latex_environment().get_template(name).render(page=page)


def _latex_environment() -> Environment:
    """What renders LaTeX: values in ``<< >>``, statements in ``<% %>``, comments in ``<# #>``."""
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    environment = Environment(
        loader=FileSystemLoader(TEMPLATES),
        block_start_string="<%",
        block_end_string="%>",
        variable_start_string="<<",
        variable_end_string=">>",
        comment_start_string="<#",
        comment_end_string="#>",
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        autoescape=False,
        undefined=StrictUndefined,
        finalize=print_latex,
    )
    environment.globals.update(ends=print_interval, tex=lambda value: LatexSource(str(value)))
    return environment
