"""Data folders with many steps, as real ledgers tell them: openings, batches, checks, words."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import timedelta
from itertools import islice
from pathlib import Path

import numpy as np

from store.frames.frame_store import FrameStore
from store.jsonl.atomic import write_whole
from store.runs.data_folder import DataFolder
from store.runs.ledger import LedgerLine, LedgerWriter
from store.runs.ledger_lines import Frame, Judgement, RunStarted, Step, Video, Windows
from store.runs.ledger_site_lines import FeedBatch, SiteCheck
from tests.store.samples import COLOURS, START, finished, frame, jpeg, opening, started, step

STUDY = "large"
PERSONAS = 25
BATCH = 12
_AT_ONCE = 1_000
_REASON = (
    "It looks most like space shuttle (0.09), and the picture is not enough like “I can tell what "
    "ails an engine by its sound” (0.10; what other people like: 0.05 on average)."
)
_READ_FROM = dict.fromkeys(
    ("url", "author", "author_name", "caption", "hashtags", "likes", "views", "ad"), "network"
)


class FrameMaker:
    """Makes frames of a few pictures, each a file of its own by some bytes after its end."""

    def __init__(self, data: DataFolder, files: int) -> None:
        self._store, self._files = FrameStore(data.frames_dir), files
        pictures = [jpeg(colour, number) for colour in COLOURS for number in range(5)]
        self._known = [(picture, frame(picture)) for picture in pictures]

    def make(self, number: int) -> Frame:
        """Return the frame of a video, by its number; there are no more files than were asked."""
        place = number % self._files
        picture, told = self._known[place % len(self._known)]
        sha256 = self._store.put(picture + b"%d" % place, sync=False)
        return told.model_copy(update={"sha256": sha256})


def make_one_run(data: DataFolder, steps: int, files: int) -> Path:
    """Write one run of so many steps, whose frames are so many files; return its ledger."""
    rng = np.random.default_rng(1)
    half = steps // 2
    first = started("long-run", windows=Windows(before=half, after=steps - half))
    return _write(data, first, _steps(FrameMaker(data, files), 0, first, rng))


def make_study(data: DataFolder, runs: int, steps: int) -> None:
    """Write a study of so many runs, of two arms by turns, with so many steps each."""
    rng = np.random.default_rng(2)
    frames = FrameMaker(data, runs * steps)
    home = data.studies_dir / STUDY
    cells = []
    for number in range(runs):
        pair, arm = divmod(number, 2)
        replicate, persona = divmod(pair, PERSONAS)
        cell: dict[str, str | int] = {
            "platform": "playground",
            "strategy": "simple",
            "model": "scripted/colour",
            "replicate": replicate + 1,
            "persona": f"p{persona:02}",
            "arm": ("treatment", "passive")[arm],
        }
        cells.append(cell | {"slot": pair + 1})
        first = _started_in_study(number, steps, cell)
        _write(data, first, _steps(frames, number * steps, first, rng))
    told = f'name = "{STUDY}"\n[test]\nprimary = "controlled"\n'
    write_whole(home / "study.toml", told.encode(), sync=False)
    write_whole(home / "draws.json", json.dumps(cells).encode(), sync=False)


def _started_in_study(number: int, steps: int, cell: dict[str, str | int]) -> RunStarted:
    key = "/".join(str(value) for value in cell.values())
    run = started(f"large-{number:04}", windows=Windows(before=steps // 2, after=steps // 2))
    persona = run.persona.model_copy(update={"id": str(cell["persona"])})
    return run.model_copy(
        update={
            "persona": persona,
            "arm": cell["arm"],
            "at": START + timedelta(hours=number),
            "account": f"slot{number:04}",
            "config": {"study": STUDY, "cell": key, "replicate": cell["replicate"]},
        }
    )


def _steps(
    frames: FrameMaker, number: int, run: RunStarted, rng: np.random.Generator
) -> Iterator[Step]:
    """Every step of a run; its frames and videos are counted from ``number``."""
    for position in range(run.windows.total):
        seen = number + (
            int(rng.integers(position)) if position and rng.random() < 0.2 else position
        )
        likes = position >= run.windows.before and run.arm == "treatment"
        answer = "yes" if rng.random() < (0.5 if likes else 0.3) else "no"
        author = f"author.{seen % 5_000:04}"
        yield step(
            position,
            frames.make(seen),
            at=run.at + timedelta(seconds=5 * position),
            phase="before" if position < run.windows.before else "after",
            video=Video(
                id=f"v{seen:07}",
                url=f"/v/v{seen:07}",
                author=author,
                author_name=author.title(),
                caption=f"Three million kilos of thrust, number {seen}. Feel that rumble. Again",
                hashtags=("nightsky", "astronomy", "cosmos"),
                likes=seen,
                views=20 * seen,
                duration_s=7.0,
                ad=False,
                live=False,
                batch=position // BATCH,
                batch_requested_at=max(0, position // BATCH * BATCH - 4),
                sources=_READ_FROM,
            ),
            judgement=Judgement(
                answer=answer,
                p_yes=float(rng.random()),
                reason=_REASON,
                description=f"{_REASON} Number {seen}",
                reply=answer.title(),
                latency_s=0.75,
            ),
        )


def _write(data: DataFolder, first: RunStarted, steps: Iterator[Step]) -> Path:
    path = data.ledger_path(first.run_id)
    lines, count = _lines(first, steps), 0
    with LedgerWriter(path, fsync=False) as writer:
        while some := list(islice(lines, _AT_ONCE)):
            writer.append_all(some)
            count += sum(isinstance(line, Step) for line in some)
        writer.append(finished(count))
    return path


def _lines(first: RunStarted, steps: Iterator[Step]) -> Iterator[LedgerLine]:
    yield first
    position = 0
    for each in steps:
        position = each.position + 1
        if each.position % BATCH == 0:
            asked = each.video.batch_requested_at
            yield FeedBatch(number=each.position // BATCH, requested_at=asked, position=asked or 0)
        yield opening(each)
        yield each
    yield SiteCheck(at=first.at, position=position, compared=position, furthest_s=0.1)
