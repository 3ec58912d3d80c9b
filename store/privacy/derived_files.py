"""The register of what is made of frames and texts, and lies wherever somebody wanted it.

One entry a file or folder, ``derived/<hash of its place>.json``, written before the thing itself,
so that forgetting and verifying find it whatever was killed. Only what lies in the data folder is
ever deleted: a place elsewhere may hold something else by now, or belong to a copy of this folder.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

from pydantic import ValidationError

from store.errors import DataUnwritable, FolderInUse
from store.jsonl.base_record import Record
from store.jsonl.file_seal import write_sealed
from store.runs.data_folder import DataFolder

DerivedKind = Literal["sheet", "figures", "report", "export", "training"]
APART: tuple[DerivedKind, ...] = ("export", "training")
"""What was made to be handed on, or at great cost: removed only if that is asked for."""
_DEPTH = {"runs": 3, "studies": 3, "spectra": 3, "labels": 3, "pairs": 2, "probes": 2}
"""Parts that the place of a derived thing has at least, within a folder of the store's own."""
_NEVER = (
    "frames",
    "index",
    "profiles",
    "daemon",
    "cache",
    "canary",
    "compact",
    "derived",
    "payments.jsonl",
    "pseudonyms.key",
    "forgetting.json",
)
_OWN = frozenset(
    {"ledger.jsonl", "judgements", "pictures", "playground", "retrieval.json", "study.toml"}
    | {"draws.json", "frozen.json", "occurrences.json", "logs"}
)
"""What the store itself keeps of a run, a study or a spectrum: no entry has these deleted."""


class DerivedEntry(Record):
    """One file or folder, and what it was made of."""

    path: str
    """From the data folder where it lies in it, absolute elsewhere."""
    kind: DerivedKind
    at: datetime
    runs: tuple[str, ...] = ()
    frames: tuple[str, ...] = ()
    """SHA-256 of pictures; with neither runs nor frames it may hold anything."""
    sha256: dict[str, str] | None = None
    """Of each file, by its name in the folder; ``None`` of what was not finished."""

    def place(self, data: DataFolder) -> Path:
        """Return where it lies, of a data folder that may have been moved or copied since."""
        return data.root.absolute() / self.path

    def is_there(self, data: DataFolder) -> bool:
        """Whether it was made, and still is where it was."""
        try:
            return self.place(data).exists()
        except OSError:  # no name that a disk takes, of a folder that a stranger made
            return False

    def is_ours(self, data: DataFolder) -> bool:
        """Whether it lies in the data folder, where a derived thing may, and can be deleted."""
        try:
            parts = self.place(data).resolve().relative_to(data.root.resolve()).parts
        except ValueError:
            return False
        if not parts or parts[0] in _NEVER or len(parts) < _DEPTH.get(parts[0], 1):
            return False
        own = _OWN.intersection(parts[1:]) or parts[-1].endswith(".jsonl")
        return not (parts[0] in _DEPTH and own)

    def shows(self, frames: Collection[str], runs: Collection[str]) -> bool:
        if not self.runs and not self.frames:
            return True
        return any(run in runs for run in self.runs) or any(one in frames for one in self.frames)


def register(
    data: DataFolder,
    path: Path,
    kind: DerivedKind,
    *,
    runs: Iterable[str] = (),
    frames: Iterable[str] = (),
) -> Path:
    """Enter what is about to be made; what was entered for the same place before stays entered.

    Returns the place. Raises ``FolderInUse`` for a folder that holds what nobody entered, since
    forgetting asks for folders to go whole, and ``DataUnwritable``: nothing may be made then.
    """
    place = path.expanduser().absolute()
    if place.is_relative_to(data.root.absolute()):
        place = place.relative_to(data.root.absolute())
    entry = _entry_path(data, str(place))
    old = _read(entry)
    if old is None and kind != "export":  # an export refuses every folder that is in use
        _refuse_used(data, data.root.absolute() / place)
    known = old is None or bool(old.runs or old.frames)
    made_of = set(runs), set(frames)
    if old is not None and known and any(made_of):
        made_of = made_of[0] | set(old.runs), made_of[1] | set(old.frames)
    told = DerivedEntry(
        path=str(place),
        kind=kind,
        at=min(old.at, datetime.now(UTC)) if old is not None and known else datetime.now(UTC),
        runs=tuple(sorted(made_of[0])) if known else (),
        frames=tuple(sorted(made_of[1])) if known else (),
    )
    try:
        write_sealed(entry, told.model_dump_json().encode())
    except OSError as error:
        raise DataUnwritable(entry, error.strerror or str(error)) from None
    return path


