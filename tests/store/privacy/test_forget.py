"""Forgetting: nothing of a video or a creator stays, the measurement does, and verify holds."""

from __future__ import annotations

import io
import json
import platform
import random
import re
import shutil
import subprocess
import sys
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from store.cli.main import main
from store.errors import DamagedLedger, NewerSchema, NothingToForget, RunLocked
from store.frames.frame_store import FrameStore
from store.index.build import update
from store.index.search import Index
from store.jsonl.atomic import TEMPORARY, write_whole
from store.maintenance.verify import verify
from store.privacy import forget as forgetting
from store.privacy import redaction
from store.privacy.forget import forget, pending
from store.privacy.forget_plan import Request
from store.results import preference_pairs
from store.results.value_spectrum import (
    RUN_ID,
    Keyword,
    Retrieval,
    RetrievedFrame,
    ValueRecord,
    keep,
    read_retrieval,
)
from store.runs.data_folder import DataFolder
from store.runs.ledger import LedgerWriter, read, summarise
from store.runs.ledger_lines import Judgement, Step, Video
from store.runs.ledger_site_lines import FeedBatch, id_digest
from store.runs.rejudgements import (
    JudgementWriter,
    RejudgedAnswer,
    RejudgementHeader,
    judgement_files,
    read_judgements,
)
from tests.store.samples import (
    COLOURS,
    START,
    ColourEncoder,
    fault,
    finished,
    frame,
    jpeg,
    keep_run,
    opening,
    started,
    step,
)
from tests.store.sealed_lines import refit, unseal_lines

BLUE, GREEN = (frame(jpeg(*each)).sha256 for each in (("blue", 91), ("green", 92)))
"""Of her second video, and of his."""
HANDLE = "zanzibar.queen_7"
SECRET = "a lighthouse that nobody else has filmed"
SPOILT = "a barn that nobody else has filmed"
NOW = datetime(2025, 4, 1, tzinfo=UTC)


@pytest.fixture
def data(tmp_path: Path) -> DataFolder:
    """Two runs that met one creator, one that did not; a frame that two videos share."""
    data = DataFolder(tmp_path / "data")
    frames = FrameStore(data.frames_dir)
    for run_id, end in (("r1", True), ("r2", False)):
        with LedgerWriter(data.ledger_path(run_id), fsync=False) as writer:
            writer.append(started(run_id, config={"study": "s1"}))
            for line in steps(run_id, frames):
                writer.append(opening(line))
                writer.append(line)
            about = f"No picture at /@{HANDLE}/video/1"
            writer.append(fault(2).model_copy(update={"message": about}))
            if end:
                writer.append(finished(4))
    keep_run(data, "r3", ["red", "green"], at=START)
    for name, words in (("000001-LoginRequired.png", HANDLE), ("000003-LoginRequired.png", "x")):
        write_whole(data.run_dir("r1") / "pictures" / name, _png(words))
    write_whole(data.replies_dir / "ab" / "abcd.json", json.dumps({"text": SECRET}).encode())
    write_whole(data.replies_dir / "ab" / "abce.json", json.dumps({"text": "Yes"}).encode())
    told = {"text": "Yes", "frames": [BLUE]}
    write_whole(data.replies_dir / "ab" / "abcf.json", json.dumps(told).encode())
    _rejudge(data)
    _spectrum(data)
    _prefer(data)
    return data


@pytest.fixture
def indexed(data: DataFolder) -> DataFolder:
    update(data, ColourEncoder())
    return data


def _png(words: str) -> bytes:
    """A picture in whose bytes words stand."""
    told, out = PngInfo(), io.BytesIO()
    told.add_text("said", words)
    Image.new("RGB", (8, 8), "red").save(out, "PNG", pnginfo=told)
    return out.getvalue()


