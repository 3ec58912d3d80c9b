"""Lines that cannot be read: each is told by file and line, and takes nothing else with it."""

from __future__ import annotations

import asyncio
import json
import random
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from pydantic import TypeAdapter, ValidationError

from agent.cli.daemon import daemon
from agent.cli.status import status, status_lines
from agent.daemon.config.jobs import resolve_entry
from agent.daemon.config.watch_file import DailyCap, WatchEntry
from agent.daemon.journal.damage import JournalReader
from agent.daemon.journal.events import AnyEvent, OccurrenceQueued, read_events
from agent.daemon.journal.state import State, fold
from agent.daemon.journal.tail import CalendarDay
from agent.daemon.journal.writer import JournalWriter
from agent.daemon.machine_clock import SystemClock
from agent.daemon.main import mend
from agent.daemon.schedule.past_runs import PastRuns
from agent.daemon.supervisor import DaemonSetup, Supervisor
from agent.daemon.web.status import JOURNAL, Status, StatusReader
from agent.errors import BadConfig
from agent.study.matrix import read_draws
from agent.study.study_file import EXAMPLE
from store.errors import DataUnreadable
from store.jsonl.append_only import divide
from store.jsonl.hash_chain import ChainWalk
from store.runs.data_folder import DataFolder
from store.runs.ledger import LedgerLine, read_each, scan
from store.runs.ledger_lines import SCHEMA, Step
from tests.agent.daemon.made_data_folder import World
from tests.store.samples import finished
from tests.store.sealed_lines import unseal, unseal_lines

NOW = datetime.now(UTC).replace(microsecond=0)
WATCH = """
[limits]
disk_mib = 0
memory_mib = 0

[[entry]]
name = "dawn"
cron = "0 0 1 1 *"
run = { persona = "p12" }
"""
FLIPS, DRILL = 200, 10_000


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    made = World(DataFolder(tmp_path / "data"), NOW)
    yield made
    made.close()


def ask_status(data: DataFolder, *words: str) -> Result:
    """Type the command; whatever it raises on purpose ends the test."""
    command = [*words, "--data", str(data.root)]
    return CliRunner().invoke(status, command, catch_exceptions=False)


def rewrite(path: Path, number: int, change: Callable[[dict[str, Any]], None]) -> None:
    """Change the JSON of one line, counted from 1."""
    told = path.read_text().splitlines()
    record = json.loads(told[number - 1])
    change(record)
    told[number - 1] = json.dumps(record)
    path.write_text("".join(line + "\n" for line in told))
    unseal(path)


CHANGES: dict[str, Callable[[dict[str, Any]], None]] = {
    "an unknown field": lambda one: one.update(mood="x"),
    "an unknown field of the persona": lambda one: one["persona"].update(mood="x"),
    "a persona without traits": lambda one: one["persona"].pop("traits"),
    "a persona that is a number": lambda one: one.update(persona=7),
    "no persona": lambda one: one.pop("persona"),
    "another arm": lambda one: one.update(arm="treatmenu"),
    "a time without a zone": lambda one: one.update(at="2025-03-01T12:00:00"),
    "a time that is none": lambda one: one.update(at="x"),
    "a platform that is a list": lambda one: one.update(platform=["playground"]),
    "a model that is a number": lambda one: one.update(model=3),
    "a configuration that is none": lambda one: one.update(config=5),
    "a study that is a list": lambda one: one["config"].update(study=["s"]),
    "a study that climbs": lambda one: one["config"].update(study="../../x"),
    "a cell that is an object": lambda one: one["config"].update(study="s", cell={}),
    "windows without an end": lambda one: one["windows"].update(after=10**12),
    "another kind": lambda one: one.update(kind="run_begun"),
    "no kind": lambda one: one.pop("kind"),
}


@pytest.mark.parametrize("change", CHANGES)
def test_a_damaged_first_line_is_told_and_ends_nothing(world: World, change: str) -> None:
    world.keep("r1", "yyyy").close()
    world.keep("r2", "yn", config={"study": "s", "cell": "c"}).close()
    world.begin("dawn")
    rewrite(world.data.ledger_path("r1"), 1, CHANGES[change])
    world.data.daemon_dir.joinpath("address.json").unlink(missing_ok=True)
    told = ask_status(world.data)
    assert told.exit_code == 0
    assert "! runs/r1/ledger.jsonl:1 cannot be read: " in told.stdout
    found = Status.model_validate_json(ask_status(world.data, "--json").stdout)
    assert (found.counts.damaged, found.counts.unreadable) == (1, 1)
    assert [(one.file, one.line) for one in found.unreadable] == [("runs/r1/ledger.jsonl", 1)]
    assert found.unreadable[0].command == "python -m store verify"
    assert [study.videos for study in found.studies][-1:] == [2]
    evidence = PastRuns(world.data)  # as the daemon looks at each cap once a second
    assert evidence.watched(DailyCap(per_day=1), CalendarDay.of(NOW, UTC)) == 6


