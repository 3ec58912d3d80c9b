"""The commands that keep a copy: backup and restore.

Refuses to know how anything is done, as ``cli`` does.
"""

from __future__ import annotations

import json
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from store.cli_options import bar, data_option, epilog, json_option, kept
from store.foreign.printing import echo

if TYPE_CHECKING:
    from store.backup import Packed

SECRET = "Whoever has this file is signed in as those accounts: keep it to yourself."


@click.command(epilog=epilog("backup today.tar", "backup today.tar --json"))
@click.argument("file", type=click.Path(dir_okay=False, path_type=Path))
@click.option("--with-profiles", is_flag=True, help="Browser profiles too: as good as passwords.")
@data_option
@json_option
def backup(file: Path, with_profiles: bool, root: Path, as_json: bool) -> None:
    """Put everything that is kept into FILE, also while runs and a daemon go on.

    Left out are indexes, which can be made again, logs, and browser profiles unless asked for.
    """
    from store import backup as copies

    told = bar("Packing")
    packed = copies.backup(
        kept(root), file, datetime.now(UTC), profiles=with_profiles, progress=told
    )
    _tell(packed, f"in {file}", as_json)
    if with_profiles:
        echo(SECRET, err=True)


@click.command(epilog=epilog("restore kept.tar --data restored"))
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@data_option
@json_option
def restore(file: Path, root: Path, as_json: bool) -> None:
    """Put a backup into an empty data folder, and verify every ledger, frame and hash.

    Exit code 1 when something is wrong with what was backed up.
    """
    from store import backup as copies
    from store import verify
    from store.cli_text import report_lines
    from store.data import DataFolder

    data = DataFolder(root)
    packed = copies.restore(file, data, bar("Unpacking"))
    _tell(packed, f"restored to {root}", as_json)
    report = verify.verify(data, bar("Checking frames"))
    echo(report_lines(report), err=True)
    echo(f"For the index, type: python -m store index --data {root}", err=True)
    if not report.sound:
        raise click.exceptions.Exit(1)


def _tell(packed: Packed, what: str, as_json: bool) -> None:
    if as_json:
        echo(json.dumps(asdict(packed), indent=2))
        return
    from store.stats import size_told

    profiles = " with browser profiles" if packed.profiles else ""
    echo(f"{packed.files} files, {size_told(packed.bytes)}, {what}{profiles}.")
