"""Kills of the quick verbs, and that the trials notice what they are there to notice."""

from __future__ import annotations

import json
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from tests.faults.matrix import Planned, plan_kills, plan_others, read_rows, show_failures, tables
from tests.faults.state import State, differences, half_results, lost_lines
from tests.faults.trial import Row
from tests.faults.verbs import PAIRS, READS, UNTRIED, VERBS, commands, find_verb

REPO = Path(__file__).parents[2]
KILLS = 24


def test_every_command_is_known_to_write_or_not_to() -> None:
    tried = {verb.command for verb in VERBS}
    assert set(commands()) == tried | set(UNTRIED) | READS
    assert not tried & (set(UNTRIED) | READS)
    assert not set(UNTRIED) & READS
    assert {name for pair in PAIRS for name in pair} <= {verb.name for verb in VERBS}


def test_kills_of_quick_verbs_break_nothing(tmp_path: Path) -> None:
    words = ["--quick", "--kills", str(KILLS), "--others", "0", "--folder", str(tmp_path)]
    done = run_faults(*words)
    rows = read_rows(tmp_path / "results.jsonl")
    assert done.returncode == 0, done.stderr + show_failures(rows)
    assert len(rows) == KILLS
    assert sum(row.struck for row in rows) >= KILLS // 2
    assert "| a committed line is lost | 0 (at most" in done.stdout


@pytest.mark.drill
@pytest.mark.timeout(1800)
def test_every_verb_outlives_kills_and_other_faults(tmp_path: Path) -> None:
    done = run_faults("--kills", "100", "--others", "1", "--folder", str(tmp_path))
    assert done.returncode == 0, done.stderr


def run_faults(*words: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "tests.faults", *words]
    return subprocess.run(command, cwd=REPO, capture_output=True, text=True, check=False)


BREAK = """
import sys
from store.jsonl import atomic
from tests.faults.__main__ import main

# as an editor writes that knows no renames
def in_place(path, content, *, sync=True):
    atomic.make_folder(path.parent)
    part = len(content) // 4 + 1
    for at in range(0, len(content) + 1, part):
        with path.open("ab" if at else "wb") as file:
            file.write(content[at:at + part])
    path.chmod(0o600)

atomic.write_here = in_place
sys.exit(main(sys.argv[1:]))
"""


def test_a_writer_in_place_is_noticed(tmp_path: Path) -> None:
    """The whole commands are the same; only a kill in their middle leaves half a file."""
    words = ["--quick", "--kills", "200", "--others", "0", "--folder", str(tmp_path)]
    words += ["--verb", "store import", "--fault", "kill"]
    command = [sys.executable, "-c", BREAK, *words]
    done = subprocess.run(command, cwd=REPO, capture_output=True, text=True, check=False)
    kinds = Counter(kind for row in read_rows(tmp_path / "results.jsonl") for kind in row.problems)
    assert done.returncode == 1
    assert kinds["half"], done.stderr


def write(folder: Path, name: str, content: str) -> None:
    folder.mkdir(exist_ok=True)
    (folder / name).write_text(content, encoding="utf-8")


def test_states_tell_what_is_lost_doubled_and_half_there(tmp_path: Path) -> None:
    lines = [json.dumps({"kind": "step", "position": at}) + "\n" for at in range(4)]
    folder = tmp_path / "data"
    write(folder, "ledger.jsonl", "".join(lines[:2]))
    write(folder, "report.html", "old")
    before = State.of(tmp_path)
    write(folder, "ledger.jsonl", "".join(lines))
    write(folder, "report.html", "new, of 2025-01-01T10:00:00Z")
    whole = State.of(tmp_path)
    compared = frozenset(whole.files)
    write(folder, "report.html", "new, of 2026-02-03T11:22:33.4Z")
    assert differences(whole, State.of(tmp_path), compared) == []
    write(folder, "report.html", "new, of")
    write(folder, "ledger.jsonl", "".join([*lines[1:], lines[3]]) + lines[0][:9])
    cut = State.of(tmp_path)
    assert half_results(before, whole, cut, compared) == ["data/report.html is half there"]
    assert lost_lines(before, cut) == ["data/ledger.jsonl: 1 lines that were committed are lost"]
    told = "\n".join(differences(whole, cut, compared))
    assert "1 lines lost, 1 doubled" in told
    write(folder, "more.json", "{}")
    assert "data/more.json is there beside it" in differences(whole, State.of(tmp_path), compared)
    (folder / "ledger.jsonl").unlink()
    assert "data/ledger.jsonl is missing" in differences(whole, State.of(tmp_path), compared)


def test_what_is_planned_covers_every_verb_fault_and_phase() -> None:
    planned = plan_kills(1000, 1, VERBS)
    assert len(planned) == len({each.key for each in planned}) == 1000
    kills = Counter(each.verbs for each in planned)
    assert set(kills) >= {(verb,) for verb in VERBS}
    assert min(kills[(verb,)] for verb in VERBS) >= 12
    assert {len(verbs) for verbs in kills} == {1, 2}
    cells = {(each.verbs, each.fault) for each in plan_others(1, 1)}
    single = {(verbs[0], fault) for verbs, fault in cells if len(verbs) == 1}
    assert {(verb, fault) for verb in VERBS for fault in ("disk", "clock")} <= single
    assert plan_kills(30, 1, VERBS) == planned[:30], "a longer call goes on where a shorter ended"


def test_a_failure_is_told_with_the_command_that_repeats_it() -> None:
    row = Row("store merge + store merge", "kill", "begin", 4, 9, struck=True, ended="killed")
    row.add("lost", ["a line"])
    told = show_failures([row])
    assert "--verb 'store merge + store merge' --fault kill --number 4 --seed 9" in told
    assert "lost: a line" in told
    text = tables([row, Row("store merge", "kill", "end", 5, 9, struck=True, ended="killed")])
    assert "| a committed line is lost | 1 (at most 98.74 %) |" in text
    assert "| a step is there twice | 0 (at most 84.19 %) |" in text
    again = Planned((find_verb("store merge"),) * 2, "kill", 4, 9)
    assert again.key == row.key


def test_the_model_server_counts_what_it_has_answered() -> None:
    from urllib.error import URLError
    from urllib.request import Request, urlopen

    from tests.faults.model_server import ModelServer

    server = ModelServer()
    try:
        for body in (b"a", b"a", b"b"):
            urlopen(Request(f"{server.url}/v1/chat/completions", body, method="POST")).close()
        assert sorted(server.calls().values()) == [1, 2]
        server.reset(0)
        with pytest.raises((URLError, OSError)):
            urlopen(Request(f"{server.url}/v1/chat/completions", b"c", method="POST"))
        assert not server.calls().total()
    finally:
        server.close()
