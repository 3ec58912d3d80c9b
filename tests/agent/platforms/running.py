"""Runs a platform's adapter on the playground, as itself or in a skin, and says what is true."""

from __future__ import annotations

import asyncio
import io
import json
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from PIL import Image

from agent.drivers.web import browser as browsers
from agent.errors import RunFault
from agent.playground.catalogue import CatalogueItem, load_catalogue
from agent.playground.fiducial_marker import read_mark
from agent.playground.skins.shapes import skin_id
from agent.run.start_or_resume import RunFolder, SilentWatcher, execute_run
from agent.run_config import Dwell, PhotoRule, RunConfig, SiteConfig
from personas.library import find
from store.frames.frame_store import FrameStore
from store.runs.data_folder import DataFolder
from store.runs.ledger import Ledger, read
from store.runs.ledger_lines import Step, Windows

SEED = 7
"""Serves an ad at place 7 and a live card at place 12."""
QUICK = Dwell(stay_s=1.5, swipe_s=0.3)
SLOW = Dwell(stay_s=64, swipe_s=64)


@dataclass(frozen=True)
class Told:
    """What a run left behind."""

    ledger: Ledger
    data: DataFolder
    fault: RunFault | None = None

    @property
    def steps(self) -> list[Step]:
        return list(self.ledger.steps)

    def served(self) -> list[CatalogueItem]:
        """What the site served, in order, as it noted for itself."""
        folder = self.data.run_dir(self.ledger.started.run_id) / "playground"
        (visitor,) = folder.glob("*.jsonl")
        lines = [json.loads(line) for line in visitor.read_text(encoding="utf-8").splitlines()]
        ids = [id_ for line in lines if "batch" in line for id_ in line["batch"]["items"]]
        return [load_catalogue().by_id[id_] for id_ in ids]

    def pictured(self, step: Step) -> CatalogueItem:
        """The item whose mark is in a step's frame."""
        jpeg = FrameStore(self.data.frames_dir).read(step.frames[0].sha256)
        number = read_mark(Image.open(io.BytesIO(jpeg)))
        assert number is not None, f"no mark in the picture of position {step.position}"
        return load_catalogue().items[number]


def watch(
    root: Path,
    platform: str,
    videos: int,
    switches: str = "",
    *,
    of: str | None = None,
    photos: PhotoRule = "judge",
    dwell: Dwell = QUICK,
) -> Told:
    """Watch until so many videos counted, or until a fault ends the run."""
    skin: Any = platform if platform in ("tiktok", "youtube", "instagram") else None
    data = DataFolder(root)
    data.prepare(10)
    config = RunConfig(
        persona=find("p12"),
        platform=platform,
        model="scripted/coin?p=0.4",
        seed=SEED,
        windows=Windows(before=videos, after=0),
        dwell=dwell,
        of=of,
        photos=photos,
        site=None if of else SiteConfig(feed="random", skin=skin, switches=switches),
    )
    place = RunFolder(data, browsers.find_browser(), fresh=True, encoder=None)
    fault = None
    try:
        asyncio.run(execute_run(config, place, SilentWatcher(), lambda: datetime.now(UTC)))
    except RunFault as error:
        fault = error
    newest = max(data.ledgers(), key=lambda path: path.stat().st_mtime_ns)
    return Told(read(newest), data, fault)


def truth(platform: str, item: CatalogueItem) -> dict[str, Any]:
    """What a record of an item must say, field by field."""
    known: dict[str, Any] = {"ad": item.kind == "ad", "live": item.kind == "live"}
    if platform == "playground":
        live = item.kind == "live"
        return known | {
            "id": item.id,
            "caption": item.caption,
            "author": item.creator,
            "author_name": item.nickname,
            "hashtags": item.hashtags,
            "likes": None if live else item.likes,
            "comments": None if live else item.comments,
            "views": None if live else item.plays,
        }
    if platform == "tiktok" and item.kind == "live":
        # it has no id to join by, and no hook of the page shows an ad
        return known | {"ad": None, "likes": None, "comments": None, "views": None}
    told = known | {
        "id": skin_id(platform, item),
        "caption": item.tagged_caption,
        "author": item.creator,
        "author_name": item.nickname,
        "hashtags": item.hashtags,
        "likes": item.likes,
        "comments": item.comments,
        "views": item.plays,
        "duration_s": item.seconds,
    }
    if platform == "youtube":  # rounds durations
        told |= {"duration_s": float(round(item.seconds))}
    if platform == "instagram":  # neither its page nor its responses tell
        told |= {"live": None}
    return told


def shows(platform: str, item: CatalogueItem) -> bool:
    """Whether a site's feed shows such an item."""
    return platform != "instagram" or item.kind != "live"


def check(told: Told, platform: str) -> None:
    """Every step is the next item that was served, with every field right.

    On a busy machine one video in fifty may not have begun to play: its picture is a poster.
    """
    order = [item for item in told.served() if shows(platform, item)]
    for step, item in zip(told.steps, order, strict=False):
        expected = truth(platform, item)
        found = {name: getattr(step.video, name) for name in expected}
        assert found == expected, f"position {step.position}"
        assert step.move is None or step.move.moved == 1
        if step.excluded == "not_shown":
            continue
        assert told.pictured(step) == item
        counts = {"video": None, "ad": "ad", "live": "live"}[item.kind]
        assert step.excluded in (counts, "repeat" if item in order[: step.position] else counts)
    unseen = sum(step.excluded == "not_shown" for step in told.steps)
    assert unseen <= len(told.steps) // 50


def check_what_is_said(told: Told, platform: str) -> None:
    """Whatever is missing: what a step says is true of the item in its picture."""
    assert told.steps
    for step in told.steps:
        if step.excluded == "not_shown":
            continue
        item = told.pictured(step)
        expected = truth(platform, item)
        named = step.video.id == expected.get("id")
        assert named or "id" not in step.video.sources, f"a wrong id at position {step.position}"
        for name in set(expected) - {"id", "ad", "live", "duration_s", "author", "author_name"}:
            value = getattr(step.video, name)
            assert value in (None, (), expected[name]), f"a wrong {name} at {step.position}"
