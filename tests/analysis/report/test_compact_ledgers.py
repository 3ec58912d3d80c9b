"""Compact ledgers change no number, answer for no other ledger, and keep nothing forgotten."""

from __future__ import annotations

import os
import resource
import subprocess
import sys
import time
from dataclasses import fields
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from analysis.cli.bench_measurements import write_runs
from analysis.cli.main import main
from analysis.data.exposures import Views
from analysis.examples.study import STUDY, write_example
from analysis.report import compact_ledgers
from analysis.report.compact_ledgers import read_ledgers
from analysis.report.ledger_rows import DETAILS, LedgerRows, read_rows
from analysis.report.report_inputs import find_runs, read_runs
from store.cli.main import main as store_main
from store.errors import DamagedLedger, DataUnreadable
from store.jsonl.atomic import write_whole
from store.jsonl.base_record import Record
from store.runs.data_folder import DataFolder
from store.runs.ledger import LedgerWriter
from store.runs.ledger_lines import Fault, Judgement
from store.runs.ledger_site_lines import SiteCheck
from tests.analysis import made_results
from tests.analysis.made_results import NOON, step
from tests.store.sealed_lines import refit

PYTHON = sys.executable


@pytest.fixture(autouse=True)
def compacts_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Compact a handful of runs as thousands are: in files of five, by one process."""
    monkeypatch.setattr(compact_ledgers, "LEAST", 2)
    monkeypatch.setattr(compact_ledgers, "CHUNK", 5)
    monkeypatch.setattr(sys, "executable", "")


def alike(one: LedgerRows, other: LedgerRows) -> bool:
    """Whether everything is the same, to the last bit and in the same type."""
    columns = [field.name for field in fields(Views) if field.name != "runs"]
    for name in columns:
        left, right = getattr(one.views, name), getattr(other.views, name)
        if left.dtype.kind != right.dtype.kind or not np.array_equal(
            left, right, equal_nan=left.dtype.kind == "f"
        ):
            return False
    details = [(getattr(one.seen, name), getattr(other.seen, name)) for name in DETAILS]
    return (
        len(columns) == 15
        and one.views.runs == other.views.runs
        and one.notes == other.notes
        and np.array_equal(one.labels, other.labels)
        and all(left.tolist() == right.tolist() for left, right in details)
    )


@pytest.fixture
def data(tmp_path: Path) -> DataFolder:
    """The example with an interrupted run, and runs with faults, checks and odd texts."""
    data = write_example(tmp_path / "data")
    lines: list[Record] = [
        step(place, "before" if place < 6 else "after", "yes" if place % 2 else "no")
        for place in range(12)
    ]
    lines[3] = lines[3].model_copy(
        update={
            "judgement": Judgement(
                answer="yes", reason='"ä", 🦊\n=1+1', served="one", score=3.5, p_yes=0.1 + 0.2
            ),
        }
    )
    told = {"fault": "LayoutChanged", "message": "no ad", "recovered": False}
    details = {"capability": "ad", "since": 6}
    fault = Fault.model_validate({"at": NOON, "position": 6, "details": details, **told})
    check = SiteCheck(at=NOON, position=12, compared=12, furthest_s=5.0, likes=(1,))
    first = made_results.started("odd", platform="tiktok", model="another/model")
    made_results.write(data.root, first, [*lines[:6], fault, *lines[6:], check])
    made_results.write(data.root, made_results.started("empty"), [])
    return data


def compacted(data: DataFolder) -> LedgerRows:
    return read_ledgers(data, data.ledgers())


def test_what_is_compact_is_what_the_ledgers_say(data: DataFolder) -> None:
    plain = read_rows(data.ledgers())
    odd = next(note for note in plain.notes if note.started.run_id == "odd")
    assert odd.changes
    assert odd.differing
    assert odd.served.before == {"one"}
    for _ in range(2):  # as it is made, and as it is read
        assert alike(compacted(data), plain)
    assert len(list(data.compact_dir.iterdir())) == 3
    assert not list(data.compact_dir.glob(".*"))


def test_a_second_reading_reads_no_line(data: DataFolder, monkeypatch: pytest.MonkeyPatch) -> None:
    plain = compacted(data)

    def refuse(*_: object) -> None:
        raise AssertionError("a ledger was read line by line")

    monkeypatch.setattr(compact_ledgers, "read_rows", refuse)
    assert alike(compacted(data), plain)


def test_a_report_prints_the_same_with_and_without_compact_ledgers(
    data: DataFolder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def report(out: str) -> dict[str, bytes]:
        words = ["report", STUDY, "--data", str(data.root), "--out", str(tmp_path / out)]
        assert CliRunner().invoke(main, words, catch_exceptions=False).exit_code == 0
        return {path.name: path.read_bytes() for path in (tmp_path / out / "tables").iterdir()}

    made, read = report("made"), report("read")
    assert list(data.compact_dir.iterdir())
    monkeypatch.setattr(compact_ledgers, "LEAST", 10_000)
    assert made == read == report("plain")
    assert len(made) == 24


@pytest.mark.parametrize("change", ["longer", "edited", "torn", "replaced"])
def test_a_changed_ledger_is_read_anew(data: DataFolder, change: str) -> None:
    former = compacted(data)
    path = data.ledger_path("example-pia-passive")
    raw, stat = path.read_bytes(), path.stat()
    if change == "longer":
        with LedgerWriter(path, fsync=False) as writer:
            writer.append(step(200, "after", "yes"))
    elif change == "edited":  # of the same length, and as old as before
        path.write_bytes(raw.replace(b'"dwell_s":2.0', b'"dwell_s":3.0', 1))
        refit(path)
        os.utime(path, ns=(stat.st_atime_ns, stat.st_mtime_ns))
        assert path.stat().st_size == stat.st_size
    elif change == "torn":
        path.write_bytes(raw[:-40])
    else:
        path.write_bytes(data.ledger_path("example-mo-passive").read_bytes())
    now = compacted(data)
    assert alike(now, read_rows(data.ledgers()))
    assert not alike(now, former)


def test_a_ledger_that_is_gone_or_damaged_is_not_answered_for(data: DataFolder) -> None:
    compacted(data)
    paths = data.ledgers()
    raw = paths[0].read_bytes()
    paths[0].write_bytes(raw[:300] + b"\n" + raw[300:])
    with pytest.raises(DamagedLedger):
        read_ledgers(data, paths)
    paths[0].unlink()
    with pytest.raises(DataUnreadable):
        read_ledgers(data, paths)
    assert alike(compacted(data), read_rows(paths[1:]))


@pytest.mark.parametrize("damage", ["cut", "flipped", "empty", "other", "folder"])
def test_a_damaged_file_is_made_anew(data: DataFolder, damage: str) -> None:
    plain = compacted(data)
    one, other, *_ = sorted(data.compact_dir.iterdir())
    raw = one.read_bytes()
    if damage == "folder":
        one.unlink()
        (one / "x").mkdir(parents=True)
    else:
        middle = len(raw) // 3
        one.write_bytes(
            {
                "cut": raw[: len(raw) // 2],
                "flipped": raw[:middle] + bytes([raw[middle] ^ 255]) + raw[middle + 1 :],
                "empty": b"",
                "other": other.read_bytes(),
            }[damage]
        )
    assert alike(compacted(data), plain)
    assert damage == "folder" or one.read_bytes() == raw


def test_other_code_reads_the_ledgers_itself(
    data: DataFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    compacted(data)
    (before, *_) = (path.read_bytes() for path in sorted(data.compact_dir.iterdir()))
    monkeypatch.setattr(compact_ledgers, "hash_code", lambda: b"another version")
    compacted(data)
    (after, *_) = (path.read_bytes() for path in sorted(data.compact_dir.iterdir()))
    assert before != after


def test_a_folder_that_takes_nothing_is_analysed_all_the_same(data: DataFolder) -> None:
    data.compact_dir.write_bytes(b"no folder")  # as root may write wherever it is not allowed to
    assert alike(compacted(data), read_rows(data.ledgers()))


def test_nothing_that_was_forgotten_is_kept_compact(data: DataFolder) -> None:
    first = compacted(data)
    video = str(first.views.video[0])
    told = ["forget", "--video", video, "--yes", "--data", str(data.root)]
    done = CliRunner().invoke(store_main, told, catch_exceptions=False)
    assert done.exit_code == 0, done.output
    assert not data.compact_dir.exists()
    assert video not in compacted(data).views.video
    assert not any(video.encode() in path.read_bytes() for path in data.ledgers())


def test_a_ledger_that_is_forgotten_while_it_is_compacted_leaves_no_file(
    data: DataFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The request rewrites a ledger and deletes the folder between our reading and our writing."""
    path = data.ledger_path("example-kim-passive")
    kept = write_whole

    def late(place: Path, content: bytes, *, sync: bool) -> None:
        path.write_bytes(path.read_bytes().replace(b"A video about", b"A thing about"))
        kept(place, content, sync=sync)

    monkeypatch.setattr(compact_ledgers, "write_whole", late)
    read_ledgers(data, data.ledgers()[:5])
    assert not list(data.compact_dir.iterdir())


