"""A sitting of re-judging: about which runs, as whom, which questions, kept in which files."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import AsyncExitStack, ExitStack
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path

from agent.errors import BadConfig, UserError
from agent.judge.judge import Explain
from agent.judge.model_under_cap import NO_CAP
from agent.judge.retry_limits import DEFAULT, Patience
from agent.judge.spending_cap import SpendingCap
from agent.model_settings import ModelSettings
from agent.models import AS_IT_IS, ModelRequest
from agent.provenance import provenance
from agent.run.used_plug_ins import mark_judge
from personas import strategies
from personas.strategies import ORDERS, Order
from store.cluster.cluster_address import ClusterAddress
from store.errors import DamagedLedger
from store.runs.data_folder import DataFolder
from store.runs.ledger import Ledger
from store.runs.ledger_lines import PersonaRecord, Step
from store.runs.question_draws import LEAST_OF_OTHERS, STEPS, is_drawable, rank_question
from store.runs.rejudgements import (
    JudgementWriter,
    QuestionSample,
    RejudgementHeader,
    RejudgementKey,
)
from store.runs.shards import WHOLE, Shard

SMALLEST_SAMPLE = 100
"""Questions of the smallest sample that the two-judge matrix was checked with."""
OWN_PART = 0.4
"""Of a sample, the part that is put as the persona whose run it is about."""


class OtherSitting(UserError):
    """More personas than a run was judged as: its cells would come from two sittings."""

    def __init__(self, begun: RejudgementHeader, seed: int) -> None:
        names = ", ".join(name.partition("~")[0] for name in begun.personas) or "others"
        super().__init__(
            f"Run {begun.run_id} was judged as {names} on {begun.at:%Y-%m-%d}. A judge may have "
            "moved since, and all cells of a run must come from one sitting. "
            f"Type: the same with --seed {seed}"
        )


class OtherDraw(UserError):
    """A sitting that was begun with other questions drawn."""

    def __init__(self, begun: RejudgementHeader, seed: int) -> None:
        drawn = ""
        if begun.sample is not None:
            drawn = f" --sample {begun.sample.questions}"
        elif begun.others < 1:
            drawn = f" --others {begun.others:g}"
        way = f"with --everyone{drawn}" if drawn else "without --others and --sample"
        super().__init__(
            f"Run {begun.run_id} is judged {way} in this sitting. What is left of "
            f"it must be asked in the same way. Type: the same {way}, or for another sitting with "
            f"--seed {seed}"
        )


class NobodyWatched(UserError):
    """A run whose persona has no trait, so that a judge cannot be asked as it."""

    def __init__(self, run_id: str) -> None:
        super().__init__(
            f"Nobody watched run {run_id}: its persona has no trait to be asked as. "
            "Type: the same with --strategy plain"
        )


class OtherOrder(UserError):
    """A study's own judge, asked persona first about some runs and picture first about others."""

    def __init__(self, run_id: str, order: str) -> None:
        super().__init__(
            f"Run {run_id} was asked {order}, and what one judge says of a study's runs must be "
            f"asked in one order. Type: the same with --order {order}"
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
    sample: int | None = None
    """So many questions about the after windows of all runs, drawn by the seed; ``None``: all."""
    mirrored: bool = False
    repeats: int = 1
    explain: Explain = "never"
    order: Order | None = None
    """What the judge reads first; ``None``: as the judge of the runs did."""
    seed: int = 1
    cap: SpendingCap = NO_CAP
    patience: Patience = DEFAULT
    revision: str | None = None
    """Declared of a served model, whose weights nobody here can see."""
    settings: ModelSettings = AS_IT_IS
    connections: int | None = None
    """Questions to a served model under way at once; ``None``: as many as it answers well."""
    batch: bool = False
    """Whether its provider's batch service is asked, at about half the price."""
    shard: Shard = WHOLE
    """Which of the pictures are asked about here; the sitting is that of all shards."""
    on: ClusterAddress | None = None
    """Cluster whose nodes load the model, where it is a local one."""

    @property
    def request(self) -> ModelRequest:
        return ModelRequest(
            self.model, self.revision, self.settings, self.connections, self.batch, self.on
        )


@dataclass(frozen=True)
class PlannedRun:
    """A run of a sitting, whom the judge is to be for it, and how its questions are drawn."""

    run: Ledger
    personas: tuple[PersonaRecord, ...]
    header: RejudgementHeader

    def questions(self) -> Iterator[tuple[Step, PersonaRecord]]:
        """Yield each step and persona that is asked about, whatever came of it."""
        steps = askable_steps(self.run, self.header.sample is not None)
        positions = [step.position for step in steps]
        own = self.run.started.persona.identity
        drawn = {
            who.identity: self.header.draw(who.identity, positions, own=who.identity == own)
            for who in self.personas
        }
        for step in steps:
            for who in self.personas:
                if step.position in drawn[who.identity]:
                    yield step, who


def askable_steps(run: Ledger, after_alone: bool) -> list[Step]:
    """Return the eligible steps with frames of the windows that are asked about."""
    phases = ("after",) if after_alone else ("before", "after")
    return [one for one in run.steps if one.eligible and one.frames and one.phase in phases]


def question_key(
    step: Step, who: PersonaRecord, *, mirrored: bool = False, repeat: int = 0
) -> RejudgementKey:
    frame = step.frames[0].sha256
    return RejudgementKey(who.id, step.position, frame, mirrored, repeat, traits=who.traits_hash)


def plan_sitting(
    runs: Sequence[Ledger], plan: RejudgePlan, fingerprint: str | None, now: datetime
) -> list[PlannedRun]:
    """Name whom the judge is to be for each run, and draw the questions.

    Raises ``BadConfig``: there are fewer questions than are to be drawn.
    """
    personas = list_personas(runs, everyone=plan.everyone)
    samples = _draw_sample(runs, personas, plan)
    return [
        PlannedRun(run, named, _header(run, named, plan, fingerprint, now, sample))
        for run, named, sample in zip(runs, personas, samples, strict=True)
    ]


def open_files(
    stack: AsyncExitStack | ExitStack, planned: Sequence[PlannedRun], data: DataFolder
) -> tuple[list[tuple[PlannedRun, JudgementWriter]], tuple[str, ...]]:
    """Open every run's file that can be gone on with, and say why the others cannot.

    Raises
    ------
    DamagedLedger
        All are damaged; the first is named.
    OtherDraw, OtherSitting
        A file was begun in another way.
    """
    opened: list[tuple[PlannedRun, JudgementWriter]] = []
    damaged: list[DamagedLedger] = []
    for each in planned:
        try:
            file = stack.enter_context(_open_file(each, data.answers_lock))
            opened.append((each, file))
        except DamagedLedger as error:
            damaged.append(error)
    if damaged and not opened:
        raise damaged[0]
    return opened, tuple(map(str, damaged))


def _open_file(planned: PlannedRun, among: Path) -> JudgementWriter:
    header = planned.header
    file = JudgementWriter(header.path(planned.run.path.parent), header, among)
    if file.begun is None:
        return file
    if not set(header.personas) <= set(file.begun.personas):
        file.close()
        raise OtherSitting(file.begun, header.seed + 1)
    if not header.drawn_as(file.begun):
        file.close()
        raise OtherDraw(file.begun, header.seed + 1)
    return file


def _header(
    run: Ledger,
    personas: Sequence[PersonaRecord],
    plan: RejudgePlan,
    fingerprint: str | None,
    now: datetime,
    sample: QuestionSample | None,
) -> RejudgementHeader:
    return RejudgementHeader(
        run_id=run.started.run_id,
        model=plan.model,
        strategy=plan.strategy,
        prompts=strategies.hashes(plan.strategy),
        explain=plan.explain,
        order=plan.order or "persona-first",
        seed=plan.seed,
        fingerprint=fingerprint,
        settings=plan.settings.chosen,
        at=now,
        code_version=provenance().code_version,
        personas=tuple(persona.identity for persona in personas),
        others=plan.others,
        sample=sample,
        plug_ins=mark_judge(plan.model, plan.strategy),
    )


def choose_order(runs: Sequence[Ledger], plan: RejudgePlan) -> RejudgePlan:
    """Take over the order in which the runs were asked, unless the plan names one.

    Raises ``OtherOrder``: the runs differ, or a study's own judge is to be asked otherwise.
    """
    orders = {run.started.run_id: run.started.config.get("order", ORDERS[0]) for run in runs}
    chosen = plan.order or next(iter(orders.values()), ORDERS[0])
    for run in runs:
        started = run.started
        own = (started.model, started.strategy) == (plan.model, plan.strategy)
        bound = plan.order is None or (own and started.config.get("study") is not None)
        if bound and orders[started.run_id] != chosen:
            raise OtherOrder(started.run_id, orders[started.run_id])
    return replace(plan, order=chosen)


def choose_settings(runs: Sequence[Ledger], plan: RejudgePlan) -> RejudgePlan:
    """Take over how the runs' own model was asked, unless the plan says how, or asks another.

    Raises ``BadConfig`` where it was asked in several ways.
    """
    own = [run.started.config for run in runs if run.started.model == plan.model]
    found = {
        ModelSettings.model_validate(config.get("settings") or {})
        for config in own
        if plan.settings == AS_IT_IS
    }
    if len(found) > 1:
        named = sorted(f"{name}={value}" for one in found for name, value in one.chosen.items())
        raise BadConfig(
            f"{plan.model} was asked in {len(found)} ways in these runs ({', '.join(named)} or as "
            f"it is). Name the runs of one way, or type: --model-setting {named[0]}"
        )
    return replace(plan, settings=found.pop()) if found else plan


def refuse_unaskable(runs: Sequence[Ledger], plan: RejudgePlan) -> None:
    """Refuse an opposite that there is none of, a draw, and a persona without any trait.

    Raises ``BadConfig`` and ``NobodyWatched``.
    """
    _refuse_draw(plan)
    if plan.mirrored and plan.strategy == "isq":
        raise BadConfig("The questionnaire has no opposite question. Type: --strategy simple")
    for run in runs:
        if plan.strategy != "plain" and not run.started.persona.traits:
            raise NobodyWatched(run.started.run_id)


def _refuse_draw(plan: RejudgePlan) -> None:
    """Refuse what is not drawn, or what no test was checked with."""
    if not is_drawable(plan.others) or plan.others < LEAST_OF_OTHERS:
        raise BadConfig(
            f"Shares are drawn in steps of {1 / STEPS:g}, of {LEAST_OF_OTHERS:g} to 1, and "
            f"--others is {plan.others:g}. Type: --others 0.5"
        )
    if (plan.others < 1 or plan.sample is not None) and not plan.everyone:
        more = f"--others {plan.others:g}" if plan.sample is None else f"--sample {plan.sample}"
        raise BadConfig(f"Without --everyone nobody else is asked. Type: --everyone {more}")
    if plan.others < 1 and plan.sample is not None:
        raise BadConfig(
            "One draw at a time: of the others' questions, or a sample. "
            f"Type: --everyone --sample {plan.sample}"
        )
    if plan.sample is not None and plan.sample < SMALLEST_SAMPLE:
        raise BadConfig(
            f"A sample of {plan.sample} questions tells nothing of a sway. "
            f"Type: --sample {SMALLEST_SAMPLE}, or better --sample 300"
        )


def _draw_sample(
    runs: Sequence[Ledger], personas: Sequence[Sequence[PersonaRecord]], plan: RejudgePlan
) -> list[QuestionSample | None]:
    """Draw a sample over all runs: of own questions its part, and the rest of the others'."""
    if plan.sample is None:
        return [None] * len(runs)
    ranks: dict[bool, list[tuple[float, int]]] = {True: [], False: []}
    for index, (run, named) in enumerate(zip(runs, personas, strict=True)):
        for who in named:
            names = (plan.seed, run.started.run_id, who.identity)
            own = who.identity == run.started.persona.identity
            for step in askable_steps(run, after_alone=True):
                ranks[own].append((rank_question(names, step.position), index))
    sizes = split_sample(plan.sample, len(ranks[True]), len(ranks[False]))
    drawn = {own: sorted(ranks[own])[: sizes[own]] for own in (True, False)}
    own_most, others_most = drawn[True][-1][0], drawn[False][-1][0]
    return [
        QuestionSample(
            questions=plan.sample,
            here=sum(where == index for part in drawn.values() for _, where in part),
            own=own_most,
            others=others_most,
        )
        for index in range(len(runs))
    ]


def split_sample(questions: int, own: int, others: int) -> dict[bool, int]:
    """How many of the questions are own ones (true) and others' (false), of so many of each."""
    if not (own and others) or questions > own + others:
        raise BadConfig(
            f"There are {own} questions about own after windows and {others} about others', and a "
            f"sample of {questions} takes more. Type: a smaller number"
        )
    of_own = max(min(round(OWN_PART * questions), own), questions - others)
    return {True: of_own, False: questions - of_own}


def list_personas(runs: Sequence[Ledger], *, everyone: bool) -> list[tuple[PersonaRecord, ...]]:
    """Whom a judge is to be for each run: those whose cells are compared, in one sitting."""
    if not everyone:
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
