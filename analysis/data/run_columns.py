"""One run as the analysis takes it from its ledger: an outline, and its steps as columns."""

from __future__ import annotations

from array import array
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from analysis.data.exposures import ViewColumns, Views, row_of, run_info
from store.runs.ledger import open_stream
from store.runs.ledger_lines import BY_ITSELF, ObservedVideo, Step
from store.runs.run_outline import RunOutline, outline_run


@dataclass(frozen=True, eq=False)
class RunColumns:
    """What a ledger tells of its run, with a few bytes for each step."""

    outline: RunOutline
    views: Views
    timings_ms: Mapping[str, array[float]]
    """Wall time of each stage, one number for each step that has it."""
    moved_by_itself: int
    """Steps after which the feed moved on by itself."""


def read_run(path: Path) -> RunColumns:
    """Read one ledger line by line; raises as ``ledger.read``."""
    columns = ViewColumns()
    timings: dict[str, array[float]] = {}
    moved = 0

    def take(video: ObservedVideo) -> None:
        nonlocal moved
        if not isinstance(video, Step):
            return
        columns.add(row_of(0, video))
        moved += video.move is not None and video.move.action == BY_ITSELF
        for stage, value in video.timings_ms.items():
            timings.setdefault(stage, array("d")).append(value)

    with open_stream(path) as stream:
        outline = outline_run(stream, take)
    return RunColumns(outline, columns.close([run_info(outline)]), timings, moved)
