"""Lines are sealed: what a writer left is told from what was changed, and rewriting is provable."""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
import time
from pathlib import Path

import pytest

from store.jsonl.append_only import LineFile, committed, divide
from store.jsonl.file_seal import check_seal, seal, strip_seal
from store.jsonl.hash_chain import GONE, START, ChainWalk, reseal, rewrite_lines, seal_lines

RECORDS = [b'{"number":%d,"text":"by a@b or c d"}' % number for number in range(4)]
DAY = "2026-01-31"


def walk(content: bytes) -> tuple[list[bytes], list[str | None], ChainWalk]:
    steps = ChainWalk()
    taken = [steps.take(line) for line in divide(content)[0]]
    return [body for body, _ in taken], [fault for _, fault in taken], steps


def write(path: Path, records: list[bytes]) -> bytes:
    file = LineFile(path)
    for record in records:
        file.append(record + b"\n")
    file.close()
    return path.read_bytes()


def test_the_chain_is_what_the_page_says(tmp_path: Path) -> None:
    chain = hashlib.sha256(b"").hexdigest()
    lines = write(tmp_path / "x.jsonl", RECORDS).splitlines()
    for line, record in zip(lines, RECORDS, strict=True):
        told = json.loads(line)
        digest = hashlib.sha256(told["salt"].encode() + record).hexdigest()
        chain = hashlib.sha256((chain + digest).encode()).hexdigest()
        assert told["chain"] == chain
    assert len(lines) == 4


