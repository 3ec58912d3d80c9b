"""One conductor, one child a cell, one kind of replicate; arms together; quiet hours waited out."""

from __future__ import annotations

import asyncio
import os
import signal
import time
from collections import Counter
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from agent.cli import cli
from agent.daemon.config.jobs import load_watch_file as load_watch
from agent.daemon.config.jobs import resolve_entries
from agent.daemon.journal.state import Occurrence
from agent.daemon.schedule.past_runs import PastRuns
from agent.study.cell_process import CellLost, CellProcess
from agent.study.conductor import LOSSES, Conductor, Study, configure_cell
from agent.study.frozen_inputs import FrozenStudy, freeze_study
from agent.study.matrix import StudyCell, draw, read_draws, start_order, write_draws
from agent.study.preparation import keep_study, prepare_study, read_occurrences, replicates_for
from agent.study.study_file import load_study
from personas.library import find
from personas.strategies import hashes
from store.runs.data_folder import DataFolder
from store.runs.ledger_lines import PersonaRecord
from tests.agent.study.test_matrix import declared
from tests.agent.study.test_start_of_arms import Endless, Narrator
from tests.e2e.commands import feedsway, ledgers, start, steps_written, until
from tests.store.samples import keep_run

SMALL = """
name = "small"
seed = 7
[matrix]
personas = {personas}
arms = {arms}
replicates = {replicates}
[windows]
before = 2
adapt = 0
after = 2
baseline = "passive"
[pace]
parallel = 2
[test]
primary = "matrix"
"""
OWN = 'id = "me"\ntraits = ["I row on the lake.", "I sing.", "I cook."]\n'


def written(folder: Path, personas: list[str], arms: int = 1, replicates: int = 1) -> Path:
    file = folder / "study.toml"
    named = ["treatment", "passive"][:arms]
    text = SMALL.format(personas=personas, arms=named, replicates=replicates).replace("'", '"')
    file.write_text(text, encoding="utf-8")
    return file


def once_each(data: Path, runs: int) -> None:
    """Every declared cell has one run, which is complete, on an account of its own."""
    found = ledgers(data)
    assert len(found) == runs
    assert {ledger.status for ledger in found} == {"complete"}
    cells = Counter(ledger.started.config["cell"] for ledger in found)
    accounts = Counter(ledger.started.account for ledger in found)
    assert len(cells) == len(accounts) == runs
    for ledger in found:
        assert [step.position for step in ledger.steps] == list(range(len(ledger.steps)))
        assert sum(step.eligible for step in ledger.steps) == 4


def interrupted(words: tuple[str, ...], data: Path, log: Path, videos: int) -> list[Any]:
    """Begin a study, kill its conductor, and begin it twice at once while its children live."""
    first = start(*words, log=log)
    until(lambda: steps_written(data) >= videos, limit_s=240)
    os.kill(first.pid, signal.SIGKILL)
    first.wait()
    both = [start(*words, log=log) for _ in range(2)]
    return [process.wait(timeout=500) for process in both]


@pytest.mark.drill
@pytest.mark.timeout(600)
def test_a_killed_conductor_and_one_beside_leave_one_run_a_cell(tmp_path: Path) -> None:
    data, log = tmp_path / "data", tmp_path / "log"
    words = ("study", str(written(tmp_path, ["p12", "p09"])), "--data", str(data), "--no-index")
    codes = interrupted(words, data, log, 1)
    assert codes in ([0, 2], [2, 0], [0, 0]), log.read_text(encoding="utf-8")
    once_each(data, 2)


@pytest.mark.drill
@pytest.mark.timeout(1700)
def test_a_study_that_is_extended_twice_has_its_declared_cells_once(tmp_path: Path) -> None:
    data, log = tmp_path / "data", tmp_path / "log"
    sizes = ((["p12", "p09"], 1, 4), (["p30", "p12", "p09"], 1, 6), (["p30", "p12", "p09"], 2, 12))
    for number, (personas, replicates, runs) in enumerate(sizes):
        file = written(tmp_path, personas, 2, replicates)
        words = ("study", str(file), "--data", str(data), "--no-index")
        codes = interrupted(words, data, log, steps_written(data) + 1 + 3 * number)
        assert codes in ([0, 2], [2, 0], [0, 0]), log.read_text(encoding="utf-8")
        once_each(data, runs)
    blocks = {
        (one.started.persona.id, one.started.config["replicate"]): one.started.config["block"]
        for one in ledgers(data)
    }
    assert blocks == {
        ("p12", 1): 1,
        ("p09", 1): 1,
        ("p30", 1): 2,
        ("p12", 2): 1,
        ("p09", 2): 1,
        ("p30", 2): 1,
    }


