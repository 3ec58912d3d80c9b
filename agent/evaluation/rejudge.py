"""Asks a judge again about stored frames: blind, in shuffled order, as any persona.

Every cell of a persona matrix comes from here, the diagonal included, since answers given while
acting differ from answers given in rest. All cells of a run are asked in one sitting, in one
shuffled order, since a judge that moves between two would pass for a sway. Only frames that were
taken before the reaction are shown, equally many per step, and nothing tells whose feed they come
from. Refuses to open a browser and to say what the answers mean.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path

from agent.errors import BadConfig, UserError
from agent.evaluation.batch import Batch, account_of, as_given, fewest_first, sit, till_of
from agent.judge.budget import SpendingCap
from agent.judge.guard import NO_CAP, guarded
from agent.judge.judge import Explain, ModelJudge, QuestionForm
from agent.judge.patience import DEFAULT, Patience, trailing
from agent.judge.reply_cache import Cached, Tally
from agent.models import load as load_model
from agent.models.base import Model
from agent.models.local_server import warmed
from agent.models.metering import charged_to
from agent.provenance import provenance
from agent.run.capture import sheet
from personas import strategies
from personas.persona import Persona
from store.errors import DamagedLedger
from store.frames.frame_store import FrameStore
from store.runs.data_folder import DataFolder
from store.runs.ledger import Ledger
from store.runs.records import Judgement, PersonaRecord, Step, text_of
from store.runs.rejudgements import (
    JudgementWriter,
    RejudgedAnswer,
    RejudgementHeader,
    RejudgementKey,
    judgement_files,
    read_known,
)

Onlooker = Callable[[int, int], None]
"""Told how many questions of how many are answered."""


class OtherSitting(UserError):
    """More personas than a run was judged as: its cells would come from two sittings."""

    def __init__(self, begun: RejudgementHeader, seed: int) -> None:
        names = ", ".join(name.partition("~")[0] for name in begun.personas) or "others"
        super().__init__(
            f"Run {begun.run_id} was judged as {names} on {begun.at:%Y-%m-%d}. A judge may have "
            "moved since, and all cells of a run must come from one sitting. "
            f"Type: the same with --seed {seed}"
        )


class SittingOpen(UserError):
    """A sitting that is not over, of which some personas alone were to be finished."""

    def __init__(self, begun: RejudgementHeader) -> None:
        names = ", ".join(name.partition("~")[0] for name in begun.personas)
        super().__init__(
            f"Run {begun.run_id} is being judged as {names} in one sitting that is not over, and "
            "what is left of it must be asked of all of them alike: name all its runs with "
            f"--everyone, or type: the same with --seed {begun.seed + 1}"
        )


class NobodyWatched(UserError):
    """A run whose persona has no trait, so that a judge cannot be asked as it."""

    def __init__(self, run_id: str) -> None:
        super().__init__(
            f"Nobody watched run {run_id}: its persona has no trait to be asked as. "
            "Type: the same with --strategy plain"
        )


@dataclass(frozen=True)
class RejudgePlan:
    """What is asked about every eligible step of the runs."""

    model: str
    strategy: str = "simple"
    everyone: bool = False
    """As the personas of all runs of its draw (the persona matrix), or each run as its own."""
    mirrored: bool = False
    """Also ask the opposite."""
    repeats: int = 1
    """How often each question is asked."""
    explain: Explain = "never"
    seed: int = 1
    cap: SpendingCap = NO_CAP
    """What these answers may cost, those of earlier sittings included."""
    patience: Patience = DEFAULT
    revision: str | None = None
    """Declared of a served model, whose weights nobody here can see."""


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
    others: int = 0
    """Files that other models of this name have answered in; they stay as they are."""
    left_out: tuple[str, ...] = ()
    """Why runs were left out, whose earlier answers cannot be read."""


@dataclass(frozen=True)
class _Question:
    run: int
    step: Step
    persona: PersonaRecord
    mirrored: bool
    repeat: int
    as_sheet: bool
    sitting: str

    @property
    def key(self) -> RejudgementKey:
        frame = self.step.frames[0].sha256
        return RejudgementKey(
            self.persona.id,
            self.step.position,
            frame,
            self.mirrored,
            self.repeat,
            traits=self.persona.traits_hash,
        )


async def rejudge(
    runs: Sequence[Ledger], asking: RejudgePlan, data: DataFolder, now: datetime, onlooker: Onlooker
) -> Sitting:
    """Ask what was not asked yet.

    Raises
    ------
    BadConfig
        The strategy has no opposite question.
    NobodyWatched
        A run's persona has no trait, and the strategy needs one.
    OtherSitting
        A run was judged before as other personas than it is to be now.
    SittingOpen
        A run's sitting as more personas than now is not over.
    BudgetSpent
        The cap is reached. What was answered is kept, and a higher cap goes on from there.
    ModelSilent
        No reply came to too many questions in a row. The same call goes on.
    """
    _refuse_unaskable(runs, asking)
    asked_as = _asked_as(runs, asking)
    async with AsyncExitStack() as stack:
        await stack.enter_async_context(warmed(asking.model))
        loaded = await asyncio.to_thread(load_model, asking.model, asking.revision)
        stack.push_async_callback(loaded.close)
        judges = [
            _judge(run, personas, asking, loaded.fingerprint, now)
            for run, personas in zip(runs, asked_as, strict=True)
        ]
        left_out: list[str] = []
        entered = _enter(stack, list(zip(runs, judges, strict=True)), data.answers_lock, left_out)
        runs, writers = [runs[run] for run in entered], list(entered.values())
        asked_as = [asked_as[run] for run in entered]
        paid = {w.path: [line.judgement.usage for line in w.kept] for w in writers}
        model = guarded(loaded, asking.cap, till_of(data, paid, now), data.replies_dir)
        panel = _Panel(model, asking, FrameStore(data.frames_dir))
        questions = list(_questions(runs, asking, asked_as))
        due = _due(questions, writers, asking)
        _check_open(due, asked_as, writers)
        done = len(questions) - len(due)

        def tell(more: int) -> None:
            nonlocal done
            done += more
            onlooker(done, len(questions))

        tell(0)
        before = sum(trailing([line.judgement.missing for line in w.kept]) for w in writers)
        streak = asking.patience.streak(len(due), before)

        async def judge(question: _Question) -> Judgement:
            with charged_to(account_of(data, writers[question.run].path)):
                return await panel.judge(question)

        await sit(due, judge, lambda batch: _commit(batch, writers), tell, streak)
        others = sum(map(_other_versions, runs, [judges[run] for run in entered]))
        told = _sitting(questions, due, writers, asking, model)
        return replace(told, others=others, left_out=tuple(left_out))


@dataclass
class _Panel:
    """One model as every persona, asked plainly or the other way round."""

    model: Model
    asking: RejudgePlan
    frames: FrameStore
    _judges: dict[tuple[str, bool, str], ModelJudge] = field(default_factory=dict)

    async def judge(self, question: _Question) -> Judgement:
        place = (question.persona.identity, question.mirrored, question.sitting)
        if place not in self._judges:
            manner = QuestionForm(
                mirrored=question.mirrored, explain=self.asking.explain, sitting=question.sitting
            )
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
    questions: Sequence[_Question], writers: Sequence[JudgementWriter], asking: RejudgePlan
) -> list[_Question]:
    """Return what has no answer yet, in shuffled order; what was tried often comes last."""
    attempts = asking.patience.attempts
    due = [question for question in questions if writers[question.run].due(question.key, attempts)]
    return fewest_first(due, lambda q: writers[q.run].attempts(q.key), asking.seed)


def _check_open(
    due: Sequence[_Question],
    asked_as: Sequence[Sequence[PersonaRecord]],
    writers: Sequence[JudgementWriter],
) -> None:
    """Refuse to answer cells of some personas of a sitting, and leave the others' for later."""
    cells = {question.run for question in due if not question.mirrored and question.repeat == 0}
    for run in sorted(cells):
        begun = writers[run].begun
        if begun is not None and len(begun.personas) > len(asked_as[run]):
            raise SittingOpen(begun)


