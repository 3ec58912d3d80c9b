"""A yoked run reacts as its source did, at the same eligible steps, blind to content."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from agent.errors import BadConfig
from agent.run.yoke import schedule
from store.runs.ledger import Ledger, LedgerWriter, read
from store.runs.records import Reaction, Video, Windows
from tests.store.samples import finished, frame, jpeg, started, step

WINDOWS = Windows(before=6, adapt=0, after=30, baseline="passive")


def source(folder: Path, windows: Windows = WINDOWS) -> Ledger:
    path = folder / "runs" / "r1" / "ledger.jsonl"
    path.parent.mkdir(parents=True)
    count, picture = windows.total, jpeg("red")
    with LedgerWriter(path, fsync=False) as writer:
        writer.append(started("r1").model_copy(update={"windows": windows}))
        for number in range(count):
            line = step(number, frame(picture), video=Video(id=f"v{number}", batch=number // 12))
            dwell_s = float(number)
            reaction = Reaction(
                action="stay", dwell_asked_s=99, dwell_s=dwell_s, exposure_s=0, held_s=0
            )
            phase = windows.phase(number)
            writer.append(line.model_copy(update={"reaction": reaction, "phase": phase}))
        writer.append(finished(count))
    return read(path)


def test_dwells_are_shuffled_within_their_batches(tmp_path: Path) -> None:
    planned = schedule(source(tmp_path), WINDOWS, np.random.default_rng(1))
    dwells = [planned.plan_at(at).dwell_s for at in range(6, 36)]
    assert dwells != sorted(dwells)
    assert sorted(dwells[:6]) == [6.0, 7.0, 8.0, 9.0, 10.0, 11.0]
    assert sorted(dwells[6:18]) == [float(number) for number in range(12, 24)]
    assert sorted(dwells[18:]) == [float(number) for number in range(24, 36)]


@pytest.mark.parametrize(
    "changes",
    [{"after": 29}, {"after": 31}, {"before": 5}, {"adapt": 1}, {"baseline": "active"}],
    ids=str,
)
def test_unequal_blocks_are_refused(tmp_path: Path, changes: dict[str, object]) -> None:
    asked = WINDOWS.model_copy(update=changes)
    with pytest.raises(BadConfig) as raised:
        schedule(source(tmp_path), asked, np.random.default_rng(1))
    said = "Type: --before 6 --adapt 0 --after 30 --baseline passive"
    assert str(raised.value).endswith(said)