def steps(run_id: str, frames: FrameStore) -> list[Step]:
    pictures = [jpeg("red", 90), jpeg("blue", 91), jpeg("green", 92), jpeg("red", 90)]
    hers = Video(
        id="her-1",
        url=f"https://site.example/@{HANDLE}/video/1",
        author=f"@{HANDLE}",
        caption=SECRET,
        hashtags=("lighthouse",),
        likes=918_273_645,
        batch=2,
        batch_requested_at=0,
    )
    videos = [
        hers,
        hers.model_copy(update={"id": "her-2"}),
        Video(id="his", author="other", caption=f"thanks to @{HANDLE} for the idea"),
        Video(id=f"{run_id}-last", author="other", caption="the same picture as her first"),
    ]
    said = Judgement(answer="yes", p_yes=0.75, reason=SECRET, description=SECRET, reply=SECRET)
    made = []
    for position, (picture, video) in enumerate(zip(pictures, videos, strict=True)):
        frames.put(picture, sync=False)
        judged = said if position < 2 else Judgement(answer="no", reply="No")
        made.append(step(position, frame(picture), video=video, judgement=judged))
    return made


def _rejudge(data: DataFolder) -> None:
    judge = RejudgementHeader(
        run_id="r1",
        model="scripted/yes",
        strategy="simple",
        prompts={},
        seed=1,
        at=START,
        code_version="0.1.0",
    )
    with JudgementWriter(judge.path(data.run_dir("r1")), judge) as writer:
        for position, reply in enumerate((SECRET, SECRET, "No.", "No.")):
            told = Judgement(answer="no", p_yes=0.125, reply=reply, description=f"by {HANDLE}")
            (frame_,) = read(data.ledger_path("r1")).steps[position].frames
            asked = RejudgedAnswer(
                persona="p12", position=position, frame=frame_.sha256, judgement=told
            )
            writer.append([asked])


def _spectrum(data: DataFolder) -> None:
    """A spectrum that found her second video, and one that mentions her; what was made of it."""
    judge = RejudgementHeader(
        run_id=RUN_ID,
        model="scripted/yes",
        strategy="plain",
        prompts={},
        seed=1,
        at=START,
        code_version="0.1.0",
    )
    with JudgementWriter(judge.path(data.spectra_dir), judge) as writer:
        for shown, reply in ((BLUE, SECRET), (GREEN, "Yes.")):
            said = Judgement(answer="yes", reply=reply, description=f"by {HANDLE}")
            writer.append([RejudgedAnswer(persona="", position=0, frame=shown, judgement=said)])
    found = [
        RetrievedFrame(
            rank=1,
            similarity=0.9,
            words=0.5,
            match=4.0,
            fits=True,
            entry="r1/1/0",
            platform="playground",
            video="her-2",
            frame=BLUE,
            caption=SECRET,
        ),
        RetrievedFrame(
            rank=2,
            similarity=0.8,
            words=0.4,
            match=3.0,
            fits=True,
            entry="r1/2/0",
            platform="playground",
            video="his",
            frame=GREEN,
            caption=f"thanks to @{HANDLE} for the idea",
        ),
    ]
    retrieval = Retrieval(
        at=START,
        set_id="s",
        sha256="0" * 64,
        encoder="test-colour",
        platform=None,
        per_keyword=2,
        by="both",
        frames=8,
        unique=8,
        videos=5,
        values=(ValueRecord(id="v", name="V", definition="d"),),
        keywords=(Keyword(value="v", keyword="lamp", found=tuple(found)),),
    )
    keep(retrieval, data)
    write_whole(data.spectra_dir / "older" / "retrieval.json", json.dumps({"c": SECRET}).encode())
    for folder in (retrieval.folder(data), data.studies_dir / "s1", data.run_dir("r1")):
        write_whole(folder / "report" / "index.html", SECRET.encode())
    for folder in (data.studies_dir / "s1" / "logs", data.daemon_dir / "logs" / "entry"):
        write_whole(folder / "p12.log", SECRET.encode())
    write_whole(data.frames_dir / "ab" / f".x.jpg.1.2{TEMPORARY}", SECRET.encode())


