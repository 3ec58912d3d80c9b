"""Runs a daemon under faults, lets it finish, and counts what became of every due video."""

from __future__ import annotations

import random
import re
import statistics
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path

import psutil

from agent.daemon.config.jobs import Job, load_watch_file, resolve_entries
from agent.daemon.journal.events import read_events as read_journal
from agent.daemon.journal.state import Key, State, fold
from agent.daemon.process.child import find_leftovers
from store.runs.data_folder import DataFolder
from store.runs.ledger import Ledger, read
from tests.soak.faults import Fault

NEVER = 'cron = "0 0 29 2 *"'
SCHEDULE = re.compile(r"^(every|cron|between) = .*$", re.MULTILINE)


@dataclass(frozen=True)
class Sample:
    """How large a daemon was, some seconds after the machine's start."""

    at_s: float
    mib: float


def medians_by_minute(samples: Sequence[Sample]) -> list[float]:
    """Return the median of each minute since the first sample; the last, broken one is left out."""
    minutes: dict[int, list[float]] = {}
    for sample in samples:
        minutes.setdefault(int((sample.at_s - samples[0].at_s) // 60), []).append(sample.mib)
    return [round(statistics.median(minutes[number]), 2) for number in sorted(minutes)[:-1]]


@dataclass
class Figures:
    """What a soak has found."""

    minutes: float = 0.0
    faults: dict[str, int] = field(default_factory=dict)
    occurrences: int = 0
    skipped: int = 0
    """Due times that were missed or overlapped, as the watch file declares."""
    due: int = 0
    """Videos of occurrences that were begun."""
    complete: int = 0
    marked: int = 0
    """Videos of occurrences that were given up, with the reason."""
    lost: int = 0
    doubled: int = 0
    steps: int = 0
    resumed: int = 0
    orphans: list[str] = field(default_factory=list)
    ended_in_s: float = 0.0
    memory_mib: list[float] = field(default_factory=list)
    """Of the daemon that lived longest: median of its first and of its last quarter."""
    memory_by_minute: list[float] = field(default_factory=list)
    """Of that daemon: the median of each whole minute, in MiB."""
    problems: list[str] = field(default_factory=list)

    @property
    def share(self) -> float:
        """Per cent of the due videos that are complete."""
        return 100 * self.complete / self.due if self.due else 100.0

    def table(self) -> str:
        """Return the figures as a table for a document."""
        rows = {**asdict(self), "complete_percent": round(self.share, 2)}
        del rows["memory_by_minute"]
        rows["faults"] = ", ".join(f"{name} {count}" for name, count in self.faults.items())
        lines = [f"| {name.replace('_', ' ')} | {value} |" for name, value in rows.items()]
        return "\n".join(["| figure | value |", "|---|---|", *lines])


class Soak:
    """One soak, in a folder of its own."""

    def __init__(self, folder: Path, watch: str, seed: int) -> None:
        self.data = DataFolder(folder / "data")
        self.file = folder / "watch.toml"
        self.file.write_text(watch, encoding="utf-8")
        self._folder = folder
        self._rng = random.Random(seed)
        self._process: subprocess.Popen[bytes] | None = None
        self._memory: list[list[Sample]] = []
        self._offset = 0.0
        self._faults: Counter[str] = Counter()

    @property
    def pid(self) -> int:
        """The daemon's."""
        assert self._process is not None
        return self._process.pid

    @property
    def state(self) -> State:
        """What the journal tells."""
        return fold(read_journal(self.data.daemon_dir / "journal.jsonl"))

    # The daemon

    def start_daemon(self) -> None:
        words = (self.file, self.data.root, self._folder / "clock")
        with (self._folder / "out").open("ab") as out:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "tests.soak.daemon", *map(str, words)],
                stdout=out,
                stderr=out,
                start_new_session=True,
            )
        self._memory.append([])

    def kill_daemon(self) -> None:
        assert self._process is not None
        self._process.kill()
        self._process.wait()

    def end_daemon(self) -> tuple[float, int]:
        """Send SIGTERM; return how long the end took, and the exit code."""
        assert self._process is not None
        began = time.monotonic()
        self._process.terminate()
        try:
            code = self._process.wait(timeout=60)
        finally:
            self._process.kill()
            self._process.wait()
        return time.monotonic() - began, code

    def set_clock(self, by: float) -> None:
        self._offset += by
        self._folder.joinpath("clock.new").write_text(str(self._offset))
        self._folder.joinpath("clock.new").replace(self._folder / "clock")

    # The soak

    def suffer(
        self, faults: Mapping[str, Fault], *, minutes: float, most: int = 10**9, gap_s: float = 15.0
    ) -> None:
        """Have random faults, so far apart in the mean, until time is over or there were most.

        The daemon is killed in the first half of the time alone: memory needs a long life.
        """
        names = list(faults)
        end = time.monotonic() + 60 * minutes
        half = end - 30 * minutes
        while time.monotonic() < end and sum(self._faults.values()) < most:
            self._watch_for(self._rng.uniform(0.3, 1.7) * gap_s)
            if time.monotonic() > half and "daemon" in names:
                names.remove("daemon")
            name = self._rng.choice(names)
            if faults[name](self, self._rng):
                self._faults[name] += 1

    def _watch_for(self, seconds: float) -> None:
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            time.sleep(min(1.0, seconds))
            self._look_at_memory()

    def _look_at_memory(self) -> None:
        assert self._process is not None
        assert self._process.poll() is None, "the daemon ended by itself"
        with suppress(psutil.NoSuchProcess):
            mib = psutil.Process(self.pid).memory_info().rss / (1 << 20)
            self._memory[-1].append(Sample(time.monotonic(), mib))

    def settle(self, limit_s: float) -> None:
        """Let nothing more be due, and wait until all that was begun is over."""
        text = SCHEDULE.sub(NEVER, self.file.read_text(encoding="utf-8"))
        new = self.file.with_suffix(".new")  # a daemon may be starting just now
        new.write_text(text, encoding="utf-8")
        new.replace(self.file)
        end, quiet = time.monotonic() + limit_s, 0
        while quiet < 8 and time.monotonic() < end:
            self._watch_for(1.0)
            state = self.state
            quiet = 0 if state.open or state.running else quiet + 1

    def figures(self, minutes: float, found: dict[str, Job]) -> Figures:
        """Count, once the daemon has ended."""
        figures = Figures(minutes=round(minutes, 1), faults=dict(self._faults))
        figures.orphans = [str(process) for process in find_leftovers(self.data.root)]
        longest = max(self._memory, key=len, default=[])
        quarter = max(1, len(longest) // 4)
        if longest:
            ends = longest[:quarter], longest[-quarter:]
            medians = [statistics.median(each.mib for each in part) for part in ends]
            figures.memory_mib = [round(median, 1) for median in medians]
            figures.memory_by_minute = medians_by_minute(longest)
        ledgers = [read(run.path) for run in self.data.runs()]
        figures.steps = sum(len(ledger.steps) for ledger in ledgers)
        figures.resumed = sum(bool(ledger.resumes) for ledger in ledgers)
        begun, over = self._occurrences(figures)
        for job in found.values():
            for wanted, mine in _due(job, begun, ledgers):
                done = [ledger for ledger in mine if ledger.status == "complete"]
                figures.due += wanted
                figures.doubled += max(0, len(mine) - 1) * wanted
                if done:
                    figures.complete += wanted
                elif any(key[0] == job.entry.name and over[key] for key in begun):
                    figures.marked += wanted
                else:
                    figures.lost += wanted
        return figures

    def _occurrences(self, figures: Figures) -> tuple[list[Key], dict[Key, str]]:
        """Return what was begun, and why what is not complete will not be."""
        over: dict[Key, str] = {}
        begun: dict[Key, None] = {}
        for event in read_journal(self.data.daemon_dir / "journal.jsonl"):
            if event.kind == "started":
                begun[event.entry, event.due] = None
                over[event.entry, event.due] = ""
            elif event.kind == "skipped":
                over[event.entry, event.due] = event.reason
                figures.skipped += (event.entry, event.due) not in begun
            elif event.kind == "ended" and event.outcome == "deadline":
                over[event.entry, event.due] = event.reason
        figures.occurrences = len(begun)
        return list(begun), over


def _due(job: Job, begun: list[Key], ledgers: list[Ledger]) -> list[tuple[int, list[Ledger]]]:
    """Return what a job owed: the videos of each run, and the ledgers that are for it."""
    dues = [due for name, due in begun if name == job.entry.name]
    if job.declared is None:
        return [
            (
                job.videos,
                [one for one in ledgers if one.started.config["cell"] == job.occurrence_name(due)],
            )
            for due in dues
        ]
    matrix = job.declared.matrix
    more = max(0, len(dues) - 1) if job.entry.adds_replicate else 0
    replicates = matrix.replicates + more
    runs = [one for one in ledgers if one.started.config["study"] == job.declared.name]
    cells = [
        f"{platform}/{strategy}/{model}/{replicate}/{persona}/{arm}"
        for platform in matrix.platforms
        for strategy in matrix.strategies
        for model in matrix.models
        for replicate in range(1, replicates + 1)
        for persona in matrix.personas
        for arm in matrix.arms
    ]
    return [
        (job.videos, [one for one in runs if one.started.config["cell"] == cell]) for cell in cells
    ]


def soak(
    folder: Path,
    watch: str,
    faults: Mapping[str, Fault],
    *,
    minutes: float,
    seed: int,
    most: int = 10**9,
    gap_s: float = 15.0,
    settle_s: float = 900.0,
) -> Figures:
    """Run a whole soak and return its figures."""
    one = Soak(folder, watch, seed)
    found = resolve_entries(load_watch_file(one.file))
    began = time.monotonic()
    one.start_daemon()
    try:
        one.suffer(faults, minutes=minutes, most=most, gap_s=gap_s)
        one.settle(settle_s)
        ended_in_s, code = one.end_daemon()
    finally:
        one.kill_daemon()
    figures = one.figures((time.monotonic() - began) / 60, found)
    figures.ended_in_s = round(ended_in_s, 1)
    if code != 0:
        figures.problems.append(f"the daemon ended with exit code {code}")
    command = [sys.executable, "-m", "store", "verify", "--data", str(one.data.root)]
    verified = subprocess.run(command, capture_output=True, text=True, check=False)
    if verified.returncode != 0:
        figures.problems.append(verified.stderr[-500:])
    return figures
