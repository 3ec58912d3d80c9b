"""What a kill, a stranger's folder or a forgetting elsewhere must not do to united folders."""

from __future__ import annotations

import json
import os
import random
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from store.cli.main import main
from store.frames.frame_store import FrameStore
from store.index.build import update
from store.jsonl.atomic import write_whole
from store.results.preference_pairs import AcceptedText, FrameSource, Maker
from store.runs.data_folder import DataFolder
from store.runs.ledger import LedgerWriter, read
from store.runs.ledger_lines import Forgotten, Judgement, Video
from store.runs.ledger_site_lines import FeedBatch, id_digest
from store.runs.payment_book import CarriedOver, PaymentBook
from store.runs.rejudgements import (
    JudgementWriter,
    RejudgedAnswer,
    RejudgementKey,
    read_judgements,
)
from tests.store.maintenance.test_merge import KILLED, ROOT, header, typed
from tests.store.samples import (
    COLOURS,
    START,
    ColourEncoder,
    finished,
    frame,
    jpeg,
    keep_run,
    started,
    step,
)
from tests.store.sealed_lines import refit, unseal_lines

CELL = (
    b'{"platform": "p", "strategy": "s", "model": "m", "replicate": 1, "slot": 1, '
    b'"arm": "passive", "persona": "%s"}'
)


@pytest.mark.parametrize("writes", [1, 2])
@pytest.mark.parametrize("extended", [False, True])
def test_a_killed_merge_loses_no_study_file(tmp_path: Path, writes: int, extended: bool) -> None:
    source, target = DataFolder(tmp_path / "source"), DataFolder(tmp_path / "target")
    keep_run(source, "r1", COLOURS[:1], config={"study": "s", "cell": "c"})
    files = {
        "study.toml": b'name = "s"\n[matrix]\nreplicates = 2\n',
        "draws.json": b"[%s, %s]" % (CELL % b"a", CELL % b"b"),
        "frozen.json": b'{"a": 1}',
    }
    for name, content in files.items():
        write_whole(source.study_dir("s") / name, content)
    if extended:
        write_whole(target.study_dir("s") / "study.toml", b'name = "s"\n[matrix]\nreplicates = 1\n')
        write_whole(target.study_dir("s") / "draws.json", b"[%s]" % (CELL % b"a"))
    command = [sys.executable, "-c", KILLED, str(writes), str(target.root), str(source.root)]
    assert subprocess.run(command, cwd=ROOT, check=False).returncode == -9
    assert typed(target.root, source.root).exit_code == 0
    there = {
        name: path.read_bytes() for name in files if (path := target.study_dir("s") / name).exists()
    }
    assert there.keys() == files.keys()
    assert (there["study.toml"], there["draws.json"]) == (files["study.toml"], files["draws.json"])


@pytest.mark.parametrize(
    ("place", "code"), [("frames", 1), ("derived/a.json", 0), ("runs/r1/x.lock", 0)]
)
def test_a_pipe_in_a_stranger_s_folder_is_not_waited_for(
    tmp_path: Path, place: str, code: int
) -> None:
    source = DataFolder(tmp_path / "source")
    keep_run(source, "r1", COLOURS[:1])
    path = source.root / place
    if path.is_dir():
        path = next(path.rglob("*.jpg"))
        path.unlink()
    path.parent.mkdir(exist_ok=True)
    os.mkfifo(path)
    words = [
        sys.executable,
        "-m",
        "store",
        "merge",
        str(source.root),
        "--data",
        str(tmp_path / "t"),
    ]
    assert subprocess.run(words, cwd=ROOT, check=False, timeout=60).returncode == code


def test_a_lock_that_no_process_signed_is_no_writer(tmp_path: Path) -> None:
    source = DataFolder(tmp_path / "source")
    keep_run(source, "r1", COLOURS[:1])
    write_whole(source.run_dir("r1") / "x.lock", b'{"pid": 1e999, "host": "elsewhere"}')
    assert typed(tmp_path / "target", source.root).exit_code == 0