@pytest.mark.parametrize("change", CHANGES)
def test_a_daemon_starts_beside_a_damaged_first_line(world: World, change: str) -> None:
    world.keep("r1", "yyyy").close()
    rewrite(world.data.ledger_path("r1"), 1, CHANGES[change])
    world.lock.release()
    state = start_daemon(world.data)
    assert state.file is not None
    assert (state.file.entries, state.running) == (("dawn",), {})


def test_steps_of_nobody_knows_whom_count_for_every_cap(world: World) -> None:
    world.keep("r1", "yyyy").close()
    rewrite(world.data.ledger_path("r1"), 1, CHANGES["no persona"])
    evidence, day = PastRuns(world.data), CalendarDay.of(NOW, UTC)
    for cap in (DailyCap(platform="tiktok", per_day=1), DailyCap(persona="p99", per_day=1)):
        assert evidence.watched(cap, day) == 4


@pytest.mark.parametrize("line", [2, 3, 5])
def test_a_damaged_step_takes_no_other_with_it(world: World, line: int) -> None:
    run = world.keep("r1", "yyyyy")
    rewrite(world.data.ledger_path("r1"), line, lambda one: one["judgement"].update(answer="yez"))
    found = StatusReader(world.data).look(NOW)
    assert (found.counts.videos, found.running[0].shares["before"].yes) == (4, 4)
    told = found.unreadable[0]
    assert (told.line, told.problem) == (
        line,
        "step.judgement.answer: Input should be 'yes' or 'no'.",
    )
    run.close()


@pytest.mark.parametrize("cost", [1e308, -1e6, float("nan")])
def test_a_cost_that_cannot_be_is_not_known(world: World, cost: float) -> None:
    world.keep("r1", "yyyyy", model="openai/x").close()
    rewrite(
        world.data.ledger_path("r1"),
        2,
        lambda one: one["judgement"].update(usage={"calls": 1, "cost_usd": cost}),
    )
    told = ask_status(world.data, "--json")
    assert told.exit_code == 0
    cost_now = Status.model_validate_json(told.stdout).cost
    assert (cost_now.total_usd, cost_now.unpriced_calls) == (0.004, 1)


@pytest.mark.parametrize("extra", [{}, {"mood": "x"}])
def test_a_later_versions_ledger_is_named_as_such(world: World, extra: dict[str, str]) -> None:
    world.keep("r1", "yyyy").close()
    later = {"schema": SCHEMA + 1, **extra}
    rewrite(world.data.ledger_path("r1"), 1, lambda one: one.update(later))
    found = Status.model_validate_json(ask_status(world.data, "--json").stdout)
    sentence = (
        f"runs/r1/ledger.jsonl has schema {SCHEMA + 1}, and this feedsway knows up to {SCHEMA}."
    )
    told = [(one.problem, one.command) for one in found.unreadable]
    assert told == [(sentence, "pip install --upgrade feedsway")]
    assert (found.counts.videos, found.counts.damaged) == (0, 1)
    [run] = scan(world.data.ledgers())
    assert run.status == "damaged"
    assert f"has schema {SCHEMA + 1}" in str(run.problem)


def test_what_stands_in_a_damaged_line_is_not_told(world: World) -> None:
    world.keep("r1", "y").close()
    hostile = "\x1b]52;c;aGk=\x07\u202e"
    rewrite(world.data.ledger_path("r1"), 1, lambda one: one.update({hostile: 1, "kind": hostile}))
    rewrite(world.data.ledger_path("r1"), 2, lambda one: one.update({hostile: 1}))
    told = [one.problem for one in StatusReader(world.data).look(NOW).unreadable]
    assert told == [
        "line: it is of no known kind.",
        r"step.\u001b]52;c;aGk=\u0007\u202e: Extra inputs are not permitted.",
    ]


def test_what_is_no_run_lies_among_the_runs_in_peace(world: World) -> None:
    world.keep("r1", "y").close()
    runs = world.data.runs_dir
    (runs / "notes.txt").write_text("mine")
    (runs / ".hidden and odd").mkdir()
    hostile = runs / "r \x1b[2J"
    hostile.mkdir()
    (hostile / "ledger.jsonl").write_bytes(world.data.ledger_path("r1").read_bytes())
    (runs / "r2").mkdir()
    (runs / "r2" / "ledger.jsonl").mkdir()
    found = StatusReader(world.data).look(NOW)
    assert found.counts.videos == 1
    told = {one.file for one in found.unreadable}
    assert told == {r"runs/r \u001b[2J/ledger.jsonl", "runs/r2/ledger.jsonl"}


