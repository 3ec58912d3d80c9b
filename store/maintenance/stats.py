"""Counts what is kept, how much of it is unique, and how long the disk lasts."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path

from store.errors import StoreError
from store.frames.near_duplicates import alike_vectors, near_duplicates
from store.runs import ledger
from store.runs.data_folder import DataFolder
from store.runs.ledger_lines import ObservedVideo, Step, label_personas
from store.runs.run_outline import outline_run
from store.terminal.printing import count_of

RECENT = timedelta(days=7)
"""What counts as the present rate."""

Progress = Callable[[int, int], None]


@dataclass(slots=True)
class Uniqueness:
    """How many screenshots are left when those that are the same count once."""

    frames: int = 0
    """Screenshots that steps name."""
    exact: int = 0
    perceptual: int = 0
    """No two of them near-duplicates."""
    embedded: dict[str, int] = field(default_factory=dict)
    """For each index: no two of its vectors alike. It may lack frames."""


@dataclass(slots=True)
class Disk:
    """Bytes, and how long they last."""

    used: dict[str, int] = field(default_factory=dict)
    free: int = 0
    per_day: float | None = None
    """Bytes a day over the last seven days; ``None`` where no step is as recent."""
    days_left: float | None = None


@dataclass(slots=True)
class Stats:
    """What is kept, in numbers."""

    runs: int = 0
    steps: int = 0
    videos: int = 0
    by_platform: dict[str, int] = field(default_factory=dict)
    """Screenshots; so are the next two."""
    by_month: dict[str, int] = field(default_factory=dict)
    by_persona: dict[str, int] = field(default_factory=dict)
    unique: Uniqueness = field(default_factory=Uniqueness)
    disk: Disk = field(default_factory=Disk)
    forgotten: int = 0
    problems: list[str] = field(default_factory=list)


def stats(
    data: DataFolder,
    now: datetime,
    progress: Progress | None = None,
    *,
    quick: bool = False,
    url: str | None = None,
) -> Stats:
    """Count what a data folder holds; the rate is that of the seven days before ``now``.

    ``quick`` compares no vectors; ``progress`` is told how many are compared, of how many. ``url``
    is a Chroma server whose vectors are compared, instead of the embedded indexes'.
    """
    found = Stats()
    seen: dict[str, str] = {}
    videos: set[tuple[str, str]] = set()
    recent = 0
    platforms, months, personas = Counter[str](), Counter[str](), Counter[str]()
    for summary in data.runs():
        count = _RunCount(now)
        try:
            with ledger.open_stream(summary.path) as stream:
                run = outline_run(stream, count.take)
        except StoreError as error:
            found.problems.append(str(error))
            continue
        found.runs += 1
        found.steps += run.steps
        found.forgotten += sum(len(line.positions) for line in run.forgotten)
        recent += count.recent
        videos.update((run.started.platform, video) for video in count.videos)
        months += count.months
        if run.steps:
            platforms[run.started.platform] += count.months.total()
            personas[run.started.persona.identity] += count.months.total()
        seen.update(count.seen)
    found.videos = len(videos)
    labels = label_personas(personas)
    by_name = Counter({labels[identity]: count for identity, count in personas.items()})
    found.by_platform, found.by_month, found.by_persona = (
        dict(sorted((+count).items())) for count in (platforms, months, by_name)
    )
    twins = near_duplicates(seen.values())
    unique = Uniqueness(platforms.total(), len(seen), sum(twin is None for twin in twins))
    if not quick:
        unique.embedded = _embedded(data, found.problems, progress, url)
    found.unique = unique
    found.disk = disk_of(data, found.steps, recent)
    return found


class _RunCount:
    """One run as its ledger is looked through: it counts only if that can be read to its end."""

    def __init__(self, now: datetime) -> None:
        self._now = now
        self.recent = 0
        self.months = Counter[str]()
        self.videos: set[str] = set()
        self.seen: dict[str, str] = {}

    def take(self, video: ObservedVideo) -> None:
        if not isinstance(video, Step):
            return
        self.recent += self._now - RECENT <= video.at <= self._now
        self.videos.add(video.video.id)
        self.months[f"{video.at:%Y-%m}"] += len(video.frames)
        self.seen.update((frame.sha256, frame.phash) for frame in video.frames)


def _embedded(
    data: DataFolder, problems: list[str], progress: Progress | None, url: str | None
) -> dict[str, int]:
    from store.index.search import every  # loads chromadb

    found = {}
    with every(data, url) as indexes:
        for index in indexes:
            try:
                _, vectors = index.sample(most=index.count())
            except StoreError as error:
                problems.append(str(error))
            else:
                found[index.name] = len(vectors) - int(alike_vectors(vectors, progress).sum())
    return found


def disk_of(data: DataFolder, steps: int, recent: int) -> Disk:
    """What is used, and what the steps of the last seven days (``recent``) make of the rest."""
    kinds = {
        "runs": data.runs_dir,
        "frames": data.frames_dir,
        "index": data.index_dir,
        "studies": data.studies_dir,
        "replies": data.replies_dir,
        "profiles": data.profiles_dir,
    }
    used = {kind: _size(folder) for kind, folder in kinds.items()}
    disk = Disk(used | {"other": _size(data.root) - sum(used.values())}, data.free_bytes())
    if steps and recent:
        per_step = (used["runs"] + used["frames"] + used["index"]) / steps
        disk.per_day = per_step * recent / RECENT.days
        disk.days_left = disk.free / disk.per_day
    return disk


def _size(folder: Path) -> int:
    """Bytes of all files below a folder; one that goes meanwhile does not count."""
    total = 0
    folders = [str(folder)]
    while folders:
        with suppress(FileNotFoundError, NotADirectoryError), os.scandir(folders.pop()) as found:
            for item in found:
                if item.is_dir(follow_symlinks=False):
                    folders.append(item.path)
                    continue
                with suppress(FileNotFoundError):
                    total += item.stat().st_size if item.is_file() else 0
    return total


def rows(found: Stats) -> Sequence[str]:
    unique, disk = found.unique, found.disk
    lines = [
        f"{count_of(found.runs, 'run')}, {count_of(found.steps, 'step')}, "
        f"{count_of(found.videos, 'video')}, "
        f"{unique.frames} screenshots",
        f"unique: {unique.perceptual} by look ({unique.exact} distinct files)",
        *(f"        {count} by meaning in {name}" for name, count in unique.embedded.items()),
    ]
    for name, counts in (
        ("platform", found.by_platform),
        ("month", found.by_month),
        ("persona", found.by_persona),
    ):
        lines.append(f"{name}: " + ", ".join(f"{key} {count}" for key, count in counts.items()))
    used = ", ".join(f"{kind} {size_told(size)}" for kind, size in disk.used.items() if size)
    lines.append(f"disk: {used or 'nothing'}; {size_told(disk.free)} free")
    if disk.per_day and disk.days_left is not None:
        lines.append(
            f"At the rate of the last seven days ({size_told(disk.per_day)} a day) "
            f"it lasts {disk.days_left:,.0f} days."
        )
    else:
        lines.append("Nothing was collected in the last seven days, so there is no rate.")
    if found.forgotten:
        lines.append(f"Forgotten: {count_of(found.forgotten, 'step')}.")
    return lines


def size_told(size: float) -> str:
    for unit in ("B", "KiB", "MiB", "GiB"):
        if size < 1024:
            return f"{size:.0f} {unit}" if unit == "B" else f"{size:.1f} {unit}"
        size /= 1024
    return f"{size:.1f} TiB"
