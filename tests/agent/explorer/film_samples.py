"""Runs to be put side by side: two of a study that share a video, a later judge, one elsewhere."""

from __future__ import annotations

from typing import Any

from store.frames.frame_store import FrameStore
from store.runs import ledger
from store.runs.data_folder import DataFolder
from store.runs.ledger import LedgerWriter
from store.runs.ledger_lines import Judgement, PersonaRecord, Video
from store.runs.rejudgements import JudgementWriter, RejudgedAnswer, RejudgementHeader
from tests.store.samples import START, finished, frame, jpeg, started, step

A, B, PASSIVE, OTHER = "a-run", "b-run", "passive-run", "other-run"
SHARED = 2
"""Position at which ``A`` and ``B`` saw the same video."""
COLOURS = ("red", "blue", "green", "yellow")


def keep_feed(data: DataFolder, run_id: str, persona: str, answers: str, **changes: Any) -> None:
    """Write a run of one step a letter: y, n, - for a missing answer, or a for an advertisement."""
    frames = FrameStore(data.frames_dir)
    who = PersonaRecord(id=persona, traits=("I surf.",), source="feedsway", licence="MIT")
    with LedgerWriter(data.ledger_path(run_id), fsync=False) as writer:
        writer.append(started(run_id, persona=who, **changes))
        for position, letter in enumerate(answers):
            name = "shared" if position == SHARED else f"{run_id}-{position}"
            picture = jpeg(
                COLOURS[(position + ord(run_id[0])) % 4], position + 100 * ord(run_id[0])
            )
            frames.put(picture, sync=False)
            writer.append(
                step(
                    position,
                    frame(picture),
                    answer={"y": "yes", "n": "no"}.get(letter),
                    video=Video(id=name, caption=f"<b>{name}</b> by @anna", author="anna"),
                    excluded="ad" if letter == "a" else None,
                )
            )
        writer.append(finished(len(answers)))


def keep_feeds(data: DataFolder) -> None:
    """Write the runs, and what a later judge said of the first."""
    of = {"study": "s", "replicate": 1}
    keep_feed(data, OTHER, "p09", "nn", platform="tiktok", model="openai/gpt", config={})
    keep_feed(data, PASSIVE, "p09", "ny-n", arm="passive", config=of)
    keep_feed(data, B, "p05", "nyny", config=of | {"site": {"skin": "tiktok"}})
    keep_feed(data, A, "p12", "ynyna-", config=of)
    header = RejudgementHeader(
        run_id=A,
        at=START,
        strategy="simple",
        model="openai/gpt",
        prompts={},
        seed=1,
        code_version="0",
    )
    seen = ledger.read(data.ledger_path(A)).steps
    with JudgementWriter(header.path(data.run_dir(A)), header) as writer:
        writer.append([_later(seen[0], "yes", mirrored=True), _later(seen[0], "no")])
        writer.append([_later(seen[1], "no")])


def judge_of(data: DataFolder) -> str:
    """Return the address of what the later judge said."""
    (path,) = (data.run_dir(A) / "judgements").glob("*.jsonl")
    return f"{A}/{path.stem}/p05~hash"


def _later(seen: Any, answer: Any, *, mirrored: bool = False) -> RejudgedAnswer:
    return RejudgedAnswer(
        persona="p05",
        traits="hash",
        position=seen.position,
        frame=seen.frames[0].sha256,
        mirrored=mirrored,
        judgement=Judgement(answer=answer, p_yes=0.25),
    )
