"""``python -m agent study``: a declared matrix of runs."""

from __future__ import annotations

import os
import shlex
import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from agent.cli.options import browser_option, data_option, data_to_type, json_option
from store.cli.options import cluster_option, shard_option, url_option
from store.terminal.command_words import spell_commands
from store.terminal.printing import count_of, echo

if TYPE_CHECKING:
    from agent.study.conductor import Study
    from agent.study.quote import StudyQuote
    from agent.study.study_file import StudyDeclaration
    from store.runs.shards import Shard

EPILOG = """
\b
Examples:
  python -m agent study --example > study.toml
  python -m agent study study.toml --dry-run
  python -m agent study --list
  python -m agent study study.toml --shard 3/16 --data shard-3
"""


@click.command(epilog=EPILOG)
@click.argument("file", type=click.Path(path_type=Path), required=False)
@click.option("--example", is_flag=True, help="Print a study file to start from.")
@click.option("--list", "listed", is_flag=True, help="List the studies that are kept.")
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
@shard_option("Run a part of the cells, with as much of the budget")
@cluster_option("Run the cells on all nodes of a Ray cluster that declare browsers")
@browser_option
@url_option
@data_option
@json_option
def study(
    file: Path | None, *, example: bool, dry_run: bool, shard: Shard, data: Path, **how: Any
) -> None:
    """Run every cell of a study file, several at a time, and resume where it stopped.

    More personas or replicates can be added to the file later: what is done is not repeated. With
    looks = "replicates" it tests after each replicate, and stops when the answer is in.
    """
    from agent.cli.study_list import print_studies
    from agent.errors import BadConfig
    from agent.study.study_file import EXAMPLE
    from store.runs.data_folder import DataFolder

    if example:
        echo(spell_commands(EXAMPLE), nl=False)
    elif how["listed"]:
        print_studies(DataFolder(data), data_to_type(data), as_json=how["as_json"])
    elif how["as_json"]:
        raise BadConfig("Only a list is printed as JSON. Type: --list --json")
    elif file is None:
        raise BadConfig("Which study? Type: python -m agent study --example > study.toml")
    else:
        _run_study(file, data, shard, how, dry_run=dry_run)


def _run_study(file: Path, data: Path, shard: Shard, how: dict[str, Any], *, dry_run: bool) -> None:
    from agent.cli.study_by_looks import conduct_by_looks
    from agent.cli.study_cells import conduct_shard
    from agent.errors import BadConfig
    from agent.models import check_access
    from agent.run.pacing import zone_of
    from agent.run.run_options import check_names
    from agent.study.preparation import keep_study, prepare_study, replicates_for
    from agent.study.process_locks import held_study
    from agent.study.study_file import load_study
    from store.runs.data_folder import DataFolder

    on = how["on"]
    declared, folder = load_study(file), DataFolder(data if on is None else _share(data))
    if shard.partial and how["occurrence"] is not None:
        raise BadConfig("A daemon's study is one machine's. Type: the same without --shard")
    if dry_run:
        _show_matrix(prepare_study(declared, file, folder, check_names), shard)
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
            # many nodes have no lock on one embedded index: store index makes up for it
            "indexed": not how["no_index"] and (on is None or how["url"] is not None),
            "index_url": how["url"],
            "timezone": zone_of(how["timezone"]).key if how["timezone"] else None,
        }
        prepared = replace(prepared, browser=how["browser"], shards=shard.of, on=on, **index)
        keep_study(prepared, file)
        _show_matrix(prepared, shard)
        if shard.partial:
            conduct_shard(prepared, file, shard, tethered=how["tethered"])
        elif declared.test.looks == "replicates":
            conduct_by_looks(
                prepared, file, tethered=how["tethered"], leave_failed=how["leave_failed"]
            )
        else:
            _conduct(prepared, file, tethered=how["tethered"])


