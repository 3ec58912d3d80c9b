"""Gathers what goes into a bundle, in the form that a stranger may have it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from store.bundle.bundle_leaks import LeakSearch, path_pattern
from store.bundle.bundle_manifest import DATA, FIGURES, BundledFile, read_chain_end
from store.bundle.errors import BadBundle
from store.bundle.figure_tables import PAGE_NUMBERS, SHOWN_BY_NAME, write_frameless, write_without
from store.bundle.public_lines import PublicLines, bare_head, encode_head, hide_paths, public_canary
from store.bundle.report_record import ReportRecord, hash_file
from store.bundle.study_sources import StudySources
from store.dataset.export import own_words
from store.dataset.pseudonyms import KnownPeople, Pseudonyms, key_of, known_runs
from store.errors import StoreError
from store.frames.frame_store import FrameStore
from store.runs import ledger
from store.runs.data_folder import LEDGER, DataFolder

TABLES = "tables"
_AT_ONCE = 1 << 20


@dataclass(frozen=True)
class StagedFile:
    """A file that goes in, and where its bytes lie until then."""

    entry: BundledFile
    path: Path

    def pieces(self) -> Iterator[bytes]:
        with self.path.open("rb") as file:
            while piece := file.read(_AT_ONCE):
                yield piece


class BundleStaging:
    """Writes public forms of files into a folder; what goes in as it is stays where it lies."""

    def __init__(
        self, data: DataFolder, record: ReportRecord, sources: StudySources, folder: Path
    ) -> None:
        self._data, self._record, self._sources = data, record, sources
        self._folder = folder
        self._names: Pseudonyms | None = None
        self.problems: list[str] = []
        """Ledgers and frames that cannot be read, in words."""

    def stage(self, report: Path, *, keep_handles: bool, frames: bool) -> list[StagedFile]:
        """Gather lines, declarations and tables, and search all of them for names and secrets.

        Raises ``BadBundle``.
        """
        if not keep_handles:
            people = KnownPeople()
            for _ in known_runs(self._data, people, self.problems):
                pass
            self._names = Pseudonyms(key_of(self._data.pseudonym_key), people)
        staged = [*self._lines(), *self._heads(), *self._tables(report, frames=frames)]
        search = LeakSearch(
            self._data,
            self._names,
            {first.account for first in (*self._sources.runs, *self._sources.heads)},
            self._own_words(),
        )
        for one in staged:
            search.refuse(one.entry.place, one.path)
        return staged

    def frames(self) -> list[StagedFile]:
        """Gather the pictures that the steps of the runs name."""
        store, found = FrameStore(self._data.frames_dir), []
        for sha256 in self._frame_names():
            if not store.has(sha256):
                self.problems.append(f"{store.path(sha256)} is missing.")
                continue
            place, path = f"{DATA}frames/{sha256[:2]}/{sha256}.jpg", store.path(sha256)
            size = path.stat().st_size
            found.append(StagedFile(BundledFile(place=place, bytes=size, sha256=sha256), path))
        return found

    def _frame_names(self) -> list[str]:
        names: set[str] = set()
        for name in self._sources.names:
            try:
                steps = ledger.read(self._data.ledger_path(name)).steps
            except StoreError as error:
                self.problems.append(str(error))
                continue
            names |= {frame.sha256 for step in steps for frame in step.frames}
        return sorted(names)

    def _lines(self) -> Iterator[StagedFile]:
        for place in (*self._sources.figures, *self._sources.more):
            path = self._data.root / place
            rewrite = self._rewriting(place)
            if rewrite is None:
                yield self._staged(f"{DATA}{place}", path)
                continue
            written = self._write(f"{DATA}{place}", rewrite(path.read_bytes()))
            if written.stat().st_size:  # no line of a canary log may concern these runs
                original = self._record.sources.get(place)
                changed = original != hash_file(written)
                yield self._staged(f"{DATA}{place}", written, original if changed else None)

    def _rewriting(self, place: str) -> Callable[[bytes], Iterable[bytes]] | None:
        """What makes the lines of a file public; ``None`` where it goes in as it is."""
        if place.startswith("canary/"):
            return lambda content: public_canary(content, self._concerns)
        if not place.startswith("runs/"):
            return None
        if self._names is None:
            paths = path_pattern(self._data)
            return lambda content: [hide_paths(content, paths)]
        public = PublicLines(self._names)
        return lambda content: public.of_file(place, content)

    def _concerns(self, line: dict[str, Any]) -> bool:
        """Tell whether a result about a site lies between the starts of the runs."""
        starts = [first.at for first in self._sources.runs]
        try:
            return min(starts) <= datetime.fromisoformat(str(line.get("at"))) <= max(starts)
        except (ValueError, TypeError):
            return False

    def _heads(self) -> Iterator[StagedFile]:
        """First lines of earlier runs that used an account of the study's, and nothing more."""
        heads = sorted(self._sources.heads, key=lambda one: (one.at, one.run_id))
        for number, first in enumerate(heads, 1):
            bare = bare_head(first, f"left-out-{number:03d}")
            place = f"{DATA}runs/{bare.run_id}/{LEDGER}"
            line = PublicLines(self._names).head(bare) if self._names else encode_head(bare)
            yield self._staged(place, self._write(place, [line]))

    def _tables(self, report: Path, *, frames: bool) -> Iterator[StagedFile]:
        for name, sha256 in self._record.tables.items():
            path, place = report / TABLES / f"{name}.csv", f"{FIGURES}{name}.csv"
            if not path.is_file() or hash_file(path) != sha256:
                told = f"{path} is not as the report wrote it"
                raise BadBundle.report(self._record.study or self._record.runs[0], told)
            written = self._folder / place
            if name == PAGE_NUMBERS and not frames:
                rows = write_frameless(path, written)
                yield self._staged(place, written, rows=rows)
            elif self._names is not None and name in SHOWN_BY_NAME:
                columns = write_without(path, SHOWN_BY_NAME[name], written)
                yield self._staged(place, written, columns=columns)
            else:
                yield self._staged(place, path)

    def _write(self, place: str, lines: Iterable[bytes]) -> Path:
        path = self._folder / place
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("wb") as file:
            file.writelines(lines)
        return path

    @staticmethod
    def _staged(
        place: str,
        path: Path,
        original: str | None = None,
        columns: tuple[str, ...] = (),
        rows: int = 0,
    ) -> StagedFile:
        entry = BundledFile(
            place=place,
            bytes=path.stat().st_size,
            sha256=hash_file(path),
            original=original,
            chain=read_chain_end(path),
            columns_left_out=columns,
            rows_left_out=rows,
        )
        return StagedFile(entry, path)

    def _own_words(self) -> list[str]:
        """Names and texts that the study's makers gave, which are theirs to tell.

        What they wrote beside these, as in a study file's comments, is searched like all else.
        """
        runs, record = self._sources.runs, self._record
        told = [*own_words(runs), *self._sources.names, record.study or ""]
        told += [trait for first in runs for trait in first.persona.traits]
        told += [text.text or "" for text in record.prompts]
        told += [str(first.config.get("cell")) for first in runs]
        labels = (place for place in self._sources.figures if place.startswith("labels/"))
        told += [word for place in labels for word in Path(place).with_suffix("").parts]
        return told
