"""The ledger: what is appended is read back, whatever happens in between."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from store.errors import DamagedLedger, DataUnreadable, DataUnwritable, NewerSchema, RunLocked
from store.runs.data_folder import DataFolder
from store.runs.ledger import LedgerWriter, read, scan, summarise
from store.runs.ledger_lines import Judgement, RunResumed, Step, Usage, Video
from tests.store.samples import (
    START,
    fault,
    finished,
    frame,
    jpeg,
    keep_run,
    opening,
    started,
    step,
)
from tests.store.sealed_lines import unseal, unseal_lines

REPO = Path(__file__).parents[3]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "runs" / "r1" / "ledger.jsonl"


def child(code: str, *args: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", code, *args],
        cwd=REPO,
        stdout=subprocess.PIPE,
        stdin=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def write(path: Path, steps: int, end: bool = False) -> None:
    with LedgerWriter(path, fsync=False) as writer:
        writer.append(started("r1"))
        for position in range(steps):
            writer.append(step(position, frame(jpeg("red"))))
        if end:
            writer.append(finished(steps))


def test_what_is_appended_is_read_back(path: Path) -> None:
    first, second = step(0, frame(jpeg("red"))), step(1, answer=None)
    resumed = RunResumed(at=START, position=1, code_version="0.1.0", browser="Chromium 141")
    with LedgerWriter(path) as writer:
        assert writer.dropped == 0
        for record in (started("r1"), first, fault(1), resumed, second, finished(2)):
            writer.append(record)
    ledger = read(path)
    assert ledger.started == started("r1")
    assert ledger.steps == (first, second)
    assert ledger.faults == (fault(1),)
    assert ledger.resumes == (resumed,)
    assert ledger.finished == finished(2)
    assert (ledger.status, ledger.next_position, ledger.torn) == ("complete", 2, 0)


names = st.text(st.characters(exclude_categories=["Cs"]), max_size=40)
numbers = st.floats(allow_nan=False, allow_infinity=False)
counts = st.none() | st.integers(-(2**63), 2**63)


@settings(max_examples=150, deadline=None)
@given(
    video=st.builds(
        Video,
        id=names,
        caption=st.none() | names,
        hashtags=st.lists(names, max_size=3).map(tuple),
        likes=counts,
        duration_s=st.none() | numbers,
        ad=st.none() | st.booleans(),
        sources=st.dictionaries(names, names, max_size=3),
    ),
    judgement=st.builds(
        Judgement,
        answer=st.sampled_from(["yes", "no", None]),
        missing=st.sampled_from([None, "refused", "unreadable"]),
        p_yes=st.none() | numbers,
        isq=st.none() | st.dictionaries(names, numbers, max_size=3),
        reply=names,
        usage=st.builds(Usage, calls=st.integers(0, 9), cost_usd=st.none() | numbers),
    ),
    timings=st.dictionaries(names, numbers, max_size=3),
)
def test_any_step_survives_the_disk(
    tmp_path_factory: pytest.TempPathFactory,
    video: Video,
    judgement: Judgement,
    timings: dict[str, float],
) -> None:
    path = tmp_path_factory.mktemp("any") / "ledger.jsonl"
    written = step(0, video=video, judgement=judgement, timings_ms=timings)
    with LedgerWriter(path, fsync=False) as writer:
        writer.append(started("r1"))
        writer.append(written)
    assert read(path).steps == (written,)
    assert path.read_bytes().count(b"\n") == 2


def test_a_torn_last_line_is_dropped_at_every_offset(path: Path) -> None:
    write(path, 1)
    committed = path.read_bytes()
    with LedgerWriter(path, fsync=False) as writer:
        writer.append(step(1, frame(jpeg("blue"))))
    whole = path.read_bytes()
    assert len(whole) - len(committed) > 500
    for end in range(len(committed), len(whole)):
        path.write_bytes(whole[:end])
        ledger = read(path)
        assert ledger.next_position == 1
        assert ledger.torn == end - len(committed)
        summary = summarise(path)
        assert summary is not None
        assert (summary.status, summary.steps) == ("interrupted", 1)
        with LedgerWriter(path, fsync=False) as writer:
            assert writer.dropped == end - len(committed)
            writer.append(step(1))
        assert read(path).next_position == 2


def test_a_line_whose_middle_was_lost_is_torn_and_one_that_is_no_record_is_damage(
    path: Path,
) -> None:
    write(path, 1)
    with path.open("ab") as file:
        file.write(b'{"kind":"step","posi' + bytes(40) + b'"}\n')
    assert read(path).torn == 63
    with LedgerWriter(path, fsync=False) as writer:
        assert writer.dropped == 63
    with path.open("ab") as file:
        file.write(b'{"kind":"step"}\n')
    with pytest.raises(DamagedLedger, match="position") as caught:
        read(path)
    assert caught.value.line == 3
    size = path.stat().st_size
    with LedgerWriter(path, fsync=False) as writer:
        assert writer.dropped == 0
    assert path.stat().st_size == size


def test_what_a_line_leaves_out_is_not_known(path: Path) -> None:
    """As a ledger of an earlier version does: read as not known, or as what was always so."""
    write(path, 1)
    head, line = (json.loads(text) for text in unseal_lines(path))
    for name in ("arm", "fingerprint", "signed_in"):
        del head[name]
    del line["excluded"], line["repeat"]
    line["video"] = {"id": "v0"}
    line["frames"] = [
        {"sha256": "0" * 64, "width": 9, "height": 16, "time_s": 1, "phash": "0" * 16}
    ]
    line["judgement"] = {"answer": "yes"}
    reaction = line["reaction"]
    line["reaction"] = {"action": "stay", "dwell_asked_s": 8, "dwell_s": 8}
    line["reaction"] |= {name: reaction[name] for name in ("exposure_s", "held_s")}
    path.write_text(f"{json.dumps(head)}\n{json.dumps(line)}\n", encoding="utf-8")
    ledger = read(path)
    (step,) = ledger.steps
    assert (ledger.started.arm, ledger.started.fingerprint) == ("treatment", None)
    assert (ledger.started.signed_in, step.excluded, step.repeat) == (None, None, None)
    known = step.video.model_dump(exclude={"id", "sources"})
    assert set(known.values()) == {None, ()}
    assert (step.video.hashtags, step.video.sources) == ((), {})
    assert (step.frames[0].quality, step.frames[0].retakes) == ("ok", 0)
    judgement = step.judgement.model_dump(exclude={"answer", "usage"}, exclude_none=True)
    assert judgement == {"reply": "", "attempts": 1, "latency_s": 0.0}
    usage = {"calls": 0, "cached": False}
    assert step.judgement.usage.model_dump(exclude_none=True) == usage
    told = (step.reaction.liked, step.reaction.unknown, step.reaction.interruptions)
    assert told == (False, None, 0)


def test_a_record_is_never_changed_and_has_no_fields_of_its_own(path: Path) -> None:
    for record in (started("r1"), step(0), Usage()):
        name = next(iter(type(record).model_fields))
        with pytest.raises(ValidationError, match="frozen"):
            setattr(record, name, getattr(record, name))
        with pytest.raises(ValidationError, match="Extra inputs are not permitted"):
            type(record).model_validate(dict(record) | {"more": 1})


@pytest.mark.parametrize("line", [1, 2, 3])
def test_a_bad_line_before_the_last_is_named(path: Path, line: int) -> None:
    write(path, 3)
    lines = path.read_bytes().split(b"\n")
    lines[line - 1] = lines[line - 1][:-9]
    path.write_bytes(b"\n".join(lines))
    with pytest.raises(DamagedLedger) as caught:
        read(path)
    assert caught.value.line == line
    assert f"{path}:{line}" in str(caught.value)


def test_a_position_that_comes_twice_is_damage(path: Path) -> None:
    write(path, 2)
    with LedgerWriter(path, fsync=False) as writer:
        writer.append(step(1))
    with pytest.raises(DamagedLedger, match="position 1 comes after 1"):
        read(path)


def test_what_was_judged_is_there_before_its_step(path: Path) -> None:
    first, second = step(0, frame(jpeg("red"))), step(1, frame(jpeg("blue")))
    with LedgerWriter(path, fsync=False) as writer:
        for record in (started("r1"), opening(first), first, fault(1), opening(second, like=True)):
            writer.append(record)
    ledger = read(path)
    assert ledger.steps == (first,)
    assert ledger.open_step == opening(second, like=True)
    assert ledger.next_position == 1
    summary = summarise(path)
    assert summary is not None
    assert (summary.status, summary.steps) == ("interrupted", 1)
    with LedgerWriter(path, fsync=False) as writer:
        writer.append(second)
    assert read(path).open_step is None


def test_a_run_that_goes_on_raises_an_older_ledgers_schema(path: Path) -> None:
    write(path, 2)
    path.write_bytes(path.read_bytes().replace(b'"schema":3', b'"schema":1', 1))
    unseal(path)
    old = path.read_bytes()
    with LedgerWriter(path):
        assert path.read_bytes() == old
    with LedgerWriter(path) as writer:
        writer.append(opening(step(2)))
        writer.append(step(2))
    assert path.read_bytes().startswith(old.splitlines()[0].replace(b'"schema":1', b'"schema":3'))
    assert read(path).started == started("r1")
    assert [one.position for one in read(path).steps] == [0, 1, 2]


@pytest.mark.parametrize(
    ("records", "problem"),
    [
        ([started("r1"), opening(step(0)), step(1)], ":3 .*position 1 comes before 0 is closed"),
        ([started("r1"), step(0), opening(step(0))], ":3 .*position 0 comes after 0"),
        ([step(0)], ":1 .*does not start with run_started"),
        ([started("r1"), started("r1")], ":2 .*second run_started"),
        ([started("r1"), finished(0), step(0)], ":3 .*after run_finished"),
    ],
)
def test_records_in_an_impossible_order_are_damage(
    path: Path, records: list[Any], problem: str
) -> None:
    with LedgerWriter(path, fsync=False) as writer:
        for record in records:
            writer.append(record)
    with pytest.raises(DamagedLedger, match=problem):
        read(path)


def test_a_ledger_with_nothing_committed_is_no_run(path: Path) -> None:
    LedgerWriter(path).close()
    assert path.read_bytes() == b""
    assert summarise(path) is None
    with pytest.raises(DamagedLedger, match="nothing was committed"):
        read(path)
    with pytest.raises(DataUnreadable):
        read(path.with_name("other.jsonl"))


def test_a_later_schema_asks_for_a_later_feedsway(path: Path) -> None:
    write(path, 1)
    path.write_bytes(path.read_bytes().replace(b'"schema":3', b'"schema":4,"new_field":0', 1))
    with pytest.raises(NewerSchema, match=r"schema 4.*knows up to 3.*pip install --upgrade"):
        read(path)
    summary = summarise(path)
    assert summary is not None
    assert summary.status == "damaged"
    assert "schema 4" in (summary.problem or "")


def test_a_record_that_would_not_read_back_is_refused(path: Path) -> None:
    write(path, 1)
    before = path.read_bytes()
    with LedgerWriter(path, fsync=False) as writer:
        bad = Step.model_construct(**(dict(step(1)) | {"position": "one"}))
        with pytest.warns(UserWarning, match="serialized value"), pytest.raises(ValidationError):
            writer.append(bad)
        with pytest.raises(ValidationError):
            writer.append(step(1, timings_ms={"find": float("nan")}))
    assert path.read_bytes() == before


def test_a_second_writer_is_refused_and_told_who_holds_the_run(path: Path) -> None:
    code = (
        "import sys; from pathlib import Path; from store.runs.ledger import LedgerWriter\n"
        "with LedgerWriter(Path(sys.argv[1])): print('open', flush=True); sys.stdin.read()"
    )
    holder = child(code, str(path))
    assert holder.stdout is not None
    assert holder.stdout.readline() == "open\n"
    with pytest.raises(RunLocked, match=rf"Run r1 is being written by process {holder.pid} .*-c"):
        LedgerWriter(path)
    holder.communicate("")
    with LedgerWriter(path), pytest.raises(RunLocked, match=f"process {os.getpid()}"):
        LedgerWriter(path)
    LedgerWriter(path).close()


KILLED = """
import sys
from pathlib import Path
from store.runs.ledger import LedgerWriter, read
from tests.store.samples import started, step, frame, jpeg
path, picture = Path(sys.argv[1]), frame(jpeg("red"))
with LedgerWriter(path) as writer:
    size = path.stat().st_size
    if size == 0:
        writer.append(started("r1"))
    position = read(path).next_position
    while True:
        writer.append(step(position, picture))
        print(position, flush=True)
        position += 1
