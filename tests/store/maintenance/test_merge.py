"""Data folders are united: in any order, as often as one likes, and whatever was killed."""

from __future__ import annotations

import hashlib
import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from store.cli.main import main
from store.index.build import update
from store.jsonl.append_only import committed
from store.jsonl.atomic import write_whole
from store.jsonl.locks import NamedLock
from store.privacy.derived_files import entries, register
from store.runs.data_folder import DataFolder
from store.runs.ledger import read
from store.runs.ledger_lines import Judgement
from store.runs.payment_book import CallReserved, CallSettled, CarriedOver, PaymentBook
from store.runs.rejudgements import (
    JudgementWriter,
    RejudgedAnswer,
    RejudgementHeader,
    RejudgementKey,
    read_judgements,
)
from store.runs.shards import Shard
from tests.store.samples import COLOURS, START, ColourEncoder, keep_run

ROOT = Path(__file__).parents[3]
SECRET = "a word that nobody may read again"
KILLED = """
import os, sys
from pathlib import Path
from store.jsonl import atomic
from store.maintenance import merged_files
from store.maintenance.merge import merge
from store.runs.data_folder import DataFolder
left = int(sys.argv[1])
whole = merged_files.write_whole
def killed(path, content, **how):
    global left
    left -= 1
    if left < 0:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.with_name(f".{path.name}.1.tmp").write_bytes(content[: len(content) // 2])
        os.kill(os.getpid(), 9)
    whole(path, content, **how)
merged_files.write_whole = killed
merge(DataFolder(Path(sys.argv[2])), [DataFolder(Path(one)) for one in sys.argv[3:]])
"""


def typed(target: Path, *folders: Path, words: tuple[str, ...] = ()) -> Result:
    command = ["merge", *map(str, folders), "--data", str(target), *words]
    return CliRunner().invoke(main, command, catch_exceptions=False)


def contents(root: Path) -> dict[str, object]:
    """Every file that is kept; of files of lines the lines, in whatever order."""
    found: dict[str, object] = {}
    for path in sorted(root.rglob("*")):
        if path.is_file() and path.suffix != ".lock" and "index" not in path.parts:
            raw = path.read_bytes()
            lines = sorted(committed(raw)[0]) if path.suffix == ".jsonl" else raw
            found[path.relative_to(root).as_posix()] = lines
    return found


def header(run_id: str) -> RejudgementHeader:
    return RejudgementHeader(
        run_id=run_id, model="m", strategy="simple", prompts={}, seed=1, at=START, code_version="0"
    )


def answer(
    data: DataFolder, run_id: str, *positions: int, missing: str | None = None, says: str = "no"
) -> Path:
    """Keep answers of one judge about steps of a run."""
    one = header(run_id)
    steps = read(data.ledger_path(run_id)).steps
    lines = []
    for place in positions:
        said = Judgement(answer=None if missing else says, missing=missing, reason=SECRET)
        key = RejudgementKey("p12", place, steps[place].frames[0].sha256)
        lines.append(RejudgedAnswer.of(key, said))
    with JudgementWriter(one.path(data.run_dir(run_id)), one) as file:
        file.append(lines)
    return one.path(data.run_dir(run_id))


def pay(data: DataFolder, name: str, cost: float = 1.0, *, ends: bool = True) -> None:
    """Book one call, settled or not."""
    book = PaymentBook(data.payments)
    call = CallReserved(
        id=name, at=START, account="run/r1", model="m", key=f"{name}-0", cost_usd=9, tokens=9
    )
    book.reserve(lambda _: call, [], lambda _: None, name)
    if ends:
        book.settle(CallSettled(id=name, how="reported", cost_usd=cost, tokens=5))


@pytest.fixture
def shards(tmp_path: Path) -> list[Path]:
    """Three shards of a sitting about two runs that all had, each with a run of its own."""
    first = DataFolder(tmp_path / "a")
    for run_id in ("r1", "r2"):
        keep_run(first, run_id, COLOURS[:4], config={"study": "s", "cell": run_id})
    write_whole(first.study_dir("s") / "study.toml", b'name = "s"\n')
    PaymentBook(first.payments).carry(
        CarriedOver(at=START, account="run/r1", calls=2, cost_usd=3.0, tokens=7)
    )
    pay(first, "before")
    for name in "bc":
        shutil.copytree(first.root, tmp_path / name)
    for number, name in enumerate("abc"):
        data = DataFolder(tmp_path / name)
        own = {"study": "s", "cell": f"own-{name}"}
        keep_run(data, f"own-{name}", COLOURS[number:6], config=own, end=name != "c")
        answer(data, "r1", number)
        answer(data, "r2", number, missing="timed_out")
        pay(data, f"call-{name}", ends=name != "b")
    return [tmp_path / name for name in "abc"]


