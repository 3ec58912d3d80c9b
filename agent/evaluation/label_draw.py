"""Draws the questions that people answer: by strata, each with a known chance.

A draw looks at names, arms, windows and positions, and at no answer. Within a stratum every
question has the same chance, and the seed alone tells which are drawn.
"""

from __future__ import annotations

import hashlib
import json
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from agent.errors import BadConfig
from agent.evaluation.label_session import is_labeller
from agent.evaluation.rejudged_sitting import (
    SMALLEST_SAMPLE,
    askable_steps,
    list_personas,
    split_sample,
)
from agent.provenance import provenance
from personas import strategies
from store.jsonl.paths import is_name
from store.runs.data_folder import DataFolder
from store.runs.labels import DrawHeader, DrawQuestion, DrawStratum, LabelDraw, Stratum
from store.runs.ledger import Ledger
from store.runs.ledger_lines import PersonaRecord, Step
from store.runs.question_draws import rank_question

STRATEGY = "simple"
"""People are asked the plain question, and fill in no questionnaire."""
QUESTIONS = 300
STRATA: tuple[Stratum, ...] = ("run", "window")
"""A run has one arm and one persona, so that these are strata as well."""


@dataclass(frozen=True)
class LabelPlan:
    """How questions are to be drawn."""

    questions: int = QUESTIONS
    strata: tuple[Stratum, ...] = STRATA
    everyone: bool = False
    """As the personas of all runs, about after windows alone: for the persona matrix."""
    seed: int = 1
    labellers: tuple[str, ...] = ()
    overlap: float = 1.0

    def check(self) -> None:
        """Raise ``BadConfig`` for what nobody could draw."""
        if self.everyone and self.questions < SMALLEST_SAMPLE:
            raise BadConfig(
                f"A sample of {self.questions} questions tells nothing of a sway. "
                f"Type: --everyone --questions {SMALLEST_SAMPLE}"
            )
        for name in self.labellers:
            if not is_labeller(name) or self.labellers.count(name) > 1:
                raise BadConfig(
                    f"{ascii(name)[:40]} is no person's name, or stands twice. "
                    "Type: --labellers anna,bo"
                )
        if self.overlap < 1 and len(self.labellers) < 2:
            raise BadConfig(
                "An overlap is of people who share the questions. Type: --labellers anna,bo "
                f"--overlap {self.overlap:g}"
            )


@dataclass(frozen=True)
class _Candidate:
    """A question that could be drawn."""

    run: Ledger
    step: Step
    who: PersonaRecord

    @property
    def own(self) -> bool:
        return self.who.identity == self.run.started.persona.identity

    def stratum(self, fields: Sequence[Stratum]) -> tuple[str, ...]:
        values: Mapping[Stratum, str] = {
            "run": self.run.started.run_id,
            "arm": self.run.started.arm,
            "window": self.step.phase,
            "persona": self.who.identity,
            "own": "own" if self.own else "others",
        }
        return tuple(values[name] for name in fields)

    def rank(self, seed: int) -> float:
        names = (seed, self.run.started.run_id, self.who.identity)
        return rank_question(names, self.step.position)


def draw_questions(runs: Sequence[Ledger], plan: LabelPlan, name: str, now: datetime) -> LabelDraw:
    """Draw questions about runs.

    Raises ``BadConfig`` where there are no questions, or fewer than strata, and where a persona has
    no trait.
    """
    plan.check()
    _refuse_nobody(runs)
    fields: tuple[Stratum, ...] = ("own",) if plan.everyone else plan.strata
    strata: dict[tuple[str, ...], list[_Candidate]] = defaultdict(list)
    for candidate in _list_candidates(runs, everyone=plan.everyone):
        strata[candidate.stratum(fields)].append(candidate)
    sizes = _allocate(plan, {key: len(strata[key]) for key in sorted(strata)})
    questions = [
        _question(candidate, name, plan.seed, size / len(strata[key]))
        for key, size in sizes.items()
        for candidate in sorted(strata[key], key=lambda one: one.rank(plan.seed))[:size]
    ]
    header = DrawHeader(
        name=name,
        at=now,
        seed=plan.seed,
        runs=tuple(run.started.run_id for run in runs),
        strata=fields,
        everyone=plan.everyone,
        labellers=plan.labellers,
        overlap=plan.overlap,
        strategy=STRATEGY,
        prompts=strategies.hashes(STRATEGY),
        code_version=provenance().code_version,
    )
    return LabelDraw(
        header,
        tuple(
            DrawStratum(
                of=dict(zip(fields, key, strict=True)), population=len(strata[key]), sample=size
            )
            for key, size in sizes.items()
        ),
        tuple(_deal(sorted(questions, key=lambda question: question.id), plan)),
    )