_READ = """
import sys
from pathlib import Path
from analysis.report import compact_ledgers
from store.runs.data_folder import DataFolder
compact_ledgers.LEAST, compact_ledgers.CHUNK = 2, 1
data = DataFolder(Path(sys.argv[1]))
while True:
    compact_ledgers.read_ledgers(data, data.ledgers())
    for path in data.compact_dir.iterdir():
        path.unlink(missing_ok=True)
"""


def test_two_that_write_and_are_killed_leave_no_half_file(data: DataFolder) -> None:
    plain = read_rows(data.ledgers())
    writers = [subprocess.Popen([PYTHON, "-c", _READ, str(data.root)]) for _ in range(2)]
    try:
        until = time.monotonic() + 60
        while not data.compact_dir.exists() and time.monotonic() < until:
            time.sleep(0.01)
        for _ in range(5):
            assert alike(compacted(data), plain)
    finally:
        for writer in writers:
            writer.kill()
            writer.wait()
    assert alike(compacted(data), plain)


@pytest.mark.drill
def test_three_hundred_runs_are_analysed_alike_and_faster(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.undo()  # two processes, files of 256
    data = DataFolder(tmp_path)
    paths = write_runs(data, 300, 200)
    began = time.process_time()
    plain = read_rows(paths)
    line_by_line = time.process_time() - began
    assert alike(read_ledgers(data, paths), plain)
    began = time.process_time()
    assert alike(read_ledgers(data, paths), plain)
    assert time.process_time() - began < line_by_line / 2
    names = [path.parent.name for path in paths]
    told = read_runs(data, find_runs(data, names[:60]), names[:60])
    assert len(told.views) == 60 * 200
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss < 2 << 20


def test_a_run_imports_nothing_of_it() -> None:
    code = (
        "import sys, agent.cli.run, analysis.estimators.one_run; print([m for m in sys.modules if "
    )
    code += "m.startswith(('pyarrow', 'pandas', 'analysis.report'))])"
    found = subprocess.run([PYTHON, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "[]"
