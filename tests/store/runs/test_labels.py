"""Labels are kept line by line: none is lost, none counts twice, and every copy says the same."""

from __future__ import annotations

import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from click.testing import CliRunner

from store.cli.main import main
from store.errors import DamagedLedger
from store.maintenance.verify import verify
from store.runs.data_folder import DataFolder
from store.runs.labels import (
    DrawHeader,
    DrawQuestion,
    DrawStratum,
    Label,
    LabelDraw,
    LabelFile,
    LabelFinding,
    LabelUndo,
    RenamedDraw,
    check_labels,
    draw_path,
    list_labellers,
    read_draw,
    write_draw,
)
from tests.store.samples import COLOURS, keep_run
from tests.store.sealed_lines import refit, unseal_lines

START = datetime(2025, 3, 1, 12, tzinfo=UTC)
ROOT = Path(__file__).parents[3]
WRITER = """
import sys
from datetime import UTC, datetime
from pathlib import Path
from store.runs.data_folder import DataFolder
from store.runs.labels import Label, LabelFile
file = LabelFile(DataFolder(Path(sys.argv[1])), "d-1", "anna")
for number in range(int(sys.argv[2]), 5000):
    at = datetime.now(UTC)
    if file.add([Label(question=f"q{number:04}", answer="yes", by="anna", at=at)]):
        print(f"q{number:04}", flush=True)
"""


def question(number: int, run_id: str = "r0") -> DrawQuestion:
    return DrawQuestion(
        id=f"q{number:04}",
        run_id=run_id,
        position=number,
        arm="treatment",
        window="after",
        persona="p12",
        traits="t",
        own=True,
        probability=0.25,
    )


def keep_draw(data: DataFolder, count: int = 6) -> LabelDraw:
    header = DrawHeader(
        name="d-1",
        at=START,
        seed=1,
        runs=("r0",),
        strata=("run",),
        strategy="simple",
        prompts={},
        code_version="0.1.0",
    )
    stratum = DrawStratum(of={"run": "r0"}, population=4 * count, sample=count)
    draw = LabelDraw(header, (stratum,), tuple(map(question, range(count))))
    write_draw(data, draw)
    return draw


def label(number: int, answer: str = "yes", by: str = "anna", after_s: float = 0) -> Label:
    at = START + timedelta(seconds=after_s or number)
    return Label.model_validate({"question": f"q{number:04}", "answer": answer, "by": by, "at": at})


def test_a_draw_is_read_as_it_was_written(tmp_path: Path) -> None:
    data = DataFolder(tmp_path)
    draw = keep_draw(data)
    assert read_draw(draw_path(data, "d-1")) == draw


def test_a_label_stands_until_it_is_taken_back(tmp_path: Path) -> None:
    data = DataFolder(tmp_path)
    keep_draw(data)
    file = LabelFile(data, "d-1", "anna")
    assert file.add([label(0), label(1)]) == 2
    assert file.add([label(0, "no"), label(2, "unsure")]) == 1
    assert {one.question: one.answer for one in file.read().standing.values()} == {
        "q0000": "yes",
        "q0001": "yes",
        "q0002": "unsure",
    }
    before = file.path.read_bytes()
    assert file.undo("q0001", START + timedelta(minutes=1))
    assert not file.undo("q0001", START + timedelta(minutes=2))
    assert file.path.read_bytes().startswith(before), "an undo is a line, never an edit"
    log = file.read()
    assert (list(log.standing), log.undone) == (["q0000", "q0002"], 1)
    assert file.add([label(1, "no", after_s=120)]) == 1
    assert file.read().standing["q0001"].answer == "no"


def test_an_undo_is_never_dated_before_its_label(tmp_path: Path) -> None:
    """Lines of two machines are put together by their time."""
    data = DataFolder(tmp_path)
    file = LabelFile(data, "d-1", "anna")
    file.add([label(0, after_s=100)])
    file.undo("q0000", START)
    file.add([label(0, "no", after_s=1)])
    lines = [json.loads(line) for line in file.path.read_bytes().splitlines()]
    times = [datetime.fromisoformat(line["at"]) for line in lines]
    assert [line["kind"] for line in lines] == ["label", "undo", "label"]
    assert times == sorted(times)


