"""Packs a study, or a run, with its report's figures into one file that strangers can check.

What goes in is staged beside the file's place, searched for names, and only then written, manifest
first. The same study, report and key of pseudonyms give the same bytes on every machine.
"""

from __future__ import annotations

import hashlib
import os
import shutil
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, cast

from store.bundle import bundle_manifest
from store.bundle.bundle_manifest import FIGURES, BundleManifest
from store.bundle.bundle_staging import BundleStaging, StagedFile
from store.bundle.errors import BadBundle
from store.bundle.report_record import ReportRecord, hash_files, read_record
from store.bundle.study_sources import StudySources, find_sources
from store.dataset.pseudonyms import IMPORTED
from store.errors import DataUnwritable, ForgettingPending
from store.jsonl.atomic import make_folder, open_private, sync_folder
from store.jsonl.locks import LockHeld, NamedLock
from store.privacy.derived_files import register, strike
from store.runs.data_folder import DataFolder
from store.untrusted.canonical_tar import write_tar

_PEOPLE = "by-"
"""Begins the name of the file of one person's labels."""
Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class BundleChoice:
    """What goes into a bundle beside figures and what they need."""

    frames: bool = False
    keep_handles: bool = False


@dataclass(frozen=True)
class BundleSummary:
    """What was packed; ``sha256`` is that of the file, which a paper cites."""

    file: Path
    sha256: str
    bytes: int
    runs: int
    tables: int
    frames: int
    labellers: tuple[str, ...]
    """Names under which people labelled, which are in it."""
    problems: tuple[str, ...]
    """Ledgers and frames that cannot be read, in words."""


def bundle(
    data: DataFolder, name: str, file: Path, choice: BundleChoice, progress: Progress | None = None
) -> BundleSummary:
    """Write the bundle of a study, or of a run, to a new file, which appears when it is whole.

    Raises ``BadBundle`` without a report, with one that is not of what is kept, and where the
    bundle would tell a name or a secret; ``ForgettingPending`` and ``DataUnwritable``.
    """
    if file.exists():
        raise BadBundle(f"{file} is there already. Type: python -m store bundle {name} NEW_FILE")
    parent = file.absolute().parent
    if parent.is_dir() and not os.access(parent, os.W_OK):
        told = f"{parent} cannot be written to"
        raise BadBundle(f"{told}. Type: python -m store bundle {name} FOLDER/{file.name}")
    if data.forgetting.exists():
        raise ForgettingPending
    home = data.study_dir(name)
    if not (home / "study.toml").is_file():
        home = data.find_run(name).parent
    record = read_record(home / "report", home.name)
    _refuse_people(record, home.name, choice)
    sources = find_sources(data, record.study, record.runs, record.options.null_runs)
    _refuse_stale(data, home.name, record, sources)
    try:
        return _Packing(data, file, record, sources, choice).pack(home / "report", progress)
    except OSError as error:
        raise DataUnwritable(file, error.strerror or str(error)) from None


def _refuse_people(record: ReportRecord, name: str, choice: BundleChoice) -> None:
    """Refuse what other people gave, which is not the study's to publish."""
    if record.options.beside:
        told = "The report has a person's watch history beside it, which no bundle holds"
        raise BadBundle.report(name, told)
    if record.options.null_files:
        files = ", ".join(record.options.null_files)
        told = f"The report's null comes from {files}, and a bundle holds what is kept alone"
        raise BadBundle.report(f"{name} --null-from STUDY", told)
    if name.startswith(IMPORTED) and not choice.keep_handles:
        raise BadBundle(
            f"Somebody gave {name} its name. Type: python -m store bundle {name} --keep-handles"
        )


def _refuse_stale(data: DataFolder, name: str, record: ReportRecord, sources: StudySources) -> None:
    there = hash_files(data, sources.figures)
    changed = sorted(there.items() ^ record.sources.items())
    if changed:
        place = changed[0][0]
        raise BadBundle.report(name, f"The report of {name} is older than {data.root / place}")