# The journal


def damage_line(path: Path, number: int, old: bytes, new: bytes) -> None:
    told = path.read_bytes().splitlines(keepends=True)
    assert old in told[number - 1]
    told[number - 1] = told[number - 1].replace(old, new, 1)
    path.write_bytes(b"".join(told))


def start_daemon(data: DataFolder) -> State:
    """Let a daemon take the folder for one look; return what it knows then."""
    file = data.root / "watch.toml"
    file.write_text(WATCH, encoding="utf-8")

    async def go() -> State:
        supervisor = Supervisor(DaemonSetup(file, data, SystemClock()))
        stop = asyncio.Event()
        stop.set()
        try:
            await supervisor.run(stop)
            await supervisor.look()
            return supervisor.book.state
        finally:
            supervisor.close()

    return asyncio.run(go())


def test_a_damaged_journal_line_is_told_and_ends_nothing(world: World) -> None:
    world.end("dusk", "complete")
    path = world.data.daemon_dir / JOURNAL
    damage_line(path, 3, b'"pid":1', b'"pid":x')
    told = ask_status(world.data)
    assert told.exit_code == 0
    assert f"! daemon/{JOURNAL}:3 cannot be read: line: it is no JSON. Type: " in told.stdout
    assert "python -m agent daemon --mend" in told.stdout
    world.lock.release()
    state = start_daemon(world.data)
    assert state.troubles["journal"].detail == (
        f"line 3 of daemon/{JOURNAL} cannot be read. "
        "End the daemon, then type: python -m agent daemon --mend"
    )
    assert not state.paused_all  # what ended is in the ledgers too
    assert state.last["dusk"].settled


@pytest.mark.parametrize(
    ("old", "new"), [(b'"platform"', b'"platforn"'), (b'"kind":"wall"', b'"kinx":"wall"')]
)
def test_a_daemon_that_may_have_lost_a_wall_asks_once(world: World, old: bytes, new: bytes) -> None:
    world.trouble()
    damage_line(world.data.daemon_dir / JOURNAL, 3, old, new)
    world.lock.release()
    state = start_daemon(world.data)
    assert state.paused_all
    assert "journal" in state.troubles
    book = JournalWriter(world.data.daemon_dir / JOURNAL, SystemClock())
    assert book.state.paused_all
    for event in list(read_good(world.data)):
        if event.kind == "held":  # a person has looked, and goes on
            book.note(event.model_copy(update={"paused": False}))
    book.close()
    assert not start_daemon(world.data).paused_all


def read_good(data: DataFolder) -> list[AnyEvent]:
    return JournalReader(data.daemon_dir / JOURNAL).read(
        (data.daemon_dir / JOURNAL).read_bytes().splitlines()
    )


def type_mend(data: DataFolder) -> Result:
    return CliRunner().invoke(daemon, ["--mend", "--data", str(data.root)], catch_exceptions=False)


def test_mending_keeps_the_damaged_journal_and_all_that_can_be_read(world: World) -> None:
    world.end("dusk", "complete")
    world.begin("dawn")
    path = world.data.daemon_dir / JOURNAL
    whole = unseal_lines(path)
    damage_line(path, 3, b'"kind":"started"', b'"kind":"startex"')
    damaged = path.read_bytes()
    with pytest.raises(BadConfig, match="End that first"):
        type_mend(world.data)
    assert path.read_bytes() == damaged
    world.lock.release()
    told = type_mend(world.data)
    assert told.exit_code == 0
    [aside] = world.data.daemon_dir.glob("journal-damaged-*.jsonl")
    assert str(aside) in told.stderr
    assert aside.read_bytes() == damaged
    kept = unseal_lines(path)
    assert kept[: len(whole) - 1] == whole[:2] + whole[3:]
    # its kind cannot be told, so that it may have been a pause
    assert (len(kept), fold(read_events(path)).paused_all) == (len(whole), True)
    assert "nothing was changed" in type_mend(world.data).stderr
    assert fold(read_events(path)).paused_all


def test_mending_twice_in_a_second_keeps_both(world: World) -> None:
    world.lock.release()
    path = world.data.daemon_dir / JOURNAL
    for _ in range(2):
        damage_line(path, 1, b'"pid"', b'"pix"')
        world.write(OccurrenceQueued(at=NOW, entry="dawn", due=NOW))
        assert mend(world.data, NOW) is not None
        first = path.read_bytes().splitlines(keepends=True)
        path.write_bytes(b'{"kind": "daemon_started", "pid": 1}\n' + b"".join(first))
    assert len(list(world.data.daemon_dir.glob("journal-damaged-*.jsonl"))) == 2


