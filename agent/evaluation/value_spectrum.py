"""Asks models what they like, about the frames that show a set of values.

Of every frame each wording of the question is asked, and of each the opposite too: a model that
says yes to everything then likes and dislikes the same frame, which is seen. The same can be asked
of a description in the place of the frame. Answers are kept by model, manner and frame, so that
nothing is asked twice.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Iterator, Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Literal

from agent.errors import BadConfig
from agent.evaluation.question_engine import (
    JudgePanel,
    KeyedQuestion,
    Onlooker,
    QuestionEngine,
    open_models,
    shuffled,
)
from agent.judge.judge import QuestionForm
from agent.judge.model_under_cap import NO_CAP
from agent.judge.retry_limits import DEFAULT, Patience
from agent.judge.spending_cap import SpendingCap
from agent.model_settings import ModelSettings
from agent.models import AS_IT_IS, ModelRequest, check_looks, find_capabilities
from agent.provenance import provenance
from personas import strategies
from personas.persona import Persona
from store.cluster.cluster_address import ClusterAddress
from store.frames.frame_store import FrameStore
from store.results.value_spectrum import RUN_ID, Retrieval, RetrievedFrame
from store.runs.data_folder import DataFolder
from store.runs.rejudgements import (
    JudgementWriter,
    RejudgedAnswer,
    RejudgementHeader,
    RejudgementKey,
    read_judgements,
)
from store.runs.shards import WHOLE, Shard

SEED = 1

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
    settings: ModelSettings = AS_IT_IS
    """Of the model asked; a describer of another name has none."""
    connections: int | None = None
    """Questions to a served model under way at once; ``None``: as many as it answers well."""
    batch: bool = False
    """Whether its provider's batch service is asked, at about half the price."""
    shard: Shard = WHOLE
    """Which of the pictures are asked about here."""
    on: ClusterAddress | None = None
    """Cluster whose nodes load the model, where it is a local one."""

    @property
    def request(self) -> ModelRequest:
        return ModelRequest(
            self.model, self.revision, self.settings, self.connections, self.batch, self.on
        )

    @property
    def strategy(self) -> str:
        return "plain" if self.persona is None else "simple"

    @property
    def passes(self) -> tuple[Pass, ...]:
        """What is asked of this model, in order."""
        if not find_capabilities(self.model).takes_pictures:
            return ("words",)
        explain = self.explain or self.describe_by == self.model
        words = self.describe_by is not None
        return ("pictures", *(("explanations",) if explain else ()), *(("words",) if words else ()))

    def check(self) -> None:
        """Refuse what has no honest answer.

        Raises
        ------
        BadConfig
            The model has no taste of its own, it takes no pictures and nobody else describes them,
            or there are not so many wordings.
        """
        if self.describe_by in (None, self.model):
            check_looks(self.model)
        if self.persona is None and not find_capabilities(self.model).own_taste:
            raise BadConfig(
                f"{self.model} has no taste of its own to measure; it can only watch as somebody. "
                f"Type: python -m agent spectrum --model {self.model} --persona p12"
            )
        if self.describe_by not in (None, self.model):
            check_looks(self.describer.model)
            self.describer.check()
        most = strategies.paraphrases(self.strategy)
        if not 1 <= self.wordings <= most:
            raise BadConfig(f"There are {most} wordings of the question. Type: --wordings {most}")

    @property
    def describer(self) -> SpectrumPlan:
        return replace(
            self,
            model=self.describe_by or self.model,
            describe_by=None,
            revision=None,
            settings=AS_IT_IS,
            connections=None,
            batch=False,
        )


@dataclass(frozen=True)
class SpectrumFiles:
    """Where the answers of one model lie."""

    answers: Path
    """About pictures, or about descriptions of a model that takes no pictures."""
    explanations: Path | None
    words: Path | None


async def ask_spectrum(
    retrieval: Retrieval, plan: SpectrumPlan, data: DataFolder, now: datetime, onlooker: Onlooker
) -> SpectrumFiles:
    """Ask one model what was not asked yet.

    Raises as `SpectrumPlan.check` and `QuestionEngine.run` do.
    """
    plan.check()
    engine = QuestionEngine(data, now, plan.cap, plan.patience, onlooker)
    described: Mapping[str, str] = {}
    if plan.describe_by not in (None, plan.model):
        describer = _Spectrum(retrieval, plan.describer, engine)
        paths = await describer.ask(("explanations",), {})
        described = _descriptions(paths["explanations"])
    paths = await _Spectrum(retrieval, plan, engine).ask(plan.passes, described)
    if "pictures" not in paths:
        return SpectrumFiles(paths["words"], None, None)
    return SpectrumFiles(paths["pictures"], paths.get("explanations"), paths.get("words"))


