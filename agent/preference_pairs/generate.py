"""Preference pairs from what was watched: described, spoilt in one place, and checked blind.

Of every frame a description is accepted (the run's own where a model wrote one, else it is asked
for), and for each kind of error an editor puts one into it. A pair counts once the edit is local,
of the same length and style, and a checker who sees frame and statement alone finds the accepted
one true and the other false.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Iterable, Sequence
from contextlib import AsyncExitStack
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any

from agent.errors import BadConfig, BudgetSpent
from agent.evaluation import pair_prompts as prompts
from agent.evaluation.question_engine import (
    AskingProgress,
    KeyedQuestion,
    Onlooker,
    QuestionEngine,
    open_models,
)
from agent.judge.judge import ModelJudge, QuestionForm
from agent.judge.model_under_cap import NO_CAP, is_free
from agent.judge.retry_limits import DEFAULT, Patience
from agent.judge.spending_cap import Spending, SpendingCap
from agent.model_settings import ModelSettings
from agent.models import AS_IT_IS, ModelRequest, check_looks, find_capabilities, prices
from agent.models.base import Capabilities, Model, Question, Reply
from agent.models.fingerprint import fingerprint
from agent.models.paid_calls import ask_metered
from agent.preference_pairs.blind_checks import check_prompts, note_answer, pair_of_edit, sum_usages
from agent.preference_pairs.edit_distance import cleaned
from agent.provenance import provenance
from personas.strategies import Prompt
from store.cluster.cluster_address import ClusterAddress
from store.frames.frame_store import FrameStore
from store.jsonl.answer_file import KeyedWriter
from store.results.preference_pairs import (
    ERRORS,
    AcceptedText,
    ErrorKind,
    FrameSource,
    Maker,
    PairLine,
    PreferencePair,
    open_pairs,
)
from store.runs.data_folder import DataFolder
from store.runs.ledger import Ledger
from store.runs.ledger_lines import Judgement, Step, Usage, text_of
from store.runs.shards import WHOLE, Shard

SEED = 1
_SPOKEN: tuple[ErrorKind, ...] = ("persona",)
"""What goes wrong in what a persona says; the other kinds go wrong in descriptions."""


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
    settings: ModelSettings = AS_IT_IS
    """Of the model that describes and edits; a checker of another name has none."""
    connections: int | None = None
    """Questions to a served model under way at once; ``None``: as many as it answers well."""
    batch: bool = False
    """Whether its provider's batch service is asked, at about half the price."""
    shard: Shard = WHOLE
    """Of which pictures pairs are made here."""
    on: ClusterAddress | None = None
    """Cluster whose nodes load the models, where they are local ones."""

    @property
    def requests(self) -> list[ModelRequest]:
        """The model, and the checker where it is another."""
        models = [
            ModelRequest(
                self.model, self.revision, self.settings, self.connections, self.batch, self.on
            )
        ]
        if self.checker is not None and self.checker != self.model:
            models.append(ModelRequest(self.checker, on=self.on))
        return models

    def check(self) -> None:
        """Refuse who writes nothing.

        Raises
        ------
        BadConfig
            The model only answers yes and no, or takes no pictures.
        """
        for name in (self.model, self.checker or self.model):
            check_looks(name)
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
    def rank(self) -> str:
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


def select_frames(runs: Iterable[Ledger], most: int) -> list[JudgedFrame]:
    """One frame of each video, at most so many."""
    found: dict[str, JudgedFrame] = {}
    for run in runs:
        for step in run.steps:
            if step.eligible and step.frames and step.frames[0].quality == "ok":
                one = _judged_frame(run, step)
                found.setdefault(one.source.cluster, one)
    return sorted(found.values(), key=lambda one: one.rank)[:most]


async def make_pairs(
    runs: Sequence[Ledger], plan: PairPlan, data: DataFolder, now: datetime, onlooker: Onlooker
) -> GeneratedPairs:
    """Make the pairs that were not made yet.

    Raises as `PairPlan.check` and `QuestionEngine.run` do, and ``BadConfig`` without a frame.
    """
    plan.check()
    for name in (plan.model, plan.checker or plan.model):
        plan.cap.check(name)
    frames = select_frames(runs, plan.frames)
    if not frames:
        raise BadConfig("No frame is kept yet. Type: python -m agent run --persona p12")
    spoken = _balanced(frames) if "persona" in plan.errors else []
    unbalanced = len(frames) - len(spoken)
    frames, spoken = (
        [one for one in chosen if plan.shard.has(one.source.frame)] for chosen in (frames, spoken)
    )
    engine = QuestionEngine(data, now, plan.cap, plan.patience, onlooker)
    async with AsyncExitStack() as stack:
        models = await open_models(stack, plan.requests)
        both = EditorAndChecker(models[0], models[-1])
        file = stack.enter_context(open_pairs(data, _maker(plan, both.fingerprint, now)))
        model = engine.cap_model(both, [file])
        await _PairMaker(model, plan, engine, file).work(frames, spoken)
    shown = frozenset(one.source.frame for one in frames)
    return GeneratedPairs(file.path, shown, unbalanced)


