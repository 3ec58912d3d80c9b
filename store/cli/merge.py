"""The command that unites data folders."""

from __future__ import annotations

import json
import shlex
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import click

from store.cli.options import DataPath, bar, data_option, epilog, json_option, mount_data
from store.terminal.printing import count_of, echo

if TYPE_CHECKING:
    from store.index.merged_vectors import VectorReport
    from store.maintenance.merged_files import MergeSummary
    from store.runs.data_folder import DataFolder


@click.command(
    epilog=epilog(
        "merge shard-1 shard-2 --data united", "merge shard-1 shard-2 --own --data united"
    )
)
@click.argument(
    "folders",
    nargs=-1,
    required=True,
    metavar="FOLDER...",
    type=DataPath(exists=True, file_okay=False, path_type=Path),
    callback=lambda context, _, given: tuple(mount_data(context, each) for each in given or ()),
)
@click.option(
    "--own",
    is_flag=True,
    help="The folders are your own: take kept replies of models and vectors of indexes as well.",
)
@data_option
@json_option
def merge(folders: tuple[Path, ...], own: bool, root: Path, as_json: bool) -> None:
    """Bring what other data folders have beyond this one into it, and verify all of it.

    The same again, or in another order, changes nothing. The other folders stay as they are.
    Conflicts are named and never overwritten: what was here stays. Browser profiles, the daemon's
    journal, the pseudonyms' key, logs, and reports and exports stay where they are. Exit code 1
    where something is in conflict, cannot be read or does not verify.
    """
    from store.cli.output import report_lines
    from store.maintenance import merge as merging
    from store.maintenance import verify
    from store.runs.data_folder import DataFolder

    data, sources = DataFolder(root), [DataFolder(folder) for folder in folders]
    done = merging.merge(data, sources, own=own, progress=bar("Merging runs"))
    vectors = _vectors(data, sources, done) if own else None
    _tell(done, root, vectors, as_json=as_json)
    report = verify.verify(data, bar("Checking frames"))
    echo(report_lines(report), err=True)
    if vectors is None or vectors.lacking:
        echo(
            f"For the index, type: python -m store index --data {shlex.quote(str(root))}", err=True
        )
    if not (done.sound and report.sound) or (vectors is not None and vectors.problems):
        raise click.exceptions.Exit(1)


def _vectors(data: DataFolder, sources: list[DataFolder], done: MergeSummary) -> VectorReport:
    from store.index.merged_vectors import merge_vectors

    report = merge_vectors(data, sources)
    done.vectors = report.added
    return report


def _tell(done: MergeSummary, root: Path, vectors: VectorReport | None, *, as_json: bool) -> None:
    if as_json:
        echo(json.dumps(asdict(done), indent=2))
    else:
        parts = [count_of(done.runs, "run"), count_of(done.frames, "frame")]
        parts += [count_of(done.answers, "answer"), count_of(done.payments, "payment")]
        parts += [count_of(done.vectors, "vector")] if vectors is not None else []
        echo(f"{', '.join(parts)} came into {root}.")
    for what, lines in (("Conflict", done.conflicts), ("Left out", done.problems)):
        for line in lines:
            echo(f"{what}: {line}", err=True)
    for line in () if vectors is None else vectors.problems:
        echo(f"Vectors left out: {line}", err=True)
    if done.interrupted:
        echo(
            f"{count_of(len(done.interrupted), 'run')} not complete. Go on with them where they "
            "were begun, since their accounts' profiles are there, then merge again:",
            err=True,
        )
        for line in done.interrupted:
            echo(f"  {line}", err=True)
    if done.withheld:
        echo(
            f"Left out: {count_of(done.withheld, 'kept reply')} of models. If the "
            "folders are your own, type the same with --own.",
            err=True,
        )
    if done.forgotten:
        echo(
            f"Left out: {count_of(done.forgotten, 'answer')} about pictures that no ledger names "
            "any more, or of which something was forgotten.",
            err=True,
        )
