"""Preference pairs from what was watched: described, spoilt in one place, and checked blind.

Of every frame a description is accepted (the run's own where a model wrote one, else it is asked
for), and for each kind of error an editor puts one into it. A pair counts once the edit is local,
of the same length and style, and a checker who sees frame and statement alone finds the accepted
one true and the other false. Refuses to say what the pairs are worth.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections import Counter
from collections.abc import Awaitable, Callable, Iterable, Iterator, Sequence
from contextlib import AsyncExitStack
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Any, TypeVar

from agent.errors import BadConfig, BudgetSpent
from agent.evaluation.batch import keep_lines, sit, till_of
from agent.judge.budget import Spending, SpendingCap
from agent.judge.guard import NO_CAP, guarded, is_free
from agent.judge.judge import ModelJudge, QuestionForm, sum_known
from agent.judge.patience import DEFAULT, Patience, trailing
from agent.models import find_capabilities, prices
from agent.models import load as load_model
from agent.models.base import Capabilities, Model, Question, Reply
from agent.models.fingerprint import fingerprint
from agent.models.local_server import warmed
from agent.models.metering import ask_metered
from agent.preferences import prompts
from agent.preferences.edit_distance import cleaned, compare
from agent.provenance import provenance
from personas.strategies import Prompt
from store.frames.frame_store import FrameStore
from store.jsonl.keyed import KeyedWriter
from store.results.preference_pairs import (
    ERRORS,
    AcceptedText,
    ErrorKind,
    FrameSource,
    Maker,
    PreferencePair,
    Reason,
    writer,
)
from store.runs.data_folder import DataFolder
from store.runs.ledger import Ledger
from store.runs.records import Judgement, Step, Usage, text_of
from store.runs.rejudgements import UNANSWERED

SEED = 1
_SPOKEN: tuple[ErrorKind, ...] = ("persona",)
"""What goes wrong in what a persona says; the other kinds go wrong in descriptions."""

Onlooker = Callable[[int, int], None]
"""Told how much of how much is done."""
Writer = KeyedWriter[Maker | AcceptedText | PreferencePair]
_Task = TypeVar("_Task")
_Line = TypeVar("_Line", AcceptedText, PreferencePair)


@dataclass(frozen=True)
class PairPlan:
    """Who makes pairs, and of what."""

    model: str
    """Describes and edits."""
    checker: str | None = None
    """Checks; ``None``: the same model, which is not told who wrote what it checks."""
    errors: tuple[ErrorKind, ...] = ERRORS
    frames: int = 200
    """Frames at most, each of another video."""
    cap: SpendingCap = NO_CAP
    patience: Patience = DEFAULT
    revision: str | None = None
    """Declared of a served model; a checker of another name has none."""

    def check(self) -> None:
        """Refuse who writes nothing.

        Raises
        ------
        BadConfig
            The model only answers yes and no.
        """
        for name in (self.model, self.checker or self.model):
            if not find_capabilities(name).writes_text:
                raise BadConfig(
                    f"{name} writes no text and sees no statement. "
                    "Type: python -m agent pairs --model scripted/editor"
                )


@dataclass(frozen=True)
class JudgedFrame:
    """One frame, with what its run made of it."""

    source: FrameSource
    caption: str | None
    description: str | None
    """By the run's own judge, where that is a model that writes."""
    persona: str
    traits: tuple[str, ...]
    decision: str | None
    """``watch`` or ``leave``, where the run's judge had an answer."""

    @property
    def place(self) -> str:
        """Orders frames as if at random, and always alike."""
        return hashlib.sha256(f"{SEED}/{self.source.cluster}".encode()).hexdigest()


@dataclass(frozen=True)
class GeneratedPairs:
    """What one call came to."""

    path: Path
    frames: frozenset[str]
    """Those that were wanted now; the file may hold others."""
    unbalanced: int
    """Frames without a persona pair, since as many of the other answer were not there."""


