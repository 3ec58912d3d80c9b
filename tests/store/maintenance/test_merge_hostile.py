"""What a kill, a stranger's folder or a forgetting elsewhere must not do to united folders."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from store.jsonl.atomic import write_whole
from store.runs.data_folder import DataFolder
from tests.store.maintenance.test_merge import KILLED, ROOT, typed
from tests.store.samples import COLOURS, keep_run

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