def test_a_forgotten_name_does_not_come_back_with_spectra_pairs_and_replies(tmp_path: Path) -> None:
    """The picture stays for another's video; what was said about it names who was forgotten."""
    told, target = DataFolder(tmp_path / "told"), DataFolder(tmp_path / "target")
    picture, other = jpeg("red"), jpeg("blue")
    with LedgerWriter(told.ledger_path("r1"), fsync=False) as writer:
        writer.append(started("r1"))
        videos = (("annabella", picture), ("bob", picture), ("cid", other))
        for place, (author, jpeg_bytes) in enumerate(videos):
            FrameStore(told.frames_dir).put(jpeg_bytes, sync=False)
            video = Video(id=f"v{place}", author=author, caption="a duet with @annabella")
            writer.append(step(place, frame(jpeg_bytes), video=video))
        writer.append(finished(3))
    shutil.copytree(told.root, target.root)
    command = ["forget", "--author", "annabella", "--yes", "--data", str(target.root)]
    assert CliRunner().invoke(main, command).exit_code == 0
    shown = [one.frames[0].sha256 for one in read(told.ledger_path("r1")).steps[1:]]
    asked = header("spectrum")
    said = Judgement(answer="yes", reason="I like annabella.")
    with JudgementWriter(asked.path(told.spectra_dir), asked) as file:
        file.append([RejudgedAnswer.of(RejudgementKey("", 0, one), said) for one in shown])
    maker = Maker(model="m", checker="c", prompts={}, seed=1, at=START, code_version="0")
    source = FrameSource(
        frame=shown[0],
        phash="0" * 16,
        platform="playground",
        video="v0",
        author="annabella",
        run="r1",
        position=0,
    )
    text = AcceptedText(source=source, user="Describe.", accepted="annabella", stored=False)
    lines = [one.model_dump_json(by_alias=True) for one in (maker, text)]
    write_whole(told.pairs_dir / "m.jsonl", "\n".join([*lines, ""]).encode())
    for number, one in enumerate(shown):
        reply = json.dumps({"text": "annabella", "frames": [one]}).encode()
        write_whole(told.replies_dir / "ab" / f"abc{number}.json", reply)
    for files in (True, False):
        done = typed(target.root, told.root, words=("--own", "--json"))
        assert (done.exit_code, json.loads(done.stdout)["files"] > 0) == (0, files), done.stderr
    there = [path for path in target.root.rglob("*") if path.is_file()]
    assert [path for path in there if b"annabella" in path.read_bytes()] == []
    answers = read_judgements(asked.path(target.spectra_dir)).asked  # paid for, and so kept
    assert [line.judgement.answer for line in answers] == ["yes", "yes"]


def test_an_older_ledger_that_was_forgotten_elsewhere_comes_in_forgotten(tmp_path: Path) -> None:
    """Forgetting writes out fields that an older version left away."""
    told, forgot = DataFolder(tmp_path / "told"), DataFolder(tmp_path / "forgot")
    keep_run(told, "r1", COLOURS[:3])
    ledger = told.ledger_path("r1")
    lines = [json.loads(line) for line in unseal_lines(ledger)]
    for line in lines:
        if line["kind"] == "step":
            line["video"] = {name: of for name, of in line["video"].items() if of is not None}
    listed = FeedBatch(number=0, requested_at=None, position=0, order=(id_digest("r1-1"),))
    lines.insert(1, json.loads(listed.model_dump_json()))  # as sites have it, without a time
    write_whole(ledger, b"".join(json.dumps(line).encode() + b"\n" for line in lines))
    shutil.copytree(told.root, forgot.root)
    command = ["forget", "--video", "r1-1", "--yes", "--data", str(forgot.root)]
    assert CliRunner().invoke(main, command).exit_code == 0
    done = typed(tmp_path / "target", told.root, forgot.root)
    assert (done.exit_code, done.stderr.count("Conflict")) == (0, 0), done.stderr
    assert read(DataFolder(tmp_path / "target").ledger_path("r1")).forgotten