def seal_derived(data: DataFolder, path: Path) -> None:
    """Note the hashes of what was made, once it is whole; raises ``DataUnwritable``."""
    place = path.expanduser().absolute()
    if not place.is_relative_to(data.root.absolute()):
        return
    entry = _entry_path(data, str(place.relative_to(data.root.absolute())))
    if (told := _read(entry)) is None:
        return
    try:
        hashes = {name: _digest(file) for name, file in _files(place).items()}
        write_sealed(entry, told.model_copy(update={"sha256": hashes}).model_dump_json().encode())
    except OSError as error:
        raise DataUnwritable(entry, error.strerror or str(error)) from None


def find_changes(data: DataFolder, entry: DerivedEntry) -> Iterator[str]:
    """Tell what of a derived thing is not as it was made, by its files' names."""
    here = _files(entry.place(data))
    for name, digest in (entry.sha256 or {}).items():
        if name not in here:
            yield f"{name or 'it'} is missing"
        elif _digest(here[name]) != digest:
            yield f"{name or 'it'} was changed since it was made"


def _files(place: Path) -> dict[str, Path]:
    """Return the files of a thing by their names in it; a thing that is one file has none."""
    if not place.is_dir():
        return {"": place} if place.is_file() else {}
    found = (path for path in sorted(place.rglob("*")) if path.is_file() and not path.is_symlink())
    return {path.relative_to(place).as_posix(): path for path in found}


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def adopt(data: DataFolder, entry: DerivedEntry) -> bool:
    """Enter what another data folder has entered, beside what is known; tell if that is new.

    Raises ``DataUnwritable``.
    """
    place = _entry_path(data, entry.path)
    old = _read(place)
    both = entry
    if old is not None:
        known = bool(old.runs or old.frames) and bool(entry.runs or entry.frames)
        told = {
            "kind": old.kind,
            "at": min(old.at, entry.at),
            "runs": tuple(sorted({*old.runs, *entry.runs})) if known else (),
            "frames": tuple(sorted({*old.frames, *entry.frames})) if known else (),
        }
        both = entry.model_copy(update=told)
    if both == old:
        return False
    try:
        write_sealed(place, both.model_dump_json().encode())
    except OSError as error:
        raise DataUnwritable(place, error.strerror or str(error)) from None
    return True


def strike(data: DataFolder, path: Path) -> None:
    """Take out the entry of a place where nothing is, or never was."""
    place = path.expanduser().absolute()
    if place.is_relative_to(data.root.absolute()):
        place = place.relative_to(data.root.absolute())
    data.remove(_entry_path(data, str(place)))


def entries(data: DataFolder) -> Iterator[DerivedEntry]:
    for path in sorted(data.derived_dir.glob("*.json")):
        entry = _read(path)
        if entry is not None:
            yield entry


def concerned(
    data: DataFolder, frames: Collection[str], runs: Collection[str]
) -> list[DerivedEntry]:
    return [entry for entry in entries(data) if entry.shows(frames, runs)]


def remove(data: DataFolder, entry: DerivedEntry) -> None:
    """Delete a thing of the data folder, then its entry; elsewhere only the entry."""
    if entry.is_there(data) and entry.is_ours(data):
        data.remove(entry.place(data))
    data.remove(_entry_path(data, entry.path))


def strays(data: DataFolder) -> list[Path]:
    """Pictures and reports in the data folder that nobody entered, as older versions left them."""
    known = {entry.place(data) for entry in entries(data)}
    found = [*data.pairs_dir.glob("*.png"), *data.spectra_dir.glob("*/report")]
    found += [path for path in data.probes_dir.glob("*") if path.is_dir()]
    found += [*data.runs_dir.glob("*/report"), *data.studies_dir.glob("*/report")]
    return sorted(path for path in found if path.absolute() not in known)


def _refuse_used(data: DataFolder, place: Path) -> None:
    if place.is_dir() and any(place.iterdir()) and place not in map(Path.absolute, strays(data)):
        raise FolderInUse(place)


def _entry_path(data: DataFolder, place: str) -> Path:
    mark = hashlib.sha256(place.encode()).hexdigest()[:24]
    return data.derived_dir / f"{mark}.json"


def _read(path: Path) -> DerivedEntry | None:
    """An entry; ``None`` where there is none, since it is written whole before anything is made."""
    try:
        if not path.is_file():  # a pipe would be waited for
            return None
        return DerivedEntry.model_validate_json(path.read_bytes())
    except (OSError, ValidationError):
        return None
