"""Which trials there are, their results as lines, and the tables of a document."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import count, islice
from pathlib import Path

from analysis.statistics.intervals import binomial_interval
from store.jsonl.append_only import LineFile
from store.jsonl.hash_chain import body_of
from store.jsonl.locks import NamedLock
from tests.faults.moments import may_make_read_only
from tests.faults.trial import Bench, Row
from tests.faults.verbs import OTHER_FAULTS, PAIRS, VERBS, Verb, find_verb

KILLS = ("kill", "kill at a time")
PAIR_FAULTS = ("two at once", "two, one killed")
SLOW_EACH = 3
"""A slow verb is killed in every third round alone."""
FAULTS = {
    "kill": "`kill -9` as it opens, writes, syncs, renames or removes a file, drawn evenly of all "
    "such events; a line may be half written",
    "kill at a time": "`kill -9` at a moment drawn evenly over the command's time",
    "disk": "from a drawn event on no file may grow (`RLIMIT_FSIZE`)",
    "read-only": "the folder is mounted read-only for the command",
    "descriptors": "from a drawn event on no further file can be opened (`RLIMIT_NOFILE`)",
    "memory": "from a drawn event on 2 MiB more memory can be had (`RLIMIT_AS`)",
    "clock": "from a drawn event on the clock is an hour back",
    "server": "the model server is gone after a drawn call, and Ctrl-C is typed after 12 s",
    "two at once": "a second command starts beside it",
    "two, one killed": "the same, and the first is killed at a drawn event",
}
PROBLEMS = ("lost", "doubled", "paid twice", "half", "unsound", "differs", "words")


@dataclass(frozen=True)
class Planned:
    """A trial that is still to be had."""

    verbs: tuple[Verb, ...]
    fault: str
    number: int
    seed: int

    @property
    def key(self) -> str:
        name = " + ".join(verb.name for verb in self.verbs)
        return f"{name}/{self.fault}/{self.number}/{self.seed}"

    def have(self, bench: Bench) -> Row:
        if len(self.verbs) == 2:
            one, two = self.verbs
            return bench.try_pair((one, two), self.fault, self.number, self.seed)
        return bench.try_verb(self.verbs[0], self.fault, self.number, self.seed)


def plan_kills(kills: int, seed: int, verbs: Sequence[Verb]) -> list[Planned]:
    """Return so many kills: half of a verb's at its events, half in its time; some of pairs."""

    def rounds() -> Iterator[Planned]:
        pairs = [(find_verb(one), find_verb(two)) for one, two in PAIRS]
        for number in count():
            for verb in verbs:
                if not verb.slow or number % SLOW_EACH == 0:
                    step = number // SLOW_EACH if verb.slow else number
                    yield Planned((verb,), KILLS[step % 2], step // 2, seed)
            if len(verbs) == len(VERBS) and number % SLOW_EACH == 1:
                pair = pairs[number // SLOW_EACH % len(pairs)]
                yield Planned(pair, PAIR_FAULTS[1], number // SLOW_EACH // len(pairs), seed)

    return list(islice(rounds(), kills))


def plan_others(per_cell: int, seed: int) -> list[Planned]:
    """Return the other faults: so many of each with each verb."""
    faults = [name for name in OTHER_FAULTS if name != "read-only" or may_make_read_only()]
    found = [
        Planned((verb,), fault, number, seed)
        for number in range(per_cell)
        for fault in faults
        for verb in VERBS
        if fault != "read-only" or number == 0
    ]
    found += [
        Planned((verb,), "server", number, seed)
        for number in range(per_cell)
        for verb in VERBS
        if verb.asks
    ]
    found += [
        Planned((find_verb(one), find_verb(two)), fault, number, seed)
        for number in range(per_cell)
        for fault in PAIR_FAULTS
        for one, two in PAIRS
    ]
    return found


def have_trials(
    planned: Sequence[Planned], bench: Bench, results: Path, show: Callable[[str], None]
) -> None:
    """Have those that have no result yet; each is kept at once.

    Raises ``LockHeld`` where another call keeps its results there.
    """
    lock = NamedLock(results.with_suffix(".lock"))
    lock.acquire()
    done = {row.key for row in read_rows(results)}
    waiting = [each for each in planned if each.key not in done]
    file = LineFile(results, fsync=False)
    try:
        for number, each in enumerate(waiting, 1):
            row = each.have(bench)
            file.append(row.line())
            state = ", ".join(row.problems) or "holds"
            show(f"{number}/{len(waiting)}  {each.key}  {row.ended}: {state}")
    finally:
        file.close()
        lock.release()


def read_rows(results: Path) -> list[Row]:
    lines = results.read_bytes().split(b"\n")[:-1] if results.exists() else []
    return [Row(**json.loads(body_of(line))) for line in lines]


def show_failures(rows: Sequence[Row]) -> str:
    """Return what went wrong, each with the command that repeats it."""
    told = []
    for row in rows:
        for kind, lines in row.problems.items():
            told.append(f"{row.command}\n  {kind}: " + "\n    ".join(lines))
    return "\n".join(told)


def bound(rows: Sequence[Row], kind: str) -> str:
    """Return how many of the trials broke something, and how many could have at most."""
    broken = sum(kind in row.problems for row in rows)
    high = binomial_interval(broken, len(rows))[1] if rows else 1.0
    return f"{broken} (at most {100 * high:.2f} %)"


def tables(rows: Sequence[Row]) -> str:
    """Return the tables of a document: what was broken, by fault and by verb."""
    kills = [row for row in rows if "kill" in row.fault and row.struck]
    parts = [
        f"{len(kills)} kills that came before the command had ended, and "
        f"{sum('kill' not in row.fault for row in rows)} trials of other faults:",
        _invariant_table(kills, [row for row in rows if "kill" not in row.fault]),
        _fault_table(rows),
        _verb_table(rows),
    ]
    return "\n\n".join(parts)


MEANINGS = {
    "lost": "a committed line is lost",
    "doubled": "a step is there twice",
    "paid twice": "an answered question is asked again",
    "half": "a half result has its final name",
    "unsound": "`store verify` finds something",
    "differs": "the end is not that of an undisturbed command",
    "words": "no words for a person",
}


def _invariant_table(kills: Sequence[Row], others: Sequence[Row]) -> str:
    lines = ["| broken | of the kills | of the others |", "|---|---|---|"]
    for kind, meaning in MEANINGS.items():
        lines.append(f"| {meaning} | {bound(kills, kind)} | {bound(others, kind)} |")
    return "\n".join(lines)


def _fault_table(rows: Sequence[Row]) -> str:
    lines = [
        "| fault | trials | in time | ended: done, in words, killed, traceback, other | broken |",
        "|---|---|---|---|---|",
    ]
    for fault in FAULTS:
        mine = [row for row in rows if row.fault == fault]
        if mine:
            ended = Counter(end for row in mine for end in row.ended.split(" + "))
            named = [ended.pop(name, 0) for name in ("done", "in words", "killed", "traceback")]
            told = ", ".join(map(str, [*named, ended.total()]))
            broken = sum(bool(row.problems) for row in mine)
            came = sum(row.struck for row in mine)
            lines.append(f"| {fault} | {len(mine)} | {came} | {told} | {broken} |")
    return "\n".join(lines)


def _verb_table(rows: Sequence[Row]) -> str:
    lines = [
        "| verb | kills, by phase | asked again, since under way | other faults | broken |",
        "|---|---|---|---|---|",
    ]
    for name in dict.fromkeys(row.verb for row in rows):
        mine = [row for row in rows if row.verb == name]
        kills = [row for row in mine if "kill" in row.fault and row.struck]
        phases = Counter(row.phase for row in kills)
        told = " + ".join(str(phases[phase]) for phase in ("begin", "middle", "end"))
        flight = sum(row.in_flight for row in mine)
        broken = sum(bool(row.problems) for row in mine)
        others = sum("kill" not in row.fault for row in mine)
        lines.append(f"| {name} | {told} | {flight or '–'} | {others} | {broken} |")
    return "\n".join(lines)