def shown(runs: Iterable[Ledger], most: int) -> list[JudgedFrame]:
    """One frame of each video, at most so many."""
    found: dict[str, JudgedFrame] = {}
    for run in runs:
        for step in run.steps:
            if step.eligible and step.frames and step.frames[0].quality == "ok":
                one = _shown(run, step)
                found.setdefault(one.source.cluster, one)
    return sorted(found.values(), key=lambda one: one.place)[:most]


async def make(
    runs: Sequence[Ledger], making: PairPlan, data: DataFolder, now: datetime, onlooker: Onlooker
) -> GeneratedPairs:
    """Make the pairs that were not made yet.

    Raises
    ------
    BadConfig
        See `PairPlan.check`; or there is no frame.
    BudgetSpent
        The cap is reached. What was made is kept, and a higher cap goes on from there.
    ModelSilent
        No reply came to too many questions in a row. The same call goes on.
    """
    making.check()
    for name in (making.model, making.checker or making.model):
        making.cap.check(name)
    frames = shown(runs, making.frames)
    if not frames:
        raise BadConfig("No frame is kept yet. Type: python -m agent run --persona p12")
    spoken = _balanced(frames) if "persona" in making.errors else []
    async with AsyncExitStack() as stack:
        for name in sorted({making.model, making.checker or making.model}):
            await stack.enter_async_context(warmed(name))
        both = await asyncio.to_thread(_Both.load, making)
        stack.push_async_callback(both.close)
        file = stack.enter_context(writer(data, _maker(making, both.fingerprint, now)))
        paid = [line.usage for line in file.kept if not isinstance(line, Maker)]
        till = till_of(data, {file.path: paid}, now)
        model = guarded(both, making.cap, till, data.replies_dir)
        await _Desk(model, making, FrameStore(data.frames_dir), file, onlooker).work(frames, spoken)
    wanted = frozenset(one.source.frame for one in frames)
    return GeneratedPairs(file.path, wanted, len(frames) - len(spoken))


class _Desk:
    """Where texts are asked for, spoilt and checked, and kept as they come."""

    def __init__(
        self, model: Model, making: PairPlan, frames: FrameStore, file: Writer, onlooker: Onlooker
    ) -> None:
        self._model = model
        self._making = making
        self._frames = frames
        self._file = file
        self._onlooker = onlooker
        self._done = 0
        self._total = 0

    async def work(self, frames: Sequence[JudgedFrame], spoken: Sequence[JudgedFrame]) -> None:
        """Do what is not done: the accepted texts first, then their pairs."""
        lines = [line for line in self._file.kept if not isinstance(line, Maker)]
        kept = _settled(lines, self._making.patience.attempts)
        told = {line.key: line for line in kept if isinstance(line, AcceptedText)}
        pairs = {line.key for line in kept if isinstance(line, PreferencePair)}
        silent = trailing([line.missing for line in lines])
        errors = tuple(error for error in self._making.errors if error not in _SPOKEN)
        texts = [(one, False) for one in frames if errors] + [(one, True) for one in spoken]
        self._total = len(texts) + len(errors) * len(frames) + len(spoken)
        due = [(one, speaks) for one, speaks in texts if _key(one, speaks) not in told]
        self._tell(len(texts) - len(due))
        for line in await self._sit(due, self._text, silent):
            told[line.key] = line
        wanted: list[tuple[AcceptedText, JudgedFrame, ErrorKind]] = [
            (told[_key(one, speaks)], one, error)
            for one, speaks in texts
            for error in (_SPOKEN if speaks else errors)
        ]
        todo = [each for each in wanted if (*each[0].key, each[2]) not in pairs]
        todo = [each for each in todo if each[0].accepted]
        self._tell(len(wanted) - len(todo))
        await self._sit(todo, self._pair, 0 if due else silent)

    async def _sit(
        self, due: Sequence[_Task], work: Callable[[_Task], Awaitable[_Line]], silent: int
    ) -> list[_Line]:
        streak = self._making.patience.streak(len(due), silent)
        return await sit(due, work, keep_lines(self._file), self._tell, streak)

    def _tell(self, more: int) -> None:
        self._done += more
        self._onlooker(self._done, self._total)

    async def _text(self, task: tuple[JudgedFrame, bool]) -> AcceptedText:
        one, speaks = task
        asked = prompts.speak(one.traits) if speaks else prompts.describe()
        common: dict[str, Any] = {
            "source": one.source,
            "system": asked.system,
            "user": asked.user,
            "persona": one.persona if speaks else "",
        }
        if not speaks and one.description:
            return AcceptedText(accepted=cleaned(one.description), stored=True, **common)
        put = prompts.speak(one.traits, one.decision) if speaks else asked
        said = await self._ask(put, one)
        text = "" if said.missing else cleaned(said.reply)
        return AcceptedText(
            accepted=text, stored=False, missing=said.missing, usage=said.usage, **common
        )

    async def _pair(self, task: tuple[AcceptedText, JudgedFrame, ErrorKind]) -> PreferencePair:
        told, one, error = task
        traits = one.traits if told.persona else ()
        paid: list[Usage] = []
        try:
            said = await self._ask(prompts.edit(told.accepted, error, traits), one)
            paid.append(said.usage)
            pair = _edited(told, error, said)
            for asked, note in _checks(pair, traits) if pair.reason is None else ():
                said = await self._ask(asked, one)
                paid.append(said.usage)
                pair = _noted(pair, note, said)
                if pair.reason is not None:
                    break
        except BudgetSpent as fault:
            lost = sum(
                (Spending.of(usage) for usage in paid), Spending(**fault.details.get("lost", {}))
            )
            fault.details["lost"] = asdict(lost)
            raise
        return pair.model_copy(update={"usage": _sum(paid)})

    async def _ask(self, prompt: Prompt, one: JudgedFrame) -> Judgement:
        frame = await asyncio.to_thread(self._frames.read, one.source.frame)
        return await ModelJudge(self._model, prompt, QuestionForm()).judge((frame,), one.caption)


