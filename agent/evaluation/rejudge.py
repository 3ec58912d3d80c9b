"""Asks a judge again about stored frames: blind, in shuffled order, as any persona.

Every cell of a persona matrix comes from here, the diagonal included, since answers given while
acting differ from answers given in rest. All cells of a run are asked in one sitting, in one
shuffled order, since a judge that moves between two would pass for a sway. Only frames that were
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
from pathlib import Path

from agent.errors import BadConfig, UserError
from agent.evaluation.question_engine import (
    JudgePanel,
    KeyedQuestion,
    Onlooker,
    QuestionEngine,
    open_models,
    shuffled,
)
from agent.judge.judge import Explain, QuestionForm
from agent.judge.model_under_cap import NO_CAP
from agent.judge.reply_cache import Cached, Tally
from agent.judge.retry_limits import DEFAULT, Patience
from agent.judge.spending_cap import SpendingCap
from agent.provenance import provenance
from agent.run.capture import sheet
from personas import strategies
from personas.persona import Persona
from store.errors import DamagedLedger
from store.frames.frame_store import FrameStore
from store.runs.data_folder import DataFolder
from store.runs.ledger import Ledger
from store.runs.ledger_lines import PersonaRecord, Step, text_of
from store.runs.question_draws import STEPS, is_drawable
from store.runs.rejudgements import (
    JudgementWriter,
    RejudgedAnswer,
    RejudgementHeader,
    RejudgementKey,
    judgement_files,
    read_known,
)

_Question = KeyedQuestion[RejudgementKey, RejudgedAnswer]
LEAST_OF_OTHERS = 0.25
"""Smallest share of the others' questions that the matrix's test was checked with."""


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


class OtherDraw(UserError):
    """A sitting that was begun with another share of the questions drawn."""

    def __init__(self, begun: RejudgementHeader, seed: int) -> None:
        drawn = [
            f"--{name} {share:g}"
            for name, share in (("others", begun.others), ("sample", begun.sample))
            if share < 1
        ]
        way = f"with --everyone {drawn[0]}" if drawn else "without --others and --sample"
        super().__init__(
            f"Run {begun.run_id} is judged {way} in this sitting. What is left of it must be "
            f"asked in the same way. Type: the same {way}, or for another sitting with "
            f"--seed {seed}"
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
    """What is asked about eligible steps; of the adapt block nothing, since none is compared."""

    model: str
    strategy: str = "simple"
    everyone: bool = False
    """As the personas of all runs of its draw (the persona matrix), or each run as its own."""
    others: float = 1.0
    """Share of the videos of other runs that each persona is asked about, drawn by the seed."""
    sample: float = 1.0
    """Share of the videos that every persona is asked about, drawn by the seed."""
    mirrored: bool = False
    repeats: int = 1
    explain: Explain = "never"
    seed: int = 1
    cap: SpendingCap = NO_CAP
    patience: Patience = DEFAULT
    revision: str | None = None
    """Declared of a served model, whose weights nobody here can see."""


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


@dataclass(frozen=True)
class _JudgedRun:
    """A run, whom the judge is to be for it, and where the answers are kept."""

    run: Ledger
    personas: tuple[PersonaRecord, ...]
    header: RejudgementHeader
    file: JudgementWriter

    def draw(self, who: PersonaRecord, steps: Sequence[Step]) -> set[int]:
        """Positions of the steps that are asked about as a persona."""
        own = who.identity == self.run.started.persona.identity
        return self.header.draw(who.identity, [step.position for step in steps], own=own)


async def rejudge(
    runs: Sequence[Ledger], plan: RejudgePlan, data: DataFolder, now: datetime, onlooker: Onlooker
) -> RejudgeOutcome:
    """Ask what was not asked yet; raises as `QuestionEngine.run` does.

    Raises
    ------
    BadConfig
        The strategy has no opposite question, or the share is not drawn.
    NobodyWatched, OtherDraw, OtherSitting, SittingOpen
        A run cannot be asked about in this way.
    """
    _refuse_unaskable(runs, plan)
    engine = QuestionEngine(data, now, plan.cap, plan.patience, onlooker)
    async with AsyncExitStack() as stack:
        (loaded,) = await open_models(stack, {plan.model: plan.revision})
        judged, left_out = _open_files(stack, runs, plan, loaded.fingerprint, engine)
        files = [each.file for each in judged]
        model = engine.cap_model(loaded, files)
        panel = _Panel(JudgePanel(model, plan.strategy), plan, FrameStore(data.frames_dir))
        questions = [question for each in judged for question in panel.questions(each)]
        due = engine.due(questions)
        _refuse_part_of_sitting(due, judged)
        await engine.run(questions, files, shuffled(plan.seed))
        left = [question for question in questions if question.key not in question.file.asked]
        still = len(engine.due(left))
        return RejudgeOutcome(
            answered=sum(question.key in question.file.asked for question in due),
            open=still,
            given_up=len(left) - still,
            replies=model.tally if isinstance(model, Cached) else None,
            others=sum(_count_other_versions(each.run, each.header) for each in judged),
            left_out=left_out,
        )


@dataclass(frozen=True)
class _Panel:
    """One model as every persona, asked plainly or the other way round."""

    judges: JudgePanel
    plan: RejudgePlan
    frames: FrameStore

    def questions(self, judged: _JudgedRun) -> Iterator[_Question]:
        plan, run = self.plan, judged.run
        names: list[object] = [plan.seed, *(persona.identity for persona in judged.personas)]
        if not (plan.others == plan.sample == 1):
            names += [plan.others, plan.sample]
        sitting = hashlib.sha256(json.dumps(names).encode()).hexdigest()[:16]
        as_sheet = bool(run.started.config.get("frames", {}).get("sheet", False))
        ways = (False, True) if plan.mirrored else (False,)
        forms = [QuestionForm(mirrored, explain=plan.explain, sitting=sitting) for mirrored in ways]
        steps = [one for one in run.steps if one.eligible and one.frames and one.phase != "adapt"]
        drawn = {who.identity: judged.draw(who, steps) for who in judged.personas}
        for step in steps:
            for record in judged.personas:
                if step.position not in drawn[record.identity]:
                    continue
                for form in forms:
                    for repeat in range(plan.repeats):
                        key = _key(step, record, form, repeat)
                        ask = partial(self._ask, key, step, record, form, as_sheet=as_sheet)
                        yield KeyedQuestion(key, judged.file, ask)

    async def _ask(
        self,
        key: RejudgementKey,
        step: Step,
        record: PersonaRecord,
        form: QuestionForm,
        *,
        as_sheet: bool,
    ) -> RejudgedAnswer:
        judge = self.judges.judge(_persona(record), form)
        pictures = await asyncio.to_thread(self._pictures, step, as_sheet=as_sheet)
        said = await judge.judge(pictures, text_of(step.video), repeat=key.repeat)
        return RejudgedAnswer.of(key, said)

    def _pictures(self, step: Step, *, as_sheet: bool) -> tuple[bytes, ...]:
        """Return what the acting judge was given: every frame, or one sheet of them."""
        jpegs = tuple(self.frames.read(frame.sha256) for frame in step.frames)
        return (sheet(jpegs),) if as_sheet and len(jpegs) > 1 else jpegs


def _key(step: Step, record: PersonaRecord, form: QuestionForm, repeat: int) -> RejudgementKey:
    return RejudgementKey(
        record.id,
        step.position,
        step.frames[0].sha256,
        form.mirrored,
        repeat,
        traits=record.traits_hash,
    )


def _persona(kept: PersonaRecord) -> Persona:
    """Return the persona as it was when the run started, whatever its file says now.

    It is not validated again: what may be written into a persona's file today says nothing of it.
    """
    fields = kept.model_dump()
    return Persona.model_construct(**fields)


def _refuse_unaskable(runs: Sequence[Ledger], plan: RejudgePlan) -> None:
    """Refuse an opposite that there is none of, a draw, and a persona without any trait."""
    _refuse_draw(plan)
    if plan.mirrored and plan.strategy == "isq":
        raise BadConfig("The questionnaire has no opposite question. Type: --strategy simple")
    for run in runs:
        if plan.strategy != "plain" and not run.started.persona.traits:
            raise NobodyWatched(run.started.run_id)


def _refuse_draw(plan: RejudgePlan) -> None:
    """Refuse shares that are not drawn, or that no test was checked with."""
    for name, share, least in (
        ("others", plan.others, LEAST_OF_OTHERS),
        ("sample", plan.sample, 1 / STEPS),
    ):
        if not is_drawable(share) or share < least:
            raise BadConfig(
                f"Shares are drawn in steps of {1 / STEPS:g}, of {least:g} to 1, and --{name} is "
                f"{share:g}. Type: --{name} 0.5"
            )
    if plan.others < 1 and not plan.everyone:
        raise BadConfig("Without --everyone nobody else is asked. Type: --everyone --others 0.5")
    if plan.others < 1 and plan.sample < 1:
        raise BadConfig(
            "One draw at a time: of the others' questions, or of the videos. "
            "Type: --everyone --others 0.5"
        )


def _refuse_part_of_sitting(due: Sequence[_Question], judged: Sequence[_JudgedRun]) -> None:
    """Refuse to answer cells of some personas of a sitting, and leave the others' for later."""
    cells = {one.file for one in due if not one.key.mirrored and one.key.repeat == 0}
    for each in judged:
        begun = each.file.begun if each.file in cells else None
        if begun is not None and len(begun.personas) > len(each.personas):
            raise SittingOpen(begun)


