"""A spectrum whose model falls silent: attempts are kept, counted, and due again."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from agent.errors import ModelFailed, ModelSilent
from agent.evaluation import question_engine
from agent.evaluation.value_spectrum import SpectrumPlan, ask_spectrum
from agent.judge.retry_limits import Patience
from agent.models.base import SEVERAL, Question, Reply
from store.frames.frame_store import FrameStore
from store.results.value_spectrum import Keyword, Retrieval, RetrievedFrame
from store.runs.data_folder import DataFolder
from store.runs.rejudgements import RejudgedAnswer, read_judgements
from tests.agent.models.made_models import Recorded, frame
from tests.store.samples import START

FRAMES = 8


def retrieved(data: DataFolder) -> Retrieval:
    """Frames that were found for one keyword."""
    found = tuple(
        RetrievedFrame(
            rank=n,
            similarity=0.5,
            words=None,
            match=4.0,
            fits=True,
            entry=f"e{n}",
            platform="playground",
            video=f"v{n}",
            caption="",
            frame=FrameStore(data.frames_dir).put(frame(colour=f"#{n:02x}4080")),
        )
        for n in range(FRAMES)
    )
    return Retrieval(
        at=START,
        set_id="own",
        sha256="0" * 64,
        encoder="conse",
        platform=None,
        per_keyword=FRAMES,
        by="both",
        frames=FRAMES,
        unique=FRAMES,
        videos=FRAMES,
        values=(),
        keywords=(Keyword(value="v", keyword="k", found=found),),
    )


def test_what_no_reply_came_to_is_asked_again_up_to_the_declared_number(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = DataFolder(tmp_path)
    retrieval = retrieved(data)

    def fails(question: Question) -> Reply:
        raise ModelFailed("no reply")

    down = Recorded(fails)
    monkeypatch.setattr(question_engine, "load_model", lambda *_: down)

    def put(patience: Patience) -> tuple[RejudgedAnswer, ...]:
        asking = SpectrumPlan("openai/down", wordings=1, patience=patience)
        kept = asyncio.run(ask_spectrum(retrieval, asking, data, START, lambda *_: None))
        return read_judgements(kept.answers).lines

    with pytest.raises(ModelSilent):
        put(Patience())
    assert len(down.asked) < 10 + SEVERAL
    lines = [put(Patience(attempts=2, in_a_row=0)) for _ in range(3)]
    due = 2 * len(retrieval.shown)
    assert len(down.asked) == len(lines[-1]) == 2 * due
    well = Recorded(lambda question: Reply("Yes"))
    monkeypatch.setattr(question_engine, "load_model", lambda *_: well)
    assert len(put(Patience(attempts=3))) == 3 * due
    assert len(well.asked) == due