def test_in_any_order_and_twice(shards: list[Path], tmp_path: Path) -> None:
    seen = []
    for number, order in enumerate([shards, shards[::-1], [shards[1], shards[2], shards[0]]]):
        target = tmp_path / f"t{number}"
        done = typed(target, *order) if number % 2 else [typed(target, one) for one in order][-1]
        assert done.exit_code == 0, done.output
        before = contents(target)
        seen.append(before)
        again = typed(target, *order[::-1], words=("--json",))
        assert (again.exit_code, json.loads(again.stdout)["files"]) == (0, 0)
        assert contents(target) == before
    assert len(seen) == 3
    assert all(one == seen[0] for one in seen)
    united = DataFolder(tmp_path / "t0")
    assert {path.parent.name for path in united.ledgers()} == {
        "r1",
        "r2",
        "own-a",
        "own-b",
        "own-c",
    }
    told = read_judgements(header("r1").path(united.run_dir("r1")))
    assert sorted(line.position for line in told.asked) == [0, 1, 2]
    assert len(told.sittings) == 1
    balance = PaymentBook(united.payments).balance(["run/r1"])
    assert (balance.cost_usd, balance.calls, balance.standing) == (3.0 + 1 + 1 + 9 + 1, 6, 1)


def test_a_run_that_went_on_is_one_run_and_another_of_its_name_is_named(tmp_path: Path) -> None:
    short, long = DataFolder(tmp_path / "short"), DataFolder(tmp_path / "long")
    keep_run(long, "r1", COLOURS[:5])
    shutil.copytree(long.root, short.root)
    ledger = short.ledger_path("r1")
    whole = ledger.read_bytes()
    ledger.write_bytes(b"".join(whole.splitlines(keepends=True)[:3]) + b'{"kind": "st')  # torn
    for order in ((short, long), (long, short)):
        target = DataFolder(tmp_path / f"t-{order[0].root.name}")
        codes = [typed(target.root, one.root).exit_code for one in order]
        assert codes == [0, 0]
        assert target.ledger_path("r1").read_bytes() == whole
    assert "1 run not complete" in typed(tmp_path / "new", short.root).stderr
    other = DataFolder(tmp_path / "other")
    keep_run(other, "r1", COLOURS[2:5])
    keep_run(other, "r9", COLOURS[:1])
    done = typed(target.root, other.root)
    assert done.exit_code == 1
    assert "Conflict: Run r1 is not the same" in done.stderr
    assert target.ledger_path("r1").read_bytes() == whole
    assert target.ledger_path("r9").exists()  # the rest came in


def test_answers_of_both_sides_that_differ_are_named(tmp_path: Path) -> None:
    one, two = DataFolder(tmp_path / "one"), DataFolder(tmp_path / "two")
    keep_run(one, "r1", COLOURS[:4])
    shutil.copytree(one.root, two.root)
    path = answer(one, "r1", 0)
    answer(two, "r1", 0, says="yes")
    answer(two, "r1", 1)
    kept = path.read_bytes()
    done = typed(one.root, two.root)
    assert done.exit_code == 1
    assert "1 questions were answered here as well" in done.stderr
    assert path.read_bytes().startswith(kept)
    assert [line.judgement.answer for line in read_judgements(path).asked] == ["no", "no"]


def test_an_attempt_never_stands_after_its_answer(tmp_path: Path) -> None:
    one, two = DataFolder(tmp_path / "one"), DataFolder(tmp_path / "two")
    keep_run(one, "r1", COLOURS[:4])
    shutil.copytree(one.root, two.root)
    path = answer(one, "r1", 0)
    answer(two, "r1", 0, missing="timed_out")
    assert typed(one.root, two.root).exit_code == 0
    told = read_judgements(path)  # which refuses one
    assert [line.missing for line in told.lines] == ["timed_out", None]