def test_what_was_acknowledged_outlives_a_kill_and_a_torn_line(tmp_path: Path) -> None:
    data = DataFolder(tmp_path)
    rng = random.Random(1)
    acknowledged: list[str] = []
    for _ in range(4):
        words = [sys.executable, "-c", WRITER, str(tmp_path), str(len(acknowledged))]
        with subprocess.Popen(words, stdout=subprocess.PIPE, text=True, cwd=ROOT) as writer:
            assert writer.stdout is not None
            acknowledged.append(writer.stdout.readline().strip())
            time.sleep(rng.uniform(0.01, 0.15))
            writer.send_signal(signal.SIGKILL)
            acknowledged += writer.stdout.read().split()
        file = LabelFile(data, "d-1", "anna")
        standing = file.read().standing
        assert set(acknowledged) <= set(standing)
        assert len(standing) - len(acknowledged) <= 1, "kept, and killed before it said so"
        acknowledged = list(standing)
        with file.path.open("ab") as torn:  # as a power cut leaves it
            torn.write(b'{"kind":"label","question":"q49')
    assert len(acknowledged) >= 4
    assert LabelFile(data, "d-1", "anna").add([label(4999)]) == 1
    assert LabelFile(data, "d-1", "anna").read().repeats == 0


def test_many_windows_of_one_person_give_each_label_once(tmp_path: Path) -> None:
    data = DataFolder(tmp_path)

    def give(number: int) -> int:
        return LabelFile(data, "d-1", "anna").add([label(number % 20)])

    with ThreadPoolExecutor(8) as pool:
        new = sum(pool.map(give, range(80)))
    assert new == 20
    log = LabelFile(data, "d-1", "anna").read()
    assert (len(log.standing), log.repeats) == (20, 0)


def test_damage_is_told_and_written_over_by_nobody(tmp_path: Path) -> None:
    data = DataFolder(tmp_path)
    keep_run(data, "r0", COLOURS[:4])
    keep_draw(data)
    file = LabelFile(data, "d-1", "anna")
    file.add([label(0), label(9)])
    LabelFile(data, "d-1", "bo").add([label(0, by="bo")])
    (fault,) = check_labels(data)
    assert fault == LabelFinding(file.path, "1 label to no question of the draw")
    first = unseal_lines(file.path)[0]
    file.path.write_bytes(b"".join(line + b"\n" for line in (*unseal_lines(file.path), first)))
    refit(file.path)
    raw = file.path.read_bytes()
    (_, twice) = check_labels(data)
    assert twice.what == "1 question labelled twice; the first label of each stands"
    assert twice.sound, "as after a merge: it is told, and nothing is to be mended"
    file.path.write_bytes(b'{"kind":"label"}\n' + raw)
    assert file.add([label(3)]) == 1
    assert file.path.read_bytes().startswith(b'{"kind":"label"}\n' + raw)
    assert "by-anna.jsonl:1 is damaged" in next(check_labels(data)).what
    draw_path(data, "d-1").write_bytes(b"{}\n")
    (fault,) = check_labels(data)
    assert fault.path == draw_path(data, "d-1")
    told = CliRunner().invoke(main, ["verify", "--data", str(tmp_path)])
    assert told.exit_code == 1
    assert "draw.jsonl" in told.output


def test_a_damaged_label_is_asked_again_and_the_others_count(tmp_path: Path) -> None:
    data = DataFolder(tmp_path)
    keep_run(data, "r0", COLOURS[:4])
    keep_draw(data)
    file = LabelFile(data, "d-1", "anna")
    assert file.add([label(0), label(1), label(2), label(3)]) == 4
    assert file.undo("q0003", START)
    lines = file.path.read_bytes().splitlines(keepends=True)
    lines[1] = lines[1].replace(b'"answer":"', b'"answer": ')
    lines[2] = lines[2].replace(b'"yes"', b'"no"')
    lines[4] = lines[4].replace(b'"undo"', b'"undo" ')
    file.path.write_bytes(b"".join(lines))
    log = file.read()
    assert list(log.standing) == ["q0000"], "what was taken back stands again, or damage counts"
    assert [fault.line for fault in log.damaged] == [2, 3, 5]
    told = [one for one in verify(data).problems if one.where == str(file.path)]
    assert len(told) == 3
    assert not any("delete" in one.fix for one in told)
    assert file.add([label(0), label(1), label(2)]) == 2
    assert list(file.read().standing) == ["q0000", "q0001", "q0002"]
    assert len(file.read().damaged) == 3, "damage was written over"


def test_a_copy_that_a_file_sync_made_is_nobody(tmp_path: Path) -> None:
    """Else one person would count as two who agree wholly."""
    data, target = DataFolder(tmp_path / "data"), tmp_path / "target"
    keep_run(data, "r0", COLOURS[:4])
    keep_draw(data)
    file = LabelFile(data, "d-1", "anna")
    file.add([label(0)])
    copy = LabelFile(data, "d-1", "anna (conflicted copy)")
    shutil.copy(file.path, copy.path)
    for act in (copy.read, lambda: copy.add([label(1)]), lambda: copy.undo("q0000", START)):
        with pytest.raises(DamagedLedger, match="by 'anna', as in a copy that a file sync made"):
            act()
    assert [one.path for one in check_labels(data)] == [copy.path]
    done = CliRunner().invoke(main, ["merge", str(data.root), "--data", str(target)])
    assert "a copy that a file sync made" in done.output.replace("\n", " ")
    assert list_labellers(draw_path(DataFolder(target), "d-1")) == ["anna"]