"""


def test_kill_at_random_moments_loses_nothing_committed_and_doubles_nothing(path: Path) -> None:
    rng = random.Random(7)
    committed = -1
    for _ in range(6):
        writer = child(KILLED, str(path))
        assert writer.stdout is not None
        committed = int(writer.stdout.readline())
        deadline = time.monotonic() + rng.uniform(0, 0.15)
        while time.monotonic() < deadline:
            committed = int(writer.stdout.readline())
        writer.send_signal(signal.SIGKILL)
        rest = writer.stdout.read()  # communicate() would lose what readline() has buffered
        assert writer.communicate()[1] == ""
        committed = max([committed, *(int(line) for line in rest.split("\n")[:-1])])
        ledger = read(path)
        assert [done.position for done in ledger.steps] == list(range(ledger.next_position))
        assert committed < ledger.next_position <= committed + 2
    assert committed > 20


FULL = """
import resource, signal, sys
from pathlib import Path
from store.errors import DataUnwritable
from store.runs.ledger import LedgerWriter
from tests.store.samples import finished, started, step, frame, jpeg
path = Path(sys.argv[1])
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
picture = frame(jpeg("red"))
with LedgerWriter(path) as writer:
    writer.append(started("r1"))
    room = path.stat().st_size + 2500
    resource.setrlimit(resource.RLIMIT_FSIZE, (room, resource.RLIM_INFINITY))
    position = 0
    try:
        while True:
            writer.append(step(position, picture))
            position += 1
    except DataUnwritable as error:
        print(error, file=sys.stderr)
    assert 0 < path.stat().st_size < room
    resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY,) * 2)
    writer.append(step(position, picture))
    writer.append(finished(position + 1))
    print(position + 1)
