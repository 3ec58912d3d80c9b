"""What asking a served model costs here: questions a second, and this process's own time a call.

Frames of a phone's size are asked about as ten personas, through the engine that every kind of
question goes through, with its files: frames, book of payments, kept replies, answers. The model is
a server in another process, whose answers take a second in the median.
"""

from __future__ import annotations

import asyncio
import io
import time
from collections.abc import Callable, Iterator
from contextlib import AsyncExitStack
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from agent.benchmarks.model_server import MODEL, model_server
from agent.evaluation.question_engine import (
    JudgePanel,
    KeyedQuestion,
    QuestionEngine,
    open_models,
    shuffled,
)
from agent.judge.judge import QuestionForm
from agent.judge.model_under_cap import NO_CAP
from agent.judge.retry_limits import DEFAULT
from agent.models import ModelRequest
from agent.models.base import Model
from personas.library import all_personas
from personas.persona import Persona
from store.frames.frame_store import FrameStore
from store.runs.data_folder import DataFolder
from store.runs.rejudgements import (
    JudgementWriter,
    RejudgedAnswer,
    RejudgementHeader,
    RejudgementKey,
)

PERSONAS = 10
_SIZE = (412, 732)  # pixels of a phone's frame
_WARM = 8  # questions before any is counted: packages are loaded with them
_Questions = list[KeyedQuestion[RejudgementKey, RejudgedAnswer]]


@dataclass(frozen=True)
class AskingCost:
    """What asking so many questions took."""

    questions: int
    seconds: float
    """Wall time of all of them."""
    cpu_ms: float
    """Processor time of this process, a question."""

    def as_dict(self) -> dict[str, Any]:
        return asdict(self) | {"questions_per_s": round(self.questions / self.seconds, 2)}


def measure_asking(
    folder: Path, questions: int, median_s: float, tell: Callable[[int, int], None]
) -> AskingCost:
    """Ask so many questions of a server whose answers take ``median_s`` in the median."""
    data = DataFolder(folder)
    frames = list(_made_frames(FrameStore(data.frames_dir), -(-questions // PERSONAS) + 1))
    with model_server(median_s):
        return asyncio.run(_measure(data, frames, questions, tell))


async def _measure(
    data: DataFolder, frames: list[str], questions: int, tell: Callable[[int, int], None]
) -> AskingCost:
    engine = QuestionEngine(data, datetime.now(UTC), NO_CAP, DEFAULT, tell)
    async with AsyncExitStack() as stack:
        (loaded,) = await open_models(stack, [ModelRequest(MODEL)])
        header = _header(loaded)
        file = stack.enter_context(JudgementWriter(header.path(data.spectra_dir), header))
        model = engine.cap_model(loaded, [file])
        asked = list(_questions(data, model, file, frames))
        await engine.run(model, asked[-_WARM:], [file], list)
        wall, processor = time.perf_counter(), time.process_time()
        await engine.run(model, asked[:questions], [file], shuffled(1))
        seconds, spent = time.perf_counter() - wall, time.process_time() - processor
    return AskingCost(questions, round(seconds, 3), round(1000 * spent / questions, 2))


def _made_frames(store: FrameStore, count: int) -> Iterator[str]:
    """Keep pictures that compress as screenshots do; yields their hashes."""
    rng = np.random.default_rng(1)
    for _ in range(count):
        coarse = Image.fromarray(rng.integers(0, 255, (46, 26, 3), np.uint8)).resize(_SIZE)
        file = io.BytesIO()
        coarse.save(file, "JPEG", quality=90)
        yield store.put(file.getvalue())


def _header(model: Model) -> RejudgementHeader:
    return RejudgementHeader(
        run_id="bench",
        model=model.name,
        strategy="simple",
        prompts={},
        fingerprint=model.fingerprint,
        seed=1,
        at=datetime.now(UTC),
        code_version="bench",
    )


def _questions(
    data: DataFolder, model: Model, file: JudgementWriter, frames: list[str]
) -> Iterator[KeyedQuestion[RejudgementKey, RejudgedAnswer]]:
    panel, store = JudgePanel(model, "simple"), FrameStore(data.frames_dir)
    personas = all_personas()[:PERSONAS]

    async def ask(key: RejudgementKey, persona: Persona) -> RejudgedAnswer:
        frame = await asyncio.to_thread(store.read, key.frame)
        said = await panel.judge(persona, QuestionForm()).judge((frame,), None)
        return RejudgedAnswer.of(key, said)

    for frame in frames:
        for persona in personas:
            key = RejudgementKey(persona.id, 0, frame)
            yield KeyedQuestion(key, file, partial(ask, key, persona))