@dataclass(frozen=True)
class _Spectrum:
    """The questions to one model about the frames of a retrieval."""

    retrieval: Retrieval
    plan: SpectrumPlan
    engine: QuestionEngine

    async def ask(self, passes: tuple[Pass, ...], described: Mapping[str, str]) -> dict[Pass, Path]:
        """Ask in several passes; the model's own descriptions serve where there are no others."""
        plan, engine = self.plan, self.engine
        async with AsyncExitStack() as stack:
            (loaded,) = await open_models(stack, [plan.request])
            headers = {part: self._header(part, loaded.fingerprint) for part in passes}
            files = {
                part: stack.enter_context(
                    JudgementWriter(header.path(engine.data.spectra_dir), header)
                )
                for part, header in headers.items()
            }
            model = engine.cap_model(loaded, files.values())
            panel = JudgePanel(model, plan.strategy)
            for part, file in files.items():
                questions = list(self._questions(part, described, panel, file))
                await engine.run(model, questions, [file], shuffled(SEED))
                if part == "explanations" and not described:
                    described = _descriptions(file.path)
        return {part: file.path for part, file in files.items()}

    def _questions(
        self, part: Pass, described: Mapping[str, str], panel: JudgePanel, file: JudgementWriter
    ) -> Iterator[KeyedQuestion[RejudgementKey, RejudgedAnswer]]:
        persona = self.plan.persona.id if self.plan.persona else ""
        for shown in self.retrieval.shown.values():
            if not self.plan.shard.has(shown.frame):
                continue
            description = described.get(shown.frame) if part == "words" else None
            for form in self._forms(part):
                if part == "words" and not description:
                    continue  # where nothing is said, nothing can be asked
                key = RejudgementKey(persona, 0, shown.frame, form.mirrored, 0, form.paraphrase)
                ask = partial(self._ask_one, key, shown, panel, form, description)
                yield KeyedQuestion(key, file, ask)

    def _forms(self, part: Pass) -> list[QuestionForm]:
        if part == "explanations":
            return [QuestionForm(explain="all")]
        return [
            QuestionForm(mirrored, paraphrase)
            for paraphrase in range(self.plan.wordings)
            for mirrored in (False, True)
        ]

    async def _ask_one(
        self,
        key: RejudgementKey,
        shown: RetrievedFrame,
        panel: JudgePanel,
        form: QuestionForm,
        description: str | None,
    ) -> RejudgedAnswer:
        judge = panel.judge(self.plan.persona, form)
        if description is not None:
            return RejudgedAnswer.of(key, await judge.described(description))
        frames = FrameStore(self.engine.data.frames_dir)
        frame = await asyncio.to_thread(frames.read, shown.frame)
        return RejudgedAnswer.of(key, await judge.judge((frame,), shown.caption or None))

    def _header(self, part: Pass, fingerprint: str) -> RejudgementHeader:
        plan = self.plan
        prompts = strategies.hashes(plan.strategy)
        if plan.persona is not None:  # its sentences are part of what is asked
            traits = "\n".join(plan.persona.traits).encode()
            prompts |= {f"persona {plan.persona.id}": hashlib.sha256(traits).hexdigest()}
        if part == "words":
            prompts |= {f"described by {plan.describe_by}": strategies.described_hash()}
        return RejudgementHeader(
            run_id=RUN_ID,
            model=plan.model,
            strategy=plan.strategy,
            prompts=prompts,
            explain="all" if part == "explanations" else "never",
            fingerprint=fingerprint,
            settings=plan.settings.chosen,
            seed=SEED,
            at=self.engine.now,
            code_version=provenance().code_version,
        )


def _descriptions(path: Path) -> dict[str, str]:
    """What each frame shows, as far as it was said."""
    asked = read_judgements(path).asked
    return {each.frame: each.judgement.description for each in asked if each.judgement.description}
