"""Asks a model which statements about frames are true, of pairs that differ in one word.

Each pair is put as a choice in both orders, and each statement alone, plainly and the other way
round, so that a liking for the first or for yes shows as such; where reasons are wanted the choice
is put once more.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Iterator, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from pathlib import Path

from agent.errors import BadConfig
from agent.evaluation import pair_prompts as prompts
from agent.evaluation.question_engine import (
    KeyedQuestion,
    Onlooker,
    QuestionEngine,
    fewest_first,
    open_models,
)
from agent.judge.judge import ModelJudge, QuestionForm
from agent.judge.model_under_cap import NO_CAP
from agent.judge.retry_limits import DEFAULT, Patience
from agent.judge.spending_cap import SpendingCap
from agent.model_settings import ModelSettings
from agent.models import AS_IT_IS, ModelRequest, check_looks, find_capabilities
from agent.models.base import Model
from agent.provenance import provenance
from personas.strategies import Prompt
from store.frames.frame_store import FrameStore
from store.results.hallucination_probes import ProbeAnswer, ProbeQuestion, Prober, open_probes
from store.results.preference_pairs import LEVELS, NoPairs, PreferencePair, PreferencePairs
from store.runs.data_folder import DataFolder


@dataclass(frozen=True)
class ProbePlan:
    """Who is asked, and what."""

    model: str
    reasons: bool = True
    """Also ask once about every pair why."""
    cap: SpendingCap = NO_CAP
    patience: Patience = DEFAULT
    revision: str | None = None
    """Declared of a served model."""
    settings: ModelSettings = AS_IT_IS
    connections: int | None = None
    """Questions to a served model under way at once; ``None``: as many as it answers well."""

    @property
    def request(self) -> ModelRequest:
        return ModelRequest(self.model, self.revision, self.settings, self.connections)

    def check(self) -> None:
        """Refuse who reads no statement.

        Raises
        ------
        BadConfig
            The model answers questions about a persona's taste only, or takes no pictures.
        """
        check_looks(self.model)
        if not find_capabilities(self.model).writes_text:
            raise BadConfig(
                f"{self.model} reads no statements. "
                "Type: python -m agent probe --model scripted/witness"
            )


def pair_questions(pair: PreferencePair, *, reasons: bool) -> Iterator[ProbeQuestion]:
    true, false = pair.statements
    frame = pair.source.frame
    for mirrored in (False, True):
        yield ProbeQuestion(
            frame=frame, form="choice", statement=true, other=false, mirrored=mirrored
        )
        for statement in (true, false):
            yield ProbeQuestion(
                frame=frame, form="statement", statement=statement, mirrored=mirrored
            )
    if reasons:
        turned = int(hashlib.sha256(pair.name.encode()).hexdigest(), 16) % 2 == 1
        yield ProbeQuestion(
            frame=frame, form="reason", statement=true, other=false, mirrored=turned
        )


def build_prompt(question: ProbeQuestion) -> Prompt:
    if question.form == "statement":
        return prompts.holds(question.statement, mirrored=question.mirrored)
    return prompts.choice(
        question.statement,
        question.other,
        turned=question.mirrored,
        explain=question.form == "reason",
    )


def probed_pairs(pairs: PreferencePairs) -> list[PreferencePair]:
    """Pairs that a probe asks about.

    Raises
    ------
    NoPairs
        There is none of these kinds.
    """
    found = [pair for pair in pairs.counted if pair.error in LEVELS]
    if not found:
        raise NoPairs(pairs.path)
    return found


async def ask_probes(
    pairs: PreferencePairs, plan: ProbePlan, data: DataFolder, now: datetime, onlooker: Onlooker
) -> Path:
    """Ask a model what it was not asked yet; returns where its answers are.

    Raises as `ProbePlan.check`, `probed_pairs` and `QuestionEngine.run` do.
    """
    plan.check()
    every = _mixed_questions(probed_pairs(pairs), plan)
    engine = QuestionEngine(data, now, plan.cap, plan.patience, onlooker)
    async with AsyncExitStack() as stack:
        (loaded,) = await open_models(stack, [plan.request])
        prober = Prober(
            model=plan.model,
            pairs=pairs.path.stem,
            prompts=prompts.hashes(),
            fingerprint=loaded.fingerprint,
            settings=plan.settings.chosen,
            at=now,
            code_version=provenance().code_version,
        )
        file = stack.enter_context(open_probes(data, prober))
        model = engine.cap_model(loaded, [file])
        ask = partial(_ask, model, FrameStore(data.frames_dir))
        questions = [KeyedQuestion(each, file, partial(ask, each)) for each in every]
        await engine.run(model, questions, [file], fewest_first)
    return file.path


async def _ask(model: Model, frames: FrameStore, question: ProbeQuestion) -> ProbeAnswer:
    frame = await asyncio.to_thread(frames.read, question.frame)
    form = QuestionForm(explain="all" if question.form == "reason" else "never")
    said = await ModelJudge(model, build_prompt(question), form).judge((frame,), None)
    return ProbeAnswer(frame=question.frame, question=question, judgement=said)


def _mixed_questions(pairs: Sequence[PreferencePair], plan: ProbePlan) -> list[ProbeQuestion]:
    """Every question once, in an order that mixes pairs and forms."""
    every = {each for pair in pairs for each in pair_questions(pair, reasons=plan.reasons)}
    return sorted(every, key=lambda each: hashlib.sha256(each.model_dump_json().encode()).digest())