@dataclass(frozen=True)
class _PairMaker:
    """Asks for texts, has them spoilt and checked, and keeps them as they come."""

    model: Model
    plan: PairPlan
    engine: QuestionEngine
    file: KeyedWriter[Maker, PairLine]

    async def work(self, frames: Sequence[JudgedFrame], spoken: Sequence[JudgedFrame]) -> None:
        """Do what is not done: the accepted texts first, then their pairs."""
        errors = tuple(error for error in self.plan.errors if error not in _SPOKEN)
        texts = [(one, False) for one in frames if errors] + [(one, True) for one in spoken]
        total = len(texts) + len(errors) * len(frames) + len(spoken)
        progress = AskingProgress(self.engine.onlooker, total)
        questions = [
            KeyedQuestion(_key(one, speaks), self.file, partial(self._make_text, one, speaks))
            for one, speaks in texts
        ]
        made = await self.engine.run(self.model, questions, [self.file], list, progress)
        accepted = {
            line.key: line for line in (*self.file.kept, *made) if isinstance(line, AcceptedText)
        }
        wanted: list[tuple[AcceptedText, JudgedFrame, ErrorKind]] = [
            (accepted[_key(one, speaks)], one, error)
            for one, speaks in texts
            for error in (_SPOKEN if speaks else errors)
        ]
        pairs = [
            KeyedQuestion((*text.key, error), self.file, partial(self._make_pair, text, one, error))
            for text, one, error in wanted
            if text.accepted
        ]
        progress.done += len(wanted) - len(pairs)
        await self.engine.run(self.model, pairs, [] if made else [self.file], list, progress)

    async def _make_text(self, one: JudgedFrame, speaks: bool) -> AcceptedText:
        asked = prompts.speak(one.traits) if speaks else prompts.describe()
        common: dict[str, Any] = {
            "source": one.source,
            "system": asked.system,
            "user": asked.user,
            "persona": one.persona if speaks else "",
        }
        if not speaks and one.description:
            return AcceptedText(accepted=cleaned(one.description), stored=True, **common)
        prompt = prompts.speak(one.traits, one.decision) if speaks else asked
        said = await self._ask(prompt, one)
        text = "" if said.missing else cleaned(said.reply)
        return AcceptedText(
            accepted=text, stored=False, missing=said.missing, usage=said.usage, **common
        )

    async def _make_pair(
        self, text: AcceptedText, one: JudgedFrame, error: ErrorKind
    ) -> PreferencePair:
        traits = one.traits if text.persona else ()
        paid: list[Usage] = []
        try:
            said = await self._ask(prompts.edit(text.accepted, error, traits), one)
            paid.append(said.usage)
            pair = pair_of_edit(text, error, said)
            for asked, note in check_prompts(pair, traits) if pair.reason is None else ():
                said = await self._ask(asked, one)
                paid.append(said.usage)
                pair = note_answer(pair, note, said)
                if pair.reason is not None:
                    break
        except BudgetSpent as fault:
            lost = sum(
                (Spending.of(usage) for usage in paid), Spending(**fault.details.get("lost", {}))
            )
            fault.details["lost"] = asdict(lost)
            raise
        return pair.model_copy(update={"usage": sum_usages(paid)})

    async def _ask(self, prompt: Prompt, one: JudgedFrame) -> Judgement:
        frames = FrameStore(self.engine.data.frames_dir)
        frame = await asyncio.to_thread(frames.read, one.source.frame)
        return await ModelJudge(self.model, prompt, QuestionForm()).judge((frame,), one.caption)


class EditorAndChecker:
    """The editor and the checker as one model, so that one cap holds for both."""

    meters = True

    def __init__(self, editor: Model, checker: Model) -> None:
        self.name = editor.name
        self._editor = editor
        self._checker = checker
        self._checking = 0
        self._checked = asyncio.Condition()

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
    def at_once(self) -> int:
        """As many as either takes; those of an editor that limits itself, such as in batches."""
        if self._editor.capabilities.limits_itself:
            return self._editor.at_once
        return min(self._editor.at_once, self._checker.at_once)

    @property
    def about(self) -> str | None:
        """Of the editor."""
        return self._editor.about

    @property
    def settings(self) -> dict[str, Any]:
        each = (self._editor, self._checker)
        return {"both": [[model.name, dict(model.settings)] for model in each]}

    async def ask(self, question: Question) -> Reply:
        """Let the editor write and the checker judge."""
        if question.prompt.kind == "text" or self._checker is self._editor:
            return await self._ask(self._editor, question)
        async with self._checked:
            await self._checked.wait_for(lambda: self._checking < self._checker.at_once)
            self._checking += 1
        try:
            return await self._ask(self._checker, question)
        finally:
            self._checking -= 1
            async with self._checked:
                self._checked.notify_all()

    async def _ask(self, chosen: Model, question: Question) -> Reply:
        if is_free(chosen):
            return await chosen.ask(question)
        return await ask_metered(chosen, question, prices.find(chosen.name))

    async def close(self) -> None:
        await self._editor.close()
        if self._checker is not self._editor:
            await self._checker.close()


def _judged_frame(run: Ledger, step: Step) -> JudgedFrame:
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


def _maker(plan: PairPlan, fingerprint: str, now: datetime) -> Maker:
    return Maker(
        model=plan.model,
        checker=plan.checker or plan.model,
        prompts=prompts.hashes(),
        fingerprint=fingerprint,
        settings=plan.settings.chosen,
        seed=SEED,
        at=now,
        code_version=provenance().code_version,
    )


def _key(one: JudgedFrame, speaks: bool) -> tuple[str, str]:
    return one.source.frame, one.persona if speaks else ""
