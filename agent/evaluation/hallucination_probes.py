"""Asks a model which statements about frames are true, of pairs that differ in one word.

Each pair is put as a choice in both orders, and each statement alone, plainly and the other way
round, so that a liking for the first or for yes shows as such; where reasons are wanted the choice
is put once more. Refuses to say what the answers mean.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from agent.errors import BadConfig
from agent.evaluation.batch import keep_lines, sit, till_of
from agent.judge.budget import SpendingCap
from agent.judge.guard import NO_CAP, guarded
from agent.judge.judge import ModelJudge, QuestionForm
from agent.judge.patience import DEFAULT, Patience, trailing
from agent.models import find_capabilities
from agent.models import load as load_model
from agent.models.local_server import warmed
from agent.preferences import prompts
from agent.provenance import provenance
from personas.strategies import Prompt
from store.frames.frame_store import FrameStore
from store.results.hallucination_probes import ProbeAnswer, ProbeQuestion, Prober, writer
from store.results.preference_pairs import LEVELS, NoPairs, PreferencePair, PreferencePairs
from store.runs.data_folder import DataFolder
from store.runs.rejudgements import UNANSWERED

Onlooker = Callable[[int, int], None]
"""Told how many questions of how many are answered."""


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

    def check(self) -> None:
        """Refuse who reads no statement.

        Raises
        ------
        BadConfig
            The model answers questions about a persona's taste only.
        """
        if not find_capabilities(self.model).writes_text:
            raise BadConfig(
                f"{self.model} reads no statements. "
                "Type: python -m agent probe --model scripted/witness"
            )


def questions(pair: PreferencePair, *, reasons: bool) -> Iterator[ProbeQuestion]:
    """What is asked about one pair."""
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


def put(question: ProbeQuestion) -> Prompt:
    """Return the prompt that asks a question."""
    if question.form == "statement":
        return prompts.holds(question.statement, mirrored=question.mirrored)
    return prompts.choice(
        question.statement,
        question.other,
        turned=question.mirrored,
        explain=question.form == "reason",
    )


def probed(pairs: PreferencePairs) -> list[PreferencePair]:
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


async def ask(
    pairs: PreferencePairs, probing: ProbePlan, data: DataFolder, now: datetime, onlooker: Onlooker
) -> Path:
    """Ask a model what it was not asked yet; returns where its answers are.

    Raises
    ------
    BadConfig
        See `ProbePlan.check`.
    NoPairs
        See `probed`.
    BudgetSpent
        The cap is reached. What was answered is kept, and a higher cap goes on from there.
    ModelSilent
        No reply came to too many questions in a row. The same call goes on.
    """
    probing.check()
    due = _due(probed(pairs), probing)
    frames = FrameStore(data.frames_dir)
    async with AsyncExitStack() as stack:
        await stack.enter_async_context(warmed(probing.model))
        loaded = await asyncio.to_thread(load_model, probing.model, probing.revision)
        stack.push_async_callback(loaded.close)
        prober = Prober(
            model=probing.model,
            pairs=pairs.path.stem,
            prompts=prompts.hashes(),
            fingerprint=loaded.fingerprint,
            at=now,
            code_version=provenance().code_version,
        )
        file = stack.enter_context(writer(data, prober))
        kept = [line for line in file.kept if isinstance(line, ProbeAnswer)]
        till = till_of(data, {file.path: [line.judgement.usage for line in kept]}, now)
        model = guarded(loaded, probing.cap, till, data.replies_dir)

        async def answer(question: ProbeQuestion) -> ProbeAnswer:
            frame = await asyncio.to_thread(frames.read, question.frame)
            manner = QuestionForm(explain="all" if question.form == "reason" else "never")
            said = await ModelJudge(model, put(question), manner).judge((frame,), None)
            return ProbeAnswer(frame=question.frame, question=question, judgement=said)

        todo = _unanswered(due, kept, probing.patience.attempts)
        count = len(due) - len(todo)

        def tell(more: int) -> None:
            nonlocal count
            count += more
            onlooker(count, len(due))

        tell(0)
        streak = probing.patience.streak(len(todo), trailing([line.missing for line in kept]))
        await sit(todo, answer, keep_lines(file), tell, streak)
    return file.path


def _unanswered(
    due: Sequence[ProbeQuestion], kept: Sequence[ProbeAnswer], attempts: int
) -> list[ProbeQuestion]:
    """Return what no reply came to yet; what was tried often comes last."""
    tried = Counter(line.question for line in kept)
    done = {line.question for line in kept if line.missing not in UNANSWERED}
    todo = [each for each in due if each not in done and tried[each] < attempts]
    return sorted(todo, key=lambda each: tried[each])


def _due(pairs: Sequence[PreferencePair], probing: ProbePlan) -> list[ProbeQuestion]:
    """Every question once, in an order that mixes pairs and forms."""
    every = {each for pair in pairs for each in questions(pair, reasons=probing.reasons)}
    return sorted(every, key=lambda each: hashlib.sha256(each.model_dump_json().encode()).digest())
