"""Asks models what they like, about the frames that show a set of values.

Of every frame each wording of the question is asked, and of each the opposite too: a model that
says yes to everything then likes and dislikes the same frame, which is seen. The same can be asked
of a description in the place of the frame. Answers are kept by model, manner and frame, so that
nothing is asked twice. Refuses to open a browser and to say what the answers mean.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Literal

from agent.errors import BadConfig
from agent.evaluation.batch import Batch, account_of, as_given, fewest_first, sit, till_of
from agent.judge.budget import SpendingCap
from agent.judge.guard import NO_CAP, guarded
from agent.judge.judge import ModelJudge, QuestionForm
from agent.judge.patience import DEFAULT, Patience, trailing
from agent.models import find_capabilities
from agent.models import load as load_model
from agent.models.base import Model
from agent.models.local_server import warmed
from agent.models.metering import charged_to
from agent.provenance import provenance
from personas import strategies
from personas.persona import Persona
from store.frames.frame_store import FrameStore
from store.results.value_spectrum import RUN_ID, Retrieval, RetrievedFrame
from store.runs.data_folder import DataFolder
from store.runs.records import Judgement
from store.runs.rejudgements import (
    FOLDER,
    JudgementWriter,
    RejudgedAnswer,
    RejudgementHeader,
    RejudgementKey,
    read_judgements,
)

SEED = 1

Onlooker = Callable[[int, int], None]
"""Told how many questions of how many are answered."""
Pass = Literal["pictures", "explanations", "words"]
"""The short answers that scores rest on; why, and what is shown; the same, asked in words."""


@dataclass(frozen=True)
class SpectrumPlan:
    """Who is asked, and how."""

    model: str
    persona: Persona | None = None
    """Whom the model is to be; without one it is asked for its own taste."""
    wordings: int = 3
    explain: bool = False
    """Also ask once about every frame for a reason and a description."""
    cap: SpendingCap = NO_CAP
    describe_by: str | None = None
    """Who describes the frames, to ask the same of the descriptions; nobody, and that is not asked.
    """
    patience: Patience = DEFAULT
    revision: str | None = None
    """Declared of a served model; a describer of another name has none."""

    @property
    def strategy(self) -> str:
        """The strategy whose questions are asked."""
        return "plain" if self.persona is None else "simple"

    @property
    def passes(self) -> tuple[Pass, ...]:
        """What is asked of this model, in order."""
        explain = self.explain or self.describe_by == self.model
        words = self.describe_by is not None
        return ("pictures", *(("explanations",) if explain else ()), *(("words",) if words else ()))

    def check(self) -> None:
        """Refuse what has no honest answer.

        Raises
        ------
        BadConfig
            The model has no taste of its own, or there are not so many wordings.
        """
        if self.persona is None and not find_capabilities(self.model).own_taste:
            raise BadConfig(
                f"{self.model} has no taste of its own to measure; it can only watch as somebody. "
                f"Type: python -m agent spectrum --model {self.model} --persona p12"
            )
        if self.describe_by not in (None, self.model):
            self.describer.check()
        most = strategies.paraphrases(self.strategy)
        if not 1 <= self.wordings <= most:
            raise BadConfig(f"There are {most} wordings of the question. Type: --wordings {most}")

    @property
    def describer(self) -> SpectrumPlan:
        """The other model that describes the frames."""
        return replace(self, model=self.describe_by or self.model, describe_by=None, revision=None)


@dataclass(frozen=True)
class SpectrumFiles:
    """Where the answers of one model lie."""

    answers: Path
    explanations: Path | None
    words: Path | None


@dataclass(frozen=True)
class _Question:
    found: RetrievedFrame
    paraphrase: int
    mirrored: bool
    persona: str
    description: str | None = None
    """What stands in the place of the picture."""

    @property
    def key(self) -> RejudgementKey:
        return RejudgementKey(self.persona, 0, self.found.frame, self.mirrored, 0, self.paraphrase)


async def ask(
    retrieval: Retrieval, asking: SpectrumPlan, data: DataFolder, now: datetime, onlooker: Onlooker
) -> SpectrumFiles:
    """Ask one model what was not asked yet.

    Raises
    ------
    BadConfig
        See `SpectrumPlan.check`.
    BudgetSpent
        The cap is reached. What was answered is kept, and a higher cap goes on from there.
    ModelSilent
        No reply came to too many questions in a row. The same call goes on.
    """
    asking.check()
    place = _Place(retrieval, data, now, onlooker)
    described: Mapping[str, str] = {}
    if asking.describe_by not in (None, asking.model):
        paths = await _ask(place, asking.describer, ("explanations",), {})
        described = _descriptions(paths["explanations"])
    paths = await _ask(place, asking, asking.passes, described)
    return SpectrumFiles(paths["pictures"], paths.get("explanations"), paths.get("words"))


@dataclass(frozen=True)
class _Place:
    """Where models are asked, and about what."""

    retrieval: Retrieval
    data: DataFolder
    now: datetime
    onlooker: Onlooker


async def _ask(
    place: _Place, asking: SpectrumPlan, passes: tuple[Pass, ...], described: Mapping[str, str]
) -> dict[Pass, Path]:
    """Ask one model in several passes; its own descriptions serve where there are no others."""
    async with AsyncExitStack() as stack:
        await stack.enter_async_context(warmed(asking.model))
        loaded = await asyncio.to_thread(load_model, asking.model, asking.revision)
        stack.push_async_callback(loaded.close)
        judges = {each: _judge(asking, each, loaded.fingerprint, place.now) for each in passes}
        folder = place.data.spectra_dir / FOLDER
        writers = {
            each: stack.enter_context(JudgementWriter(folder / f"{judge.slug}.jsonl", judge))
            for each, judge in judges.items()
        }
        paid = {w.path: [line.judgement.usage for line in w.kept] for w in writers.values()}
        till = till_of(place.data, paid, place.now)
        model = guarded(loaded, asking.cap, till, place.data.replies_dir)
        for each, writer in writers.items():
            panel = _Panel(model, asking, each, place.data)
            panel.account = account_of(place.data, writer.path)
            questions = list(_questions(place.retrieval, asking, each, described))
            await _sit(panel, questions, writer, place.onlooker)
            if each == "explanations" and not described:
                described = _descriptions(writer.path)
    return {each: writer.path for each, writer in writers.items()}


def _descriptions(path: Path) -> dict[str, str]:
    """What each frame shows, as far as it was said."""
    asked = read_judgements(path).asked
    return {each.frame: each.judgement.description for each in asked if each.judgement.description}


async def _sit(
    panel: _Panel, questions: list[_Question], writer: JudgementWriter, onlooker: Onlooker
) -> None:
    open_ = [q for q in questions if writer.due(q.key, panel.patience.attempts)]
    due = fewest_first(open_, lambda question: writer.attempts(question.key), SEED)
    done = len(questions) - len(due)

    def tell(more: int) -> None:
        nonlocal done
        done += more
        onlooker(done, len(questions))

    def keep(batch: Batch[_Question, Judgement]) -> None:
        if batch.answered:
            writer.append([_asked(*pair) for pair in batch.answered])

    tell(0)
    before = trailing([line.judgement.missing for line in writer.kept])
    with charged_to(panel.account):
        await sit(due, panel.judge, keep, tell, panel.patience.streak(len(due), before))


class _Panel:
    """One model, asked in every wording and the other way round."""

    def __init__(self, model: Model, asking: SpectrumPlan, part: Pass, data: DataFolder) -> None:
        self.patience = asking.patience
        self.account = ""
        self._frames = FrameStore(data.frames_dir)
        explain: Literal["all", "never"] = "all" if part == "explanations" else "never"
        self._judges = {
            (paraphrase, mirrored): ModelJudge.of(
                model, asking.strategy, asking.persona, QuestionForm(mirrored, paraphrase, explain)
            )
            for paraphrase in range(asking.wordings)
            for mirrored in (False, True)
        }

    async def judge(self, question: _Question) -> Judgement:
        judge = self._judges[question.paraphrase, question.mirrored]
        if question.description is not None:
            return await judge.described(question.description)
        frame = await asyncio.to_thread(self._frames.read, question.found.frame)
        return await judge.judge((frame,), question.found.caption or None)


def _questions(
    retrieval: Retrieval, asking: SpectrumPlan, part: Pass, described: Mapping[str, str]
) -> Iterator[_Question]:
    persona = asking.persona.id if asking.persona else ""
    for found in retrieval.shown.values():
        description = described.get(found.frame) if part == "words" else None
        if part == "explanations":
            yield _Question(found, 0, False, persona)
        elif part == "pictures" or description:  # where nothing is said, nothing can be asked
            for paraphrase in range(asking.wordings):
                for mirrored in (False, True):
                    yield _Question(found, paraphrase, mirrored, persona, description)


def _judge(asking: SpectrumPlan, part: Pass, fingerprint: str, now: datetime) -> RejudgementHeader:
    prompts = strategies.hashes(asking.strategy)
    if asking.persona is not None:  # its sentences are part of what is asked
        told = "\n".join(asking.persona.traits).encode()
        prompts |= {f"persona {asking.persona.id}": hashlib.sha256(told).hexdigest()}
    if part == "words":
        prompts |= {f"described by {asking.describe_by}": strategies.described_hash()}
    return RejudgementHeader(
        run_id=RUN_ID,
        model=asking.model,
        strategy=asking.strategy,
        prompts=prompts,
        explain="all" if part == "explanations" else "never",
        fingerprint=fingerprint,
        seed=SEED,
        at=now,
        code_version=provenance().code_version,
    )


def _asked(question: _Question, judged: Judgement) -> RejudgedAnswer:
    return RejudgedAnswer(
        persona=question.persona,
        position=0,
        frame=question.found.frame,
        mirrored=question.mirrored,
        paraphrase=question.paraphrase,
        judgement=as_given(judged) if question.mirrored else judged,
    )