def test_a_file_of_nobody_is_told_and_read_as_nobody(tmp_path: Path) -> None:
    data = DataFolder(tmp_path)
    keep_draw(data)
    stray = draw_path(data, "d-1").with_name("by-.jsonl")
    stray.write_bytes(b"")
    assert list_labellers(draw_path(data, "d-1")) == []
    assert [one.path for one in check_labels(data)] == [stray]


def test_a_draw_in_a_folder_of_another_name_is_told_how_to_move(tmp_path: Path) -> None:
    """Its labels are looked for under the draw's name."""
    data = DataFolder(tmp_path)
    keep_draw(data)
    LabelFile(data, "d-1", "anna").add([label(0)])
    (data.labels_dir / "d-1").rename(data.labels_dir / "d-1 old")
    with pytest.raises(RenamedDraw) as told:
        read_draw(draw_path(data, "d-1 old"))
    command = str(told.value).partition("Type: ")[2]
    subprocess.run(command, shell=True, check=True)  # as a person would type it
    assert read_draw(draw_path(data, "d-1")).header.name == "d-1"


def test_a_question_about_a_run_that_was_not_drawn_of_is_damage(tmp_path: Path) -> None:
    data = DataFolder(tmp_path)
    draw = keep_draw(data)
    write_draw(data, replace(draw, questions=(*draw.questions, question(9, "ghost"))))
    with pytest.raises(DamagedLedger, match=r"draw\.jsonl:9 is damaged: its run 'ghost'"):
        read_draw(draw_path(data, "d-1"))


def run(*words: str) -> str:
    done = CliRunner().invoke(main, list(words))
    assert done.exit_code == 0, done.output
    return done.output


def test_a_backup_holds_draws_and_labels(tmp_path: Path) -> None:
    data = DataFolder(tmp_path / "data")
    keep_run(data, "r0", COLOURS[:4])
    draw = keep_draw(data)
    LabelFile(data, "d-1", "anna").add([label(0), label(1)])
    sheet = data.labels_dir / "d-1" / "sheet" / "index.html"
    sheet.parent.mkdir()
    sheet.write_text("made again")
    run("backup", str(tmp_path / "all.tar"), "--data", str(data.root))
    run("restore", str(tmp_path / "all.tar"), "--data", str(tmp_path / "back"))
    back = DataFolder(tmp_path / "back")
    assert read_draw(draw_path(back, "d-1")) == draw
    assert LabelFile(back, "d-1", "anna").read() == LabelFile(data, "d-1", "anna").read()
    assert list_labellers(draw_path(back, "d-1")) == ["anna"]
    assert not (back.labels_dir / "d-1" / "sheet").exists()


def test_labels_of_two_machines_are_united_in_any_order(tmp_path: Path) -> None:
    first, second = DataFolder(tmp_path / "first"), DataFolder(tmp_path / "second")
    keep_run(first, "r0", COLOURS[:4])
    keep_draw(first)
    LabelFile(first, "d-1", "anna").add([label(0)])
    shutil.copytree(first.root, second.root)
    LabelFile(first, "d-1", "anna").add([label(1), label(2)])
    there = LabelFile(second, "d-1", "anna")
    there.undo("q0000", START + timedelta(seconds=30))
    there.add([label(0, "no", after_s=31), label(3)])
    LabelFile(second, "d-1", "bo").add([label(0, by="bo")])
    merged = []
    for name, sources in (("a", (first, second)), ("b", (second, first))):
        target = tmp_path / name
        for source in (*sources, *sources):
            run("merge", str(source.root), "--data", str(target))
        merged.append(DataFolder(target))
    for by in ("anna", "bo"):
        one, two = (LabelFile(each, "d-1", by) for each in merged)
        assert one.path.read_bytes() == two.path.read_bytes()
    standing = LabelFile(merged[0], "d-1", "anna").read().standing
    told = {name: one.answer for name, one in standing.items()}
    assert told == {"q0000": "no", "q0001": "yes", "q0002": "yes", "q0003": "yes"}


def test_a_merge_names_questions_that_both_machines_labelled(tmp_path: Path) -> None:
    first, second = DataFolder(tmp_path / "first"), DataFolder(tmp_path / "second")
    for data, answer in ((first, "yes"), (second, "no")):
        keep_run(data, "r0", COLOURS[:4])
        keep_draw(data)
        after = 1 if answer == "yes" else 2
        LabelFile(data, "d-1", "anna").add([label(0, answer, after_s=after)])
    done = CliRunner().invoke(main, ["merge", str(second.root), "--data", str(first.root)])
    assert "1 question labelled here as well" in done.output
    assert LabelFile(first, "d-1", "anna").read().standing["q0000"].answer == "yes"
    keep_draw(second, count=5)
    before = LabelFile(first, "d-1", "anna").path.read_bytes()
    done = CliRunner().invoke(main, ["merge", str(second.root), "--data", str(first.root)])
    assert "other questions were drawn than here" in done.output
    assert LabelFile(first, "d-1", "anna").path.read_bytes() == before