def _sitting(
    questions: Sequence[_Question],
    due: Sequence[_Question],
    writers: Sequence[JudgementWriter],
    asking: RejudgePlan,
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
    """Keep the answers, each beside its run."""
    for number, writer in enumerate(writers):
        lines = [_asked(*pair) for pair in batch.answered if pair[0].run == number]
        if lines:
            writer.append(lines)


def _persona(kept: PersonaRecord) -> Persona:
    """Return the persona as it was when the run started, whatever its file says now.

    It is not validated again: what may be written into a persona's file today says nothing of it.
    """
    told = kept.model_dump()
    return Persona.model_construct(**told)


def _asked_as(runs: Sequence[Ledger], asking: RejudgePlan) -> list[tuple[PersonaRecord, ...]]:
    """Whom the judge is to be for each run: those whose cells are compared, in one sitting."""
    if not asking.everyone:
        return [(run.started.persona,) for run in runs]
    draws: dict[tuple[object, ...], dict[str, PersonaRecord]] = {}
    for run in runs:
        persona = run.started.persona
        draws.setdefault(_draw_of(run), {})[persona.identity] = persona
    ordered = {draw: tuple(named[name] for name in sorted(named)) for draw, named in draws.items()}
    return [ordered[_draw_of(run)] for run in runs]


def _refuse_unaskable(runs: Sequence[Ledger], asking: RejudgePlan) -> None:
    """Refuse an opposite that there is none of, and a persona without a trait to be asked as."""
    if asking.mirrored and asking.strategy == "isq":
        raise BadConfig("The questionnaire has no opposite question. Type: --strategy simple")
    for run in runs:
        if asking.strategy != "plain" and not run.started.persona.traits:
            raise NobodyWatched(run.started.run_id)


def _draw_of(run: Ledger) -> tuple[object, ...]:
    """What tells the draws of runs apart; runs that nobody drew are one."""
    started, config = run.started, run.started.config
    told = (config.get(name) for name in ("study", "replicate", "block"))
    return (started.platform, started.strategy, started.model, *told)


def _other_versions(run: Ledger, judge: RejudgementHeader) -> int:
    """Count the files beside a run that another model of the same name has answered in."""
    kept = [read_known(path) for path in judgement_files(run.path.parent)]
    heads = [lines[0] for lines in kept if lines]
    return sum(
        isinstance(head, RejudgementHeader) and judge.another_version(head) for head in heads
    )


def _judge(
    run: Ledger,
    personas: Sequence[PersonaRecord],
    asking: RejudgePlan,
    fingerprint: str,
    now: datetime,
) -> RejudgementHeader:
    return RejudgementHeader(
        run_id=run.started.run_id,
        model=asking.model,
        strategy=asking.strategy,
        prompts=strategies.hashes(asking.strategy),
        explain=asking.explain,
        seed=asking.seed,
        fingerprint=fingerprint,
        at=now,
        code_version=provenance().code_version,
        personas=tuple(persona.identity for persona in personas),
    )


def _writer(run: Ledger, judge: RejudgementHeader, among: Path) -> JudgementWriter:
    writer = JudgementWriter(judge.path(run.path.parent), judge, among)
    if writer.begun is not None and not set(judge.personas) <= set(writer.begun.personas):
        begun = writer.begun
        writer.close()
        raise OtherSitting(begun, judge.seed + 1)
    return writer


def _enter(
    stack: AsyncExitStack,
    asked: Sequence[tuple[Ledger, RejudgementHeader]],
    among: Path,
    left_out: list[str],
) -> dict[int, JudgementWriter]:
    """Open every run's file that can be gone on with, by the run's place.

    ``left_out`` takes a sentence for each that is damaged; where all are, the first is raised.
    """
    entered: dict[int, JudgementWriter] = {}
    first: DamagedLedger | None = None
    for place, (run, judge) in enumerate(asked):
        try:
            entered[place] = stack.enter_context(_writer(run, judge, among))
        except DamagedLedger as error:
            first = first or error
            left_out.append(str(error))
    if first is not None and not entered:
        raise first
    return entered


def _questions(
    runs: Sequence[Ledger], asking: RejudgePlan, asked_as: Sequence[Sequence[PersonaRecord]]
) -> Iterator[_Question]:
    for number, (run, personas) in enumerate(zip(runs, asked_as, strict=True)):
        names = [asking.seed, *(persona.identity for persona in personas)]
        sitting = hashlib.sha256(json.dumps(names).encode()).hexdigest()[:16]
        as_sheet = bool(run.started.config.get("frames", {}).get("sheet", False))
        for step in run.steps:
            if not step.eligible or not step.frames:
                continue
            for persona in personas:
                for mirrored in (False, True) if asking.mirrored else (False,):
                    for repeat in range(asking.repeats):
                        yield _Question(number, step, persona, mirrored, repeat, as_sheet, sitting)


def _asked(question: _Question, judged: Judgement) -> RejudgedAnswer:
    return RejudgedAnswer(
        persona=question.persona.id,
        traits=question.persona.traits_hash,
        position=question.step.position,
        frame=question.step.frames[0].sha256,
        mirrored=question.mirrored,
        repeat=question.repeat,
        judgement=as_given(judged) if question.mirrored else judged,
    )
