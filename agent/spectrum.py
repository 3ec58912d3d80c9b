"""Asks models what they like, about the frames that show a set of values.

Of every frame each wording of the question is asked, and of each the opposite too: a model that
says yes to everything then likes and dislikes the same frame, which is seen. Answers are kept by
model, manner and frame, so that nothing is asked twice. Refuses to open a browser and to say what
the answers mean.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Callable, Iterator
from contextlib import AsyncExitStack
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import numpy as np

from agent.errors import BadConfig
from agent.models import load as load_model
from agent.models.base import Model
from agent.models.budget import Cap
from agent.models.guard import NO_CAP, guarded
from agent.models.judge import Explain, Manner, ModelJudge
from agent.provenance import provenance
from agent.sitting import BATCH, Batch, as_given, lose, spent_before
from personas import strategies
from personas.persona import Persona
from store.data import DataFolder
from store.frames import FrameStore
from store.judgements import FOLDER, Asked, Judge, JudgementWriter, Key
from store.records import Judgement
from store.spectra import RUN_ID, Found, Retrieval

SEED = 1

Onlooker = Callable[[int, int], None]
"""Told how many questions of how many are answered."""


@dataclass(frozen=True)
class Asking:
    """Who is asked, and how."""

    model: str
    persona: Persona | None = None
    """Whom the model is to be; without one it is asked for its own taste."""
    wordings: int = 3
    explain: bool = False
    """Also ask once about every frame for a reason and a description."""
    cap: Cap = NO_CAP

    @property
    def strategy(self) -> str:
        """The strategy whose questions are asked."""
        return "plain" if self.persona is None else "simple"

    @property
    def passes(self) -> tuple[Explain, ...]:
        """The scores rest on short answers; explanations are asked for apart."""
        return ("never", "all") if self.explain else ("never",)

    def check(self) -> None:
        """Refuse what has no honest answer.

        Raises
        ------
        BadConfig
            The model has no taste of its own, or there are not so many wordings.
        """
        if self.persona is None and self.model.startswith("embedded/"):
            raise BadConfig(
                f"{self.model} has no taste of its own to measure; it can only watch as somebody. "
                f"Type: python -m agent spectrum --model {self.model} --persona p12"
            )
        most = strategies.paraphrases(self.strategy)
        if not 1 <= self.wordings <= most:
            raise BadConfig(f"There are {most} wordings of the question. Type: --wordings {most}")


@dataclass(frozen=True)
class Kept:
    """Where the answers of one model lie."""

    answers: Path
    explanations: Path | None


@dataclass(frozen=True)
class _Question:
    found: Found
    paraphrase: int
    mirrored: bool
    persona: str

    @property
    def key(self) -> Key:
        return Key(self.persona, 0, self.found.frame, self.mirrored, 0, self.paraphrase)


async def ask(
    retrieval: Retrieval, asking: Asking, data: DataFolder, now: datetime, onlooker: Onlooker
) -> Kept:
    """Ask one model what was not asked yet.

    Raises
    ------
    BadConfig
        See `Asking.check`.
    BudgetSpent
        The cap is reached. What was answered is kept, and a higher cap goes on from there.
    """
    asking.check()
    async with AsyncExitStack() as stack:
        writers = {
            explain: stack.enter_context(_writer(asking, explain, data, now))
            for explain in asking.passes
        }
        loaded = await asyncio.to_thread(load_model, asking.model)
        stack.push_async_callback(loaded.close)
        before = spent_before(list(writers.values()))
        model = guarded(loaded, asking.cap, before, data.replies_dir)
        for explain, writer in writers.items():
            questions = list(_questions(retrieval, asking, explain))
            await _sit(_Panel(model, asking, explain, data), questions, writer, onlooker)
    return Kept(writers["never"].path, writers["all"].path if asking.explain else None)


async def _sit(
    panel: _Panel, questions: list[_Question], writer: JudgementWriter, onlooker: Onlooker
) -> None:
    due = [question for question in questions if question.key not in writer.asked]
    order = np.random.default_rng(SEED).permutation(len(due))
    done = len(questions) - len(due)
    onlooker(done, len(questions))
    for start in range(0, len(due), BATCH):
        batch: Batch[_Question, Judgement] = Batch(
            [due[place] for place in order[start : start + BATCH]]
        )
        try:
            await batch.answer(panel.judge)
        finally:  # what was answered was paid for
            if batch.answered:
                writer.append([_asked(*pair) for pair in batch.answered])
            for _, fault in batch.spent:
                lose(writer, fault)
        if batch.spent:
            raise batch.spent[0][1]
        done += len(batch.answered)
        onlooker(done, len(questions))


class _Panel:
    """One model, asked in every wording and the other way round."""

    def __init__(self, model: Model, asking: Asking, explain: Explain, data: DataFolder) -> None:
        self._frames = FrameStore(data.frames_dir)
        self._judges = {
            (paraphrase, mirrored): ModelJudge.of(
                model, asking.strategy, asking.persona, Manner(mirrored, paraphrase, explain)
            )
            for paraphrase in range(asking.wordings)
            for mirrored in (False, True)
        }

    async def judge(self, question: _Question) -> Judgement:
        frame = await asyncio.to_thread(self._frames.read, question.found.frame)
        judge = self._judges[question.paraphrase, question.mirrored]
        return await judge.judge((frame,), question.found.caption or None)


def _questions(retrieval: Retrieval, asking: Asking, explain: Explain) -> Iterator[_Question]:
    persona = asking.persona.id if asking.persona else ""
    for found in retrieval.shown.values():
        if explain == "all":
            yield _Question(found, 0, False, persona)
            continue
        for paraphrase in range(asking.wordings):
            for mirrored in (False, True):
                yield _Question(found, paraphrase, mirrored, persona)


def _writer(asking: Asking, explain: Explain, data: DataFolder, now: datetime) -> JudgementWriter:
    prompts = strategies.hashes(asking.strategy)
    if asking.persona is not None:  # its sentences are part of what is asked
        told = "\n".join(asking.persona.traits).encode()
        prompts |= {f"persona {asking.persona.id}": hashlib.sha256(told).hexdigest()}
    judge = Judge(
        run_id=RUN_ID, model=asking.model, strategy=asking.strategy, prompts=prompts,
        explain=explain, seed=SEED, at=now, code_version=provenance().code_version,
    )  # fmt: skip
    return JudgementWriter(data.spectra_dir / FOLDER / f"{judge.slug}.jsonl", judge)


def _asked(question: _Question, judged: Judgement) -> Asked:
    return Asked(
        persona=question.persona, position=0, frame=question.found.frame,
        mirrored=question.mirrored, paraphrase=question.paraphrase,
        judgement=as_given(judged) if question.mirrored else judged,
    )  # fmt: skip
