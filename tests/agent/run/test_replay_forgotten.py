"""A replay passes over steps that were forgotten."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from agent.drivers.replay import ReplayDriver
from agent.errors import FeedEmpty
from store.frames.frame_store import FrameStore
from store.privacy.forget import forget
from store.privacy.forget_plan import Request
from store.runs.data_folder import DataFolder
from store.runs.ledger import read
from tests.store.samples import START, keep_run


def test_what_was_forgotten_is_not_shown(tmp_path: Path) -> None:
    data = DataFolder(tmp_path / "data")
    keep_run(data, "r1", ["red", "green", "blue"])
    forget(data, Request(asked="video", value="r1-0", at=START))
    forget(data, Request(asked="video", value="r1-2", at=START))
    driver = ReplayDriver(read(data.ledger_path("r1")), FrameStore(data.frames_dir))

    async def watch() -> str:
        shown = await driver.open("")
        with pytest.raises(FeedEmpty):
            await driver.next(shown)
        return shown.id or ""

    assert asyncio.run(watch()) == "r1-1"
