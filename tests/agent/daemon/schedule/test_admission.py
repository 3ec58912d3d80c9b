"""What holds starts back, and what follows from an end: breakers, walls, caps, a person."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from agent.daemon.config.jobs import Job, resolve_entry
from agent.daemon.config.watch_file import DailyCap, WatchEntry, WatchFile, WatchLimits
from agent.daemon.journal.events import ChildEnded, ChildStarted
from agent.daemon.journal.state import fold
from agent.daemon.journal.tail import Ledgers
from agent.daemon.journal.wall_status import list_waiting
from agent.daemon.journal.writer import JournalWriter
from agent.daemon.machine_clock import ClockJumps
from agent.daemon.main import SupervisorControls
from agent.daemon.process.child import Child
from agent.daemon.process.exit_reason import ExitReason, explain_exit
from agent.daemon.process.retry_policy import RetryPolicy
from agent.daemon.schedule import admission
from agent.daemon.schedule.past_runs import PastRuns, WallMet
from agent.daemon.supervisor import DaemonSetup, Supervisor
from agent.errors import BadConfig, UnknownName
from store.runs.data_folder import DataFolder
from store.runs.ledger import LedgerWriter
from store.runs.ledger_lines import Fault, PersonaRecord
from store.runs.payment_book import CallReserved, PaymentBook
from tests.store.samples import START as NOON
from tests.store.samples import keep_run

LIMITS = WatchLimits(failures=2)
ONE = '[[entry]]\nname = "p12"\nevery = "1h"\nrun = { persona = "p12", account = "p12-a" }\n'


class Clock:
    """A clock that a test moves."""

    def __init__(self) -> None:
        self.at, self.seconds = NOON, 0.0

    def now(self) -> datetime:
        return self.at

    def steady(self) -> float:
        return self.seconds

    def pass_by(self, seconds: float) -> None:
        self.at += timedelta(seconds=seconds)
        self.seconds += seconds


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def book(tmp_path: Path, clock: Clock) -> Iterator[JournalWriter]:
    book = JournalWriter(tmp_path / "journal.jsonl", clock)
    yield book
    book.close()


def entry(name: str = "p12", **told: Any) -> WatchEntry:
    run = {"persona": name, "account": f"{name}-a"}
    return WatchEntry.model_validate({"name": name, "every": "1h", "run": run, **told})


class World:
    """One entry, and what is known."""

    def __init__(self, folder: Path, book: JournalWriter, watch: WatchFile) -> None:
        self.book, self.watch = book, watch
        self.jobs: list[Job] = [resolve_entry(one) for one in watch.entries]
        self.evidence = PastRuns(DataFolder(folder))

    def held(self) -> str | None:
        told = self.book.state, self.evidence, self.book.now()
        return admission.find_hold(self.jobs[0], self.watch, *told)

    def barred(self, *running: Job) -> str | None:
        state, now = self.book.state, self.book.now()
        return admission.find_bar(self.jobs[0], self.watch, state, running, now)

    async def end_one(self, ending: ExitReason, consequences: RetryPolicy, due: datetime) -> None:
        self.book.note(ChildStarted(at=due, entry="p12", due=due, pid=1, log=""))
        consequences.draw(self.jobs[0], ("p12", due), ending, self.watch.limits)
        await self.book.finish()

    def end(self, ending: ExitReason, consequences: RetryPolicy, due: datetime = NOON) -> None:
        asyncio.run(self.end_one(ending, consequences, due))


@pytest.fixture
def world(tmp_path: Path, book: JournalWriter) -> World:
    return World(tmp_path, book, WatchFile(entry=(entry(), entry("p05")), limits=LIMITS))


def test_faults_in_a_row_open_the_breaker_and_success_closes_it(
    world: World, book: JournalWriter, clock: Clock
) -> None:
    consequences = RetryPolicy(book)
    world.end(ExitReason("fault", 1, "no video"), consequences)
    assert world.barred() is None
    world.end(ExitReason("interrupted", 130), consequences, NOON + timedelta(hours=1))
    world.end(ExitReason("deadline", 130, "too long"), consequences, NOON + timedelta(hours=2))
    assert world.barred() == "the breaker of playground is open"
    clock.pass_by(LIMITS.breaker + 1)
    assert world.barred() is None
    assert world.barred(world.jobs[1]) == "the breaker of playground is open"  # one is tried
    world.end(ExitReason("fault", 1), consequences, NOON + timedelta(hours=3))
    assert world.barred() == "the breaker of playground is open"
    clock.pass_by(LIMITS.breaker + 1)
    world.end(ExitReason("complete", 0), consequences, NOON + timedelta(hours=4))
    assert (book.state.breakers, book.state.failures) == ({}, {})


def test_what_fails_is_tried_again_later_and_given_up_with_the_reason(
    world: World, book: JournalWriter, clock: Clock
) -> None:
    consequences = RetryPolicy(book)
    key = ("p12", NOON)
    for failures, wait in ((1, 30), (2, 60)):
        world.end(ExitReason("killed", -9, "ended by SIGKILL"), consequences)
        assert book.state.open[key].failures == failures
        clock.pass_by(wait - 1)
        assert consequences.waits(key)
        clock.pass_by(2)
        assert not consequences.waits(key)
    world.end(ExitReason("refused", 2, "no room"), consequences)
    assert book.state.last["p12"].skipped == "given up after 3 failures: no room"
    assert not book.state.open


def test_a_wall_holds_its_platform_until_a_person_has_looked(tmp_path: Path, clock: Clock) -> None:
    asyncio.run(_at_a_wall(tmp_path, clock))


def test_no_entry_hangs_on_a_child_whose_end_could_not_be_seen(
    tmp_path: Path, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    asyncio.run(_unseen(tmp_path, clock, monkeypatch))


async def _unseen(tmp_path: Path, clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "watch.toml"
    file.write_text(ONE, encoding="utf-8")
    supervisor = Supervisor(DaemonSetup(file, DataFolder(tmp_path), clock))
    monkeypatch.setattr(supervisor, "_evidence", None)  # a fault of ours
    job, key, book = supervisor.loaded_file.jobs["p12"], ("p12", NOON), supervisor.book
    child = Child([sys.executable, "-c", "pass"], tmp_path / "log", tmp_path, "p12@noon")
    try:
        book.note(ChildStarted(at=NOON, entry="p12", due=NOON, pid=await child.start(), log="log"))
        supervisor._children[key] = job, child
        supervisor._watch_over(job, child, key)
        await book.finish()
        await asyncio.sleep(0)  # what follows from the end of a task is called after it
        assert (supervisor._children, book.state.running) == ({}, {})
        assert book.state.open[key].failures == 1
        assert supervisor.retry_policy.waits(key)
    finally:
        supervisor.close()


async def _at_a_wall(tmp_path: Path, clock: Clock) -> None:
    told: list[str] = []

    async def tell(event: object) -> None:
        told.append(type(event).__name__)

    file = tmp_path / "watch.toml"
    file.write_text(ONE, encoding="utf-8")
    supervisor = Supervisor(DaemonSetup(file, DataFolder(tmp_path), clock))
    supervisor.book.tell = tell
    steering, book = SupervisorControls(supervisor), supervisor.book
    try:
        world = World(tmp_path, book, supervisor.loaded_file.watch)
        met = WallMet("playground", "p12-a", "LoginRequired", "r1")
        await world.end_one(ExitReason("wall", 1, "a wall", (met,)), supervisor.retry_policy, NOON)
        assert "waits for a person" in str(world.barred())
        with pytest.raises(UnknownName):
            await steering.looked("playground", "p13-a")
        await steering.looked("playground", "p12-a")
        assert (world.barred(), len(book.state.open)) == (None, 1)
        await _pause_and_ask(steering, world)
        await book.finish()
    finally:
        supervisor.close()
    assert told == ["WallReported"]
    assert fold(_events(tmp_path)) == book.state


def _events(folder: Path) -> Any:
    from agent.daemon.journal.events import read_events

    return read_events(folder / "daemon" / "journal.jsonl")


async def _pause_and_ask(steering: SupervisorControls, world: World) -> None:
    state = world.book.state
    for name in (None, "p12"):
        await steering.pause(name)
        assert world.held() == "paused"
        await steering.resume(name)
        assert world.held() is None
    with pytest.raises(UnknownName):
        await steering.pause("p13")
    with pytest.raises(BadConfig, match="not over"):
        await steering.run_now("p12")
    world.book.note(ChildEnded(at=NOON, entry="p12", due=NOON, outcome="complete"))
    with pytest.raises(BadConfig, match="Nothing of p12 has failed"):
        await steering.retry("p12")
    await steering.run_now("p12")
    assert [due for _, due in state.open] == [NOON + timedelta(seconds=1)]  # noon was dealt with


def test_quiet_hours_caps_and_budgets_hold_what_runs_too(
    tmp_path: Path, book: JournalWriter, clock: Clock
) -> None:
    data = DataFolder(tmp_path)
    keep_run(data, "r1", ["red"] * 3, at=NOON)
    quiet = WatchFile(timezone="Europe/Berlin", entry=(entry(quiet_hours="12:30-13:30"),))
    assert World(tmp_path, book, quiet).held() == "quiet hours 12:30-13:30 (Europe/Berlin)"
    clock.pass_by(1800)
    assert World(tmp_path, book, quiet).held() is None
    for per_day, persona, why in (
        (3, "p12", "3 videos a day (UTC) of p12 are watched"),
        (4, "p12", None),
        (3, "p05", None),
    ):
        watch = WatchFile(entry=(entry(),), cap=(DailyCap(persona=persona, per_day=per_day),))
        assert World(tmp_path, book, watch).held() == (why if persona == "p12" else None)
    clock.pass_by(86400)
    watch = WatchFile(entry=(entry(),), cap=(DailyCap(persona="p12", per_day=3),))
    assert World(tmp_path, book, watch).held() is None


def test_a_personas_cap_holds_a_study_that_has_it_from_a_file(
    tmp_path: Path, book: JournalWriter, clock: Clock
) -> None:
    mine = tmp_path / "own" / "me.toml"
    mine.parent.mkdir()
    mine.write_text(
        'id = "me"\ntraits = ["I fish.", "I ski.", "I sew."]\nsource = "x"\nlicence = "MIT"\n',
        encoding="utf-8",
    )
    study = tmp_path / "study.toml"
    study.write_text(f'name = "mine"\n[matrix]\npersonas = ["{mine}"]\n', encoding="utf-8")
    record = PersonaRecord(
        id="me", traits=("I fish.", "I ski.", "I sew."), source="x", licence="MIT"
    )
    keep_run(DataFolder(tmp_path), "r1", ["red"] * 3, at=NOON, persona=record)
    told = WatchEntry.model_validate({"name": "p12", "every": "1h", "study": str(study)})
    for per_day, why in ((3, "3 videos a day (UTC) of me are watched"), (4, None)):
        watch = WatchFile(entry=(told,), cap=(DailyCap(persona="me", per_day=per_day),))
        assert World(tmp_path, book, watch).held() == why


def test_a_profile_is_used_once_and_a_study_counts_what_it_has_in_parallel(world: World) -> None:
    mine, other = world.jobs
    assert world.barred(mine) == "its profile is in use"
    assert world.barred(other) is None
    assert not admission.has_room(mine, world.watch, [other])
    assert admission.has_room(mine, world.watch, [])
    full = world.watch.model_copy(
        update={"limits": WatchLimits(parallel=mine.weight + other.weight)}
    )
    assert admission.has_room(mine, full, [other])  # what just fits has room


@pytest.mark.parametrize(
    ("zone", "left"), [("UTC", 12), ("Pacific/Auckland", 23), ("America/Santiago", 15)]
)
def test_a_day_is_the_watch_file_s(
    tmp_path: Path, book: JournalWriter, clock: Clock, zone: str, left: int
) -> None:
    keep_run(DataFolder(tmp_path), "r1", ["red"] * 3, at=NOON)
    watch = WatchFile(timezone=zone, entry=(entry(),), cap=(DailyCap(per_day=3),))
    clock.pass_by(left * 3600 - 1)
    assert World(tmp_path, book, watch).held() == f"3 videos a day ({zone}) of all are watched"
    clock.pass_by(1)
    assert World(tmp_path, book, watch).held() is None


def test_a_budget_counts_what_a_kill_cut_off(tmp_path: Path, book: JournalWriter) -> None:
    data = DataFolder(tmp_path)
    keep_run(data, "r1", ["red"], config={"cell": "p12@20250301T120000Z"})
    limited = World(tmp_path, book, WatchFile(entry=(entry(budget_usd=1.0),)))
    assert limited.held() is None
    call = CallReserved(
        id="c1", at=NOON, account="run/r1", model="m", key="k-0", cost_usd=1.5, tokens=9
    )
    PaymentBook(data.payments).reserve(lambda _: call, (), lambda _: None, "k")
    assert limited.held() == "its budget of 1.0 dollars is spent"
    for budget, why in ((1.5, "its budget of 1.5 dollars is spent"), (1.51, None)):
        exact = World(tmp_path, book, WatchFile(entry=(entry(budget_usd=budget),)))
        assert exact.held() == why  # spent to the cent is spent
    data.payments.write_bytes(b"{}\n")
    damaged = World(tmp_path, book, limited.watch)
    assert str(damaged.held()).startswith("its budget cannot be held: ")


def test_a_renamed_entry_goes_on_with_its_account(tmp_path: Path, book: JournalWriter) -> None:
    data, run = DataFolder(tmp_path), {"persona": "p12", "account": "p12-a"}
    former = entry(budget_usd=1.0)
    cell = resolve_entry(former).occurrence_name(NOON)
    digest = resolve_entry(former).digest(NOON)
    keep_run(data, "r1", ["red"], config={"cell": cell}, config_hash=digest)
    call = CallReserved(
        id="c1", at=NOON, account="run/r1", model="m", key="k-0", cost_usd=1.5, tokens=9
    )
    PaymentBook(data.payments).reserve(lambda _: call, (), lambda _: None, "k")
    spent = "its budget of 1.0 dollars is spent"

    def held(*entries: WatchEntry) -> str | None:
        return World(tmp_path, book, WatchFile(entry=entries)).held()

    renamed = entry(budget_usd=1.0).model_copy(update={"name": "evening"})
    other = renamed.model_copy(update={"run": run | {"account": "p12-b"}})
    assert held(former) == spent
    assert held(renamed) == spent
    assert held(other) is None, "it does something else"
    assert held(renamed, former) is None, "each entry has its own runs"


def spent(data: DataFolder, fault: str) -> ExitReason:
    """The end of a child whose one run was ended by a fault."""
    evidence = PastRuns(data)
    keep_run(data, "r1", ["red"], end=False)
    with LedgerWriter(data.ledger_path("r1"), fsync=False) as writer:
        writer.append(Fault(at=NOON, position=1, fault=fault, message="why", recovered=False))
    return explain_exit(1, None, data.root / "log", evidence, Ledgers(data).now())


@pytest.mark.parametrize(("platform", "holds"), [("tiktok", True), ("playground", False)])
def test_a_changed_site_holds_its_platform_until_a_person_has_looked(
    tmp_path: Path, book: JournalWriter, platform: str, holds: bool
) -> None:
    run = {"persona": "p12", "account": "p12-a", "platform": "tiktok"}
    world = World(tmp_path, book, WatchFile(entry=(entry(run=run),), limits=LIMITS))
    keep_run(DataFolder(tmp_path), "r1", ["red"], end=False, platform=platform, account="p12-a")
    details = {"capability": "ad"}
    with LedgerWriter(DataFolder(tmp_path).ledger_path("r1"), fsync=False) as writer:
        fault = {"fault": "LayoutChanged", "message": "no ad in 14 videos", "details": details}
        writer.append(Fault.model_validate({"at": NOON, "position": 1, "recovered": False} | fault))
    runs = Ledgers(DataFolder(tmp_path)).now()
    ending = explain_exit(1, None, tmp_path / "log", world.evidence, runs)
    assert ending.outcome == ("wall" if holds else "fault")
    world.end(ending, RetryPolicy(book))
    if not holds:
        assert world.barred() is None
        return
    assert str(world.barred()).startswith(f"tiktok has changed since {NOON:%Y-%m-%d %H:%M} UTC")
    assert "no ad in 14 videos" in str(world.barred())
    (wall,) = list_waiting(book.state.walls.values())
    assert wall.command == "python -m agent doctor --platform tiktok --account p12-a"
    book.note(book.state.walls["tiktok", "p12-a"].model_copy(update={"open": False}))
    assert world.barred() is None


@pytest.mark.parametrize(
    ("fault", "opens"),
    [("BudgetSpent", False), ("ModelFailed", False), ("PageStuck", True), ("FeedEmpty", True)],
)
def test_a_breaker_is_opened_by_what_a_site_may_be_to_blame_for(
    tmp_path: Path, world: World, book: JournalWriter, fault: str, opens: bool
) -> None:
    ending, consequences = spent(DataFolder(tmp_path), fault), RetryPolicy(book)
    for hour in range(2):
        world.end(ending, consequences, NOON + timedelta(hours=hour))
    assert ending.outcome == "fault"
    assert bool(book.state.breakers) == opens
    assert [one.failures for one in book.state.open.values()] == [1, 1], "tried again all the same"


def test_a_full_disk_and_a_set_clock_are_noticed(tmp_path: Path, clock: Clock) -> None:
    room = DataFolder(tmp_path).free_bytes() // (1 << 20)
    assert "disk" not in admission.find_shortages(
        DataFolder(tmp_path), WatchLimits(disk_mib=0, memory_mib=0)
    )
    short = admission.find_shortages(
        DataFolder(tmp_path), WatchLimits(disk_mib=2 * room, memory_mib=10**9)
    )
    assert set(short) == {"disk", "memory"}
    jumps = ClockJumps(clock)
    clock.pass_by(3600)
    assert jumps.look() is None
    clock.at -= timedelta(seconds=1000)
    assert jumps.look() == -1000
    assert jumps.look() is None


def test_an_end_is_told_by_its_code_what_it_was_ended_for_and_its_last_words(
    tmp_path: Path,
) -> None:
    log, evidence = tmp_path / "log", PastRuns(DataFolder(tmp_path))
    log.write_text("first\nWho watches? token=abcdefghijkl\n", encoding="utf-8")
    told = [
        explain_exit(0, ("interrupted", "paused"), log, evidence, []),
        explain_exit(130, ("deadline", "too long"), log, evidence, []),
        *(explain_exit(code, None, log, evidence, []) for code in (-9, 130, 2, 1)),
    ]
    assert [ending.outcome for ending in told] == [
        "complete",
        "deadline",
        "killed",
        "interrupted",
        "refused",
        "fault",
    ]
    assert told[2].reason == "ended by SIGKILL"
    assert told[4].reason.startswith("Who watches?")
    assert "abcdefghijkl" not in told[4].reason
