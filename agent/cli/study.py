"""``python -m agent study``: a declared matrix of runs."""

from __future__ import annotations

import os
import shlex
import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from agent.cli.options import browser_option, data_option, data_to_type, python_to_type
from store.cli.options import url_option
from store.terminal.printing import count_of, echo

if TYPE_CHECKING:
    from agent.study.conductor import Study
    from agent.study.study_file import StudyDeclaration

EPILOG = """
\b
Examples:
  python -m agent study --example > study.toml
  python -m agent study study.toml --dry-run
"""
SECONDS_PER_STEP, SECONDS_PER_RUN = 0.6, 15.0
"""Wall time of a step beside its dwell, and of a run's start, with the embedded viewer."""
REJUDGED = ("matrix", "borrowed")
"""Tests that need stored frames judged again, as every persona."""


@click.command(epilog=EPILOG)
@click.argument("file", type=click.Path(path_type=Path), required=False)
@click.option("--example", is_flag=True, help="Print a study file to start from.")
@click.option("--dry-run", is_flag=True, help="Print the matrix and what it takes; run nothing.")
@click.option(
    "--leave-failed",
    is_flag=True,
    help="With looks: look at a replicate without the runs that could not be completed.",
)
@click.option("--occurrence", hidden=True, help="Due time of the daemon: one more replicate.")
@click.option("--no-index", is_flag=True, hidden=True, help="Leave indexing to somebody else.")
@click.option("--tethered", is_flag=True, hidden=True, help="End when stdin closes.")
@click.option(
    "--timezone", metavar="Europe/Berlin", help="Live: whose days count where the file names none."
)
@browser_option
@url_option
@data_option
def study(file: Path | None, *, example: bool, dry_run: bool, data: Path, **how: Any) -> None:
    """Run every cell of a study file, several at a time, and resume where it stopped.

    More personas or replicates can be added to the file later: what is done is not repeated. With
    looks = "replicates" it tests after each replicate, and stops when the answer is in.
    """
    from agent.cli.study_by_looks import conduct_by_looks
    from agent.errors import BadConfig
    from agent.models import check_access
    from agent.run.pacing import zone_of
    from agent.run.run_options import check_names
    from agent.study.preparation import keep_study, prepare_study, replicates_for
    from agent.study.process_locks import held_study
    from agent.study.study_file import EXAMPLE, load_study
    from store.runs.data_folder import DataFolder

    if example:
        echo(EXAMPLE, nl=False)
        return
    if file is None:
        raise BadConfig("Which study? Type: python -m agent study --example > study.toml")
    declared, folder = load_study(file), DataFolder(data)
    if dry_run:
        _show_matrix(prepare_study(declared, file, folder, check_names))
        return
    home = folder.study_dir(declared.name)
    folder.prepare(need_mib=200)
    with held_study(home):
        if how["occurrence"] is not None and declared.test.looks == "end":
            count = replicates_for(declared, home, how["occurrence"])
            declared = declared.with_replicates(count)
        prepared = prepare_study(declared, file, folder, check_names)
        for model in declared.matrix.models:
            check_access(model, os.environ)
        index = {
            "indexed": not how["no_index"],
            "index_url": how["url"],
            "timezone": zone_of(how["timezone"]).key if how["timezone"] else None,
        }
        prepared = replace(prepared, browser=how["browser"], **index)
        keep_study(prepared, file)
        _show_matrix(prepared)
        if declared.test.looks == "replicates":
            conduct_by_looks(
                prepared, file, tethered=how["tethered"], leave_failed=how["leave_failed"]
            )
        else:
            _conduct(prepared, file, tethered=how["tethered"])


def _show_matrix(study: Study) -> None:
    from agent.cli.privacy_notice import announce_repeats
    from agent.platforms import load_platform
    from agent.study.matrix import start_order

    declared = study.declared
    platforms = [load_platform(name) for name in declared.matrix.platforms]
    if any(platform.own_site for platform in platforms):
        announce_repeats(declared.site, declared.windows)
    videos = len(study.cells) * declared.windows.total
    size = f"{count_of(len(study.cells), 'run')}, {count_of(videos, 'video')} at least"
    echo(f"Study {declared.name}: {size}")
    for cell in start_order(study.cells):
        echo(f"  {cell.persona:<6} {cell.arm:<10} replicate {cell.replicate}  {cell.account}")
    live = any(platform.live for platform in platforms)
    waiting = 1.25 * declared.live.floor_s if live else 0.0
    watching = 3.0 if live else 3 / declared.site.speed
    seconds = videos * (SECONDS_PER_STEP + watching + waiting) + SECONDS_PER_RUN * len(study.cells)
    minutes = max(1, round(seconds / 60 / declared.pace.parallel))
    echo(f"About {count_of(minutes, 'minute')}, {declared.pace.parallel} at a time.")
    again = _calls_afterwards(study)
    calls = f"Model calls: {videos:,} while watching"
    calls += f", and {again:,} about stored frames afterwards" if again else ""
    free = _free(declared)
    echo(f"{calls}. {'Cost: none (embedded viewer).' if free else 'The price is your provider’s.'}")


def _free(declared: StudyDeclaration) -> bool:
    from agent.models import find_capabilities

    return not any(find_capabilities(name).uses_tokens for name in declared.matrix.models)


def _calls_afterwards(study: Study) -> int:
    """Questions about stored frames that the declared test needs: every run, as every persona."""
    declared = study.declared
    if declared.test.primary not in REJUDGED:
        return 0
    compared = declared.windows.before + declared.windows.after
    treated = sum(cell.arm == "treatment" for cell in study.cells)
    return treated * len(declared.matrix.personas) * compared


def _conduct(study: Study, file: Path, *, tethered: bool) -> None:
    from agent.cli.study_cells import conduct_cells

    left = conduct_cells(study, file, tethered=tethered)
    if left.failed or left.resting:
        sys.exit(1)
    name = study.declared.name
    echo(f"Study {name} is complete. Type: {_next_command(study)}")


def _next_command(study: Study) -> str:
    """What the declared test needs yet: its frames judged as every persona, and the report."""
    declared, where = study.declared, data_to_type(study.data.root)
    python = python_to_type()
    report = f"{python} -m analysis report {declared.name}{where}"
    if declared.test.primary not in REJUDGED:
        return report
    again = [
        f"{python} -m agent rejudge {declared.name} --everyone --model {shlex.quote(model)} "
        f"--strategy {strategy}{where}"
        for model in declared.matrix.models
        for strategy in declared.matrix.strategies
    ]
    return " && ".join([*again, report])
