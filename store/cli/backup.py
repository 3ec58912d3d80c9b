"""The commands about copies, and who may read: backup, restore, cache and protect."""

from __future__ import annotations

import json
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from store.cli.options import bar, data_option, epilog, json_option, kept
from store.jsonl.mirrors import fetch_below, mirror_of
from store.terminal.printing import count_of, echo

if TYPE_CHECKING:
    from store.maintenance.backup import BackupSummary, Secret
    from store.maintenance.restore import RestoreSummary

SECRET = "Whoever has this file is signed in as those accounts: keep it to yourself."
WORDS: dict[Secret, str] = {
    "profiles": "files of browser profiles",
    "replies": "kept replies of models",
    "key": "key of the pseudonyms",
}


@click.command(epilog=epilog("backup today.tar", "backup today.tar --json"))
@click.argument("file", type=click.Path(dir_okay=False, path_type=Path))
@click.option("--with-profiles", is_flag=True, help="Browser profiles too: as good as passwords.")
@data_option
@json_option
def backup(file: Path, with_profiles: bool, root: Path, as_json: bool) -> None:
    """Put everything that is kept into FILE, also while runs and a daemon go on.

    Left out are indexes, which can be made again, logs, and browser profiles unless asked for.
    """
    from store.maintenance import backup as copies

    fetch_below(root, bar("Fetching frames"))
    told = bar("Packing")
    packed = copies.backup(
        kept(root), file, datetime.now(UTC), profiles=with_profiles, progress=told
    )
    _tell(packed, f"in {file}" + " with browser profiles" * packed.profiles, as_json)
    if packed.others:
        echo(f"Left out, since not feedsway's own: {', '.join(packed.others)}.", err=True)
    if with_profiles:
        echo(SECRET, err=True)


@click.command(
    epilog=epilog(
        "restore kept.tar --data restored",
        "restore kept.tar --data mine --with-key --with-replies",
    )
)
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--with-profiles", is_flag=True, help="Browser profiles too, from your own backup.")
@click.option("--with-replies", is_flag=True, help="Kept replies too, from your own backup.")
@click.option("--with-key", is_flag=True, help="The pseudonyms' key too, from your own backup.")
@data_option
@json_option
def restore(
    file: Path,
    with_profiles: bool,
    with_replies: bool,
    with_key: bool,
    root: Path,
    as_json: bool,
) -> None:
    """Put a backup into an empty data folder, and verify every ledger, frame and hash.

    What could be turned against you stays out of it unless you ask: leave it so for a backup that
    is not your own. Exit code 1 when something is wrong with what was backed up.
    """
    from store.cli.output import report_lines
    from store.maintenance import verify
    from store.maintenance.backup import SECRETS
    from store.maintenance.restore import restore as unpack
    from store.runs.data_folder import DataFolder

    data = DataFolder(root)
    asked = dict(zip(SECRETS, (with_profiles, with_replies, with_key), strict=True))
    wanted = [secret for secret in SECRETS if asked[secret]]
    restored = unpack(file, data, wanted, bar("Unpacking"))
    _tell(restored, f"restored to {root}", as_json)
    _tell_left_out(restored)
    report = verify.verify(data, bar("Checking frames"))
    echo(report_lines(report), err=True)
    echo(f"For the index, type: python -m store index --data {root}", err=True)
    if not report.sound:
        raise click.exceptions.Exit(1)


@click.command(
    epilog=epilog("cache --data s3://bucket/study", "cache --free --data s3://bucket/study")
)
@click.option("--fetch", is_flag=True, help="Bring every frame and kept reply here.")
@click.option("--free", is_flag=True, help="Delete frames and replies here that the store has.")
@data_option
@json_option
def cache(fetch: bool, free: bool, root: Path, as_json: bool) -> None:
    """Tell where the cache of a data folder in a store elsewhere lies, and fill or empty it."""
    from store.maintenance.stats import size_told

    mirror = mirror_of(root)
    if mirror is None:
        raise click.UsageError(f"{root} is no cache. Type: --data s3://BUCKET/FOLDER")
    if fetch and free:
        raise click.UsageError("Type: --fetch, or --free, one of them.")
    came = mirror.fetch_below(root, bar("Fetching")) if fetch else 0
    went = mirror.free() if free else 0
    size = sum(path.stat().st_size for path in root.rglob("*") if path.is_file())
    if as_json:
        told = {"folder": str(root), "bytes": size, "fetched": came, "freed": went}
        echo(json.dumps(told, indent=2))
        return
    if fetch or free:
        echo(f"{count_of(came + went, 'file')} {'fetched' if fetch else 'deleted here'}.")
    echo(f"{root} holds {size_told(size)}.")


@click.command(epilog=epilog("protect", "protect --json"))
@click.option("--group", metavar="NAME", help="Share it with this group of users.")
@data_option
@json_option
def protect(group: str | None, root: Path, as_json: bool) -> None:
    """Make everything that is kept readable by you alone, or by a group too.

    What is made later is as open as its folder. Browser profiles, the pseudonyms' key and the
    page's token stay yours alone.
    """
    from store.runs import data_folder

    changed = data_folder.protect(data_folder.DataFolder(root), group)
    if as_json:
        echo(json.dumps({"changed": changed, "group": group}))
        return
    whom = "you alone" if group is None else f"you and the group {group}"
    echo(f"{count_of(changed, 'file')} and folders changed: all is readable by {whom}.")


def _tell(done: BackupSummary | RestoreSummary, what: str, as_json: bool) -> None:
    if as_json:
        echo(json.dumps(asdict(done), indent=2))
        return
    from store.maintenance.stats import size_told

    echo(f"{count_of(done.files, 'file')}, {size_told(done.bytes)}, {what}.")


def _tell_left_out(restored: RestoreSummary) -> None:
    for secret, count in sorted(restored.withheld.items()):
        echo(
            f"Left out: {count} {WORDS[secret]}. If this backup is your own, restore it into a "
            f"new folder with --with-{secret}.",
            err=True,
        )
    if restored.unknown:
        echo(f"Left out: {count_of(restored.unknown, 'file')} that no backup holds.", err=True)