def test_a_made_up_forgetting_changes_nothing_that_is_here(tmp_path: Path) -> None:
    mine, theirs = DataFolder(tmp_path / "mine"), DataFolder(tmp_path / "theirs")
    keep_run(mine, "r1", COLOURS[:2])
    shutil.copytree(mine.root, theirs.root)
    kept = mine.ledger_path("r1").read_bytes()
    first, *others, last = kept.splitlines(keepends=True)
    made_up = first.replace(b"I surf.", b"I hate.")
    line = Forgotten(at=START, position=2, positions=(), asked="video").model_dump_json().encode()
    write_whole(theirs.ledger_path("r1"), b"".join([made_up, *others, line, b"\n", last]))
    refit(theirs.ledger_path("r1"))
    done = typed(mine.root, theirs.root)
    assert (done.exit_code, "Run r1 is not the same" in done.stderr) == (1, True)
    assert mine.ledger_path("r1").read_bytes() == kept


@pytest.mark.parametrize(
    ("name", "theirs"),
    [
        ("draws.json", b"[1]"),
        ("looks.json", b"[1]"),
        ("tested.json", b'[{"cells": 3}]'),
        ("occurrences.json", b'{"a": "x"}'),
        ("draws.json", b"[%s]" % (CELL % b"a")),
    ],
)
def test_a_study_file_that_would_stop_or_enlarge_a_study_here_stays_out(
    tmp_path: Path, name: str, theirs: bytes
) -> None:
    """The last: a valid draw of more cells, with a study file that allows more dollars."""
    here, there = DataFolder(tmp_path / "here"), DataFolder(tmp_path / "there")
    for data, dollars in ((here, b"8"), (there, b"800")):
        keep_run(data, "r1", COLOURS[:1], config={"study": "s", "cell": "c"})
        text = b'name = "s"\n[budget]\nmax_cost = %s\n' % dollars
        write_whole(data.study_dir("s") / "study.toml", text)
    write_whole(there.study_dir("s") / name, theirs)
    kept = here.study_dir("s") / "study.toml"
    before = kept.read_bytes()
    done = typed(here.root, there.root)
    assert (done.exit_code, "none of its runs came in" in done.stderr) == (1, True)
    assert [path.name for path in here.study_dir("s").glob("*.[jt]*")] == ["study.toml"]
    assert kept.read_bytes() == before


def test_what_was_carried_over_is_not_carried_again_for_its_rounding(tmp_path: Path) -> None:
    here, there = DataFolder(tmp_path / "here"), DataFolder(tmp_path / "there")
    rng = random.Random(1)
    pairs = ((rng.random() / 10, rng.random() * 10) for _ in range(10_000))
    sums = next((a, b) for a, b in pairs if a + (b - a) < b)
    for data, cost in zip((here, there), sums, strict=True):
        keep_run(data, "r1", COLOURS[:1])
        one = CarriedOver(at=START, account="run/r1", calls=2, cost_usd=cost, tokens=7)
        PaymentBook(data.payments).carry(one)
    for files in (1, 0):
        done = typed(here.root, there.root, words=("--json",))
        assert json.loads(done.stdout)["files"] == files


def test_what_is_left_out_counts_once_however_many_folders_have_it(tmp_path: Path) -> None:
    one = DataFolder(tmp_path / "one")
    keep_run(one, "r1", COLOURS[:1])
    write_whole(one.replies_dir / "ab" / "abcd.json", b'{"text": "yes", "frames": []}')
    shutil.copytree(one.root, tmp_path / "two")
    done = typed(tmp_path / "target", one.root, tmp_path / "two", one.root)
    assert "Left out: 1 kept reply" in done.stderr


