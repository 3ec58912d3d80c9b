"""A release is the commit and nothing else, twice the same bytes."""

from __future__ import annotations

import subprocess
import tarfile
import zipfile
from pathlib import Path

import pytest

from deploy.release import ROOT, ask_git, build_both, check_state, write_sums


def test_a_commit_gives_the_same_bytes_twice_and_nothing_untracked(tmp_path: Path) -> None:
    first = build_both(tmp_path / "a")
    again = build_both(tmp_path / "b")
    assert [one.read_bytes() for one in first] == [one.read_bytes() for one in again]
    tracked = set(ask_git("ls-tree", "-r", "--name-only", "HEAD").splitlines())
    with zipfile.ZipFile(first[0]) as wheel:
        held = {name for name in wheel.namelist() if ".dist-info/" not in name}
    assert len(held) > 700
    assert held <= tracked
    with tarfile.open(first[1]) as sdist:
        names = {one.name.partition("/")[2] for one in sdist.getmembers() if one.isfile()}
        assert {(one.uid, one.gid, one.uname) for one in sdist.getmembers()} == {(0, 0, "")}
    made = {"PKG-INFO", "setup.cfg"}
    assert {one for one in names - tracked if ".egg-info/" not in one} <= made
    sums = write_sums(first, tmp_path / "a")
    done = subprocess.run(["sha256sum", "--check", sums.name], cwd=sums.parent, capture_output=True)
    assert done.returncode == 0


@pytest.mark.parametrize(
    ("changelog", "unclean", "tags", "fault"),
    [
        ("## 1.2.0 - 2026-12-01\n", "", "v1.1.0", None),
        ("## Unreleased (1.2.0)\n", "", "", "no heading '## 1.2.0'"),
        ("## 1.2.0\n", " M README.md", "", "not committed"),
        ("## 1.2.0\n", "", "v1.1.0\nv1.2.0", "a tag v1.2.0"),
        ("## 1.2.01\n", "", "", "no heading"),
    ],
)
def test_what_is_not_ready_is_named(
    changelog: str, unclean: str, tags: str, fault: str | None
) -> None:
    faults = check_state("1.2.0", changelog, unclean, tags)
    assert len(faults) == (fault is not None)
    assert fault is None or fault in faults[0]


def test_the_release_is_of_this_repository() -> None:
    assert (ROOT / "pyproject.toml").exists()
