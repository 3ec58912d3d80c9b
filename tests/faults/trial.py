"""One trial: a verb, a fault at a moment, the same command again, and what is held against it."""

from __future__ import annotations

import json
import os
import random
import shutil
import sys
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from shlex import quote

from store.errors import DamagedLedger
from store.runs.data_folder import DataFolder
from store.runs.ledger import read as read_ledger
from tests.faults.child import Child, Ending, load_modules_of
from tests.faults.model_server import STAYS, ModelServer
from tests.faults.moments import NEVER, Strike, Tally
from tests.faults.scene import install_encoder, write_scene
from tests.faults.state import State, differences, half_results, lost_lines
from tests.faults.verbs import Verb

PHASES = ("begin", "middle", "end")
BOOK = "/payments.jsonl"
REPLIES = "data/cache/"
SERVER_GONE_S = 12.0
"""After so long without a model server, Ctrl-C is typed."""


@dataclass(frozen=True)
class Whole:
    """What an undisturbed call of a verb leaves."""

    state: State
    compared: frozenset[str]
    """Files that two such calls leave alike."""
    events: int
    seconds: float
    calls: Counter[str]
    code: int


@dataclass
class Row:
    """What became of a trial: a line of the results."""

    verb: str
    fault: str
    phase: str
    number: int
    seed: int
    struck: bool = False
    """Whether the fault came before the command had ended."""
    ended: str = ""
    in_flight: int = 0
    """Questions that were under way at the fault, and were asked again."""
    problems: dict[str, list[str]] = field(default_factory=dict)
    """By what is broken: lost, doubled, paid twice, half, unsound, differs, words."""

    @property
    def key(self) -> str:
        return f"{self.verb}/{self.fault}/{self.number}/{self.seed}"

    @property
    def command(self) -> str:
        return (
            f"python -m tests.faults --verb {quote(self.verb)} --fault {quote(self.fault)} "
            f"--number {self.number} --seed {self.seed}"
        )

    def add(self, kind: str, told: Sequence[str]) -> None:
        if told:
            self.problems.setdefault(kind, []).extend(told[:5])

    def line(self) -> bytes:
        return json.dumps(asdict(self)).encode() + b"\n"