@pytest.mark.parametrize("first", ["forgot", "remembers"])
def test_what_was_forgotten_is_not_brought_back(tmp_path: Path, first: str) -> None:
    forgot, remembers = DataFolder(tmp_path / "forgot"), DataFolder(tmp_path / "remembers")
    keep_run(forgot, "r1", COLOURS[:4])
    shutil.copytree(forgot.root, remembers.root)
    answer(forgot, "r1", 0)
    answer(remembers, "r1", 0, 1, 2)
    picture = read(remembers.ledger_path("r1")).steps[1].frames[0].sha256
    command = ["forget", "--video", "r1-1", "--yes", "--data", str(forgot.root)]
    assert CliRunner().invoke(main, command).exit_code == 0
    order = (forgot, remembers) if first == "forgot" else (remembers, forgot)
    target = DataFolder(tmp_path / "t")
    for _ in range(2):
        done = typed(target.root, *(one.root for one in order))
        assert done.exit_code == (0 if not done.stderr.count("Conflict") else 1), done.stderr
    everything = b"".join(path.read_bytes() for path in target.root.rglob("*") if path.is_file())
    assert b"r1-1" not in everything
    assert picture.encode() not in everything
    assert not list(target.frames_dir.rglob(f"{picture}.jpg"))
    told = read_judgements(header("r1").path(target.run_dir("r1")))
    assert {line.position: line.judgement.reason for line in told.asked} == {
        0: SECRET,
        1: None,
        2: SECRET,
    }
    # and what is here still is not half forgotten, but named
    done = typed(remembers.root, forgot.root)
    assert done.exit_code == 1
    assert "store forget --video r1-1" in done.stderr


def test_another_study_of_the_same_name_brings_none_of_its_runs(tmp_path: Path) -> None:
    one, two = DataFolder(tmp_path / "one"), DataFolder(tmp_path / "two")
    for data, gain in ((one, 1), (two, 2)):
        keep_run(data, f"r{gain}", COLOURS[:2], config={"study": "s", "cell": f"c{gain}"})
        keep_run(data, f"free{gain}", COLOURS[:2])
        text = f'name = "s"\n[site]\ngain = {gain}\n[pace]\nparallel = {gain}\n'
        write_whole(data.study_dir("s") / "study.toml", text.encode())
    done = typed(one.root, two.root)
    assert done.exit_code == 1
    assert "site in its study file is another" in done.stderr
    assert {path.parent.name for path in one.ledgers()} == {"r1", "free1", "free2"}


def test_a_cell_that_was_run_twice_is_named(tmp_path: Path) -> None:
    one, two = DataFolder(tmp_path / "one"), DataFolder(tmp_path / "two")
    for name, data in (("r1", one), ("r2", two)):
        keep_run(data, name, COLOURS[:2], config={"study": "s", "cell": "c"})
    done = typed(one.root, two.root)
    assert done.exit_code == 1
    assert "cell c of study s was run elsewhere too: r2 stays out" in done.stderr
    assert not two.ledger_path("r1").exists()


def test_a_stranger_s_folder_brings_nothing_from_elsewhere(tmp_path: Path) -> None:
    mine, theirs = DataFolder(tmp_path / "mine"), DataFolder(tmp_path / "theirs")
    keep_run(mine, "r0", COLOURS[:1])
    keep_run(theirs, "r1", COLOURS[:3])
    keep_run(theirs, "r2", COLOURS[5:6])
    write_whole(tmp_path / "secret", b"mine alone")
    (theirs.run_dir("r1") / "pictures").mkdir()
    (theirs.run_dir("r1") / "pictures" / "000001-wall.jpg").symlink_to(tmp_path / "secret")
    (theirs.run_dir("linked")).symlink_to(theirs.run_dir("r1"))
    write_whole(theirs.root / "pseudonyms.key", b"known")
    write_whole(theirs.replies_dir / "ab" / "abcd.json", b'{"text": "yes", "frames": []}')
    write_whole(theirs.profiles_dir / "tiktok" / "p12" / "Cookies", b"theirs")
    frame = read(theirs.ledger_path("r2")).steps[0].frames[0].sha256
    (theirs.frames_dir / frame[:2] / f"{frame}.jpg").write_bytes(b"no picture")
    done = typed(mine.root, theirs.root)
    assert done.exit_code == 1
    assert "Run r2 stays out" in done.stderr
    assert "1 kept reply of models" in done.stderr
    names = {path.relative_to(mine.root).parts[0] for path in mine.root.rglob("*")}
    assert names <= {"runs", "frames", "payments.lock", "merge.lock", "answers.lock"}
    assert {path.parent.name for path in mine.ledgers()} == {"r0", "r1"}
    assert b"mine alone" not in b"".join(
        p.read_bytes() for p in mine.root.rglob("*") if p.is_file()
    )