def _prefer(data: DataFolder) -> None:
    """Pairs about her first video, whose frame another one shares, and about one that names her."""
    maker = preference_pairs.Maker(
        model="m", checker="m", prompts={}, seed=1, at=START, code_version="0.1.0"
    )
    with preference_pairs.open_pairs(data, maker) as file:
        for video, author, text in (("her-1", HANDLE, SECRET), ("his", "other", f"by {HANDLE}")):
            source = preference_pairs.FrameSource(
                frame=frame(jpeg("red", 90)).sha256 if author == HANDLE else "f" * 64,
                phash="0",
                platform="playground",
                video=video,
                author=author,
                run="r1",
                position=0,
            )
            file.append(
                [
                    preference_pairs.AcceptedText(
                        source=source, user="Describe.", accepted=text, stored=False
                    )
                ]
            )
            file.append(
                [
                    preference_pairs.PreferencePair(
                        source=source, error="object", accepted=text, rejected=SPOILT
                    )
                ]
            )


def holding(data: DataFolder, *telling: str) -> list[str]:
    """Files in whose bytes or names one of these stands."""
    found = []
    for path in sorted(path for path in data.root.rglob("*") if path.is_file()):
        content = path.read_bytes() + path.name.encode()
        found += [f"{word} in {path}" for word in telling if word.encode() in content]
    return found


def request(asked: Any, value: str) -> Request:
    return Request(asked=asked, value=value, at=NOW)


def test_a_creator_is_forgotten_everywhere(indexed: DataFolder) -> None:
    data = indexed
    gone = FrameStore(data.frames_dir).path(frame(jpeg("blue", 91)).sha256)
    assert gone.exists()
    write_whole(data.replies_dir / "ac" / "abcf.json", json.dumps({"text": SPOILT}).encode())
    told = (HANDLE, SECRET, "her-1", "her-2", "lighthouse", "918273645", BLUE)
    assert all(holding(data, telling) for telling in told)
    done = forget(data, request("author", HANDLE.upper()))
    assert (done.videos, done.steps, done.edited, done.runs) == (2, 4, 3, 2)
    assert (done.frames, done.shared, done.vectors, done.replies) == (1, 1, 7, 3)
    assert done.reports == 3
    assert holding(data, *told) == []
    kept = preference_pairs.find_pairs(data)
    assert [pair.source.video for pair in kept.pairs] == ["his"]
    assert kept.pairs[0].accepted == "by forgotten"
    assert not gone.exists()
    assert not pending(data)
    assert not (data.run_dir("r1") / "pictures" / "000001-LoginRequired.png").exists()
    assert (data.run_dir("r1") / "pictures" / "000003-LoginRequired.png").exists()
    assert (data.replies_dir / "ab" / "abce.json").exists()
    (path,) = data.spectra_dir.glob("*/retrieval.json")
    (hit,) = read_retrieval(path).keywords[0].found
    assert (hit.frame, hit.caption) == (GREEN, "thanks to @forgotten for the idea")
    (path,) = judgement_files(data.spectra_dir)
    gone_, his = read_judgements(path).asked
    assert gone_.frame.startswith("forgotten-")
    assert (gone_.judgement.answer, gone_.judgement.reply) == ("yes", "")
    assert (his.frame, his.judgement.description) == (GREEN, "by forgotten")


def test_the_measurement_stays_and_the_ledger_says_what_went(data: DataFolder) -> None:
    before = read(data.ledger_path("r1"))
    forget(data, request("author", HANDLE))
    after, other = read(data.ledger_path("r1")), read(data.ledger_path("r2"))
    (line,) = after.forgotten
    assert (line.asked, line.positions, line.edited) == ("author", (0, 1), (2, 3))
    assert (line.at, line.position, line.before) == (NOW, 4, None)
    assert after.finished == before.finished
    assert (after.started.schema_, other.status) == (3, "interrupted")
    for old, new in zip(before.steps, after.steps, strict=True):
        assert (new.reaction, new.at, new.phase) == (old.reaction, old.at, old.phase)
        assert new.judgement.answer == old.judgement.answer
        assert new.judgement.p_yes == old.judgement.p_yes
    first = after.steps[0]
    assert first.frames == ()
    assert first.video == Video(id=first.video.id, batch=2, batch_requested_at=0)
    assert first.video.id.startswith("forgotten-")
    assert [s.video.id for s in after.steps[:2]] == [s.video.id for s in other.steps[:2]]
    assert first.video.id != after.steps[1].video.id
    assert after.steps[2].video.caption == "thanks to @forgotten for the idea"
    assert after.steps[2].frames == before.steps[2].frames
    assert after.steps[3] == before.steps[3]
    assert read(data.ledger_path("r3")).forgotten == ()
    (path,) = (data.run_dir("r1") / "judgements").glob("*.jsonl")
    answers = read_judgements(path).asked
    assert [asked.judgement.p_yes for asked in answers] == [0.125] * 4
    assert [bool(asked.judgement.reply) for asked in answers] == [False, False, True, True]
    assert answers[2].judgement.description == "by forgotten"