def test_a_study_refuses_a_second_conductor_and_a_persona_that_has_changed(tmp_path: Path) -> None:
    own = tmp_path / "me.toml"
    own.write_text(OWN, encoding="utf-8")
    data = tmp_path / "data"
    words = ("study", str(written(tmp_path, [str(own), "p09"])), "--data", str(data))
    process = start(*words, log=tmp_path / "log")
    until(lambda: (data / "studies" / "small" / "study.toml").exists())
    process.send_signal(signal.SIGSTOP)  # it still holds its study
    beside = feedsway(*words)
    assert beside.returncode == 2, beside.stderr
    assert f"process {process.pid}" in beside.stderr
    assert beside.stderr.rstrip().endswith("type the same command again.")
    process.kill()
    process.wait()
    own.write_text(OWN.replace("sing", "whistle"), encoding="utf-8")
    changed = feedsway(*words)
    assert changed.returncode == 2
    assert "me.toml has changed since study small was begun" in changed.stderr
    assert 'name = "ANOTHER"' in changed.stderr
    assert ledgers(data) == [] or {one.status for one in ledgers(data)} == {"interrupted"}
    own.write_text(OWN, encoding="utf-8")
    assert feedsway(*words, "--dry-run").returncode == 0
    twin = tmp_path / "twin.toml"
    twin.write_text(OWN.replace("row", "ski"), encoding="utf-8")
    both = written(tmp_path, [str(own), str(twin), "p09"])
    told = feedsway("study", str(both), "--data", str(data), "--dry-run")
    assert told.returncode == 2
    assert "two of its personas have the id me" in told.stderr


@pytest.mark.drill
def test_a_run_refuses_a_model_that_has_changed_since_the_study_s_first(tmp_path: Path) -> None:
    """The ledger of the first replicate is another version's; the second is not begun."""
    data = DataFolder(tmp_path / "data")
    file = written(tmp_path, ["p12", "p09"])
    study = prepare_study(load_study(file), file, data, lambda config: None)
    keep_study(study, file)
    first, second = study.cells
    config = configure_cell(study, first).resolved()
    record = configure_cell(study, first).persona_record()
    keep_run(
        data,
        "r1",
        ["red"],
        persona=record,
        config=config,
        model=first.model,
        prompts=study.frozen.prompts["simple"],
        fingerprint="another version",
    )
    words = ("--study", str(study.folder), "--cell", second.key, "--data", str(data.root))
    refused = feedsway("run", *words, "--no-index")
    assert refused.returncode == 2, refused.stderr
    assert "The model embedded/conse has changed since study small was begun" in refused.stderr
    assert len(ledgers(data.root)) == 1
    assert feedsway("study", str(file), "--dry-run", "--data", str(data.root)).returncode == 0
    keep_run(
        data,
        "r2",
        ["red"],
        persona=record,
        config={**config, "cell": second.key},
        prompts={"simple": "another"},
    )
    refused = feedsway("study", str(file), "--dry-run", "--data", str(data.root))
    assert refused.returncode == 2
    assert "has changed since study small was begun" in refused.stderr


def test_replicates_are_numbered_from_what_was_drawn(tmp_path: Path) -> None:
    """By hand a study had three replicates; each due time adds one, a repeated one does not."""
    study = declared(tmp_path, ["p05", "p09"])
    assert replicates_for(study, tmp_path, "s@1") == 1
    assert replicates_for(study, tmp_path, "s@2") == 1  # nothing was drawn for the first
    cells = draw(study.with_replicates(3), [])
    text = "[" + ",".join(cell.model_dump_json() for cell in cells) + "]"
    (tmp_path / "draws.json").write_text(text, encoding="utf-8")
    assert replicates_for(study, tmp_path, "s@3") == 4
    assert replicates_for(study, tmp_path, "s@3") == 4
    assert read_occurrences(tmp_path) == {"s@1": 1, "s@2": 1, "s@3": 4}


