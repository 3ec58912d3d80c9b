"""Payloads and replies of any kind become records that are written, read back and shown."""

from __future__ import annotations

import asyncio
import copy
import json
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from agent.cli import cli
from agent.drivers.base import ActiveVideo, Box, SiteAnswer
from agent.errors import RunFault
from agent.judge.judge import ModelJudge
from agent.models.base import Reply
from agent.platforms import load_platform
from agent.platforms.base import Feed
from agent.run.recorder import LedgerRecorder
from store.cli.main import main as store
from store.frames.frame_store import FrameStore
from store.runs.data_folder import DataFolder
from store.runs.ledger import LedgerWriter, read
from store.runs.ledger_lines import Judgement, Video, Windows
from store.runs.rejudgements import judgement_files, read_judgements
from tests.agent.models.fault_server import Server
from tests.agent.models.made_models import GUITARIST, Recorded
from tests.agent.platforms.payloads import REAL
from tests.store.samples import START, finished, keep_run, started, step
from tests.store.untrusted.hostile import STEERS, captions

SOME_AND_MANY = pytest.mark.parametrize(
    "number", [300, pytest.param(10_000, marks=pytest.mark.drill)], ids=["some", "many"]
)
STRANGE: tuple[Any, ...] = (
    None,
    True,
    -1,
    10**30,
    0.5,
    float("inf"),
    [],
    {},
    "9" * 5_000,
    "1.2M",
    ["x"],
    {"id": "x"},
)


def leaves(node: Any) -> Iterator[tuple[Any, Any]]:
    """Every place of some JSON that holds no list and no object: its parent and its key."""
    inner = node.items() if isinstance(node, dict) else enumerate(node)
    for key, value in inner:
        if isinstance(value, dict | list):
            yield from leaves(value)
        else:
            yield node, key


def payloads(seed: int, number: int) -> Iterator[tuple[str, SiteAnswer, str]]:
    """Real payloads with hostile texts and wrong types in some places."""
    draw = random.Random(seed)
    for caption in captions(seed, number):
        platform = draw.choice([*REAL])
        url, body = draw.choice(REAL[platform])
        body = copy.deepcopy(body)
        for parent, key in draw.sample([*leaves(body)], 3):
            parent[key] = caption if draw.random() < 0.7 else draw.choice(STRANGE)
        yield platform, SiteAnswer(url, body, draw.choice((200, 200, 200, 429, 500))), caption


def shown(key: str, caption: str) -> ActiveVideo:
    return ActiveVideo(
        key=key,
        id=key,
        id_source="page",
        url=caption,
        box=Box(0, 0, 9, 9),
        time_s=1.0,
        duration_s=9.0,
        exposure_s=0.1,
        shown=True,
        has_video=True,
        ad=None,
        live=None,
        fields={"caption": caption, "author": caption},
        moved=1,
        animation_ms=0.0,
    )


def described(seed: int, number: int) -> Iterator[Video]:
    feeds = {name: Feed(load_platform(name)) for name in REAL}
    for platform, answer, caption in payloads(seed, number):
        feeds[platform].take(answer)
        ids = [video.id for video in load_platform(platform).parse(answer)]
        for key in (*ids[:2], caption or "none"):
            try:
                yield feeds[platform].describe(shown(key, caption))
            except RunFault:  # that too much was missing is said, and the page is left
                feeds[platform] = Feed(load_platform(platform))


@SOME_AND_MANY
def test_every_payload_becomes_lines_that_are_read_and_shown(tmp_path: Path, number: int) -> None:
    data = DataFolder(tmp_path)
    videos = list(described(3, number))
    with LedgerWriter(data.ledger_path("r1"), fsync=False) as writer:
        writer.append(started("r1", windows=Windows(before=len(videos), after=0)))
        for position, video in enumerate(videos):
            writer.append(step(position, video=video, phase="before"))
        writer.append(finished(len(videos)))
    assert len(videos) >= number
    assert [each.video for each in read(data.ledger_path("r1")).steps] == videos
    done = CliRunner().invoke(store, ["show", "r1", "--data", str(tmp_path)])
    assert done.exit_code == 0, done.output
    assert not STEERS.search(done.stdout)
    assert len(done.stdout.splitlines()) < len(videos) + 20


def test_what_a_page_says_of_a_fault_is_kept_and_read_back(tmp_path: Path) -> None:
    async def note() -> None:
        recorder = LedgerRecorder(writer, FrameStore(tmp_path), None, lambda: START)
        for position, caption in enumerate(said):
            fault = RunFault(caption)
            fault.details = {"seen": caption, caption: [caption]}
            await recorder.fault(fault, position, recovered=True)

    said = [*captions(5, 200), "half \ud83d", "\udcff"]
    with LedgerWriter(tmp_path / "ledger.jsonl", fsync=False) as writer:
        writer.append(started("r1"))
        asyncio.run(note())
    faults = read(tmp_path / "ledger.jsonl").faults
    assert [fault.position for fault in faults] == [*range(len(said))]
    assert "\ufffd" in faults[-1].message


def replies(seed: int, number: int) -> Iterator[str]:
    """Answers with hostile texts around and in them, whole and cut off."""
    draw = random.Random(seed)
    for caption in captions(seed, number):
        told = {"answer": draw.choice(("yes", "No", caption)), "reason": caption}
        fields = json.dumps(told | {"description": caption})
        fenced = f"```json\n{fields}```"
        text = draw.choice((caption, f"Yes. {caption}", f"{caption}\nno", fields, fenced))
        yield text[: draw.choice((len(text), draw.randrange(len(text) + 1)))]


@SOME_AND_MANY
@pytest.mark.parametrize("strategy", ["simple", "isq"])
def test_every_reply_becomes_a_judgement_that_is_kept(strategy: str, number: int) -> None:
    said: list[Judgement] = []

    async def judge() -> None:
        for text in replies(5, number):
            asked = ModelJudge.of(Recorded(lambda _, text=text: Reply(text)), strategy, GUITARIST)  # type: ignore[misc]
            said.append(await asked.judge((b"frame",), None))

    asyncio.run(judge())
    assert len(said) == number
    for one in said:
        assert Judgement.model_validate_json(one.model_dump_json()) == one
    if strategy == "simple":
        assert {one.answer for one in said} == {"yes", "no", None}


# inspect_ai calls tenacity in a way that tenacity 9.2 has deprecated; it is theirs to mend
@pytest.mark.filterwarnings("ignore:The 'initial' parameter:DeprecationWarning")
def test_a_reply_with_half_a_character_loses_no_paid_answer(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = DataFolder(tmp_path)
    keep_run(data, "r1", ["red", "blue"])
    monkeypatch.setenv("LOOPBACK_API_KEY", "sk-none")
    with Server().running() as server:
        monkeypatch.setenv("LOOPBACK_BASE_URL", f"{server.url}/surrogate/v1")
        words = ["rejudge", "r1", "--model", "openai-api/loopback/surrogate"]
        done = CliRunner().invoke(cli, [*words, "--data", str(tmp_path)])
        assert done.exit_code == 0, done.output
        asked = server.requests["surrogate"]
    (file,) = judgement_files(data.run_dir("r1"))
    kept = read_judgements(file).asked
    assert [one.judgement.answer for one in kept] == ["yes", "yes"]
    assert len(kept) == asked
