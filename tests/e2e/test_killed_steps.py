"""Runs that are killed at every stage of a step equal the whole run, and the site's own record."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import psutil
import pytest

from analysis.data.exposures import Views, from_ledgers
from store.runs.ledger import Ledger
from tests.e2e.commands import only
from tests.soak.killed_run import STAGES

REPO = Path(__file__).parents[2]
VIDEOS = 12
EXACT = (
    "position",
    "batch",
    "phase",
    "answer",
    "missing",
    "excluded",
    "p_yes",
    "score",
    "duration",
    "video",
)
"""Columns of the analysis that no clock has a part in."""
AGREES_S = 0.1
"""Seconds of video by which the site's own count of a dwell may differ."""


@dataclass(frozen=True)
class Kill:
    """Where a run is killed."""

    stage: str
    position: int


def sit(data: Path, seed: int, feed: str, kill: Kill | None) -> int:
    """Run, or go on, until the end or the kill; return how it ended."""
    words = [str(data), str(seed), feed, str(VIDEOS)]
    words += [kill.stage, str(kill.position)] if kill else ["never", "0"]
    command = [sys.executable, "-m", "tests.soak.killed_run", *words]
    log = data.with_suffix(".log")
    with log.open("ab") as out:
        code = subprocess.run(command, cwd=REPO, stderr=out, stdout=out, timeout=280).returncode
    until = time.monotonic() + 60
    while any(sites_of(data)):
        assert time.monotonic() < until, "the site of a killed run lives on"
        time.sleep(0.05)
    return code


def sites_of(data: Path) -> Iterator[psutil.Process]:
    """The playgrounds that serve a run of this folder."""
    for process in psutil.process_iter():
        with suppress(psutil.Error):
            if any(word.startswith(str(data)) for word in process.cmdline()[1:]):
                yield process


def killed(data: Path, seed: int, feed: str, kills: Sequence[Kill]) -> tuple[Ledger, int]:
    """A run that was killed again and again, and how often it was."""
    count = 0
    for kill in kills:
        code = sit(data, seed, feed, kill)
        assert code in (0, -signal.SIGKILL), data.with_suffix(".log").read_text("utf-8")
        if code == 0:
            return only(data), count
        count += 1
    assert sit(data, seed, feed, None) == 0, data.with_suffix(".log").read_text("utf-8")
    return only(data), count


def run_whole(tmp_path: Path, seed: int, feed: str) -> Ledger:
    """A run that nothing interrupts."""
    assert sit(tmp_path / "whole", seed, feed, None) == 0
    return only(tmp_path / "whole")


def kill_and_compare(
    whole: Ledger, tmp_path: Path, seed: int, feed: str, kills: Sequence[Kill]
) -> int:
    """Compare a killed run with the whole one; return how often it was killed."""
    broken, count = killed(tmp_path / "killed", seed, feed, kills)
    same_columns(from_ledgers([whole]), from_ledgers([broken]))
    same_requests(from_ledgers([whole]), from_ledgers([broken]), asked_anew(broken))
    for one, other in zip(whole.steps, broken.steps, strict=True):
        assert other.reaction.action == one.reaction.action, one.position
        assert other.reaction.liked == one.reaction.liked, one.position
        assert other.reaction.unknown is None
        assert (other.reaction.dwell_s or 0) >= other.reaction.dwell_asked_s - AGREES_S
    for ledger in (whole, broken):
        *_, check = ledger.checks  # one more where the kill came between check and last line
        assert check.agrees, (kills, check)
        assert check.compared == len(ledger.steps) == VIDEOS + excluded(ledger)
        assert check.furthest_s is not None
        assert check.furthest_s <= AGREES_S, (kills, check)
    return count


def excluded(ledger: Ledger) -> int:
    return sum(not step.eligible for step in ledger.steps)


def same_columns(whole: Views, broken: Views) -> None:
    for name in EXACT:
        one, other = getattr(whole, name), getattr(broken, name)
        if one.dtype.kind == "f":  # nan where nothing is known
            one, other = one.astype(str), other.astype(str)
        assert other.tolist() == one.tolist(), name


def asked_anew(ledger: Ledger) -> dict[int, int]:
    """Batches that the ledger first heard of from a page that was opened after a kill.

    Where the site had made one before, and the kill cut its answer off, only the site knows when:
    it is stamped when it is asked for again, at this position.
    """
    opened = {resume.position + more for resume in ledger.resumes for more in (0, 1)}
    return {b.number: b.position for b in ledger.batches if b.number and b.position in opened}


def same_requests(whole: Views, broken: Views, anew: dict[int, int]) -> None:
    for batch, one, other in zip(
        whole.batch.tolist(), whole.requested_at.tolist(), broken.requested_at.tolist(), strict=True
    ):
        assert one <= other <= max(one, anew.get(batch, 0)), (batch, anew)


def draw(rng: random.Random, count: int, likes: set[int]) -> list[Kill]:
    """Kills at stages drawn without replacement, each in a step of its own.

    None is drawn where it could not come: a like where nothing is liked, or the last step, of which
    a run that was killed later in it has nothing left to do.
    """
    left = list(STAGES)[:-1]
    kills = []
    for place in sorted(rng.sample(range(VIDEOS - 1), count - 1)):
        stage = rng.choice([one for one in left if one != "after the like" or place in likes])
        left.remove(stage)
        kills.append(Kill(stage, place))
    return [*kills, Kill("before the end", VIDEOS - 1)]


@pytest.mark.drill
def test_a_run_that_is_killed_in_its_steps_equals_the_whole_one(tmp_path: Path) -> None:
    kills = [Kill("in the dwell", 3), Kill("late in the move", 7)]
    whole = run_whole(tmp_path, 3, "random")
    assert kill_and_compare(whole, tmp_path, 3, "random", kills) == len(kills)


@pytest.mark.drill
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("seed", range(int(os.environ.get("FEEDSWAY_DRILL_SEEDS", "4"))))
def test_ten_kills_at_any_stage(tmp_path: Path, seed: int) -> None:
    whole = run_whole(tmp_path, seed, "random")
    likes = {step.position for step in whole.steps if step.reaction.liked}
    kills = draw(random.Random(seed), 10, likes)
    assert kill_and_compare(whole, tmp_path, seed, "random", kills) == len(kills)