def test_every_flipped_bit_is_noticed_and_nothing_is_cut_off(tmp_path: Path) -> None:
    path = tmp_path / "x.jsonl"
    flips = 0
    for records in (RECORDS[:1], RECORDS[:3]):
        path.unlink(missing_ok=True)
        whole = write(path, records)
        for place in range(8 * len(whole)):
            changed = bytearray(whole)
            changed[place // 8] ^= 1 << place % 8
            _, faults, _ = walk(bytes(changed))
            assert any(faults), (place, bytes(changed))
            assert divide(bytes(changed))[1] == 0, place
            flips += 1
    assert flips > 4_000


@pytest.mark.parametrize("older", [False, True])
def test_a_torn_end_is_cut_off_and_the_chain_goes_on(tmp_path: Path, older: bool) -> None:
    path = tmp_path / "x.jsonl"
    begun = b"".join(record + b"\n" for record in RECORDS[:2]) if older else b""
    path.write_bytes(begun)
    whole = write(path, RECORDS[2:])
    last = len(whole) - whole[:-1].rfind(b"\n") - 1
    torn = [whole[: len(whole) - cut] for cut in range(1, last)]
    for zeros in (1, 2, 60):  # a power cut leaves them at the end, or in the middle
        torn += [tail[:-zeros] + bytes(zeros) for tail in (whole[:-1], whole[:-9])]
        torn += [whole[:-last] + bytes(zeros) + whole[zeros - last :]]
        torn += [whole[: 50 - last] + bytes(zeros + 1) + whole[51 + zeros - last :]]
    for content in torn:
        path.write_bytes(content)
        file = LineFile(path)
        assert file.dropped == len(content) - len(whole) + last, content
        file.append(b'{"more":1}\n')
        file.close()
        bodies, faults, steps = walk(path.read_bytes())
        assert bodies == [*(RECORDS[:3] if older else RECORDS[2:3]), b'{"more":1}']
        assert (faults, steps.unsealed) == ([None] * len(bodies), 2 if older else 0)
    assert len(torn) > 100


def test_a_writer_goes_on_after_damage_without_hiding_it(tmp_path: Path) -> None:
    path = tmp_path / "x.jsonl"
    for old, new in ((b"number", b"nunber"), (b'"}\n', b'"}*'), (b'chain":"', b'chbin":"')):
        path.unlink(missing_ok=True)
        whole = write(path, RECORDS[:2])
        at = whole.rfind(old)
        path.write_bytes(whole[:at] + new + whole[at + len(old) :])
        write(path, RECORDS[2:])
        bodies, faults, _ = walk(path.read_bytes())
        assert bodies[2:] == RECORDS[2:]
        assert [fault is None for fault in faults] == [True, False, True, True], (old, faults)


def test_a_line_left_out_or_doubled_is_noticed(tmp_path: Path) -> None:
    lines = write(tmp_path / "x.jsonl", RECORDS).splitlines(keepends=True)
    for changed in (lines[:1] + lines[2:], [lines[0], *lines], [lines[1], lines[0], *lines[2:]]):
        assert any(walk(b"".join(changed))[1])


def test_rewriting_keeps_the_heads_and_tells_the_day(tmp_path: Path) -> None:
    whole = write(tmp_path / "x.jsonl", RECORDS)
    lines = whole.splitlines()
    heads = [line[-66:] for line in lines]
    bodies = [RECORDS[0], b'{"number":1,"text":""}', GONE, RECORDS[3]]
    once = rewrite_lines(lines, bodies, DAY)
    found, faults, steps = walk(once)
    assert (found, faults) == (bodies, [None] * 4)
    assert [line[-66:] for line in once.splitlines()] == heads
    assert dict(steps.rewritten) == {DAY: 2}
    assert committed(once)[0] == [body for body in bodies if body != GONE]
    assert b"a@b" not in once.splitlines()[1]
    assert json.loads(lines[1])["salt"].encode() not in once
    for place in range(8 * len(once)):  # what a line was rewritten to is under a hash as well
        changed = bytearray(once)
        changed[place // 8] ^= 1 << place % 8
        assert any(walk(bytes(changed))[1]), place
    bodies[3] = b'{"number":3}'
    twice = rewrite_lines(once.splitlines(), bodies, "2026-02-01")
    assert walk(twice)[1] == [None] * 4
    assert dict(walk(twice)[2].rewritten) == {DAY: 2, "2026-02-01": 1}


def test_rewriting_hides_no_damage(tmp_path: Path) -> None:
    whole = write(tmp_path / "x.jsonl", RECORDS)
    lines = whole.replace(b'"number":2', b'"number":5').splitlines()
    bodies = [b'{"number":0}', RECORDS[1], RECORDS[2].replace(b":2", b":5"), RECORDS[3]]
    faults = walk(rewrite_lines(lines, bodies, DAY))[1]
    assert [fault is None for fault in faults] == [True, True, False, True]


@pytest.mark.parametrize("older", [0, 2])
def test_forgetting_a_damaged_line_leaves_the_break_and_no_text(tmp_path: Path, older: int) -> None:
    path = tmp_path / "x.jsonl"
    path.write_bytes(b"".join(record + b"\n" for record in RECORDS[:older]))
    lines = write(path, RECORDS[older:]).splitlines()
    breaks = (
        [*lines[:3], lines[3].replace(b'"number":3', b'"number":7')],
        [*lines[:2], lines[3]],
        [*lines[:3], lines[3].replace(b'"salt"', b'"sblt"')],
        [*lines[:3], lines[3][:-1] + b"!"],
    )
    for broken in breaks:
        for left in (b'{"number":7}', GONE):
            found = [body for body, _ in map(ChainWalk().take, broken)]
            for bodies in ([*found[:-1], left], [b'{"number":0}', *found[1:-1], left]):
                made = rewrite_lines(broken, bodies, DAY)
                assert any(walk(made)[1]), (broken[-1], bodies)
                assert b"a@b" not in made.splitlines()[-1]
                again = divide(made)[0]
                others = [body for body, _ in map(ChainWalk().take, again)]
                gone = rewrite_lines(again, [*others[:-1], GONE], "2026-02-01")
                assert any(walk(gone)[1]), "forgetting twice hid it"


def test_what_a_rewritten_line_became_stays_damaged(tmp_path: Path) -> None:
    lines = write(tmp_path / "x.jsonl", RECORDS).splitlines()
    once = rewrite_lines(lines, [*RECORDS[:3], b'{"number":3}'], DAY).splitlines()
    once[3] = once[3].replace(b":3", b":4", 1)
    for left in (b'{"number":5}', GONE):
        faults = walk(rewrite_lines(once, [*RECORDS[:3], left], "2026-02-01"))[1]
        assert [fault is None for fault in faults] == [True, True, True, False]


def test_forgetting_a_line_of_an_older_file_lets_the_others_follow(tmp_path: Path) -> None:
    path = tmp_path / "x.jsonl"
    path.write_bytes(b"".join(record + b"\n" for record in RECORDS[:2]))
    lines = write(path, RECORDS[2:]).splitlines()
    for bodies in ([b'{"number":0}', *RECORDS[1:]], [GONE, GONE, RECORDS[2], b'{"number":3}']):
        made = rewrite_lines(lines, bodies, DAY)
        found, faults, _ = walk(made)
        assert found == [body for body in bodies if body != GONE]
        assert not any(faults)
    untouched = rewrite_lines(lines, [*RECORDS[:3], b'{"number":3}'], DAY).splitlines()
    assert untouched[:3] == lines[:3]
    assert untouched[3][-66:] == lines[3][-66:]
    damaged = [*lines[:2], lines[2].replace(b":2", b":5"), lines[3]]
    for first in (RECORDS[0], b'{"number":0}', GONE):
        made = rewrite_lines(
            damaged, [first, RECORDS[1], RECORDS[2].replace(b":2", b":5"), GONE], DAY
        )
        assert any(walk(made)[1]), first


def test_uniting_lines_seals_no_damage(tmp_path: Path) -> None:
    lines = write(tmp_path / "x.jsonl", RECORDS).splitlines()
    for old, new in ((b'"number":2', b'"number":5'), (b'"}', b"!}")):
        broken = [*lines[:2], lines[2].replace(old, new), lines[3]]
        found = [body for body, _ in map(ChainWalk().take, broken)]
        made = reseal([broken], [found[0], b'{"number":9}', *found[1:]])
        bodies, faults, _ = walk(made)
        assert bodies == [found[0], b'{"number":9}', *found[1:]]
        assert [fault is None for fault in faults] == [True, True, True, False, True]


def test_united_lines_keep_the_seals_of_their_copy(tmp_path: Path) -> None:
    mine = write(tmp_path / "x.jsonl", RECORDS[:2])
    (tmp_path / "y.jsonl").write_bytes(mine)
    theirs = write(tmp_path / "y.jsonl", RECORDS[2:])
    copies = [divide(content)[0] for content in (mine, theirs)]
    assert reseal(copies, RECORDS) == theirs
    moved = reseal(copies, [RECORDS[1], *RECORDS])
    assert walk(moved)[:2] == ([RECORDS[1], *RECORDS], [None] * 5)


def test_a_seal_of_blanks_is_read_over_and_notices_every_bit() -> None:
    content = b'[{"a": 1}, {"b": "x"}]'
    sealed = seal(content)
    assert json.loads(sealed) == json.loads(content)
    assert (check_seal(sealed), check_seal(content)) == ("whole", "unsealed")
    assert (strip_seal(sealed), seal(sealed)) == (content, sealed)
    for place in range(8 * len(sealed)):
        changed = bytearray(sealed)
        changed[place // 8] ^= 1 << place % 8
        assert check_seal(bytes(changed)) == "changed", place
        assert seal(bytes(changed)) == changed, "damage was sealed"


WRITER = """
import sys
from pathlib import Path
from store.jsonl.append_only import LineFile
file = LineFile(Path(sys.argv[1]))
number = 0
while True:
    number += 1
    file.append(b''.join(b'{"number":%d,"text":"%s"}\\n' % (number, b"x" * 3000) for _ in range(2)))
"""


def test_kill_9_leaves_a_chain_that_holds(tmp_path: Path) -> None:
    path = tmp_path / "x.jsonl"
    kills = 0
    for wait in (0.05, 0.02, 0.11):
        writer = subprocess.Popen([sys.executable, "-c", WRITER, str(path)])
        size = path.stat().st_size if path.exists() else 0
        while not path.exists() or path.stat().st_size == size:
            time.sleep(0.005)
        time.sleep(wait)
        writer.kill()
        kills += writer.wait() == -9
        _, faults, steps = walk(path.read_bytes())
        assert not any(faults)
        assert steps.lines > 0
    assert kills == 3


def test_an_empty_file_starts_where_any_file_does() -> None:
    assert seal_lines([]) == (b"", START)