def test_a_journal_that_is_no_file_is_one_sentence(tmp_path: Path) -> None:
    data = DataFolder(tmp_path / "data")
    (data.daemon_dir / JOURNAL).mkdir(parents=True)
    with pytest.raises(DataUnreadable, match=r"journal\.jsonl cannot be read .* type: --data"):
        ask_status(data)
    with pytest.raises(DataUnreadable):
        type_mend(data)


def test_a_time_zone_that_is_none_ends_no_look(world: World) -> None:
    path = world.data.daemon_dir / JOURNAL
    damage_line(path, 2, b'"timezone":"UTC"', b'"timezone":"../X"')
    found = StatusReader(world.data).look(NOW)
    assert [one.line for one in found.unreadable] == [2]


@pytest.mark.parametrize("damage", ["{", '[{"cell": 1}]', "7"])
def test_damaged_draws_of_a_study_end_no_daemon(world: World, tmp_path: Path, damage: str) -> None:
    file = tmp_path / "study.toml"
    file.write_text(EXAMPLE, encoding="utf-8")
    job = resolve_entry(WatchEntry.model_validate({"name": "s", "every": "1h", "study": str(file)}))
    assert job.declared is not None
    name = job.declared.name
    draws = world.data.study_dir(name) / "draws.json"
    draws.parent.mkdir(parents=True)
    draws.write_text(damage)
    world.study(name, {"treatment": ["yyyynnnn"]})
    assert StatusReader(world.data).look(NOW).studies[0].videos == 8
    assert not PastRuns(world.data).complete(job, NOW)  # its child is started, and says why
    with pytest.raises(BadConfig, match=r"draws\.json is damaged: .* Type: python -m store"):
        read_draws(draws)


# Random bytes

_LINES: dict[str, TypeAdapter[Any]] = {
    "ledger": TypeAdapter(LedgerLine),
    "journal": TypeAdapter(AnyEvent),
}


def flip(raw: bytes, rng: random.Random) -> bytes:
    """Put one to three random bytes in place of others."""
    changed = bytearray(raw)
    for _ in range(rng.randint(1, 3)):
        changed[rng.randrange(len(changed))] = rng.randrange(256)
    return bytes(changed)


def readable(raw: bytes, kind: str) -> tuple[list[Any], int]:
    """What a reader finds who knows no more than lines, and how many committed ones it loses."""
    found, lost = [], 0
    walk = ChainWalk()
    for line in divide(raw)[0]:
        body, fault = walk.take(line)
        try:
            record = _LINES[kind].validate_json(body)
        except ValidationError:
            lost += 1
        else:
            held = kind == "journal" and fault is not None  # the daemon acts on its journal
            lost += held
            found += [] if held else [record]
    return found, lost


def check_flips(world: World, seeds: range) -> None:
    """Damage a ledger and the journal again and again: nothing that can be read is lost."""
    run = world.keep("r1", "yynn-y", config={"study": "s", "cell": "c"})
    run.append(finished(6))
    run.close()
    world.keep("r2", "yn").close()
    world.trouble()
    world.end("dusk", "complete")
    paths = {"ledger": world.data.ledger_path("r1"), "journal": world.data.daemon_dir / JOURNAL}
    sound = {kind: path.read_bytes() for kind, path in paths.items()}
    harmed = 0
    for seed in seeds:
        rng = random.Random(seed)
        kind = rng.choice(["ledger", "journal"])
        raw = flip(sound[kind], rng)
        paths[kind].write_bytes(raw)
        looker = StatusReader(world.data)
        found = looker.look(NOW)
        told, lost = readable(raw, kind)
        harmed += lost > 0
        assert list(status_lines(found, NOW)), seed
        assert found.counts.unreadable == lost, seed
        assert len(found.unreadable) == lost, seed
        if kind == "ledger":
            steps = sum(isinstance(one, Step) for one in told)
            assert found.counts.videos == 2 + steps, seed
            runs, problems = scan(world.data.ledgers()), list[str]()
            read_each([one.path for one in runs], problems)
            assert {one.run_id for one in runs} == {"r1", "r2"}, seed
        else:
            assert looker._events.state == fold(told), seed
            book = JournalWriter(paths[kind], SystemClock())
            assert book.state == fold(told), seed
            book.close()
        paths[kind].write_bytes(sound[kind])
    assert harmed > len(seeds) / 2


def test_some_hundred_flipped_files_lose_nothing_that_can_be_read(world: World) -> None:
    check_flips(world, range(FLIPS))


@pytest.mark.drill
@pytest.mark.timeout(3600)
def test_ten_thousand_flipped_files_lose_nothing_that_can_be_read(world: World) -> None:
    check_flips(world, range(FLIPS, FLIPS + DRILL))