class _Both:
    """The editor and the checker as one model, so that one cap holds for both."""

    meters = True

    def __init__(self, editor: Model, checker: Model) -> None:
        self.name = editor.name
        self._editor = editor
        self._checker = checker

    @classmethod
    def load(cls, making: PairPlan) -> _Both:
        editor = load_model(making.model, making.revision)
        if making.checker in (None, making.model):
            return cls(editor, editor)
        return cls(editor, load_model(str(making.checker)))

    @property
    def fingerprint(self) -> str:
        """That of the editor, or of both where the checker is another."""
        if self._checker is self._editor:
            return self._editor.fingerprint
        return fingerprint([self._editor.fingerprint, self._checker.fingerprint])

    @property
    def capabilities(self) -> Capabilities:
        """Those of the editor; tokens are used where either uses any."""
        free = is_free(self._editor) and is_free(self._checker)
        return replace(self._editor.capabilities, uses_tokens=not free)

    @property
    def about(self) -> str | None:
        """Of the editor."""
        return self._editor.about

    @property
    def settings(self) -> dict[str, Any]:
        """What makes them answer as they do."""
        each = (self._editor, self._checker)
        return {"both": [[model.name, dict(model.settings)] for model in each]}

    async def ask(self, question: Question) -> Reply:
        """Let the editor write and the checker judge."""
        chosen = self._editor if question.prompt.kind == "text" else self._checker
        if is_free(chosen):
            return await chosen.ask(question)
        return await ask_metered(chosen, question, prices.find(chosen.name))

    async def close(self) -> None:
        """Release both."""
        await self._editor.close()
        if self._checker is not self._editor:
            await self._checker.close()


def _shown(run: Ledger, step: Step) -> JudgedFrame:
    started, said, frame = run.started, step.judgement, step.frames[0]
    return JudgedFrame(
        source=FrameSource(
            frame=frame.sha256,
            phash=frame.phash,
            platform=started.platform,
            video=step.video.id,
            author=step.video.author,
            run=started.run_id,
            position=step.position,
        ),
        caption=text_of(step.video),
        description=said.description if find_capabilities(started.model).describes else None,
        persona=started.persona.identity,
        traits=started.persona.traits,
        decision={"yes": "watch", "no": "leave"}.get(said.answer or ""),
    )


