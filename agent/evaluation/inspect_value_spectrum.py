"""The value spectrum as a task of inspect_ai, over the frames of a data folder.

``inspect eval feedsway/spectrum --model PROVIDER/MODEL``, with ``-T data=FOLDER``, ``-T
values=refined``, ``-T over=tiktok``, ``-T persona=p12`` and the like. The
questions are those of ``python -m agent spectrum``, word for word; a reply that is no answer is
unscored, never a no. The log holds the frames, and the answers.
"""

from __future__ import annotations

import asyncio
import base64
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from inspect_ai import Task, task
from inspect_ai._util.error import PrerequisiteError  # raised in public, kept in private
from inspect_ai.dataset import MemoryDataset, Sample
from inspect_ai.model import (
    ChatMessage,
    ChatMessageSystem,
    ChatMessageUser,
    ContentImage,
    ContentText,
    get_model,
)
from inspect_ai.scorer import Score, Scorer, Target, grouped, mean, scorer, stderr
from inspect_ai.solver import TaskState, generate

from agent.errors import UserError
from agent.evaluation.retrieval import RetrievalQuery, retrieve
from agent.evaluation.value_spectrum import SpectrumPlan
from agent.models.image_size import scaled
from agent.models.inspect_provider import keep_mock_offline
from personas import strategies
from personas.errors import PersonaError
from personas.library import find
from personas.persona import Persona
from personas.values import value_set
from store import encoders
from store.errors import StoreError
from store.frames.frame_store import FrameStore
from store.index.search import Index
from store.results.value_spectrum import Retrieval, RetrievedFrame
from store.runs.data_folder import DataFolder


@task
def spectrum(  # noqa: PLR0913  # each is an option of inspect's -T
    data: str = "data",
    values: str = "schwartz",
    over: str | None = None,
    persona: str | None = None,
    encoder: str = "conse",
    wordings: int = 3,
    index: str | None = None,
) -> Task:
    """Ask of the frames that show a set of values whether the model likes them."""
    keep_mock_offline()
    folder = DataFolder(Path(data))
    try:
        viewer = find(persona) if persona else None
        asking = SpectrumPlan(_model(), viewer, wordings)
        asking.check()
        loaded = encoders.load(encoder)
        with Index.open(folder, loaded, index) as opened:
            found = retrieve(
                RetrievalQuery(value_set(values), over), opened, loaded, datetime.now(UTC)
            )
    except (UserError, StoreError, PersonaError) as error:
        raise PrerequisiteError(f"{error}, or here: -T persona=p12, -T data=FOLDER") from None
    samples = list(_samples(found, asking, FrameStore(folder.frames_dir)))
    return Task(
        dataset=MemoryDataset(samples, name=f"spectrum-{found.slug}"),
        solver=generate(),
        scorer=likes(),
        metadata={"values": values, "over": over, "persona": persona, "encoder": loaded.id},
    )


@scorer(
    metrics=[
        grouped(mean(), "value", all_label="mean over answers"),
        stderr(cluster="video"),
    ]
)
def likes() -> Scorer:
    """Score 1 where the model likes the frame, 0 where it does not; unscored without an answer."""

    async def score(state: TaskState, target: Target) -> Score:  # noqa: ARG001
        told = state.metadata
        prompt = _prompt(told["traits"], told["wording"], mirrored=told["mirrored"])
        reply = state.output.completion
        reading = await asyncio.to_thread(strategies.read, prompt, reply)
        if reading.answer is None:
            unread = Score.unscored()
            return unread.model_copy(update={"answer": reply, "explanation": reading.missing})
        return Score(value=float(reading.answer == "yes"), answer=reply)

    return score


def _model() -> str:
    """Name of the model that will be asked, where one is named before the task is made."""
    try:
        return str(get_model())
    except ValueError:
        return "mockllm/model"


def _samples(found: Retrieval, asking: SpectrumPlan, frames: FrameStore) -> Iterator[Sample]:
    """One sample for each frame of a value, wording, and question or opposite."""
    traits = list(asking.persona.traits) if asking.persona else []
    for value in found.values:
        hits: dict[str, RetrievedFrame] = {}
        for keyword in found.keywords:
            if keyword.value == value.id:
                for hit in keyword.found:
                    hits.setdefault(hit.frame, hit)
        for hit in hits.values():
            image = _image(frames.read(hit.frame))
            for wording in range(asking.wordings):
                for mirrored in (False, True):
                    told: dict[str, Any] = {
                        "value": value.name,
                        "video": hit.cluster,
                        "frame": hit.frame,
                        "wording": wording,
                        "mirrored": mirrored,
                        "traits": traits,
                    }
                    prompt = _prompt(traits, wording, mirrored=mirrored)
                    yield Sample(input=_chat(prompt, image), metadata=told)


def _prompt(traits: list[str], wording: int, *, mirrored: bool) -> strategies.Prompt:
    persona = Persona(id="chat", traits=tuple(traits)) if traits else None
    strategy = "simple" if persona else "plain"
    return strategies.build(strategy, persona, mirrored=mirrored, paraphrase=wording)


def _chat(prompt: strategies.Prompt, image: str) -> list[ChatMessage]:
    asked = ChatMessageUser(content=[ContentImage(image=image), ContentText(text=prompt.user)])
    return [ChatMessageSystem(content=prompt.system), asked] if prompt.system else [asked]


def _image(jpeg: bytes) -> str:
    return f"data:image/jpeg;base64,{base64.b64encode(scaled(jpeg)).decode('ascii')}"
