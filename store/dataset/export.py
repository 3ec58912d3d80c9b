"""Exports what is kept: rows and pictures first, then the card, then the manifest."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path

from store.dataset import manifest
from store.dataset.card import NAME as CARD
from store.dataset.card import card
from store.dataset.formats import FORMATS, Item
from store.dataset.leaks import refuse_leaks
from store.dataset.published_pictures import Blur, bare
from store.dataset.rows import SPLITS, ExportRows, Row, RowChoice, gather
from store.errors import DamagedFrame, DataUnreadable, DataUnwritable
from store.frames.frame_store import FrameStore
from store.jsonl.atomic import write_whole
from store.runs.data_folder import DataFolder
from store.runs.ledger_lines import RunStarted


@dataclass(frozen=True, slots=True)
class DatasetExport:
    """What an export did."""

    folder: Path
    splits: dict[str, int]
    problems: tuple[str, ...]
    """Ledgers and frames that are left out, in words."""


def export(
    data: DataFolder,
    folder: Path,
    kind: str,
    choice: RowChoice,
    progress: Callable[[int, int], None] | None = None,
) -> DatasetExport:
    """Write one export to a new or empty folder; ``kind`` is one of ``FORMATS``.

    Raises ``NothingToExport``; ``BadExport`` where the folder holds something, or lies in the data
    folder; ``LeakingExport`` where it names somebody after all, and ``DataUnwritable``, after which
    nothing of it is left.
    """
    found = gather(data, choice)
    found.blur = Blur(found.people) if choice.blur else None
    frames, runs = [row["sha256"] for row in found.rows], [run.run_id for run in found.runs]
    try:
        with manifest.staged_export(data, folder, frames, runs) as building:
            found.rows = written = _write_splits(data, building, kind, found, progress)
            write_whole(building / CARD, card(building, kind, found, choice).encode())
            if found.names is not None:
                refuse_leaks(building, found.names, own_words(found.runs))
            splits = dict(Counter(row["split"] for row in written))
            told = {"format": kind, "made_at": datetime.now(UTC).isoformat(), "rows": splits}
            manifest.finish(building, told)
    except OSError as error:
        raise DataUnwritable(folder, error.strerror or str(error)) from None
    return DatasetExport(folder, splits, tuple(found.problems))


def _write_splits(
    data: DataFolder,
    folder: Path,
    kind: str,
    found: ExportRows,
    progress: Callable[[int, int], None] | None,
) -> list[Row]:
    written: list[Row] = []
    for split in SPLITS:
        rows = [row for row in found.rows if row["split"] == split]
        if rows:
            items = _items(data, rows, found, written)
            FORMATS[kind](folder, split, _counted(items, written, len(found.rows), progress))
    return written


def own_words(runs: Sequence[RunStarted]) -> list[str]:
    """Return what whoever made the runs wrote: models and personas may be called like a creator."""
    return [
        word
        for run in runs
        for word in (
            run.platform,
            run.model,
            run.persona.id,
            run.strategy,
            run.arm,
            run.driver,
            run.browser,
            run.locale,
            run.provenance.code_version,
        )
    ]


def _items(
    data: DataFolder, rows: list[Row], found: ExportRows, written: list[Row]
) -> Iterator[Item]:
    frames = FrameStore(data.frames_dir)
    for row in rows:
        try:
            jpeg = bare(frames.read(row["sha256"]))
            if found.blur is not None:
                jpeg = found.blur(jpeg)
        except (DamagedFrame, DataUnreadable, ValueError) as error:
            found.problems.append(f"{row['id']}: {error}")
            continue
        row["sha256"] = sha256(jpeg).hexdigest()
        written.append(row)
        yield row, jpeg


def _counted(
    items: Iterator[Item],
    written: list[Row],
    total: int,
    progress: Callable[[int, int], None] | None,
) -> Iterator[Item]:
    for item in items:
        yield item
        if progress is not None:
            progress(len(written), total)