def test_verify_holds_afterwards_and_the_index_still_searches(indexed: DataFolder) -> None:
    data = indexed
    forget(data, request("author", HANDLE))
    report = verify(data)
    assert report.sound, report.problems
    assert report.temporary == []
    assert report.orphans == 0
    with Index.open(data, ColourEncoder()) as index:
        assert index.ids() == {"r2/3/0", "r3/0/0", "r3/1/0"}
        hits = index.search(ColourEncoder().texts(["red"])[0], 10, duplicates=True)
        assert {hit.entry.id: hit.duplicate_of for hit in hits}["r2/3/0"] is None
    assert update(data, ColourEncoder()).added == 3  # those of which only a name went
    rewritten, older = verify(data).notes
    assert re.fullmatch(r"\d+ lines rewritten on [-\d]{10}, to forget something\.", rewritten)
    assert older.startswith("1 file (cache/ab/abce.json)")  # which the fixture wrote without a hash


def test_an_interrupted_run_goes_on(data: DataFolder) -> None:
    forget(data, request("author", HANDLE))
    path = data.ledger_path("r2")
    summary = summarise(path)
    assert summary is not None
    assert (summary.status, summary.steps) == ("interrupted", 4)
    with LedgerWriter(path, fsync=False) as writer:
        writer.append(step(4))
        writer.append(finished(5))
    assert read(path).status == "complete"
    with pytest.raises(NothingToForget, match=r"fits --author.*Type: "):
        forget(data, request("author", HANDLE))


def test_an_older_reader_refuses_it(data: DataFolder) -> None:
    forget(data, request("video", "her-1"))
    path = data.ledger_path("r1")
    path.write_text(path.read_text("utf-8").replace('"schema":3', '"schema":4', 1), "utf-8")
    with pytest.raises(NewerSchema, match="has schema 4, and this feedsway knows up to 3"):
        read(path)


def test_a_video_is_forgotten_and_its_creator_is_not(data: DataFolder) -> None:
    done = forget(data, request("video", "her-2"))
    assert (done.videos, done.steps, done.edited, done.frames) == (1, 2, 0, 1)
    assert holding(data, "her-2") == []
    assert holding(data, "her-1")
    assert verify(data).sound


def test_a_run_that_only_listed_a_video_names_it_no_more(tmp_path: Path) -> None:
    """What a site had ready tells, by its digest, to whoever has the id."""
    data = DataFolder(tmp_path)
    keep_run(data, "shown", COLOURS[:2])
    for run in ("listed", "other"):
        with LedgerWriter(data.ledger_path(run), fsync=False) as writer:
            writer.append(started(run))
            names = ("x", "shown-1" if run == "listed" else "y")
            order = tuple(id_digest(name) for name in names)
            writer.append(FeedBatch(number=0, requested_at=None, position=0, order=order, page=0))
            writer.append(finished(0))
    before = data.ledger_path("other").read_bytes()
    forget(data, request("video", "shown-1"))
    (batch,) = read(data.ledger_path("listed")).batches
    stand_in = id_digest(read(data.ledger_path("shown")).steps[1].video.id)
    assert batch.order == (id_digest("x"), stand_in)
    assert data.ledger_path("other").read_bytes() == before
    assert verify(data).sound


def test_a_step_that_is_open_still_is_forgotten_too(data: DataFolder) -> None:
    frames = FrameStore(data.frames_dir)
    hers = steps("r2", frames)[1].model_copy(update={"position": 4})
    with LedgerWriter(data.ledger_path("r2"), fsync=False) as writer:
        writer.append(opening(hers))
    forget(data, request("author", HANDLE))
    assert holding(data, HANDLE, SECRET, BLUE) == []
    left = read(data.ledger_path("r2")).open_step
    assert left is not None
    assert (left.frames, left.judgement.answer, left.judgement.reason) == ((), "yes", None)
    assert verify(data).sound


