"""The manifest of an export: every file's SHA-256, written last, to prove the end."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from store.errors import BadExport
from store.jsonl.atomic import write_whole
from store.jsonl.paths import staged_folder
from store.privacy.derived_files import register, strike
from store.runs.data_folder import DataFolder

NAME = "manifest.json"
UNFINISHED = "UNFINISHED.txt"
_WARNING = (
    "This export is not finished: manifest.json, which is written last, is not there.\n"
    "Delete the folder and export again.\n"
)


@contextmanager
def staged_export(
    data: DataFolder, folder: Path, frames: Iterable[str], runs: Iterable[str] = ()
) -> Iterator[Path]:
    """Give a folder to write an export to, which takes its place once it is finished.

    Both are entered in the register of what is made of frames, so that forgetting finds what a
    killed call leaves. Raises ``BadExport`` where the place holds something, is in use, or lies in
    the data folder.
    """
    if folder.resolve().is_relative_to(data.root.resolve()):
        raise BadExport(folder, "lies in the data folder")
    refuse_used(folder)
    entered = {"frames": tuple(frames), "runs": tuple(runs)}
    with staged_folder(folder, ".exporting", lambda told: BadExport(folder, told)) as building:
        for place in (building, folder):
            register(data, place, "export", **entered)
        begin(building)
        yield building
    strike(data, building)


def begin(folder: Path) -> None:
    """Say in a new or empty folder that it is not finished; raises ``BadExport``."""
    refuse_used(folder)
    write_whole(folder / UNFINISHED, _WARNING.encode())


def refuse_used(folder: Path) -> None:
    if (folder / UNFINISHED).exists():
        raise BadExport(folder, "holds an export that was not finished: delete it")
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise BadExport(folder, "is there already, and not empty")


def finish(folder: Path, told: dict[str, Any]) -> None:
    files = {
        path.relative_to(folder).as_posix(): {"bytes": path.stat().st_size, "sha256": digest(path)}
        for path in _files(folder)
    }
    content = json.dumps({"feedsway_export": 1} | told | {"files": files}, indent=1)
    write_whole(folder / NAME, content.encode() + b"\n")
    (folder / UNFINISHED).unlink()


def read(folder: Path) -> dict[str, Any]:
    """Read the manifest of a finished export; raises ``BadExport``."""
    try:
        told = json.loads((folder / NAME).read_bytes())
    except FileNotFoundError:
        raise BadExport(folder, f"is no finished export: it has no {NAME}") from None
    except (OSError, ValueError) as error:
        raise BadExport(folder, f"has a {NAME} that cannot be read ({error})") from None
    if not isinstance(told, dict) or not isinstance(told.get("files"), dict):
        raise BadExport(folder, f"has a {NAME} that is none of feedsway's")
    return told


def check(folder: Path) -> list[str]:
    """Compare every file with the manifest; returns what differs, in words."""
    listed = read(folder)["files"]
    there = {path.relative_to(folder).as_posix(): path for path in _files(folder)}
    wrong = [f"{name} is missing" for name in sorted(listed.keys() - there.keys())]
    wrong += [f"{name} is not in the manifest" for name in sorted(there.keys() - listed.keys())]
    for name in sorted(listed.keys() & there.keys()):
        if digest(there[name]) != listed[name]["sha256"]:
            wrong.append(f"{name} was changed")
    return wrong


def digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _files(folder: Path) -> list[Path]:
    beside = {folder / NAME, folder / UNFINISHED}
    return sorted(path for path in folder.rglob("*") if path.is_file() and path not in beside)