def test_a_due_time_adds_a_replicate_to_a_complete_study(tmp_path: Path) -> None:
    """By hand the study was made complete; the daemon's next due time is no end of it."""
    file = written(tmp_path, ["p12", "p09"])
    watch = tmp_path / "watch.toml"
    entry = f'[[entry]]\nname = "s"\nstudy = "{file}"\nevery = "1h"\nadds_replicate = true\n'
    watch.write_text(entry, encoding="utf-8")
    job = resolve_entries(load_watch(watch))["s"]
    data = DataFolder(tmp_path / "data")
    due = datetime(2026, 11, 20, 12, tzinfo=UTC)
    study = load_study(file)
    home = data.studies_dir / "small"

    def complete_all(cells: list[StudyCell]) -> None:
        write_draws(home / "draws.json", [*read_draws(home / "draws.json"), *cells])
        for number, cell in enumerate(cells):
            run_id = f"r{cell.replicate}-{number}"
            keep_run(data, run_id, ["red"], config={"study": "small", "cell": cell.key})

    complete_all(draw(study, []))
    assert not PastRuns(data).complete(job, due)
    words = job.command(Occurrence("s", due), data.root, None)
    mark = words[words.index("--occurrence") + 1]
    assert replicates_for(study, home, mark) == 2
    assert not PastRuns(data).complete(job, due)
    complete_all(draw(study.with_replicates(2), read_draws(home / "draws.json")))
    assert PastRuns(data).complete(job, due)
    assert not PastRuns(data).complete(job, due + timedelta(hours=1))


def test_arms_that_start_together_wait_for_the_yoke_s_source(tmp_path: Path) -> None:
    one = declared(tmp_path, ["p05", "p09"], replicates=2)
    arms = ("treatment", "passive", "yoked")
    one = one.model_copy(
        update={
            "matrix": one.matrix.model_copy(update={"arms": arms}),
            "pace": one.pace.model_copy(update={"parallel": 9, "together": True}),
        }
    )
    frozen = freeze_study(one, FrozenStudy(), tmp_path / "study.toml")
    study = Study(one, tuple(draw(one, [])), DataFolder(tmp_path), frozen)

    async def go() -> list[str]:
        conductor = Endless(study, Narrator())
        conductor._start_due(start_order(study.cells), {})
        running = list(conductor._state.running)
        await conductor._end_all()
        return running

    running = asyncio.run(go())
    assert len(running) == 4
    assert {cell.replicate for cell in study.cells if cell.key in running} == {1}


def test_quiet_hours_are_waited_out(tmp_path: Path) -> None:
    now = datetime.now().astimezone()
    hours = [f"{now + timedelta(hours=by):%H:%M}" for by in (-1, 2)]
    file = written(tmp_path, ["p12", "p09"])
    text = file.read_text(encoding="utf-8").replace(
        "[windows]", 'platforms = ["tiktok"]\n[windows]'
    )
    file.write_text(f'{text}[live]\nquiet_hours = "{"-".join(hours)}"\n', encoding="utf-8")
    log, data = tmp_path / "log", tmp_path / "data"
    process = start("study", str(file), "--data", str(data), log=log)
    until(lambda: "Resting until" in log.read_text(encoding="utf-8"), limit_s=120)
    time.sleep(1)
    process.send_signal(signal.SIGINT)
    assert process.wait(timeout=60) == 130
    told = log.read_text(encoding="utf-8")
    assert f"Resting until {now + timedelta(hours=2):%Y-%m-%d %H:%M}" in told
    assert "exit code" not in told
    assert not (data / "studies" / "small" / "logs").exists()


def test_who_does_not_wait_ends_with_what_rests(tmp_path: Path) -> None:
    """A run found that its account may not watch now: no failure, and not tried again at once."""
    one = declared(tmp_path, ["p05", "p09"])
    cells = tuple(draw(one, []))
    study = Study(
        one, cells, DataFolder(tmp_path), freeze_study(one, FrozenStudy(), tmp_path / "study.toml")
    )

    class Tired(Conductor):
        started = 0

        async def _child(self, cell: Any, yoke: str | None) -> int:
            Tired.started += 1
            return 1

        def _last_fault(self, cell: Any) -> tuple[str, str]:
            return "PaceReached", "enough for today"

    left = asyncio.run(Tired(study, Narrator(), patient=False).conduct())
    assert Tired.started == len(cells) == len(left.resting) == 4
    assert left.failed == ()
    assert left.until is not None
    assert left.until > datetime.now().astimezone()


