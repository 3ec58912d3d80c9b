"""What somebody watched elsewhere, kept as a run: videos and times, no frames, no answers.

So everything that reads runs reads it: statistics, exports, forgetting, the report.
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Literal

from store.dataset.imported_run import ImportedRun, ImportedVideo, name_slug
from store.dataset.pseudonyms import IMPORTED
from store.errors import ExportRefused
from store.runs.data_folder import DataFolder
from store.runs.ledger import LedgerWriter, read, summarise
from store.runs.ledger_lines import MOST_STEPS, RunFinished
from store.untrusted.size_limits import ForeignFault

Source = Literal["donation", "capture"]
UNNAMED = "unnamed-"
"""How the id of a video begins whose own is not known: it is like no other."""
_AT_ONCE = 1000
_EARLIEST, _LATEST = 2005, 2100


class BadHistory(ForeignFault):
    """A file that holds no watch history, or more than is taken."""


class HistoryDiffers(ExportRefused):
    """A history of this name is kept already, and is another one."""

    def __init__(self, name: str, run_id: str) -> None:
        super().__init__(
            f"{run_id} is another history called {name}. Type: the same with --as OTHER"
        )


def is_possible_time(at: datetime) -> bool:
    """Whether anybody can have watched a feed then."""
    return _EARLIEST <= at.year < _LATEST


@dataclass(frozen=True, slots=True)
class WatchHistory:
    """What one file tells: videos in the order in which they were watched or sent."""

    platform: str
    source: Source
    videos: tuple[ImportedVideo, ...]
    left_out: int
    """Entries that are no video with a time."""
    remark: str = ""
    """What the file does not tell, and a reader should know."""

    def __post_init__(self) -> None:
        if not self.videos:
            raise BadHistory("it holds no video with a time")
        if len(self.videos) > MOST_STEPS:
            raise BadHistory(f"it holds more than {MOST_STEPS:,} videos")

    @property
    def mark(self) -> str:
        """Hash of what is kept of it."""
        told = [
            (each.at.isoformat(), each.excluded, each.video.model_dump(mode="json"))
            for each in self.videos
        ]
        return hashlib.sha256(json.dumps(told, sort_keys=True).encode()).hexdigest()


@dataclass(frozen=True, slots=True)
class KeptHistory:
    """What an import did."""

    run_id: str
    added: int
    present: int


def history_run(platform: str, name: str) -> str:
    """Return the id of the run that a history is kept as."""
    return f"{IMPORTED}-{platform}-{name_slug(name)}"


def keep_history(data: DataFolder, history: WatchHistory, name: str, version: str) -> KeptHistory:
    """Keep a history as a run, whose persona is called by a name.

    One that was cut off goes on, and one that is there stays as it is. Raises ``HistoryDiffers``,
    ``DataUnwritable``, ``DamagedLedger`` and ``RunLocked``.
    """
    videos = mark_repeats(history.videos)
    first = ImportedRun(
        run_id=history_run(history.platform, name),
        at=videos[0].at,
        platform=history.platform,
        persona=name,
        source=history.source,
        eligible=sum(each.excluded is None for each in videos),
        mark=history.mark,
        version=version,
        config={"name": name, "left_out": history.left_out},
    )
    path, done = data.ledger_path(first.run_id), 0
    if path.exists() and summarise(path) is not None:
        run = read(path)
        if run.started.config_hash != first.mark:
            raise HistoryDiffers(name, first.run_id)
        if run.finished:
            return KeptHistory(first.run_id, 0, len(run.steps))
        done = run.next_position
    with LedgerWriter(path) as writer:
        if not path.stat().st_size:
            writer.append(first.first_line())
        for begin in range(done, len(videos), _AT_ONCE):
            some = enumerate(videos[begin : begin + _AT_ONCE], begin)
            writer.append_all([each.step(position) for position, each in some])
        writer.append(RunFinished(at=videos[-1].at, steps=len(videos), eligible=first.eligible))
    return KeptHistory(first.run_id, len(videos) - done, len(videos))


@dataclass(frozen=True, slots=True)
class HistoryTally:
    """What can be said of a history by itself; advertisements and pictures are left out.

    ``None`` where the file does not name its videos, or not each one's creator.
    """

    videos: int
    days: int
    """Days, in UTC, on which anything was watched."""
    repeats: int | None
    creators: int | None
    commonest: int | None
    """Videos of the creator who has most of them."""


def tally_history(videos: Sequence[ImportedVideo]) -> HistoryTally:
    """Count a history."""
    counted = [each for each in videos if each.excluded is None]
    named = not any(each.video.id.startswith(UNNAMED) for each in counted)
    authors = Counter(each.video.author for each in counted)
    known = bool(authors) and None not in authors
    return HistoryTally(
        videos=len(counted),
        days=len({each.at.date() for each in counted}),
        repeats=len(counted) - len({each.video.id for each in counted}) if named else None,
        creators=len(authors) if known else None,
        commonest=max(authors.values()) if known else None,
    )


def mark_repeats(videos: Sequence[ImportedVideo]) -> list[ImportedVideo]:
    """Tell of each video whether it was there before; of one without a name nobody knows."""
    seen: set[str] = set()
    told = []
    for each in videos:
        name = each.video.id
        told.append(replace(each, repeat="run") if name in seen else each)
        if not name.startswith(UNNAMED):
            seen.add(name)
    return told
