"""Hallucination probes as tasks of inspect_ai, over the pairs of a data folder.

``inspect eval feedsway/choice --model PROVIDER/MODEL`` puts each pair of statements as a choice in
both orders, ``feedsway/statements`` each statement alone and both
ways round; with ``-T data=FOLDER`` and ``-T pairs=NAME``. The questions are those of ``python -m
agent probe``, word for word; the metrics are rates of wrong answers by level, and a reply that is
no answer is unscored. The log holds the frames, and the answers.
"""

from __future__ import annotations

import asyncio
import base64
from collections.abc import Iterator
from pathlib import Path

from inspect_ai import Task, task
from inspect_ai.dataset import MemoryDataset, Sample
from inspect_ai.model import ChatMessageUser, ContentImage, ContentText
from inspect_ai.scorer import Score, Scorer, Target, grouped, mean, scorer, stderr
from inspect_ai.solver import TaskState, generate

from agent.evaluation.hallucination_probes import build_prompt, pair_questions, probed_pairs
from agent.models.image_size import scaled
from agent.models.inspect_provider import keep_mock_offline
from personas import strategies
from store.frames.frame_store import FrameStore
from store.results.hallucination_probes import Form, ProbeQuestion
from store.results.preference_pairs import find_pairs
from store.runs.data_folder import DataFolder


@task
def choice(data: str = "data", pairs: str | None = None) -> Task:
    """Ask which of two statements about a frame is true, in both orders."""
    return _task("choice", data, pairs)


@task
def statements(data: str = "data", pairs: str | None = None) -> Task:
    """Ask of true and of false statements whether they are true, and whether they are false."""
    return _task("statement", data, pairs)


@scorer(
    metrics=[grouped(mean(), "level", all_label="rate of wrong answers"), stderr(cluster="video")]
)
def wrong() -> Scorer:
    """Score 1 where a false statement is taken for true, or a true one for false."""

    async def score(state: TaskState, target: Target) -> Score:
        question = ProbeQuestion.model_validate(state.metadata["question"])
        reply = state.output.completion
        reading = await asyncio.to_thread(strategies.read, build_prompt(question), reply)
        if reading.answer is None:
            unread = Score.unscored()
            return unread.model_copy(update={"answer": reply, "explanation": reading.missing})
        return Score(value=float(reading.answer != target.text), answer=reply)

    return score


def _task(form: Form, data: str, name: str | None) -> Task:
    keep_mock_offline()
    folder = DataFolder(Path(data))
    samples = list(_samples(form, folder, name))
    return Task(
        dataset=MemoryDataset(samples, name=f"misalignment-{form}"),
        solver=generate(),
        scorer=wrong(),
        metadata={"pairs": name},
    )


def _samples(form: Form, folder: DataFolder, name: str | None) -> Iterator[Sample]:
    """One sample for each question of a pair; the target is how a right answer is read."""
    frames = FrameStore(folder.frames_dir)
    for pair in probed_pairs(find_pairs(folder, name)):
        jpeg = base64.b64encode(scaled(frames.read(pair.source.frame))).decode("ascii")
        for question in pair_questions(pair, reasons=False):
            if question.form != form:
                continue
            content = [
                ContentImage(image=f"data:image/jpeg;base64,{jpeg}"),
                ContentText(text=build_prompt(question).user),
            ]
            yield Sample(
                input=[ChatMessageUser(content=list(content))],
                target="yes" if question.statement == pair.statements[0] else "no",
                metadata={
                    "level": pair.error,
                    "video": pair.source.cluster,
                    "question": question.model_dump(),
                },
            )