def test_names_and_ids_are_found_however_they_are_spelled(data: DataFolder) -> None:
    hers, other = "7312345678901234567", "7398765432109876543"
    caption = "#ZanzibarQueen7 \uff20zanzibar.queen_7 @zanzibar.queens at https://x.example/v/"
    with LedgerWriter(data.ledger_path("r4"), fsync=False) as writer:
        writer.append(started("r4"))
        writer.append(step(0, video=Video(id=hers, author=f"\uff20{HANDLE.upper()}")))
        about = Video(
            id=other, author="fan", caption=f"{caption}{hers}", hashtags=("zanzibarqueen7",)
        )
        writer.append(step(1, video=about))
        writer.append(finished(2))
    forget(data, request("author", HANDLE))
    kept = read(data.ledger_path("r4")).steps[1].video
    told = "#forgotten @forgotten @zanzibar.queens at https://x.example/v/forgotten"
    assert (kept.caption, kept.hashtags, kept.id) == (told, ("forgotten",), other)
    assert holding(data, hers, "zanzibarqueen7") == []


def test_whoever_made_a_sound_is_forgotten_with_it(data: DataFolder) -> None:
    """A sound names its author as the site shows it, and stickers name others, too."""
    with LedgerWriter(data.ledger_path("r4"), fsync=False) as writer:
        writer.append(started("r4"))
        hers = Video(id="her-9", author=HANDLE, author_name="Zanzi \u2728", ai_label=True, photos=2)
        writer.append(step(0, video=hers))
        for position, maker in enumerate(("Zanzi \u2728", "someone else"), 1):
            sound = {"music_id": f"5{position}", "music_title": f"by {maker}"}
            writer.append(
                step(
                    position,
                    video=Video(
                        id=f"his-{position}",
                        author="fan",
                        music_author=maker,
                        stickers=(f"hi @{HANDLE}",),
                        **sound,
                    ),
                )
            )
        writer.append(finished(3))
    forget(data, request("author", HANDLE))
    emptied, hers, others = (one.video for one in read(data.ledger_path("r4")).steps)
    assert (emptied.ai_label, emptied.photos, emptied.author_name) == (True, 2, None)
    assert (hers.music_id, hers.music_title, hers.music_author) == (None, None, None)
    assert (others.music_id, others.music_author) == ("52", "someone else")
    assert hers.stickers == others.stickers == ("hi @forgotten",)


def test_by_age(data: DataFolder) -> None:
    done = forget(data, request("before", (START + timedelta(seconds=15)).isoformat()))
    assert (done.runs, done.steps) == (3, 6)
    assert read(data.ledger_path("r3")).forgotten[0].before == START + timedelta(seconds=15)
    assert verify(data).sound
    again = forget(data, request("before", (START + timedelta(seconds=25)).isoformat()))
    assert again.steps == 2
    assert len(read(data.ledger_path("r1")).forgotten) == 2
    assert verify(data).sound


@pytest.mark.parametrize(
    ("where", "place"),
    [
        (redaction, "forget_replies"),
        (redaction, "forget_reports"),
        (redaction, "forget_derived"),
        (forgetting, "_forget_frames"),
        (forgetting, "_rewrite"),
        (redaction, "sweep"),
    ],
)
def test_a_call_that_was_cut_off_goes_on(
    data: DataFolder, monkeypatch: pytest.MonkeyPatch, where: Any, place: str
) -> None:
    calls = 0
    real: Any = getattr(where, place)

    def cut(*args: Any) -> Any:
        nonlocal calls
        calls += 1
        if calls == (2 if place == "_rewrite" else 1):
            raise KeyboardInterrupt
        return real(*args)

    with monkeypatch.context() as patch:
        patch.setattr(where, place, cut)
        with pytest.raises(KeyboardInterrupt):
            forget(data, request("author", HANDLE))
    report = verify(data)
    assert any("--resume" in problem.fix for problem in report.problems)
    left = pending(data)
    assert left is not None
    forget(data, left)
    assert pending(data) is None
    assert holding(data, HANDLE, SECRET, BLUE) == []
    assert verify(data).sound
    one, two = read(data.ledger_path("r1")), read(data.ledger_path("r2"))
    assert [s.video.id for s in one.steps[:2]] == [s.video.id for s in two.steps[:2]]
    assert len(one.forgotten) == 1