def _personas_of(runs: Sequence[Ledger], plan: RejudgePlan) -> list[tuple[PersonaRecord, ...]]:
    """Whom the judge is to be for each run: those whose cells are compared, in one sitting."""
    if not plan.everyone:
        return [(run.started.persona,) for run in runs]
    draws: dict[tuple[object, ...], dict[str, PersonaRecord]] = {}
    for run in runs:
        persona = run.started.persona
        draws.setdefault(_draw_of(run), {})[persona.identity] = persona
    ordered = {draw: tuple(named[name] for name in sorted(named)) for draw, named in draws.items()}
    return [ordered[_draw_of(run)] for run in runs]


def _draw_of(run: Ledger) -> tuple[object, ...]:
    """What tells the draws of runs apart; runs that nobody drew are one."""
    started, config = run.started, run.started.config
    drawn = (config.get(name) for name in ("study", "replicate", "block"))
    return (started.platform, started.strategy, started.model, *drawn)


def _count_other_versions(run: Ledger, header: RejudgementHeader) -> int:
    """Count the files beside a run that another model of the same name has answered in."""
    kept = [read_known(path) for path in judgement_files(run.path.parent)]
    heads = [lines[0] for lines in kept if lines]
    return sum(
        isinstance(head, RejudgementHeader) and header.another_version(head) for head in heads
    )


