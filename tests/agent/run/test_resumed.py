"""A run that goes on equals the one that was never interrupted, whatever lies beside it."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from agent.run.recorder import LedgerRecorder
from agent.run.start_or_resume import RunFolder, SilentWatcher, execute_run
from agent.run_config import RunConfig
from personas.library import find
from store.runs.data_folder import DataFolder
from store.runs.ledger import Ledger, read
from store.runs.ledger_lines import Windows
from tests.store.samples import keep_run

COLOURS = ["red", "green", "blue", "white"]


def replay(data: DataFolder, onlooker: SilentWatcher | None = None) -> Ledger:
    """Watch the recorded run r1 to its end, or go on with it."""
    config = RunConfig(
        persona=find("p12"),
        platform="replay",
        of="r1",
        model="scripted/yes",
        windows=Windows(before=2, after=2),
        account="a",
    )
    place = RunFolder(data, None, encoder=None)
    run_id = asyncio.run(
        execute_run(config, place, onlooker or SilentWatcher(), lambda: datetime.now(UTC))
    )
    return read(data.ledger_path(run_id))


@pytest.mark.parametrize("line", ["open_step", "step"])
def test_a_replay_goes_on_at_the_video_where_it_was_killed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, line: str
) -> None:
    data = DataFolder(tmp_path / "data")
    keep_run(data, "r1", COLOURS)
    real, calls = getattr(LedgerRecorder, line), 0

    async def dies(self: LedgerRecorder, *given: Any) -> None:
        nonlocal calls
        calls += 1
        await real(self, *given)
        if calls == 2:
            raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(LedgerRecorder, line, dies)
        with pytest.raises(KeyboardInterrupt):
            replay(data)
    ledger = replay(data)
    assert len(ledger.resumes) == 1
    assert [step.video.id for step in ledger.steps] == [f"r1-{n}" for n in range(4)]
    assert [step.repeat for step in ledger.steps] == [None] * 4
    assert {(step.reaction.dwell_s, step.reaction.liked) for step in ledger.steps} == {(0.0, False)}


class Listener(SilentWatcher):
    """Keeps what is said."""

    def __init__(self) -> None:
        self.said: list[str] = []

    def doing(self, what: str) -> None:
        self.said.append(what)


def test_a_damaged_former_run_stops_no_later_run_of_its_account(tmp_path: Path) -> None:
    data = DataFolder(tmp_path / "data")
    keep_run(data, "r1", COLOURS)
    former = replay(data)
    lines = former.path.read_bytes().splitlines()
    former.path.write_bytes(b"\n".join([*lines[:2], b'{"kind":"step"}', *lines[3:], b""]))
    told = Listener()
    assert replay(data, told).status == "complete"
    (said,) = [words for words in told.said if "is damaged" in words]
    assert f"{former.path}:3" in said