def test_no_cell_is_started_after_the_budget_is_spent(tmp_path: Path) -> None:
    """Each cell would start a browser and a model, three times, to find the same."""
    one = declared(tmp_path, ["p05", "p09"])
    cells = tuple(draw(one, []))
    study = Study(
        one, cells, DataFolder(tmp_path), freeze_study(one, FrozenStudy(), tmp_path / "study.toml")
    )

    class Broke(Conductor):
        started = 0

        async def _child(self, cell: Any, yoke: str | None) -> int:
            Broke.started += 1
            return 1

        def _last_fault(self, cell: Any) -> tuple[str, str]:
            return "BudgetSpent", "The cap of $1 is reached."

    left = asyncio.run(Broke(study, Narrator()).conduct())
    assert Broke.started <= one.pace.parallel < len(cells) == len(left.failed)
    assert left.spent == "The cap of $1 is reached."


def test_a_study_with_ads_is_told_as_complete(tmp_path: Path) -> None:
    file, data = written(tmp_path, ["p05"], arms=2), DataFolder(tmp_path / "data")
    persona = PersonaRecord(id="p05", traits=find("p05").traits, source="feedsway", licence="MIT")
    for number, cell in enumerate(draw(load_study(file), [])):
        keep_run(
            data,
            f"r{number}",
            ["red"] * 7,
            config={"study": "small", "cell": cell.key},
            arm=cell.arm,
            persona=persona,
            prompts=hashes("simple"),
        )
    done = CliRunner().invoke(cli, ["study", str(file), "--data", str(data.root)])
    assert done.exit_code == 0, done.output
    assert "2 of 2 runs, 8 of 8 videos (100 %), running: nothing\n" in done.stderr


def test_a_study_is_never_further_than_its_end(tmp_path: Path) -> None:
    """Ads are watched too, and were counted into 103 % of a study."""
    one = declared(tmp_path, ["p05"])
    data, cells = DataFolder(tmp_path), tuple(draw(one, []))
    frozen = freeze_study(one, FrozenStudy(), tmp_path / "study.toml")
    study = Study(one, cells, data, frozen)
    for number, cell in enumerate(cells):
        many = one.windows.total + 3
        keep_run(
            data,
            f"r{number}",
            ["red"] * many,
            config={"study": one.name, "cell": cell.key},
            end=number == 0,
        )

    told: list[int] = []

    class Listener(Narrator):
        def stood(self, done: int, videos: int, running: object) -> None:
            told.append(videos)

    Conductor(study, Listener())._tell(study.runs())
    assert told == [len(cells) * one.windows.total]


class Losing:
    """Machines of which so many are lost under each cell, before one runs it in vain."""

    def __init__(self, losses: int, *, again: bool = True) -> None:
        self.losses, self.again = losses, again
        self.started: Counter[str] = Counter()

    async def run(self, cell: StudyCell, process: CellProcess) -> int:
        self.started[cell.key] += 1
        if self.started[cell.key] <= self.losses:
            raise CellLost("the node is gone", again=self.again)
        return 1


@pytest.mark.parametrize(
    ("losses", "again", "started"),
    [(0, True, 3), (LOSSES - 1, True, LOSSES + 2), (99, True, LOSSES), (99, False, 1)],
)
def test_a_lost_machine_is_no_attempt(
    tmp_path: Path, losses: int, again: bool, started: int
) -> None:
    one = declared(tmp_path, ["p05"])
    study = Study(
        one,
        tuple(draw(one, [])),
        DataFolder(tmp_path),
        freeze_study(one, FrozenStudy(), tmp_path / "study.toml"),
    )
    place = Losing(losses, again=again)
    left = asyncio.run(Conductor(study, Narrator(), place=place).conduct())
    assert one.pace.attempts == 3
    assert len(left.failed) == len(study.cells) == len(place.started) > 0
    assert set(place.started.values()) == {started}