def _balanced(frames: Sequence[JudgedFrame]) -> list[JudgedFrame]:
    """As many that were watched as were left, so that neither answer is the accepted one."""
    sides = [[one for one in frames if one.decision == side] for side in ("watch", "leave")]
    most = min(map(len, sides))
    return [one for side in sides for one in side[:most]]


def _maker(making: PairPlan, fingerprint: str, now: datetime) -> Maker:
    return Maker(
        model=making.model,
        checker=making.checker or making.model,
        prompts=prompts.hashes(),
        fingerprint=fingerprint,
        seed=SEED,
        at=now,
        code_version=provenance().code_version,
    )


def _key(one: JudgedFrame, speaks: bool) -> tuple[str, str]:
    return one.source.frame, one.persona if speaks else ""


def _settled(
    lines: Sequence[AcceptedText | PreferencePair], attempts: int
) -> list[AcceptedText | PreferencePair]:
    """Leave out what no reply came to, unless it was asked for often enough."""
    tried = Counter(line.key for line in lines)
    return [line for line in lines if line.missing not in UNANSWERED or tried[line.key] >= attempts]


def _edited(told: AcceptedText, error: ErrorKind, said: Judgement) -> PreferencePair:
    """The pair as the editor made it, held to what can be told from the texts alone."""
    text = cleaned(said.reply)
    common: dict[str, Any] = {
        "source": told.source,
        "error": error,
        "persona": told.persona,
        "accepted": told.accepted,
    }
    if said.missing:
        return PreferencePair(rejected="", reason="unanswered", missing=said.missing, **common)
    if text.strip(".") == "NONE":
        return PreferencePair(rejected="", reason="nothing_to_change", **common)
    edit = compare(told.accepted, text, error)
    return PreferencePair(
        rejected=text,
        statements=edit.statements,
        swapped=edit.swapped,
        checks=edit.checks,
        reason=edit.reason,
        **common,
    )


_NOTES: dict[str, tuple[bool, Reason]] = {
    "on_target": (True, "off_target"),
    "rejected_holds": (False, "not_contradicted"),
    "accepted_holds": (True, "accepted_denied"),
}
"""What a checker is asked: the answer that is wanted, and what another one means."""


def _checks(pair: PreferencePair, traits: Sequence[str]) -> Iterator[tuple[Prompt, str]]:
    """What is asked of a pair, blind: which statement was accepted is never told."""
    turned = int(hashlib.sha256(pair.name.encode()).hexdigest(), 16) % 2
    first, second = pair.statements[turned], pair.statements[1 - turned]
    yield prompts.differs(first, second, pair.error), "on_target"
    for text, note in zip(pair.statements, ("accepted_holds", "rejected_holds"), strict=True):
        yield prompts.fits(text, traits) if traits else prompts.holds(text), note


def _noted(pair: PreferencePair, note: str, said: Judgement) -> PreferencePair:
    """The pair with one answer of the checker."""
    assert pair.checks is not None, "only what was compared is checked"
    wanted, otherwise = _NOTES[note]
    answer = None if said.answer is None else said.answer == "yes"
    reason = "unanswered" if answer is None else None if answer == wanted else otherwise
    checks = pair.checks.model_copy(update={note: answer})
    return pair.model_copy(update={"checks": checks, "reason": reason, "missing": said.missing})


def _sum(usages: Sequence[Usage]) -> Usage:
    return Usage(
        calls=sum(usage.calls for usage in usages),
        input_tokens=sum_known(usage.input_tokens for usage in usages),
        output_tokens=sum_known(usage.output_tokens for usage in usages),
        cost_usd=sum_known(usage.cost_usd for usage in usages),
        cached=bool(usages) and all(usage.cached for usage in usages),
    )
