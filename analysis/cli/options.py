"""What the commands of the analysis share: options, reading and printing."""

from __future__ import annotations

import functools
import json
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from store.cli.options import declare_data
from store.terminal.command_words import spell_commands
from store.terminal.exit_codes import declare_json
from store.terminal.printing import echo

if TYPE_CHECKING:
    from analysis.data.exposures import RunInfo, Views
    from analysis.data.imported_views import ImportOptions
    from analysis.data.null_runs import NullRuns

MANY = 50
"""Runs from which on a progress bar is shown."""
TABLES = (".csv", ".tsv", ".txt", ".xlsx", ".parquet")
"""Ends of the names of files that hold views made elsewhere."""


data_option = declare_data("data")
json_option = declare_json("as_json_")
seed_option = click.option(
    "--seed", type=int, default=0, show_default=True, help="Seed of whatever is drawn at random."
)


def null_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command ``--null-from`` and ``--null-map``, as one ``NullSource``."""

    @click.option(
        "--null-from",
        metavar="FILE|STUDY|RUN",
        multiple=True,
        help="Draw the null from runs in which nothing happened: views made elsewhere (.csv, .tsv, "
        ".xlsx, .parquet), the passive runs of a study, or passive runs. Else a model draws it.",
    )
    @click.option(
        "--null-map",
        metavar="NAME=COLUMN,...",
        multiple=True,
        help="Columns of such a file, as by --map of python -m analysis import.",
    )
    @functools.wraps(command)
    def with_null(
        *values: Any, null_from: tuple[str, ...], null_map: tuple[str, ...], **given: Any
    ) -> Any:
        return command(*values, null_from=NullSource(null_from, null_map), **given)

    return with_null


def ledger_paths(data: Path, runs: Sequence[str]) -> list[Path]:
    """Find the ledgers of these runs; ``latest`` is the one that was started last."""
    from store.runs.data_folder import DataFolder

    folder = DataFolder(data)
    started = [run for run in folder.runs() if run.started] if "latest" in runs else []
    return [
        started[-1].path if name == "latest" and started else folder.find_run(name) for name in runs
    ]


def progress(paths: Sequence[Path]) -> Iterator[Path]:
    hidden = len(paths) < MANY or not sys.stderr.isatty()
    with click.progressbar(paths, label="reading", file=sys.stderr, hidden=hidden) as shown:
        yield from shown


def read_views(data: Path, paths: Sequence[Path]) -> Views:
    from analysis.report.compact_ledgers import read_ledgers
    from store.runs.data_folder import DataFolder

    return read_ledgers(DataFolder(data), paths, progress).views


def is_table(name: str) -> bool:
    return name.lower().endswith(TABLES)


@dataclass(frozen=True)
class NullSource:
    """What ``--null-from`` and ``--null-map`` say."""

    names: tuple[str, ...] = ()
    mapping: tuple[str, ...] = ()

    def runs(self, data: Path) -> list[str]:
        """Return the runs that it names, by itself or by their study; raises ``UnknownStudy``."""
        others = dict.fromkeys(name for name in self.names if not is_table(name))
        return list(dict.fromkeys(run for name in others for run in _of(data, name)))

    def files(self) -> dict[str, str]:
        """Return the SHA-256 of the files that it names, by name."""
        paths = [Path(name) for name in self.names if is_table(name)]
        return {path.name: hash_file(path) for path in paths}

    def read(
        self,
        data: Path,
        of: Sequence[RunInfo],
        options: ImportOptions | None = None,
        file: Path | None = None,
    ) -> NullRuns:
        """Read null runs, cut to the windows of these runs.

        ``options``: how these runs were imported; a file of null runs is read with the same
        threshold, and the same columns where ``--null-map`` names none. Nothing is read twice: a
        file that is named again, a run of a study, or one of these runs. ``file``: where these runs
        were imported from. Raises ``NothingToCompare`` where a file of null runs holds these.
        """
        from analysis.data.null_runs import NullRuns, null_runs

        if not self.names:
            return NullRuns()
        files = {Path(name).resolve(): name for name in self.names if is_table(name)}
        others = dict.fromkeys(name for name in self.names if not is_table(name))
        tables = [self._read_file(Path(name), of, options) for name in files.values()]
        shown = {run.run_id for run in of}
        if kept := [run for run in self.runs(data) if run not in shown]:
            tables.append(read_views(data, ledger_paths(data, kept)))
        digests = [hash_file(path) for path in files]
        _check_apart(files, digests, tables, shown, hash_file(file) if file else "")
        told = [
            f"{path.name} (SHA-256 {d[:12]} ...)" for path, d in zip(files, digests, strict=True)
        ]
        found = null_runs(tables, of, ", ".join([*told, *others]))
        names = (*(path.name for path in files), *others)
        return replace(found, names=names, mapping=self.mapping)

    def _read_file(self, path: Path, of: Sequence[RunInfo], options: ImportOptions | None) -> Views:
        from analysis.cli.map_words import read_mapping
        from analysis.data.imported_views import ImportOptions, read_imported_views

        options = options or ImportOptions(of[0].windows)
        mapping = options.mapping
        if self.mapping or not mapping.sources:
            mapping = read_mapping(self.mapping, "--null-map")
        reading = ImportOptions(of[0].windows, options.threshold, "passive", mapping=mapping)
        imported = read_imported_views(path, reading)
        for said in imported.remarks:
            echo(f"{path.name}: {said}", err=True)
        return imported.views


def _check_apart(
    files: Iterable[Path],
    digests: Sequence[str],
    tables: Sequence[Views],
    shown: set[str],
    own_digest: str,
) -> None:
    """Refuse files of null runs that hold the runs which are held against them."""
    from analysis.errors import NothingToCompare

    advice = "Type the command without --null-from, or with a file of other runs"
    for path, digest, table in zip(files, digests, tables, strict=False):
        if digest == own_digest:
            raise NothingToCompare(f"{path.name} is the imported file itself. {advice}")
        if both := [run.run_id for run in table.runs if run.run_id in shown]:
            raise NothingToCompare(
                f"{path.name} has a run {both[0]!r}, and so have the runs that it is a null for. "
                f"{advice}"
            )


def hash_file(path: Path) -> str:
    """Return the SHA-256 of a file, in hexadecimal digits."""
    import hashlib

    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _of(data: Path, name: str) -> list[str]:
    """Runs that a name stands for: itself, or the newest passive run of each cell of a study."""
    from analysis.report.report_inputs import find_runs, is_study
    from store.runs.data_folder import DataFolder

    folder = DataFolder(data)
    if not is_study(folder, name):
        return [path.parent.name for path in find_runs(folder, [name])]
    newest = {
        str(run.started.config.get("cell", run.run_id)): run.run_id
        for run in folder.runs()
        if run.started and run.started.config.get("study") == name and run.started.arm == "passive"
    }
    return list(newest.values())


def put(value: object, text: Callable[[], str], as_json_: bool) -> None:
    from analysis.statistics.estimate import as_json

    told = json.dumps(as_json(value), indent=2) if as_json_ else spell_commands(text())
    echo(told, nl=as_json_)