class Bench:
    """A folder for trials, a scene to begin with, and a model server."""

    def __init__(self, root: Path, *, answers: bool) -> None:
        self.root = root
        self.trial = root / "trial"
        self.tally = Tally()
        self.server = ModelServer()
        self._scene, self._names = root / "scene", root / "names"
        self._wholes: dict[tuple[str, ...], Whole] = {}
        self._set_environment()
        install_encoder(root / "packages")
        self._reset_trial(empty=True)
        write_scene(self.trial, self._warm, answers=answers)
        shutil.rmtree(self._scene, ignore_errors=True)
        shutil.copytree(self.trial, self._scene)
        self.before = State.of(self.trial)

    def _set_environment(self) -> None:
        os.environ.update(
            FEEDSWAY_CONFIG="",
            FEEDSWAY_WARM_S="0",
            HF_HUB_OFFLINE="1",
            LOOPBACK_API_KEY="none",
            LOOPBACK_BASE_URL=f"{self.server.url}/v1",
            VIRTUAL_ENV=sys.prefix,
        )
        os.environ.pop("FEEDSWAY_DATA", None)

    def close(self) -> None:
        self.server.close()

    def _reset_trial(self, *, empty: bool = False) -> None:
        shutil.rmtree(self.trial, ignore_errors=True)
        if empty:
            self.trial.mkdir(parents=True)
        else:
            shutil.copytree(self._scene, self.trial)

    def _warm(self, words: Sequence[str]) -> Ending:
        return load_modules_of(words, self.trial, self._names)

    def start(self, words: Sequence[str], strike: Strike = NEVER) -> Child:
        self.tally.reset()
        return Child(words, self.trial, self._arm(strike))

    def _arm(self, strike: Strike) -> Callable[[], None]:
        return lambda: strike.arm(self.tally, self.trial)

    def whole(self, *verbs: Verb) -> Whole:
        """Call verbs one after the other, undisturbed and twice: what is alike is compared."""
        name = tuple(verb.name for verb in verbs)
        if name not in self._wholes:
            states = []
            for verb in verbs:
                self._reset_trial()
                self._warm(verb.typed)
            for _ in range(2):
                self._reset_trial()
                self.server.reset()
                for position, verb in enumerate(verbs):
                    ended = self.start(verb.typed).finish()
                    if ended.code not in (0, 2) or (ended.code and position == 0):
                        raise RuntimeError(f"{verb.name} fails undisturbed: {ended.out}{ended.err}")
                states.append(State.of(self.trial))
            one, two = (state.files for state in states)
            alike = frozenset(
                path
                for path in one
                if path in two and one[path] == two[path]
                if not path.endswith(BOOK)  # a call that a kill cut off has a line of its own
            )
            calls = self.server.calls()
            self._wholes[name] = Whole(
                states[-1], alike, self.tally.events, ended.seconds, calls, ended.code
            )
        return self._wholes[name]

    def try_verb(self, verb: Verb, fault: str, number: int, seed: int) -> Row:
        """Have a fault happen to a verb, type it again, and compare."""
        row = Row(verb.name, fault, PHASES[number % 3], number, seed)
        rng = random.Random(row.key)
        whole = self.whole(verb)
        self._reset_trial()
        first = self._suffer(verb, row, whole, rng)
        row.ended = tell_end(first)
        if first.traceback and fault != "memory" and not first.interrupted:
            row.add("words", [first.err[-1500:]])
        cut = State.of(self.trial)
        if not verb.forgets:
            row.add("lost", lost_lines(self.before, cut))
        row.add("half", half_results(self.before, whole.state, cut, whole.compared))
        standing = self._standing(verb.data)
        self.server.stay()
        again = self.start(verb.typed).finish()
        if again.code not in (0, 2) or again.traceback:
            row.add("words", [f"typed again: {again.code} {again.out[-500:]}{again.err[-1500:]}"])
        self._compare(verb, row, cut)
        if verb.asks:
            row.in_flight = repeated(whole.calls, self.server.calls())
            if row.in_flight > standing:
                row.add("paid twice", [f"{row.in_flight} asked again, {standing} under way"])
        return row

    def _suffer(self, verb: Verb, row: Row, whole: Whole, rng: random.Random) -> Ending:
        low = PHASES.index(row.phase) / 3
        share = low + rng.random() / 3
        at = 1 + int(share * whole.events)
        self.server.reset(int(share * whole.calls.total()) if row.fault == "server" else STAYS)
        if row.fault == "server":
            row.struck = True
            return self.start(verb.typed).finish(interrupt_after=SERVER_GONE_S)
        if row.fault == "kill at a time":
            child = self.start(verb.typed)
            child.kill_after(share * whole.seconds)
            ended = child.finish()
            row.struck = ended.killed
            return ended
        ended = self.start(verb.typed, Strike(row.fault, at)).finish()
        row.struck = row.fault == "read-only" or self.tally.events >= at
        return ended

    def _compare(self, verb: Verb, row: Row, cut: State) -> None:
        whole, found = self.whole(verb), State.of(self.trial)
        if not verb.forgets:
            row.add("lost", lost_lines(cut, found))
        row.add("differs", differences(whole.state, found, whole.compared))
        self._check_data(row, verb.data)

    def _check_data(self, row: Row, name: str) -> None:
        if not name:
            return
        data = DataFolder(self.trial / name)
        row.add("doubled", list(doubled_steps(data)))
        words = ["store", "verify", "--data", name]
        verified = self.start(words).finish()
        if verified.code != 0:
            row.add("unsound", [verified.out[-800:] + verified.err[-800:]])

    def _standing(self, name: str) -> int:
        """Calls that were reserved, and of which nobody here knows the end."""
        book = self.trial / name / "payments.jsonl"
        kinds = Counter[str]()
        for line in book.read_bytes().split(b"\n")[:-1] if book.exists() else []:
            kinds[json.loads(line)["kind"]] += 1
        return kinds["reserved"] - kinds["settled"]

    def try_pair(self, verbs: tuple[Verb, Verb], fault: str, number: int, seed: int) -> Row:
        """Type two verbs at once, one of them killed or none; then both again, alone."""
        one, two = verbs
        row = Row(f"{one.name} + {two.name}", fault, PHASES[number % 3], number, seed)
        rng = random.Random(row.key)
        orders = [self.whole(one, two), self.whole(two, one)]
        alone = self.whole(one)
        self._reset_trial()
        self.server.reset()
        at = 1 + int((number % 3 + rng.random()) / 3 * alone.events)
        struck = Strike("kill", at) if fault == "two, one killed" else NEVER
        first = self.start(one.typed, struck)
        second = Child(two.typed, self.trial)
        endings = [first.finish(), second.finish()]
        row.struck = True
        row.ended = " + ".join(map(tell_end, endings))
        endings += [self.start(verb.typed).finish() for verb in verbs]
        for ended in endings:
            if ended.traceback or (ended.code not in (0, 2, -9) and not known(ended)):
                row.add("words", [f"{ended.code} {ended.out[-300:]}{ended.err[-1500:]}"])
        found = State.of(self.trial)
        told = [differences(whole.state, found, whole.compared) for whole in orders]
        if one.forgets:  # a reply's name has the caption in it, which was asked with a name or not
            told = [[line for line in lines if not line.startswith(REPLIES)] for lines in told]
        row.add("differs", min(told, key=len))
        for name in dict.fromkeys(verb.data for verb in verbs):
            self._check_data(row, name)
        return row


def known(ended: Ending) -> bool:
    """Whether a command that was refused said so, and what to type."""
    return ended.code in (1, 130) and "Type:" in ended.err + ended.out


def tell_end(ended: Ending) -> str:
    if ended.killed:
        return "killed"
    if ended.traceback:
        return "traceback"
    if ended.interrupted:
        return "interrupted"
    return "done" if ended.code == 0 else "in words" if ended.code > 0 else "crashed"


def repeated(whole: Counter[str], calls: Counter[str]) -> int:
    """Count the questions that were answered more often than in an undisturbed call."""
    return sum(max(0, count - whole[question]) for question, count in calls.items())


def doubled_steps(data: DataFolder) -> Iterator[str]:
    """Tell which ledgers hold a position or a video twice, or lack one."""
    for path in data.ledgers():
        try:
            positions = [step.position for step in read_ledger(path).steps]
        except DamagedLedger:  # that is the business of verify
            continue
        if positions != list(range(len(positions))):
            yield f"{path.parent.name}: positions {positions}"