@pytest.mark.drill
def test_killed_at_any_moment_the_same_command_finishes(data: DataFolder, tmp_path: Path) -> None:
    update(data, ColourEncoder())
    told = (HANDLE, SECRET, "her-1", "her-2", "lighthouse", "918273645", BLUE)
    command = [sys.executable, "-m", "store", "forget", "--data"]
    wanted = ["--author", HANDLE, "--yes"]
    whole = _timed(data, tmp_path / "whole", [*command, str(tmp_path / "whole"), *wanted], None)
    rng = random.Random(7)
    unfinished = 0
    for number in range(6):
        folder = tmp_path / f"cut-{number}"
        # the last three quarters: what comes before is Python's own start
        after = whole * rng.uniform(0.25, 1.0)
        line = [*command, str(folder), *wanted]
        _timed(data, folder, line, after)
        cut = DataFolder(folder)
        unfinished += pending(cut) is not None
        again = subprocess.run(line, capture_output=True, text=True, check=False)
        # the kill may have come after all was done
        assert again.returncode == 0 or "fits --author" in again.stderr, again.stderr
        assert holding(cut, *told) == []
        assert pending(cut) is None
        report = verify(cut)
        assert report.sound, report.problems
        assert (report.temporary, report.orphans) == ([], 0)
        one, two = (read(cut.ledger_path(run_id)) for run_id in ("r1", "r2"))
        assert [s.video.id for s in one.steps[:2]] == [s.video.id for s in two.steps[:2]]
        assert len(one.forgotten) == len(two.forgotten) == 1
    assert unfinished  # otherwise nothing was cut off in the middle