"""


def test_a_full_disk_leaves_nothing_half_committed(path: Path) -> None:
    """A limit on the file's size cuts a write in the middle, as a full disk does."""
    writer = child(FULL, str(path))
    out, problem = writer.communicate()
    assert writer.returncode == 0, problem
    assert "cannot be written" in problem
    assert problem.strip().endswith("type: --data FOLDER")
    ledger = read(path)
    assert ledger.status == "complete"
    assert len(ledger.steps) == int(out) > 1


def test_a_folder_that_cannot_be_made_is_said(tmp_path: Path) -> None:
    (tmp_path / "runs").write_text("a file in the way")
    with pytest.raises(DataUnwritable):
        LedgerWriter(tmp_path / "runs" / "r1" / "ledger.jsonl")


def test_scan_tells_all_runs_by_their_ends(tmp_path: Path) -> None:
    data = DataFolder(tmp_path)
    keep_run(data, "whole", ["red"] * 3, at=START.replace(hour=15))
    keep_run(data, "cut", ["red", "blue"], end=False, at=START.replace(hour=13))
    with LedgerWriter(data.ledger_path("cut")) as writer:
        writer.append(fault(2))
    keep_run(data, "broken", ["red"], end=False)
    with data.ledger_path("broken").open("ab") as file:
        file.write(b'{"kind":"nothing"}\n')
    LedgerWriter(data.ledger_path("empty")).close()
    found = [(run.run_id, run.status, run.steps) for run in scan(data.ledgers())]
    assert found == [("broken", "damaged", 0), ("cut", "interrupted", 2), ("whole", "complete", 3)]
    broken, cut, _ = data.runs()
    assert "ledger.jsonl:3 is damaged" in (broken.problem or "")
    assert cut.started is not None
    assert cut.started.persona.id == "p12"


