"""Asks a judge again about stored frames: blind, in shuffled order, as any persona.

Every cell of a persona matrix comes from here, the diagonal included, since answers given while
acting differ from answers given in rest. All cells of a run are asked in one sitting, in one
shuffled order, since a judge that moves between two would pass for a sway. Where the picture is
read first, pictures are shuffled, and whoever is asked about each. Only frames that were
taken before the reaction are shown, equally many per step, and nothing tells whose feed they come
from.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
from collections.abc import Iterator, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from datetime import datetime
from functools import partial

import numpy as np

from agent.errors import UserError
from agent.evaluation.question_engine import (
    JudgePanel,
    KeyedQuestion,
    Onlooker,
    Order,
    QuestionEngine,
    fewest_first,
    open_models,
    shuffled,
)
from agent.evaluation.rejudged_sitting import (
    PlannedRun,
    RejudgePlan,
    choose_order,
    choose_settings,
    open_files,
    plan_sitting,
    question_key,
    refuse_unaskable,
)
from agent.judge.judge import QuestionForm
from agent.judge.reply_cache import Cached, Tally
from agent.run.capture import sheet
from personas.persona import Persona
from store.frames.frame_store import FrameStore
from store.runs.data_folder import DataFolder
from store.runs.ledger import Ledger
from store.runs.ledger_lines import PersonaRecord, Step, text_of
from store.runs.rejudgements import (
    JudgementWriter,
    RejudgedAnswer,
    RejudgementHeader,
    RejudgementKey,
    judgement_files,
    read_known,
)

_Question = KeyedQuestion[RejudgementKey, RejudgedAnswer]
_Judged = tuple[PlannedRun, JudgementWriter]
"""A run, and the file in which the answers about it are kept."""


class SittingOpen(UserError):
    """A sitting that is not over, of which some personas alone were to be finished."""

    def __init__(self, begun: RejudgementHeader) -> None:
        names = ", ".join(name.partition("~")[0] for name in begun.personas)
        super().__init__(
            f"Run {begun.run_id} is being judged as {names} in one sitting that is not over, and "
            "what is left of it must be asked of all of them alike: name all its runs with "
            f"--everyone, or type: the same with --seed {begun.seed + 1}"
        )


@dataclass(frozen=True)
class RejudgeOutcome:
    """What one call of `rejudge` did."""

    answered: int
    open: int
    """Questions that no reply came to yet, and that the same call asks again."""
    given_up: int
    """Questions that no reply came to in as many attempts as were declared."""
    replies: Tally | None
    """What the kept replies did; ``None`` for a model without any."""
    others: int
    """Files that other models of this name have answered in."""
    left_out: tuple[str, ...]
    """Why runs were left out, whose earlier answers cannot be read."""


async def rejudge(
    runs: Sequence[Ledger], plan: RejudgePlan, data: DataFolder, now: datetime, onlooker: Onlooker
) -> RejudgeOutcome:
    """Ask what was not asked yet; raises as `QuestionEngine.run` does.

    Raises
    ------
    BadConfig
        The strategy has no opposite question, or the share or the sample is not drawn.
    NobodyWatched, OtherDraw, OtherOrder, OtherSitting, SittingOpen
        A run cannot be asked about in this way.
    """
    plan = choose_settings(runs, choose_order(runs, plan))
    refuse_unaskable(runs, plan)
    engine = QuestionEngine(data, now, plan.cap, plan.patience, onlooker)
    async with AsyncExitStack() as stack:
        (loaded,) = await open_models(stack, [plan.request])
        planned = plan_sitting(runs, plan, loaded.fingerprint, now)
        judged, left_out = open_files(stack, planned, data)
        files = [file for _, file in judged]
        model = engine.cap_model(loaded, files)
        panel = _Panel(JudgePanel(model, plan.strategy), plan, FrameStore(data.frames_dir))
        questions = [
            question
            for each in judged
            for question in panel.questions(*each)
            if plan.shard.has(question.key.frame)  # all about a picture are one machine's
        ]
        due = engine.due(questions)
        _refuse_part_of_sitting(due, judged)
        together = plan.order == "picture-first"
        order = pictures_together(plan.seed) if together else shuffled(plan.seed)
        await engine.run(model, questions, files, order)
        left = [question for question in questions if question.key not in question.file.asked]
        still = len(engine.due(left))
        return RejudgeOutcome(
            answered=sum(question.key in question.file.asked for question in due),
            open=still,
            given_up=len(left) - still,
            replies=model.tally if isinstance(model, Cached) else None,
            others=sum(_count_other_versions(each.run, each.header) for each, _ in judged),
            left_out=left_out,
        )


@dataclass(frozen=True)
class _Panel:
    """One model as every persona, asked plainly or the other way round."""

    judges: JudgePanel
    plan: RejudgePlan
    frames: FrameStore

    def questions(self, planned: PlannedRun, file: JudgementWriter) -> Iterator[_Question]:
        plan, run = self.plan, planned.run
        names: list[object] = [plan.seed, *(persona.identity for persona in planned.personas)]
        if plan.others < 1 or plan.sample is not None:
            names += [plan.others, plan.sample]
        sitting = hashlib.sha256(json.dumps(names).encode()).hexdigest()[:16]
        as_sheet = bool(run.started.config.get("frames", {}).get("sheet", False))
        ways = (False, True) if plan.mirrored else (False,)
        forms = [
            QuestionForm(
                mirrored,
                explain=plan.explain,
                sitting=sitting,
                order=plan.order or "persona-first",
            )
            for mirrored in ways
        ]
        for step, record in planned.questions():
            for form in forms:
                for repeat in range(plan.repeats):
                    key = question_key(step, record, mirrored=form.mirrored, repeat=repeat)
                    ask = partial(self._ask, key, step, record, form, as_sheet=as_sheet)
                    yield KeyedQuestion(key, file, ask)

    async def _ask(
        self,
        key: RejudgementKey,
        step: Step,
        record: PersonaRecord,
        form: QuestionForm,
        *,
        as_sheet: bool,
    ) -> RejudgedAnswer:
        judge = self.judges.judge(persona_of(record), form)
        pictures = await asyncio.to_thread(self._pictures, step, as_sheet=as_sheet)
        said = await judge.judge(pictures, text_of(step.video), repeat=key.repeat)
        return RejudgedAnswer.of(key, said)

    def _pictures(self, step: Step, *, as_sheet: bool) -> tuple[bytes, ...]:
        """Return what the acting judge was given: every frame, or one sheet of them."""
        jpegs = tuple(self.frames.read(frame.sha256) for frame in step.frames)
        return (sheet(jpegs),) if as_sheet and len(jpegs) > 1 else jpegs


def pictures_together(seed: int) -> Order:
    """Shuffle pictures, and what is asked about each: for models that read a picture once.

    All personas and opposites come by turns, at every time of a sitting alike, as they do where
    every question is shuffled. A repeat comes with its own turn of the picture. What was tried
    often comes last all the same.
    """

    def order(due: list[_Question]) -> list[_Question]:
        rng = np.random.default_rng(seed)
        pictures = sorted({_picture_of(question) for question in due})
        turns = dict(zip(pictures, rng.permutation(len(pictures)).tolist(), strict=True))
        mixed = [due[place] for place in rng.permutation(len(due))]
        return fewest_first(sorted(mixed, key=lambda question: turns[_picture_of(question)]))

    return order


def _picture_of(question: _Question) -> tuple[str, int, int]:
    return str(question.file.path), question.key.position, question.key.repeat


def persona_of(kept: PersonaRecord) -> Persona:
    """Return the persona as it was when the run started, whatever its file says now.

    It is not validated again: what may be written into a persona's file today says nothing of it.
    """
    fields = kept.model_dump()
    return Persona.model_construct(**fields)


def _refuse_part_of_sitting(due: Sequence[_Question], judged: Sequence[_Judged]) -> None:
    """Refuse to answer cells of some personas of a sitting, and leave the others' for later."""
    cells = {one.file for one in due if not one.key.mirrored and one.key.repeat == 0}
    for each, file in judged:
        begun = file.begun if file in cells else None
        if begun is not None and len(begun.personas) > len(each.personas):
            raise SittingOpen(begun)


def _count_other_versions(run: Ledger, header: RejudgementHeader) -> int:
    """Count the files beside a run that another model of the same name has answered in."""
    kept = [read_known(path) for path in judgement_files(run.path.parent)]
    heads = [lines[0] for lines in kept if lines]
    return sum(
        isinstance(head, RejudgementHeader) and header.another_version(head) for head in heads
    )
