"""A data folder with a run over real frames of the playground's clips."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from agent.benchmarks.viewer_inputs import Exhibit, draw_videos, take_exhibits
from agent.playground.catalogue import load_catalogue
from agent.playground.clips import ClipStore, default_cache
from store.frames.frame_store import FrameStore
from store.runs.data_folder import DataFolder
from store.runs.ledger import Ledger, LedgerWriter, read
from store.runs.ledger_lines import Video
from tests.store.samples import finished, frame, started, step


def exhibits(per_theme: int) -> list[Exhibit]:
    """Frames of so many videos of each theme."""
    items = draw_videos(load_catalogue(), per_theme, np.random.default_rng(0))
    return take_exhibits(items, ClipStore(default_cache()), lambda *_: None)


def watch(folder: DataFolder, shown: Sequence[Exhibit]) -> Ledger:
    """Keep a run that saw these, said yes and no in turn, and was shown one creator's videos."""
    frames = FrameStore(folder.frames_dir)
    with LedgerWriter(folder.ledger_path("r1"), fsync=False) as writer:
        writer.append(started("r1"))
        for number, one in enumerate(shown):
            frames.put(one.frame, sync=False)
            video = Video(id=one.id, caption=one.caption, author="kite.flyer")
            answer = ("yes", "no")[number % 2]
            writer.append(step(number, frame(one.frame), answer=answer, video=video))
        writer.append(finished(len(shown)))
    return read(folder.ledger_path("r1"))