def test_the_last_line_is_found_behind_lines_longer_than_a_block(path: Path) -> None:
    write(path, 1)
    long = step(1, judgement=Judgement(answer="yes", reply="x" * 200_000))
    with LedgerWriter(path, fsync=False) as writer:
        writer.append(long)
        assert (summary := summarise(path)) is not None
        assert (summary.steps, summary.status) == (2, "interrupted")
        writer.append(finished(2))
    assert (summary := summarise(path)) is not None
    assert summary.status == "complete"


def test_reading_is_fast_enough_for_a_thousand_runs(path: Path) -> None:
    """1,000 runs of 200 steps in 30 s are 30 ms a run; the best of five counts."""
    write(path, 200, end=True)

    def once() -> float:
        began = time.process_time()
        assert len(read(path).steps) == 200
        return time.process_time() - began

    assert min(once() for _ in range(5)) < 0.030


def test_numbers_that_no_table_takes_are_damage_or_not_known(tmp_path: Path) -> None:
    data = DataFolder(tmp_path / "data")
    keep_run(data, "r", ("red", "green"))
    path = data.ledger_path("r")
    unseal(path)
    lines = path.read_text().splitlines()
    liked = json.loads(lines[1])
    liked["video"] |= {"likes": 10**30, "views": -1}
    far = json.loads(lines[2]) | {"position": 10**30}
    path.write_text("".join(f"{line}\n" for line in (lines[0], json.dumps(liked), lines[3])))
    video = read(path).steps[0].video
    assert (video.likes, video.views) == (None, None)
    path.write_text("".join(f"{line}\n" for line in (*lines[:2], json.dumps(far), lines[3])))
    with pytest.raises(DamagedLedger) as caught:
        read(path)
    assert caught.value.line == 3
