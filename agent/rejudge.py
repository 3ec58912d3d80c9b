"""Asks a judge again about stored frames: blind, in shuffled order, as any persona.

Every cell of a persona matrix comes from here, the diagonal included, since answers given while
acting differ from answers given in rest. Only frames that were taken before the reaction are
shown, equally many per step, and nothing tells whose feed they come from. Refuses to open a
browser and to say what the answers mean.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import datetime

import numpy as np

from agent.errors import BadConfig
from agent.models import load as load_model
from agent.models.judge import Manner, ModelJudge
from agent.provenance import provenance
from personas import strategies
from personas.persona import Persona
from store.data import DataFolder
from store.frames import FrameStore
from store.judgements import Asked, Judge, JudgementWriter, Key
from store.ledger import Ledger
from store.records import Judgement, PersonaRecord, Step, text_of

BATCH = 32
"""Answers committed together."""
AT_ONCE = 8
"""Questions under way at the same time."""

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
    seed: int = 1


@dataclass(frozen=True)
class _Question:
    run: int
    step: Step
    persona: str
    mirrored: bool
    repeat: int

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
) -> int:
    """Ask what was not asked yet; return how many questions were answered now.

    Raises
    ------
    BadConfig
        The strategy has no opposite question.
    """
    if asking.mirrored and asking.strategy == "isq":
        raise BadConfig("The questionnaire has no opposite question. Type: --strategy simple")
    personas = {run.started.persona.id: _persona(run.started.persona) for run in runs}
    model = await asyncio.to_thread(load_model, asking.model)
    frames = FrameStore(data.frames_dir)
    judges: dict[tuple[str, bool], ModelJudge] = {}
    with ExitStack() as stack:
        writers = [stack.enter_context(_writer(run, asking, now)) for run in runs]
        questions = list(_questions(runs, asking, sorted(personas)))
        due = [q for q in questions if q.key not in writers[q.run].asked]
        order = np.random.default_rng(asking.seed).permutation(len(due))
        shuffled = [due[place] for place in order]

        async def answer(question: _Question) -> tuple[_Question, Judgement]:
            place = (question.persona, question.mirrored)
            if place not in judges:
                manner = Manner(mirrored=question.mirrored)
                judges[place] = ModelJudge.of(
                    model, asking.strategy, personas[question.persona], manner
                )
            jpeg = await asyncio.to_thread(frames.read, question.step.frames[0].sha256)
            caption = text_of(question.step.video)
            judged = await judges[place].judge((jpeg,), caption, repeat=question.repeat)
            return question, judged

        try:
            done = len(questions) - len(due)
            onlooker(done, len(questions))
            for start in range(0, len(shuffled), BATCH):
                answered = await _in_parallel(shuffled[start : start + BATCH], answer)
                _commit(writers, answered)
                done += len(answered)
                onlooker(done, len(questions))
        finally:
            await model.close()
    return len(due)


def _persona(kept: PersonaRecord) -> Persona:
    """Return the persona as it was when the run started, whatever its file says now."""
    return Persona(id=kept.id, traits=kept.traits, source=kept.source, licence=kept.licence)


def _writer(run: Ledger, asking: Asking, now: datetime) -> JudgementWriter:
    judge = Judge(
        run_id=run.started.run_id, model=asking.model, strategy=asking.strategy,
        prompts=strategies.hashes(asking.strategy), seed=asking.seed, at=now,
        code_version=provenance().code_version,
    )  # fmt: skip
    return JudgementWriter(judge.path(run.path.parent), judge)


def _questions(
    runs: Sequence[Ledger], asking: Asking, everyone: Sequence[str]
) -> Iterator[_Question]:
    for number, run in enumerate(runs):
        asked_as = everyone if asking.everyone else (run.started.persona.id,)
        for step in run.steps:
            if not step.eligible or not step.frames:
                continue
            for persona in asked_as:
                for mirrored in (False, True) if asking.mirrored else (False,):
                    for repeat in range(asking.repeats):
                        yield _Question(number, step, persona, mirrored, repeat)


async def _in_parallel(
    questions: Sequence[_Question],
    answer: Callable[[_Question], Awaitable[tuple[_Question, Judgement]]],
) -> list[tuple[_Question, Judgement]]:
    places = asyncio.Semaphore(AT_ONCE)

    async def one(question: _Question) -> tuple[_Question, Judgement]:
        async with places:
            return await answer(question)

    return list(await asyncio.gather(*(one(question) for question in questions)))


def _commit(
    writers: Sequence[JudgementWriter], answered: Sequence[tuple[_Question, Judgement]]
) -> None:
    for number, writer in enumerate(writers):
        lines = [_asked(*pair) for pair in answered if pair[0].run == number]
        if lines:
            writer.append(lines)


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