def test_folders_that_are_in_use_or_are_none_are_refused(tmp_path: Path) -> None:
    mine, theirs = DataFolder(tmp_path / "mine"), DataFolder(tmp_path / "theirs")
    keep_run(mine, "r0", COLOURS[:1])
    keep_run(theirs, "r1", COLOURS[:1])
    (tmp_path / "empty").mkdir()
    for folder, why in (
        (tmp_path / "empty", "holds no data"),
        (mine.root, "lies in the other"),
    ):
        done = typed(mine.root, folder)
        assert (done.exit_code, why in done.stderr) == (2, True), done.stderr
    lock = NamedLock(theirs.run_dir("r1") / "ledger.lock")
    lock.acquire()
    for target, source in ((mine, theirs), (theirs, mine)):
        done = typed(target.root, source.root)
        assert (done.exit_code, "is being written by process" in done.stderr) == (2, True)
    lock.release()
    # what a job that was killed on another machine has left is no writer
    write_whole(lock.path, b'{"pid": 7, "host": "node-17"}')
    assert typed(mine.root, theirs.root).exit_code == 0
    write_whole(theirs.forgetting, b"{}")
    assert "forget --resume" in typed(mine.root, theirs.root).stderr


def test_what_was_made_elsewhere_of_frames_is_known_here(tmp_path: Path) -> None:
    mine, theirs = DataFolder(tmp_path / "mine"), DataFolder(tmp_path / "theirs")
    keep_run(theirs, "r1", COLOURS[:1])
    register(theirs, tmp_path / "handed-on", "export", runs=["r1"])
    register(theirs, theirs.run_dir("r1") / "report", "report", runs=["r1"])
    write_whole(theirs.run_dir("r1") / "report" / "index.html", b"a report")
    for _ in range(2):
        assert typed(mine.root, theirs.root).exit_code == 0
    assert [entry.path for entry in entries(mine)] == [str(tmp_path / "handed-on")]
    assert not (mine.run_dir("r1") / "report").exists()


def test_pictures_that_shards_embedded_are_not_embedded_again(tmp_path: Path) -> None:
    begun, shards = DataFolder(tmp_path / "begun"), [tmp_path / "s1", tmp_path / "s2"]
    keep_run(begun, "r1", COLOURS)
    added = []
    for number, folder in enumerate(shards, 1):
        shutil.copytree(begun.root, folder)
        report = update(DataFolder(folder), ColourEncoder(), shard=Shard(number, 2))
        added.append(report.added)
    assert sum(added) == len(COLOURS) > max(added)
    target = tmp_path / "t"
    for expected in (len(COLOURS), 0):
        done = typed(target, *shards, words=("--own", "--json"))
        assert (done.exit_code, json.loads(done.stdout)["vectors"]) == (0, expected), done.stderr
        assert "For the index" not in done.stderr
    encoder = ColourEncoder()
    told = update(DataFolder(target), encoder)
    assert (told.added, told.present, encoder.seen) == (0, len(COLOURS), 0)
    words = ["index", "--rebuild", "--shard", "1/2", "--data", str(target)]
    assert CliRunner().invoke(main, words).exit_code == 2
    # of a stranger's folder no index is opened
    assert "For the index" in typed(tmp_path / "other", *shards).stderr
    assert not (tmp_path / "other" / "index").exists()


def test_a_merge_that_was_killed_is_typed_again(shards: list[Path], tmp_path: Path) -> None:
    """Killed before its first write, in the middle of one, and after its last but one."""
    whole = tmp_path / "whole"
    assert typed(whole, *shards).exit_code == 0
    _kill_and_repeat(shards, tmp_path, contents(whole), (0, 5))


@pytest.mark.drill
def test_a_merge_that_was_killed_at_each_write(shards: list[Path], tmp_path: Path) -> None:
    whole = tmp_path / "whole"
    assert typed(whole, *shards).exit_code == 0
    _kill_and_repeat(shards, tmp_path, contents(whole), tuple(range(14)))


def _kill_and_repeat(
    shards: list[Path], tmp_path: Path, whole: dict[str, object], writes: tuple[int, ...]
) -> None:
    killed = 0
    for left in writes:
        target = tmp_path / f"killed-{left}"
        command = [sys.executable, "-c", KILLED, str(left), str(target), *map(str, shards)]
        code = subprocess.run(command, cwd=ROOT, check=False).returncode
        killed += code == -9
        for ledger in DataFolder(target).ledgers():
            for step in read(ledger).steps:  # a ledger comes after all that it names
                picture = DataFolder(target).frames_dir / step.frames[0].sha256[:2]
                jpeg = (picture / f"{step.frames[0].sha256}.jpg").read_bytes()
                assert hashlib.sha256(jpeg).hexdigest() == step.frames[0].sha256
        assert typed(target, *shards).exit_code == 0
        left_over = {name for name in contents(target) if name.endswith(".tmp")}
        assert len(left_over) <= 1
        assert {k: v for k, v in contents(target).items() if k not in left_over} == whole
    assert killed >= min(len(writes), 2)
