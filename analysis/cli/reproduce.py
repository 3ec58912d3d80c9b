"""``python -m analysis reproduce``: derives every figure of a bundle again, and compares."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from analysis.cli.options import NullSource, is_table, json_option, progress
from store.cli.options import bar
from store.terminal.printing import echo
from store.untrusted.clean_text import show_line

if TYPE_CHECKING:
    from analysis.report.compared_figures import FigureComparison
    from store.bundle.unpack import OpenedBundle

_DIGITS = 64
_OF_DATA = (
    *(ValueError, TypeError, ArithmeticError, AttributeError, LookupError, RecursionError),
    MemoryError,
)
"""What a stranger's data can raise anywhere in a derivation, where it is of no known kind."""


def _check_hash(_: click.Context, __: click.Parameter, given: str | None) -> str | None:
    if given is None:
        return None
    plain = given.strip().lower()
    if len(plain) != _DIGITS or plain.strip("0123456789abcdef"):
        raise click.BadParameter("it is no SHA-256. Type: the 64 digits that the paper cites")
    return plain


@click.command(
    epilog="\b\nExamples:\n  $ python -m analysis reproduce example.bundle.tar\n"
    "  $ python -m analysis reproduce example.bundle.tar --json\n"
    "\n\b\nWith what a paper cites:\n"
    "  python -m analysis reproduce example.bundle.tar --sha256 HASH",
)
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--sha256", metavar="HASH", callback=_check_hash, help="The hash that a paper cites.")
@json_option
def reproduce(file: Path, sha256: str | None, as_json_: bool) -> None:
    """Derive every figure of a bundle again, and say which differ.

    The bundle is unpacked into a folder that is gone at the end. Nothing in it is run, and nothing
    is fetched. Exit code 0 where all figures are equal and the hash is the one given, 1 where not,
    2 where the file is no bundle or is damaged.
    """
    import json
    import tempfile

    from analysis.report.reproduction import Reproduction
    from analysis.report.reproduction_text import tell_reproduction
    from analysis.statistics.estimate import as_json
    from store.bundle.unpack import open_bundle

    with tempfile.TemporaryDirectory(prefix="feedsway-") as name:
        folder = Path(name)
        opened = open_bundle(file, folder / "bundle", bar("Checking"))
        compared = _compare(file, opened, folder / "report")
    told = Reproduction.of(str(file), opened, sha256, compared)
    echo(json.dumps(as_json(told), indent=2) if as_json_ else tell_reproduction(told))
    if not told.holds:
        raise click.exceptions.Exit(1)


def _compare(file: Path, opened: OpenedBundle, out: Path) -> FigureComparison:
    """Derive figures and compare them; raises ``BadBundle`` where none can be derived."""
    from analysis.errors import AnalysisError
    from analysis.report.compared_figures import compare_figures
    from store.bundle.errors import BadBundle
    from store.errors import StoreError

    try:
        return compare_figures(opened.manifest, opened.folder, _derive(opened, out))
    except (StoreError, AnalysisError) as error:
        words = str(error).replace(f"{opened.folder}/", "").partition(" Type: ")[0]
    except _OF_DATA as error:
        words = f"{type(error).__name__}: {str(error)[:200]}"
    problem = f"holds what no figure can be derived from: {show_line(words).rstrip('.')}"
    raise BadBundle.damage(file, problem)


def _derive(opened: OpenedBundle, out: Path) -> Path:
    """Write the report of what was unpacked; returns the folder of its tables.

    Raises ``ValueError`` where the manifest names what is not in the bundle.
    """
    from dataclasses import replace
    from datetime import UTC, datetime

    from analysis.report.page_files import TABLES
    from analysis.report.report_inputs import find_runs, read_runs, read_study
    from analysis.report.report_notes import find_prompts
    from analysis.report.report_page import write_report
    from store.bundle.study_sources import find_sources
    from store.runs.data_folder import DataFolder

    manifest, data = opened.manifest, DataFolder(opened.folder / "data")
    options = manifest.options
    if any(map(is_table, options.null_from)):
        raise ValueError("its null comes from a file, which no bundle holds")
    material = (
        read_study(data, manifest.study, progress)
        if manifest.study is not None
        else read_runs(data, find_runs(data, manifest.runs), manifest.runs, progress)
    )
    sources = find_sources(data, manifest.study, manifest.runs, options.null_runs)
    prompts = {(one.name, one.sha256) for one in manifest.prompts}
    if prompts != find_prompts(data, sources):
        raise ValueError("its prompts are not those that its ledgers name")
    nulls = NullSource(options.null_from, options.null_map)
    material = replace(material, null_runs=nulls.read(data.root, material.views.runs))
    write_report(material, out, options.seed, datetime.now(UTC))
    return out / TABLES