def test_what_is_to_be_typed_can_be_typed_and_forgets_no_more(tmp_path: Path) -> None:
    here, there = DataFolder(tmp_path / "he re"), DataFolder(tmp_path / "there")
    with LedgerWriter(here.ledger_path("r1"), fsync=False) as writer:
        writer.append(started("r1"))
        for place, author in enumerate(("annabella", "bob")):
            FrameStore(here.frames_dir).put(jpeg("red", place), sync=False)
            video = Video(id=f"v{place}", author=author, caption="a duet with @annabella")
            writer.append(step(place, frame(jpeg("red", place)), video=video))
        writer.append(finished(2))
    shutil.copytree(here.root, there.root)
    command = ["forget", "--author", "annabella", "--yes", "--data", str(there.root)]
    assert CliRunner().invoke(main, command).exit_code == 0
    done = typed(here.root, there.root)
    assert f"store forget --author HANDLE --data '{here.root}'" in done.stderr
    assert f"store index --data '{here.root}'" in done.stderr


def test_a_full_disk_is_told_as_one_and_a_damaged_index_is_no_success(tmp_path: Path) -> None:
    source = DataFolder(tmp_path / "source")
    keep_run(source, "r1", COLOURS[:2])
    update(source, ColourEncoder())
    words = [sys.executable, "-m", "store", "merge", str(source.root), "--own"]
    words += ["--data", str(tmp_path / "target")]
    small = (
        "import os, resource, sys; resource.setrlimit(resource.RLIMIT_FSIZE, (65536, 65536)); "
        "os.execv(sys.executable, sys.argv[1:])"
    )
    limited = [sys.executable, "-c", small, *words]
    done = subprocess.run(limited, cwd=ROOT, check=False, capture_output=True, text=True)
    assert (done.returncode, "File too large" in done.stderr) == (2, True), done.stderr
    assert subprocess.run(words, cwd=ROOT, check=False, capture_output=True).returncode == 0
    for path in source.index_dir.rglob("chroma.sqlite3"):
        path.write_bytes(b"no database")
    left = typed(tmp_path / "other", source.root, words=("--own",))
    assert (left.exit_code, "Vectors left out" in left.stderr) == (1, True)


def test_a_folder_that_may_only_be_read_is_merged_with_its_vectors(tmp_path: Path) -> None:
    """Also with a lock that a killed job has left; for root, who may write all, no test."""
    source = DataFolder(tmp_path / "source")
    keep_run(source, "r1", COLOURS[:2])
    update(source, ColourEncoder())
    write_whole(source.run_dir("r1") / "ledger.lock", b'{"pid": 7, "host": "node-17"}')
    places = [source.root, *source.root.rglob("*")]
    for path in places:
        path.chmod(0o500 if path.is_dir() else 0o400)
    try:
        done = typed(tmp_path / "target", source.root, words=("--own", "--json"))
    finally:
        for path in places:
            path.chmod(0o700)
    assert (done.exit_code, json.loads(done.stdout)["vectors"]) == (0, 2), done.stderr
    assert [path.name for path in (tmp_path / "target" / "index").glob("*.merging")] == []


@pytest.mark.parametrize("way", ["dots", "link", "null"])
def test_a_made_up_entry_of_a_report_leads_nowhere_into_this_folder(
    tmp_path: Path, way: str
) -> None:
    """Forgetting deletes what is entered, and would have stopped at such a place."""
    mine, theirs = DataFolder(tmp_path / "mine"), DataFolder(tmp_path / "theirs")
    keep_run(mine, "r0", COLOURS[:1])
    keep_run(theirs, "r1", COLOURS[:2])
    draw = mine.root / "labels" / "draw.jsonl"
    write_whole(draw, b"{}\n")
    (tmp_path / "link").symlink_to(mine.root)
    place = {
        "dots": f"{tmp_path}/elsewhere/../mine/labels",
        "link": f"{tmp_path}/link/labels",
        "null": f"{tmp_path}/\0",
    }[way]
    entry = {"path": place, "kind": "sheet", "at": "2025-01-01T00:00:00Z"}
    write_whole(theirs.derived_dir / "a.json", json.dumps(entry).encode())
    assert typed(mine.root, theirs.root).exit_code == 0
    assert not mine.derived_dir.exists()
    command = ["forget", "--video", "r0-0", "--yes", "--data", str(mine.root)]
    assert CliRunner().invoke(main, command).exit_code == 0
    assert draw.exists()
