"""Checks every file of a data folder against the hash that it is kept under.

Lines are under their file's chain, whole files under their seal, frames under their name, what was
made of frames under its entry in the register. What is a cache or a log is named and not checked;
what nobody knows is named as well.
"""

from __future__ import annotations

import os
import re
import sqlite3
import struct
import zlib
from collections import Counter
from collections.abc import Container, Iterator
from dataclasses import dataclass, field
from hashlib import file_digest
from pathlib import Path

from store.jsonl.append_only import divide
from store.jsonl.file_seal import check_seal
from store.jsonl.hash_chain import ChainWalk
from store.privacy import derived_files
from store.runs.data_folder import DataFolder
from store.terminal.printing import count_of
from store.untrusted.clean_text import show_line

_SHOWN = 5
"""Files that a note names; of more it tells the number."""
_PASSING = re.compile(
    r"(?P<folder>index|compact|profiles|\.aside|daemon/(?!journal\.jsonl)|studies/[^/]+/logs)(/|(?<=/)).*"
    r"|(.*/)?[^/]*(\.lock|\.tmp)|\.mirror[^/]*",
    re.DOTALL,
)
"""Caches, logs and what belongs to the living."""
_CHAINED = re.compile(
    r"(payments|daemon/journal|(runs|spectra|pairs|probes|labels|canary)/.+)\.jsonl", re.DOTALL
)
_SEALED = re.compile(
    r"(runs|studies|spectra|derived|cache)/.+\.(json|toml)|forgetting\.json|pseudonyms\.key",
    re.DOTALL,
)
_PICTURE = re.compile(r"runs/[^/]+/pictures/.+\.png", re.DOTALL)
_FRAME = re.compile(r"frames/[0-9a-f]{2}/(?P<sha256>[0-9a-f]{64})\.jpg")
_BROKEN = "its bytes are not those that were written"


@dataclass
class HashReport:
    """What was found of the files of a data folder."""

    files: int = 0
    """Files that are under a hash."""
    faults: list[tuple[Path, str]] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    unsealed: int = 0
    """Files that an older version wrote, under no hash or in part."""
    uncovered: dict[str, int] = field(default_factory=dict)
    """Files of caches and logs, which are under no hash, by their folder."""
    rewritten: Counter[str] = field(default_factory=Counter)
    """Lines that forgetting has changed or taken out, by day."""


def check_hashes(data: DataFolder, frames: Container[str] = ()) -> HashReport:
    """Check every file below a data folder; ``frames``: those that were checked already."""
    report, unsealed, unknown = HashReport(), list[str](), list[str]()
    made = _check_derived(data, report, unsealed)
    passing: Counter[str] = Counter()
    root = data.root.absolute()  # as entries of what was made tell their places
    for path in _all_files(root):
        name = path.relative_to(root).as_posix()
        if path in made:
            continue
        if passes := _PASSING.fullmatch(name):
            passing[(passes["folder"] or "locks and files in the making").rstrip("/")] += 1
            continue
        try:
            state = _check_file(path, name, frames, report)
        except OSError as error:
            report.faults.append((path, f"it cannot be read ({error.strerror or error})"))
            continue
        report.files += state != "unknown"
        unsealed += [name] if state == "unsealed" else []
        unknown += [name] if state == "unknown" else []
    report.uncovered = dict(sorted(passing.items()))
    for day, lines in sorted(report.rewritten.items()):
        report.notes.append(f"{count_of(lines, 'line')} rewritten on {day}, to forget something.")
    report.unsealed = len(unsealed)
    if unsealed:
        what = "written by an older version, without hashes of their own or in part"
        report.notes.append(f"{_named(unsealed)}: {what}.")
    if unknown:
        report.notes.append(f"{_named(unknown)}: nobody knows them, and nobody checks them.")
    return report


def _named(names: list[str]) -> str:
    shown = ", ".join(show_line(name)[:200] for name in names[:_SHOWN])
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return f"{count_of(len(names), 'file')} ({shown}{more})"


def _all_files(root: Path) -> Iterator[Path]:
    """Every regular file; a folder directly below the root may be a link to another disk."""
    tops = [root, *(path for path in root.glob("*") if path.is_symlink() and path.is_dir())]
    for top in tops:
        for folder, folders, names in os.walk(top):
            folders.sort()
            for path in (Path(folder, name) for name in sorted(names)):
                if path.is_file() and not path.is_symlink():
                    yield path


def _check_derived(data: DataFolder, report: HashReport, unsealed: list[str]) -> set[Path]:
    """Check what was made of frames; return its files."""
    made: set[Path] = set()
    for entry in derived_files.entries(data):
        place = entry.place(data)
        if not entry.is_there(data) or not entry.is_ours(data):
            continue
        files = [path for path in _all_files(place) if path.suffix != ".lock"]
        made.update(files if place.is_dir() else [place])
        if entry.sha256 is None:
            unsealed.append(entry.path)
            continue
        report.files += len(entry.sha256)
        report.faults += [(place, what) for what in derived_files.find_changes(data, entry)]
    return made


def _check_file(path: Path, name: str, frames: Container[str], report: HashReport) -> str:
    """Check one file; return ``whole``, ``changed``, ``unsealed`` or ``unknown``."""
    state = "unknown"
    if frame := _FRAME.fullmatch(name):
        with path.open("rb") as file:
            known = frame["sha256"] in frames or file_digest(file, "sha256").hexdigest()
        state = "whole" if known in (True, frame["sha256"]) else "changed"
    elif _CHAINED.fullmatch(name):
        return check_lines(path, report)
    elif _SEALED.fullmatch(name):
        state = check_seal(path.read_bytes())
    elif _PICTURE.fullmatch(name):
        state = "whole" if _is_whole_png(path.read_bytes()) else "changed"
    if state == "changed":
        report.faults.append((path, _BROKEN))
    return state


def check_lines(path: Path, report: HashReport) -> str:
    """Walk along the chain of one file, which is never held as a whole."""
    walk, held = ChainWalk(), list[bytes]()
    with path.open("rb") as file:
        for line in file:
            held.append(line)
            if len(held) > 2:  # the last ones may be torn
                _take(walk, held.pop(0).removesuffix(b"\n"), path, report)
    for line in divide(b"".join(held), walk.end)[0]:
        _take(walk, line, path, report)
    report.rewritten += walk.rewritten
    return "unsealed" if walk.unsealed else "whole"


def _take(walk: ChainWalk, line: bytes, path: Path, report: HashReport) -> None:
    _, fault = walk.take(line)
    if fault is not None:
        report.faults.append((path, f"line {walk.lines}: {fault}"))


def _is_whole_png(content: bytes) -> bool:
    """Whether each part of a picture has its checksum, and nothing stands around them."""
    if content[:8] != b"\x89PNG\r\n\x1a\n":
        return False
    at, kind = 8, b""
    while at + 12 <= len(content):
        (length,) = struct.unpack_from(">I", content, at)
        end = at + 8 + length
        kind = content[at + 4 : at + 8]
        if zlib.crc32(content[at + 4 : end]).to_bytes(4) != content[end : end + 4]:
            return False
        at = end + 4
    return at == len(content) and kind == b"IEND"


def check_database(path: Path) -> str | None:
    """Return what SQLite finds wrong with a file of its own; ``None`` where it is sound."""
    try:
        connection = sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro", uri=True)
        try:
            found = connection.execute("PRAGMA quick_check(1)").fetchone()
        finally:
            connection.close()
    except sqlite3.Error as error:
        return str(error)
    return None if found is None or found[0] == "ok" else str(found[0])
