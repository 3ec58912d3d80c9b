"""``python -m analysis report``: words in, a page out."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from analysis.cli.options import (
    NullSource,
    data_option,
    json_option,
    null_options,
    progress,
    seed_option,
)
from store.terminal.command_words import spell_commands
from store.terminal.printing import echo

if TYPE_CHECKING:
    from collections.abc import Sequence

    from analysis.report.report_inputs import Material
    from analysis.report.report_page import WrittenReport
    from store.runs.data_folder import DataFolder


@click.command(
    epilog="\b\nExamples:\n  $ python -m analysis report latest\n"
    "  $ python -m analysis report latest --out report\n"
    "\n\b\nA study by its name, or runs:\n  python -m analysis report first-study",
)
@click.argument("names", nargs=-1, required=True, metavar="STUDY | RUN...")
@click.option(
    "--out",
    type=click.Path(path_type=Path, file_okay=False),
    help="Folder of the report.  [default: report/ in the folder of the study or run]",
)
@click.option(
    "--beside",
    metavar="RUN",
    multiple=True,
    help="Put a watch history beside the feeds: a donation or a capture, as "
    "python -m agent import keeps it. Can be given several times.",
)
@null_options
@data_option
@seed_option
@json_option
def report(
    names: tuple[str, ...],
    out: Path | None,
    null_from: NullSource,
    data: Path,
    **given: Any,
) -> None:
    """Write the report of a study, or of runs: one page, and the tables behind it."""
    import shlex
    from dataclasses import replace

    from analysis.report.report_inputs import add_histories, read_runs, read_study
    from analysis.report.report_notes import ReportNotes, drop_notes
    from store.bundle.report_record import ReportOptions
    from store.privacy.derived_files import register, seal_derived
    from store.runs.data_folder import DataFolder

    folder = DataFolder(data)
    study, paths = _find(folder, names, out)
    home = folder.studies_dir / study if study is not None else paths[0].parent
    runs = [path.parent.name for path in paths]  # of a study: found by the notes
    notes = ReportNotes(folder, study, runs, null_from.runs(data))
    material = (
        read_study(folder, study, progress)
        if study is not None
        else read_runs(folder, paths, names, progress)
    )
    null_runs = null_from.read(data, material.views.runs)
    material = add_histories(folder, material, given["beside"])
    histories = [run.run_id for run in material.beside.views.runs] if material.beside else []
    words = [*null_runs.words, *(word for name in histories for word in ("--beside", name))]
    command = " ".join([material.command, *map(shlex.quote, words)])
    material = replace(material, null_runs=null_runs, command=command)
    shown = {*runs, *notes.runs, *histories, *(first.run_id for first in material.started)}
    out = register(folder, out or home / "report", "report", runs=shown)
    drop_notes(out)
    written = make(material, out, given["seed"], given["as_json_"])
    options = ReportOptions(
        seed=given["seed"],
        null_from=null_from.names,
        null_files=null_from.files(),
        null_map=null_from.mapping,
        beside=tuple(histories),
    )
    notes.keep(out, written.tables, options)
    seal_derived(folder, out)
    _note_test(material, home)


def _find(
    folder: DataFolder, names: Sequence[str], out: Path | None
) -> tuple[str | None, list[Path]]:
    """Return the study that is meant, or the ledgers of runs."""
    from analysis.errors import AnalysisError
    from analysis.report.report_inputs import find_runs, is_study

    if len(names) == 1 and is_study(folder, names[0]):
        return names[0], []
    paths = find_runs(folder, names)
    if out is None and len(paths) > 1:
        raise AnalysisError(
            "Where should a report of several runs go? Type: python -m analysis report "
            f"{' '.join(names)} --out report"
        )
    return None, paths


def _note_test(material: Material, home: Path) -> None:
    """Note that a study was over and its declared test was read, at this size."""
    from datetime import UTC, datetime

    from analysis.report.draw_checks import runs_to_begin
    from store.runs.study_looks import TestedSize, keep_tested

    study = material.study
    if study is None or study.test.looks or runs_to_begin(study.planned, material.started):
        return
    try:
        keep_tested(home, TestedSize(at=datetime.now(UTC), cells=len(study.planned)))
    except OSError as error:
        echo(f"That it was tested could not be noted in {home}: {error.strerror}", err=True)


def make(material: Material, out: Path, seed: int, as_json_: bool) -> WrittenReport:
    """Write the report, say what it finds, and return what was written."""
    import json
    from datetime import UTC, datetime

    from analysis.report.report_page import findings_text, write_report

    written = write_report(material, out, seed, datetime.now(UTC))
    if as_json_:
        echo(json.dumps(written.as_dict(), indent=2))
        return written
    echo(spell_commands(findings_text(written.findings)))
    echo(f"{written.page}")
    return written
