"""Asks a judge again about stored frames: blind, in shuffled order, as any persona.

Every cell of a persona matrix comes from here, the diagonal included, since answers given while
acting differ from answers given in rest. Only frames that were taken before the reaction are
shown, equally many per step, and nothing tells whose feed they come from. Refuses to open a
browser and to say what the answers mean.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import AsyncExitStack
from dataclasses import asdict, dataclass, field, replace
from datetime import datetime

import numpy as np

from agent.errors import BadConfig, BudgetSpent
from agent.looking import sheet
from agent.models import load as load_model
from agent.models.base import Model
from agent.models.budget import Account, Cap, Spent
from agent.models.cache import Cached, Tally
from agent.models.guard import NO_CAP, guarded
from agent.models.judge import Explain, Manner, ModelJudge
from agent.provenance import provenance
from personas import strategies
from personas.persona import Persona
from store.data import DataFolder
from store.files import write_whole
from store.frames import FrameStore
from store.judgements import Asked, Judge, JudgementWriter, Key
from store.ledger import Ledger
from store.records import Judgement, PersonaRecord, Step, text_of

BATCH = 32
"""Answers committed together."""
AT_ONCE = 8
"""Questions under way at the same time."""
LOST = ".lost.json"
"""Ends the name of the file, beside a judge's answers, that holds what was paid for none."""

Onlooker = Callable[[int, int], None]
"""Told how many questions of how many are answered."""


@dataclass(frozen=True)
class Asking:
    """What is asked about every eligible step of the runs."""

    model: str
    strategy: str = "simple"
    everyone: bool = False
    """As the personas of all runs (the persona matrix), or each run as its own persona."""
    mirrored: bool = False
    """Also ask the opposite."""
    repeats: int = 1
    """How often each question is asked."""
    explain: Explain = "never"
    seed: int = 1
    cap: Cap = NO_CAP
    """What these answers may cost, those of earlier sittings included."""


@dataclass(frozen=True)
class Sitting:
    """What one call of `rejudge` did."""

    answered: int
    """Questions that were answered now."""
    replies: Tally | None
    """What the kept replies did; ``None`` for a model without any."""


@dataclass(frozen=True)
class _Question:
    run: int
    step: Step
    persona: str
    mirrored: bool
    repeat: int
    as_sheet: bool

    @property
    def key(self) -> Key:
        frame = self.step.frames[0].sha256
        return Key(self.persona, self.step.position, frame, self.mirrored, self.repeat)


async def rejudge(
    runs: Sequence[Ledger],
    asking: Asking,
    data: DataFolder,
    now: datetime,
    onlooker: Onlooker,
) -> Sitting:
    """Ask what was not asked yet.

    Raises
    ------
    BadConfig
        The strategy has no opposite question.
    BudgetSpent
        The cap is reached. What was answered is kept, and a higher cap goes on from there.
    """
    if asking.mirrored and asking.strategy == "isq":
        raise BadConfig("The questionnaire has no opposite question. Type: --strategy simple")
    personas = {run.started.persona.id: _persona(run.started.persona) for run in runs}
    async with AsyncExitStack() as stack:
        writers = [stack.enter_context(_writer(run, asking, now)) for run in runs]
        loaded = await asyncio.to_thread(load_model, asking.model)
        stack.push_async_callback(loaded.close)
        model = guarded(loaded, asking.cap, _spent(writers), data.replies_dir)
        panel = _Panel(model, asking, personas, FrameStore(data.frames_dir))
        questions = list(_questions(runs, asking, sorted(personas)))
        due = [q for q in questions if q.key not in writers[q.run].asked]
        order = np.random.default_rng(asking.seed).permutation(len(due))
        done = len(questions) - len(due)
        onlooker(done, len(questions))
        for start in range(0, len(due), BATCH):
            batch = _Batch([due[place] for place in order[start : start + BATCH]])
            try:
                await batch.answer(panel)
            finally:  # what was answered was paid for
                batch.commit(writers)
            if batch.spent:
                raise batch.spent[0][1]
            done += len(batch.answered)
            onlooker(done, len(questions))
        return Sitting(len(due), model.tally if isinstance(model, Cached) else None)


