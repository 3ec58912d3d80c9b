"""Asks a judge again about stored frames: blind, in shuffled order, as any persona.

Every cell of a persona matrix comes from here, the diagonal included, since answers given while
acting differ from answers given in rest. Only frames that were taken before the reaction are
shown, equally many per step, and nothing tells whose feed they come from. Refuses to open a
browser and to say what the answers mean.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from datetime import datetime

from agent.errors import BadConfig
from agent.looking import sheet
from agent.models import load as load_model
from agent.models.base import Model
from agent.models.budget import Cap
from agent.models.cache import Cached, Tally
from agent.models.guard import NO_CAP, guarded
from agent.models.judge import Explain, Manner, ModelJudge
from agent.models.patience import DEFAULT, Patience, trailing
from agent.provenance import provenance
from agent.sitting import Batch, as_given, fewest_first, lose, sit, spent_before
from personas import strategies
from personas.persona import Persona
from store.data import DataFolder
from store.frames import FrameStore
from store.judgements import Asked, Judge, JudgementWriter, Key
from store.ledger import Ledger
from store.records import Judgement, PersonaRecord, Step, text_of

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
    patience: Patience = DEFAULT


@dataclass(frozen=True)
class Sitting:
    """What one call of `rejudge` did."""

    answered: int
    """Questions that were answered now."""
    open: int
    """Questions that no reply came to yet, and that the same call asks again."""
    given_up: int
    """Questions that no reply came to in as many attempts as were declared."""
    replies: Tally | None
    """What the kept replies did; ``None`` for a model without any."""


@dataclass(frozen=True)
class _Question:
    run: int
    step: Step
    persona: PersonaRecord
    mirrored: bool
    repeat: int
    as_sheet: bool

    @property
    def key(self) -> Key:
        frame = self.step.frames[0].sha256
        return Key(
            self.persona.id, self.step.position, frame, self.mirrored, self.repeat,
            traits=self.persona.traits_hash,
        )  # fmt: skip


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
    ModelSilent
        No reply came to too many questions in a row. The same call goes on.
    """
    if asking.mirrored and asking.strategy == "isq":
        raise BadConfig("The questionnaire has no opposite question. Type: --strategy simple")
    personas = {run.started.persona.identity: run.started.persona for run in runs}
    async with AsyncExitStack() as stack:
        writers = [stack.enter_context(_writer(run, asking, now)) for run in runs]
        loaded = await asyncio.to_thread(load_model, asking.model)
        stack.push_async_callback(loaded.close)
        model = guarded(loaded, asking.cap, spent_before(writers), data.replies_dir)
        panel = _Panel(model, asking, FrameStore(data.frames_dir))
        questions = list(_questions(runs, asking, [personas[name] for name in sorted(personas)]))
        due = _due(questions, writers, asking)
        done = len(questions) - len(due)

        def tell(more: int) -> None:
            nonlocal done
            done += more
            onlooker(done, len(questions))

        tell(0)
        before = sum(trailing([line.judgement.missing for line in w.kept]) for w in writers)
        streak = asking.patience.streak(len(due), before)
        await sit(due, panel.judge, lambda batch: _commit(batch, writers), tell, streak)
        return _sitting(questions, due, writers, asking, model)


@dataclass
class _Panel:
    """One model as every persona, asked plainly or the other way round."""

    model: Model
    asking: Asking
    frames: FrameStore
    _judges: dict[tuple[str, bool], ModelJudge] = field(default_factory=dict)

    async def judge(self, question: _Question) -> Judgement:
        place = (question.persona.identity, question.mirrored)
        if place not in self._judges:
            manner = Manner(mirrored=question.mirrored, explain=self.asking.explain)
            self._judges[place] = ModelJudge.of(
                self.model, self.asking.strategy, _persona(question.persona), manner
            )
        given = await asyncio.to_thread(self._pictures, question)
        caption = text_of(question.step.video)
        return await self._judges[place].judge(given, caption, repeat=question.repeat)

    def _pictures(self, question: _Question) -> tuple[bytes, ...]:
        """Return what the acting judge was given: every frame, or one sheet of them."""
        jpegs = tuple(self.frames.read(frame.sha256) for frame in question.step.frames)
        return (sheet(jpegs),) if question.as_sheet and len(jpegs) > 1 else jpegs


def _due(
    questions: Sequence[_Question], writers: Sequence[JudgementWriter], asking: Asking
) -> list[_Question]:
    """Return what has no answer yet, in shuffled order; what was tried often comes last."""
    attempts = asking.patience.attempts
    due = [question for question in questions if writers[question.run].due(question.key, attempts)]
    return fewest_first(due, lambda q: writers[q.run].attempts(q.key), asking.seed)


def _sitting(
    questions: Sequence[_Question],
    due: Sequence[_Question],
    writers: Sequence[JudgementWriter],
    asking: Asking,
    model: Model,
) -> Sitting:
    """Add up what came of a sitting."""
    left = [question for question in questions if question.key not in writers[question.run].asked]
    still = len(_due(left, writers, asking))
    return Sitting(
        answered=sum(question.key in writers[question.run].asked for question in due),
        open=still,
        given_up=len(left) - still,
        replies=model.tally if isinstance(model, Cached) else None,
    )


def _commit(batch: Batch[_Question, Judgement], writers: Sequence[JudgementWriter]) -> None:
    """Keep the answers, and what was paid for none."""
    for number, writer in enumerate(writers):
        lines = [_asked(*pair) for pair in batch.answered if pair[0].run == number]
        if lines:
            writer.append(lines)
    for question, fault in batch.spent:
        lose(writers[question.run], fault)


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
    runs: Sequence[Ledger], asking: Asking, everyone: Sequence[PersonaRecord]
) -> Iterator[_Question]:
    for number, run in enumerate(runs):
        asked_as = everyone if asking.everyone else (run.started.persona,)
        as_sheet = bool(run.started.config.get("frames", {}).get("sheet", False))
        for step in run.steps:
            if not step.eligible or not step.frames:
                continue
            for persona in asked_as:
                for mirrored in (False, True) if asking.mirrored else (False,):
                    for repeat in range(asking.repeats):
                        yield _Question(number, step, persona, mirrored, repeat, as_sheet)


def _asked(question: _Question, judged: Judgement) -> Asked:
    return Asked(
        persona=question.persona.id, traits=question.persona.traits_hash,
        position=question.step.position,
        frame=question.step.frames[0].sha256, mirrored=question.mirrored,
        repeat=question.repeat,
        judgement=as_given(judged) if question.mirrored else judged,
    )  # fmt: skip