def _show_matrix(study: Study, shard: Shard) -> None:
    from agent.cli.privacy_notice import announce_repeats
    from agent.cli.quote_text import calls_text, money_text, time_text
    from agent.platforms import load_platform
    from agent.study.matrix import shard_cells, start_order
    from agent.study.quote import quote_study

    declared = study.declared
    platforms = [load_platform(name) for name in declared.matrix.platforms]
    if any(platform.own_site for platform in platforms):
        announce_repeats(declared.site, declared.windows)
    cells = shard_cells(study.cells, shard)
    videos = len(cells) * declared.windows.total
    size = f"{count_of(len(cells), 'run')}, {count_of(videos, 'video')} at least"
    part = f", shard {shard} of {count_of(len(study.cells), 'run')}" if shard.partial else ""
    echo(f"Study {declared.name}{part}: {size}")
    for cell in start_order(cells):
        echo(f"  {cell.persona:<6} {cell.arm:<10} replicate {cell.replicate}  {cell.account}")
    quote = quote_study(declared, study.cells, study.frozen.personas)
    if shard.partial:
        echo("All shards together, as if one machine did it:")
    for line in (time_text(quote, declared.pace.parallel), calls_text(quote), *money_text(quote)):
        echo(line)
    _warn_of_budget(declared, quote)
    if shard.partial and not declared.cap.open:
        echo(f"Of it, this shard may spend {declared.cap.divided(shard.of)}.")


def _warn_of_budget(declared: StudyDeclaration, quote: StudyQuote) -> None:
    """Refuse a budget that cannot be held, and say where the quote is above it."""
    from agent.judge.spending_cap import Spending

    cap = declared.cap
    if cap.open:
        return
    for model in declared.matrix.models:
        cap.check(model)
    fits = cap.allows(Spending(quote.cost_usd or 0.0, quote.tokens))
    echo(f"Budget: {cap}; no further call is made where it would be passed.")
    if not fits:
        echo(
            "The budget is smaller than that, so the study would end unfinished. "
            "Type: python -m agent plan --help",
            err=True,
        )


def _share(data: Path) -> Path:
    """Return the path that all nodes of a cluster know a data folder by."""
    from agent.errors import BadConfig
    from store.jsonl.mirrors import mirror_of

    if mirror_of(data) is not None:
        raise BadConfig(
            "Runs on a cluster need a folder that all its nodes share, and a cache is this "
            "machine's alone. Type: --data /SHARED/FOLDER, or leave out --on"
        )
    return data.absolute()


def _conduct(study: Study, file: Path, *, tethered: bool) -> None:
    from agent.cli.study_cells import conduct_cells

    left = conduct_cells(study, file, tethered=tethered)
    if left.failed or left.resting:
        sys.exit(1)
    name = study.declared.name
    echo(spell_commands(f"Study {name} is complete. Type: {_next_command(study)}"))
    if study.on is not None and not study.indexed:
        index = f"python -m store index{data_to_type(study.data.root)} --on {study.on}"
        echo(spell_commands(f"Its frames are not in the index yet. Type: {index}"))


def _next_command(study: Study) -> str:
    """What the declared test needs yet: its frames judged as every persona, and the report."""
    declared, where = study.declared, data_to_type(study.data.root)
    report = f"python -m analysis report {declared.name}{where}"
    if not declared.judged_again:
        return report
    on = "" if study.on is None else f" --on {study.on}"
    again = [
        f"python -m agent rejudge {declared.name} --everyone --model {shlex.quote(model)} "
        f"--strategy {strategy}{_as_declared(declared)}{on}{where}"
        for model in declared.matrix.models
        for strategy in declared.matrix.strategies
    ]
    return " && ".join([*again, report])


def _as_declared(declared: StudyDeclaration) -> str:
    """Options of re-judging that the study file declares; none where it leaves them."""
    asking = declared.rejudge
    return (
        (f" --others {asking.others:g}" if asking.others < 1 else "")
        + (" --mirrored" if asking.mirrored else "")
        + (f" --explain {asking.explain}" if asking.explain != "never" else "")
        + (" --batch" if asking.batch else "")
    )
