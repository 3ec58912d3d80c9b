"""A small made-up spectrum over the frames of the made-up study: to learn on, and to test with.

Three values stand for three of the study's themes; one model likes ocean and city, less so in
words, and another says yes to everything. Nobody was asked.
"""

from __future__ import annotations

from itertools import islice

import numpy as np

from analysis.examples.study import START
from store.results.value_spectrum import (
    RUN_ID,
    Keyword,
    Retrieval,
    RetrievedFrame,
    ValueRecord,
    keep,
)
from store.runs import ledger
from store.runs.data_folder import DataFolder
from store.runs.records import Judgement, Step
from store.runs.rejudgements import FOLDER, JudgementWriter, RejudgedAnswer, RejudgementHeader

VALUES = ("ocean", "city", "bread")
_LIKED = {
    "picture": {"ocean": 0.8, "city": 0.6, "bread": 0.2},
    "words": {"ocean": 0.5, "city": 0.6, "bread": 0.2},
}
_FRAMES = 5


def write_spectrum_example(data: DataFolder) -> None:
    """Write a retrieval over the frames of ``analysis.examples.study``, and answers about them."""
    keywords = tuple(_keyword(data, value, number) for value in VALUES for number in range(3))
    retrieval = Retrieval(
        at=START,
        set_id="example",
        sha256="0" * 64,
        encoder="none",
        platform=None,
        per_keyword=_FRAMES,
        by="both",
        frames=600,
        unique=240,
        videos=400,
        keywords=keywords,
        values=tuple(
            ValueRecord(id=name, name=name.title(), definition=f"Showing {name}.")
            for name in VALUES
        ),
    )
    keep(retrieval, data)
    for model, part in (
        ("made-up/taste", "picture"),
        ("made-up/taste", "words"),
        ("made-up/yes", "picture"),
    ):
        _answer(data, retrieval, model, part)


def _keyword(data: DataFolder, value: str, number: int) -> Keyword:
    run = sorted(data.runs(), key=lambda each: each.run_id)[number]
    videos: dict[str, Step] = {}
    for step in ledger.read(run.path).steps:
        if step.frames and value in (step.video.caption or "").casefold():
            videos.setdefault(step.frames[0].sha256, step)
    found = tuple(
        RetrievedFrame(
            rank=rank,
            similarity=0.5,
            words=0.6,
            match=4.4 - rank / 4,
            fits=rank < 5,
            entry=f"{run.run_id}/{step.position}/0",
            platform="example",
            video=step.video.id,
            frame=frame,
            caption=step.video.caption or "",
        )
        for rank, (frame, step) in enumerate(islice(videos.items(), _FRAMES), 1)
    )
    return Keyword(value=value, keyword=f"{value} {number + 1}", found=found)


def _answer(data: DataFolder, retrieval: Retrieval, model: str, part: str) -> None:
    prompts = {"plain.toml": "0" * 64}
    if part == "words":
        prompts[f"described by {model}"] = "0" * 64
    judge = RejudgementHeader(
        run_id=RUN_ID,
        model=model,
        strategy="plain",
        prompts=prompts,
        seed=1,
        at=START,
        code_version="example",
    )
    value = {hit.frame: each.value for each in retrieval.keywords for hit in each.found}
    rng = np.random.default_rng(7)
    lines = []
    for frame in retrieval.shown:
        likes = rng.random() < _LIKED[part][value[frame]]
        for wording in range(3):
            for mirrored in (False, True):
                yes = model == "made-up/yes" or likes != mirrored
                said = Judgement(answer="yes" if yes else "no")
                lines.append(
                    RejudgedAnswer(
                        persona="",
                        position=0,
                        frame=frame,
                        mirrored=mirrored,
                        paraphrase=wording,
                        judgement=said,
                    )
                )
    with JudgementWriter(data.spectra_dir / FOLDER / f"{judge.slug}.jsonl", judge) as writer:
        writer.append(lines)