def _timed(data: DataFolder, folder: Path, line: list[str], kill_after: float | None) -> float:
    """Run a command on a copy of the data; seconds that it took."""
    shutil.copytree(data.root, folder)
    begun = time.monotonic()
    with subprocess.Popen(line, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        try:
            process.wait(kill_after)
        except subprocess.TimeoutExpired:
            process.kill()
    return time.monotonic() - begun


def test_nobody_may_write_meanwhile(data: DataFolder) -> None:
    with LedgerWriter(data.ledger_path("r3")), pytest.raises(RunLocked, match="Run r3 is being"):
        forget(data, request("author", HANDLE))
    assert holding(data, HANDLE)


def test_a_step_that_still_tells_is_found(data: DataFolder) -> None:
    forget(data, request("video", "her-1"))
    path = data.ledger_path("r1")
    path.write_text(path.read_text("utf-8").replace('"caption":null', '"caption":"x"', 1), "utf-8")
    refit(path)
    problems = [problem.what for problem in verify(data).problems]
    assert problems == ["step 0 was forgotten and still tells of its video"]


def damage(path: Path, number: int, old: str, new: str) -> None:
    """Change a line, counted from 1."""
    lines = path.read_text().splitlines()
    assert old in lines[number - 1]
    lines[number - 1] = lines[number - 1].replace(old, new)
    path.write_text("".join(f"{line}\n" for line in lines))


def test_a_damaged_ledger_keeps_nothing_else_from_being_forgotten(data: DataFolder) -> None:
    named = {hash_.sha256 for step in read(data.ledger_path("r2")).seen for hash_ in step.frames}
    damage(data.ledger_path("r2"), 4, '"kind":"step', '"kind":"stop')
    words = ["forget", "--author", HANDLE, "--yes", "--remove-copies", "--data", str(data.root)]
    dry = CliRunner().invoke(main, [*words, "--dry-run"])
    assert (dry.exit_code, "r2/ledger.jsonl:4 is damaged" in dry.stderr) == (1, True)
    done = CliRunner().invoke(main, words)
    assert (done.exit_code, "r2/ledger.jsonl:4 is damaged" in done.stderr) == (1, True)
    assert HANDLE not in data.ledger_path("r1").read_text()
    assert read(data.ledger_path("r1")).forgotten
    assert all(FrameStore(data.frames_dir).path(each).is_file() for each in named)
    assert pending(data) is None
    damage(data.ledger_path("r2"), 4, '"kind":"stop', '"kind":"step')
    assert CliRunner().invoke(main, words).exit_code == 0
    assert holding(data, HANDLE, SECRET) == []


def test_answers_that_cannot_be_read_are_kept_unless_they_tell(data: DataFolder) -> None:
    (judged,) = judgement_files(data.run_dir("r1"))
    (spectrum,) = judgement_files(data.spectra_dir)
    (preferred,) = data.pairs_dir.glob("*.jsonl")
    damage(judged, 2, '"persona"', '"perzona"')
    damage(spectrum, 2, '"persona"', '"perzona"')
    for path in (spectrum, preferred):
        with path.open("a") as file:
            file.write('{"kind": "of another day"}\n[]\n{"source": 7}\n')
    with preferred.open("a") as file:
        file.write('{"source": {"frame": ["her-1"]}}\n{"a": ' + "[" * 900 + "]" * 900 + "}\n")
        file.write(f'"by {HANDLE}"\n["her-1"]\n{{"source": "her-1"}}\n')
    forget(data, request("author", HANDLE))
    assert holding(data, HANDLE, SECRET, BLUE, "her-1") == []
    for path in (spectrum, preferred):
        assert '{"kind": "of another day"}\n[]\n{"source": 7}\n' in path.read_text()
    with pytest.raises(DamagedLedger, match=":2 is damaged"):  # its text went, and its break stays
        read_judgements(judged)


def test_forgetting_hides_no_changed_answer(data: DataFolder) -> None:
    (judged,) = judgement_files(data.run_dir("r1"))
    (preferred,) = data.pairs_dir.glob("*.jsonl")
    lines = judged.read_bytes().splitlines(keepends=True)
    for number, line in enumerate(lines):
        for old, new in ((b"yes", b"no"), (b"no", b"yes")):
            if b'"answer":"%b"' % old in line:
                lines[number] = line.replace(b'"answer":"%b"' % old, b'"answer":"%b"' % new)
    assert b"".join(lines) != judged.read_bytes()
    judged.write_bytes(b"".join(lines))
    older = unseal_lines(preferred)[:1]
    preferred.write_bytes(older[0] + b"\n" + b"".join(preferred.read_bytes().splitlines(True)[1:]))
    told = {one.where for one in verify(data).problems}
    assert {str(judged), str(preferred)} <= told
    forget(data, request("author", HANDLE))
    assert holding(data, HANDLE, SECRET) == []
    assert {str(judged), str(preferred)} <= {one.where for one in verify(data).problems}


def test_files_of_answers_that_name_nothing_forgotten_are_left_as_they_are(
    data: DataFolder,
) -> None:
    (preferred,) = data.pairs_dir.glob("*.jsonl")
    other = preferred.with_name("other.jsonl")
    other.write_bytes(b'{"source":7}\n')
    before = other.stat()
    forget(data, request("author", HANDLE))
    assert (other.stat().st_ino, other.read_bytes()) == (before.st_ino, b'{"source":7}\n')


@pytest.mark.parametrize("told", ["[]", "[" * 50_000, '{"frames": [[]]}', '{"frames": 5}'])
def test_a_kept_reply_that_is_none_is_left_alone(data: DataFolder, told: str) -> None:
    path = data.replies_dir / "ab" / "abff.json"
    write_whole(path, told.encode())
    forget(data, request("author", HANDLE))
    assert path.read_text() == told
    assert holding(data, SECRET) == []


@pytest.mark.parametrize(
    "told", ["[" * 50_000, '{"pid": -1, "host": "%s"}', '{"pid": [], "host": 1}']
)
def test_a_lock_that_nobody_signed_holds_nobody_up(data: DataFolder, told: str) -> None:
    text = told % platform.node() if "%s" in told else told
    data.ledger_path("r1").with_name("ledger.lock").write_text(text)
    assert forget(data, request("video", "her-1")).videos == 1