@dataclass
class _Panel:
    """One model as every persona, asked plainly or the other way round."""

    model: Model
    asking: Asking
    personas: dict[str, Persona]
    frames: FrameStore
    _judges: dict[tuple[str, bool], ModelJudge] = field(default_factory=dict)

    async def judge(self, question: _Question) -> Judgement:
        place = (question.persona, question.mirrored)
        if place not in self._judges:
            manner = Manner(mirrored=question.mirrored, explain=self.asking.explain)
            self._judges[place] = ModelJudge.of(
                self.model, self.asking.strategy, self.personas[question.persona], manner
            )
        given = await asyncio.to_thread(self._pictures, question)
        caption = text_of(question.step.video)
        return await self._judges[place].judge(given, caption, repeat=question.repeat)

    def _pictures(self, question: _Question) -> tuple[bytes, ...]:
        """Return what the acting judge was given: every frame, or one sheet of them."""
        jpegs = tuple(self.frames.read(frame.sha256) for frame in question.step.frames)
        return (sheet(jpegs),) if question.as_sheet and len(jpegs) > 1 else jpegs


@dataclass
class _Batch:
    """Questions whose answers are committed together."""

    questions: Sequence[_Question]
    answered: list[tuple[_Question, Judgement]] = field(default_factory=list)
    spent: list[tuple[_Question, BudgetSpent]] = field(default_factory=list)
    """Questions that the cap left without an answer."""

    async def answer(self, panel: _Panel) -> None:
        """Answer, several at a time; the first failure ends the others.

        A spent budget is no failure: what is under way fits in it and is waited for.
        """
        places = asyncio.Semaphore(AT_ONCE)

        async def one(question: _Question) -> None:
            async with places:
                if self.spent:
                    return
                try:
                    self.answered.append((question, await panel.judge(question)))
                except BudgetSpent as fault:
                    self.spent.append((question, fault))

        try:
            async with asyncio.TaskGroup() as group:
                for question in self.questions:
                    group.create_task(one(question))
        except BaseExceptionGroup as errors:
            raise errors.exceptions[0] from None

    def commit(self, writers: Sequence[JudgementWriter]) -> None:
        """Keep the answers, and what was paid for none."""
        for number, writer in enumerate(writers):
            lines = [_asked(*pair) for pair in self.answered if pair[0].run == number]
            if lines:
                writer.append(lines)
        for question, fault in self.spent:
            _lose(writers[question.run], fault)


def _spent(writers: Sequence[JudgementWriter]) -> Account:
    """Add up what earlier sittings spent on these questions."""
    account = Account.of_usages(line.judgement.usage for writer in writers for line in writer.kept)
    lost = sum((_lost(writer) for writer in writers), start=Spent())
    return replace(account, spent=account.spent + lost)


def _lost(writer: JudgementWriter) -> Spent:
    """Return what was paid for calls that led to no answer before the cap was reached."""
    path = writer.path.with_suffix(LOST)
    return Spent(**json.loads(path.read_bytes())) if path.exists() else Spent()


def _lose(writer: JudgementWriter, fault: BudgetSpent) -> None:
    lost = _lost(writer) + Spent(**fault.details.get("lost", {}))
    write_whole(writer.path.with_suffix(LOST), json.dumps(asdict(lost)).encode())


def _persona(kept: PersonaRecord) -> Persona:
    """Return the persona as it was when the run started, whatever its file says now."""
    return Persona(id=kept.id, traits=kept.traits, source=kept.source, licence=kept.licence)


def _writer(run: Ledger, asking: Asking, now: datetime) -> JudgementWriter:
    judge = Judge(
        run_id=run.started.run_id, model=asking.model, strategy=asking.strategy,
        prompts=strategies.hashes(asking.strategy), explain=asking.explain, seed=asking.seed,
        at=now, code_version=provenance().code_version,
    )  # fmt: skip
    return JudgementWriter(judge.path(run.path.parent), judge)


def _questions(
    runs: Sequence[Ledger], asking: Asking, everyone: Sequence[str]
) -> Iterator[_Question]:
    for number, run in enumerate(runs):
        asked_as = everyone if asking.everyone else (run.started.persona.id,)
        as_sheet = bool(run.started.config.get("frames", {}).get("sheet", False))
        for step in run.steps:
            if not step.eligible or not step.frames:
                continue
            for persona in asked_as:
                for mirrored in (False, True) if asking.mirrored else (False,):
                    for repeat in range(asking.repeats):
                        yield _Question(number, step, persona, mirrored, repeat, as_sheet)


def _asked(question: _Question, judged: Judgement) -> Asked:
    """Return the line; the answer to an opposite question is kept as it was given."""
    if question.mirrored and judged.answer is not None:
        turned = "no" if judged.answer == "yes" else "yes"
        p_yes = None if judged.p_yes is None else 1 - judged.p_yes
        judged = judged.model_copy(update={"answer": turned, "p_yes": p_yes})
    return Asked(
        persona=question.persona, position=question.step.position,
        frame=question.step.frames[0].sha256, mirrored=question.mirrored,
        repeat=question.repeat, judgement=judged,
    )  # fmt: skip