class _Packing:
    """One call: what is packed, and the places that are made on the way."""

    def __init__(
        self,
        data: DataFolder,
        file: Path,
        record: ReportRecord,
        sources: StudySources,
        choice: BundleChoice,
    ) -> None:
        self._data, self._file, self._choice = data, file, choice
        self._record, self._sources = record, sources

    def pack(self, report: Path, progress: Progress | None) -> BundleSummary:
        place = self._file.absolute()
        with self._staging(place) as folder:
            staging = BundleStaging(self._data, self._record, self._sources, folder)
            staged = staging.stage(
                report, keep_handles=self._choice.keep_handles, frames=self._choice.frames
            )
            frames = staging.frames() if self._choice.frames else []
            members = sorted([*staged, *frames], key=lambda one: one.entry.place)
            manifest = self._manifest(members)
            hashes = [frame.entry.sha256 for frame in frames]
            register(self._data, place, "export", runs=self._sources.names, frames=hashes)
            temporary = folder / place.name
            sha256 = _write(temporary, manifest, members, progress)
            temporary.replace(place)
            sync_folder(place.parent)
        return BundleSummary(
            file=self._file,
            sha256=sha256,
            bytes=place.stat().st_size,
            runs=len(self._sources.runs),
            tables=len(manifest.below(FIGURES)),
            frames=len(frames),
            labellers=self._labellers(),
            problems=tuple(staging.problems),
        )

    @contextmanager
    def _staging(self, place: Path) -> Iterator[Path]:
        """Give a folder beside the place, which is entered before and gone after."""
        folder = place.with_name(f".{place.name}.bundling")
        make_folder(place.parent)
        lock = NamedLock(place.with_name(f".{place.name}.lock"))
        try:
            lock.acquire()
        except LockHeld as error:
            raise BadBundle(f"{place} is being made by {error}. Type: the same later") from None
        try:
            register(self._data, folder, "export", runs=self._sources.names)
            shutil.rmtree(folder, ignore_errors=True)  # of a killed call
            make_folder(folder)
            yield folder
        finally:
            shutil.rmtree(folder, ignore_errors=True)
            strike(self._data, folder)
            lock.release()
            lock.path.unlink(missing_ok=True)

    def _manifest(self, members: Sequence[StagedFile]) -> BundleManifest:
        return BundleManifest(
            study=self._record.study,
            runs=self._record.runs,
            handles="kept" if self._choice.keep_handles else "pseudonyms",
            frames=self._choice.frames,
            options=self._record.options,
            environment=self._record.environment,
            prompts=self._record.prompts,
            files=tuple(one.entry for one in members),
        )

    def _labellers(self) -> tuple[str, ...]:
        files = (Path(place) for place in self._sources.figures if place.startswith("labels/"))
        people = (path.stem for path in files if path.name.startswith(_PEOPLE))
        return tuple(sorted({name.removeprefix(_PEOPLE) for name in people}))


def _write(
    file: Path,
    manifest: BundleManifest,
    members: Sequence[StagedFile],
    progress: Progress | None,
) -> str:
    """Write the archive and return its SHA-256."""
    told = manifest.encode()

    def each() -> Iterator[tuple[str, int, Iterator[bytes]]]:
        yield bundle_manifest.NAME, len(told), iter([told])
        for number, one in enumerate(members, 1):
            yield one.entry.place, one.entry.bytes, _checked(one)
            if progress is not None:
                progress(number, len(members))

    with os.fdopen(open_private(file, os.O_RDWR | os.O_CREAT | os.O_EXCL), "w+b") as stream:
        write_tar(cast("IO[bytes]", stream), each())
        stream.flush()
        os.fsync(stream.fileno())
        stream.seek(0)
        return hashlib.file_digest(stream, "sha256").hexdigest()


def _checked(member: StagedFile) -> Iterator[bytes]:
    """Give the bytes of a file; raises ``BadBundle`` where they are not those of its entry."""
    digest, size = hashlib.sha256(), 0
    for piece in member.pieces():
        digest.update(piece)
        size += len(piece)
        if size <= member.entry.bytes:
            yield piece
    if (digest.hexdigest(), size) != (member.entry.sha256, member.entry.bytes):
        raise BadBundle.file(member.entry.place, "it has changed meanwhile, or is damaged")