def _header(
    run: Ledger,
    personas: Sequence[PersonaRecord],
    plan: RejudgePlan,
    fingerprint: str,
    now: datetime,
) -> RejudgementHeader:
    return RejudgementHeader(
        run_id=run.started.run_id,
        model=plan.model,
        strategy=plan.strategy,
        prompts=strategies.hashes(plan.strategy),
        explain=plan.explain,
        seed=plan.seed,
        fingerprint=fingerprint,
        at=now,
        code_version=provenance().code_version,
        personas=tuple(persona.identity for persona in personas),
        others=plan.others,
        sample=plan.sample,
    )


def _open_file(run: Ledger, header: RejudgementHeader, among: Path) -> JudgementWriter:
    file = JudgementWriter(header.path(run.path.parent), header, among)
    if file.begun is None:
        return file
    if not set(header.personas) <= set(file.begun.personas):
        file.close()
        raise OtherSitting(file.begun, header.seed + 1)
    if not header.drawn_as(file.begun):
        file.close()
        raise OtherDraw(file.begun, header.seed + 1)
    return file


def _open_files(
    stack: AsyncExitStack,
    runs: Sequence[Ledger],
    plan: RejudgePlan,
    fingerprint: str,
    engine: QuestionEngine,
) -> tuple[list[_JudgedRun], tuple[str, ...]]:
    """Open every run's file that can be gone on with, and say why the others cannot.

    Raises
    ------
    DamagedLedger
        All are damaged; the first is named.
    """
    opened: list[_JudgedRun] = []
    damaged: list[DamagedLedger] = []
    for run, personas in zip(runs, _personas_of(runs, plan), strict=True):
        header = _header(run, personas, plan, fingerprint, engine.now)
        try:
            file = stack.enter_context(_open_file(run, header, engine.data.answers_lock))
            opened.append(_JudgedRun(run, personas, header, file))
        except DamagedLedger as error:
            damaged.append(error)
    if damaged and not opened:
        raise damaged[0]
    return opened, tuple(map(str, damaged))