def name_draw(data: DataFolder, typed: str, runs: Sequence[Ledger], seed: int) -> str:
    """Name a draw by the study that was typed, else by its first run, and by its seed."""
    is_study = is_name(typed) and (data.studies_dir / typed).is_dir()
    return f"{typed if is_study else runs[0].started.run_id}-{seed}"


def _refuse_nobody(runs: Sequence[Ledger]) -> None:
    for run in runs:
        if not run.started.persona.traits:
            raise BadConfig(
                f"Nobody watched run {run.started.run_id}: its persona has no trait to be asked "
                "as. Type: python -m store runs"
            )


def _list_candidates(runs: Sequence[Ledger], *, everyone: bool) -> Iterator[_Candidate]:
    personas = list_personas(runs, everyone=everyone)
    for run, named in zip(runs, personas, strict=True):
        for step in askable_steps(run, after_alone=everyone):
            for who in named:
                yield _Candidate(run, step, who)


def _allocate(plan: LabelPlan, sizes: Mapping[tuple[str, ...], int]) -> dict[tuple[str, ...], int]:
    """How many questions each stratum gets."""
    if plan.everyone:
        own, others = sizes.get(("own",), 0), sizes.get(("others",), 0)
        split = split_sample(plan.questions, own, others)
        return {("own",): split[True], ("others",): split[False]}
    if not sizes:
        raise BadConfig(
            "These runs have no eligible video with a picture in a window. "
            "Type: python -m store runs"
        )
    if plan.questions < len(sizes):
        raise BadConfig(
            f"By {' and '.join(plan.strata)} there are {len(sizes)} strata, and each needs a "
            f"question. Type: --questions {len(sizes)}, or --strata arm,window"
        )
    return dict(zip(sizes, share_out(plan.questions, list(sizes.values())), strict=True))


def share_out(total: int, sizes: Sequence[int]) -> list[int]:
    """Share a number out in proportion to sizes: at least 1 each, at most the size.

    ``total`` is at least the number of sizes. Whatever is beyond their sum is left.
    """
    whole = sum(sizes)
    if total >= whole:
        return list(sizes)
    quotas = [total * size / whole for size in sizes]
    parts = [max(1, int(quota)) for quota in quotas]
    while (missing := total - sum(parts)) != 0:
        step = 1 if missing > 0 else -1
        free = [
            index
            for index, part in enumerate(parts)
            if (part < sizes[index] if step > 0 else part > 1)
        ]
        nearest = max(free, key=lambda index: (step * (quotas[index] - parts[index]), -index))
        parts[nearest] += step
    return parts


def _question(one: _Candidate, name: str, seed: int, probability: float) -> DrawQuestion:
    started = one.run.started
    asked = (name, seed, started.run_id, one.who.identity, one.step.position)
    return DrawQuestion(
        # the letter keeps spreadsheets from reading a number
        id=f"q{hashlib.sha256(json.dumps(asked).encode()).hexdigest()[:11]}",
        run_id=started.run_id,
        position=one.step.position,
        arm=started.arm,
        window=one.step.phase,
        persona=one.who.id,
        traits=one.who.traits_hash,
        own=one.own,
        probability=probability,
    )


def _deal(questions: Sequence[DrawQuestion], plan: LabelPlan) -> Iterator[DrawQuestion]:
    """Give each labeller those that are asked of all, and an equal part of the others."""
    common = round(plan.overlap * len(questions))
    for number, question in enumerate(questions):
        alone = plan.labellers[number % len(plan.labellers)] if number >= common else None
        yield question.model_copy(update={"by": alone}) if alone else question