def test_an_undo_takes_back_its_own_label_alone(tmp_path: Path) -> None:
    """On one machine a label stands; on the other a slip was taken back, before or after."""
    for first_s, second_s in ((1, 2), (2, 1), (1, 1)):
        folder = tmp_path / f"{first_s}-{second_s}"
        first, second = DataFolder(folder / "first"), DataFolder(folder / "second")
        for data in (first, second):
            keep_run(data, "r0", COLOURS[:4])
            keep_draw(data)
        LabelFile(first, "d-1", "anna").add([label(0, after_s=first_s)])
        slip = LabelFile(second, "d-1", "anna")
        slip.add([label(0, "no", after_s=second_s)])
        slip.undo("q0000", START + timedelta(seconds=3))
        run("merge", str(second.root), "--data", str(first.root))
        log = LabelFile(first, "d-1", "anna").read()
        assert {name: one.answer for name, one in log.standing.items()} == {"q0000": "yes"}
        assert (log.undone, log.repeats) == (1, 0)


def test_a_merge_keeps_an_answer_that_was_given_anew_while_the_clock_stepped_back(
    tmp_path: Path,
) -> None:
    first, second = DataFolder(tmp_path / "first"), DataFolder(tmp_path / "second")
    for data in (first, second):
        keep_run(data, "r0", COLOURS[:4])
        keep_draw(data)
    file = LabelFile(first, "d-1", "anna")
    file.add([label(0, after_s=100)])
    file.undo("q0000", START)
    file.add([label(0, "no", after_s=6)])
    LabelFile(second, "d-1", "anna").add([label(1, after_s=7)])
    run("merge", str(second.root), "--data", str(first.root))
    told = {name: one.answer for name, one in file.read().standing.items()}
    assert told == {"q0000": "no", "q0001": "yes"}
    run("verify", "--data", str(first.root))


def test_after_a_conflict_of_labels_the_folder_is_sound(tmp_path: Path) -> None:
    first, second = DataFolder(tmp_path / "first"), DataFolder(tmp_path / "second")
    for seconds, (data, answer) in enumerate(((first, "yes"), (second, "no")), 1):
        keep_run(data, "r0", COLOURS[:4])
        keep_draw(data)
        LabelFile(data, "d-1", "anna").add([label(0, answer, after_s=seconds)])
    CliRunner().invoke(main, ["merge", str(second.root), "--data", str(first.root)])
    assert "1 question labelled twice" in run("verify", "--data", str(first.root))


def test_forgetting_leaves_labels_which_tell_of_no_video(tmp_path: Path) -> None:
    data = DataFolder(tmp_path)
    keep_run(data, "r0", COLOURS[:4])
    keep_draw(data)
    file = LabelFile(data, "d-1", "anna")
    file.add([label(0)])
    frames = {path.stem for path in data.frames_dir.rglob("*.jpg")}
    assert len(frames) == 4
    run("forget", "--video", "r0-0", "--yes", "--data", str(tmp_path))
    assert file.read().standing["q0000"].answer == "yes"
    text = "".join(path.read_text() for path in data.labels_dir.rglob("*.jsonl"))
    assert not any(frame in text for frame in frames)
    assert "r0-0" not in text


def test_an_entry_of_the_register_deletes_no_label(tmp_path: Path) -> None:
    from store.privacy.derived_files import DerivedEntry

    data = DataFolder(tmp_path)
    keep_draw(data)
    for place in ("labels", "labels/d-1", "labels/d-1/draw.jsonl", "labels/d-1/by-anna.jsonl"):
        assert not DerivedEntry(path=place, kind="sheet", at=START).is_ours(data), place
    assert DerivedEntry(path="labels/d-1/sheet", kind="sheet", at=START).is_ours(data)


def test_lines_say_who_and_when(tmp_path: Path) -> None:
    file = LabelFile(DataFolder(tmp_path), "d-1", "anna")
    file.add([label(0)])
    file.undo("q0000", START + timedelta(hours=1))
    told = [json.loads(line) for line in unseal_lines(file.path)]
    assert [(one["by"], one["at"]) for one in told] == [
        ("anna", "2025-03-01T12:00:00Z"),
        ("anna", "2025-03-01T13:00:00Z"),
    ]
    assert LabelUndo.model_validate(told[1]).question == "q0000"
    if os.name != "nt":
        assert file.path.stat().st_mode & 0o077 == 0
