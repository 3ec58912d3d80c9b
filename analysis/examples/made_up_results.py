"""Made-up results: a ladder of trainings whose saturation is known, and a value spectrum.

Nothing was trained and nobody was asked. Scores, preferences and losses of the ladder are drawn
around planted curves. In the spectrum, over the frames of the made-up study, three values stand for
three of its themes: one model likes ocean and city, less so in words, another says yes to all.
"""

from __future__ import annotations

from itertools import islice
from pathlib import Path

import numpy as np

from analysis.estimators.learning_curve import MARGIN, find_rung
from analysis.examples.study import START
from store.results import trainings
from store.results.trainings import (
    HeldOutItem,
    ScoringJudge,
    TrainingLoss,
    TrainingPlan,
    TrainingRecipe,
    TrainingRun,
    TrainingScores,
)
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
from store.runs.ledger_lines import Judgement, Step
from store.runs.rejudgements import FOLDER, JudgementWriter, RejudgedAnswer, RejudgementHeader
from store.runs.run_provenance import Provenance

SIZES = (0, 16, 32, 64, 128, 256)
SEEDS = 4
CURVE = 90 - 70 * np.exp2(-np.array(SIZES) / 14)  # planted mean scores
SATURATED = SIZES[find_rung(CURVE, MARGIN)]
ASKED = ScoringJudge(judge="made-up/judge", about="- romantic", question="made up")
_VIDEOS, _PAIRS = 40, 2
_UPDATES = range(8, 201, 8)


def write_ladder(out: Path, seed: int = 1) -> Path:
    """Write the folder that ``python -m agent align`` would have left, and return it."""
    rng = np.random.default_rng(seed)
    recipe = TrainingRecipe(
        model="hfvlm/made-up",
        pairs="made-up",
        updates=200,
        batch=8,
        learning_rate=5e-5,
        beta=0.1,
        rank=16,
    )
    nowhere = Provenance(code_version="", code_dirty=None, python="", system="", libraries={})
    ladder = TrainingPlan(recipe=recipe, held_out=_VIDEOS * _PAIRS, provenance=nowhere)
    trainings.keep(out / trainings.LADDER, ladder)
    judged = trainings.judged_folder(out, ASKED)
    trainings.keep(judged / trainings.JUDGE, ASKED)
    for rung, size in enumerate(SIZES):
        for training in range(1, SEEDS + 1 if size else 2):
            cell = _cell(size, training, rung, rng)
            trainings.keep(trainings.cell_folder(out, size, training) / trainings.RECORD, cell)
            scored = TrainingScores(judgements=_judgements(CURVE[rung], rng))
            trainings.keep(judged / f"{trainings.name(size, training)}.json", scored)
    return out


def _cell(size: int, training: int, rung: int, rng: np.random.Generator) -> TrainingRun:
    losses = [
        TrainingLoss(update=update, loss=float(0.69 * np.exp(-update / 150) + rng.normal(0, 0.01)))
        for update in _UPDATES
    ]
    return TrainingRun(
        size=size,
        seed=training if size else 0,
        weights="",
        trained_on=tuple(str(place) for place in range(size)),
        losses=tuple(losses) if size else (),
        items=tuple(_item(place, rung, rng) for place in range(_VIDEOS * _PAIRS)),
        seconds=0.0,
    )


def _item(place: int, rung: int, rng: np.random.Generator) -> HeldOutItem:
    chosen, rejected = rng.normal((rung / 2 - 1, 0), 1)
    return HeldOutItem(
        id=str(place),
        video=str(place // _PAIRS),
        kind="style",
        reply="made up",
        chosen=chosen,
        rejected=rejected,
        chosen_tokens=1,
        rejected_tokens=1,
        p_yes=tuple(rng.uniform(0.4, 1, 4) - 0.04 * rung),
    )


def _judgements(mean: float, rng: np.random.Generator) -> tuple[Judgement, ...]:
    scores = np.clip(mean + rng.normal(0, 2) + rng.normal(0, 12, _VIDEOS * _PAIRS), 0, 100)
    return tuple(
        Judgement(answer="yes" if score >= 50 else "no", p_yes=score / 100) for score in scores
    )


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
