"""What a file's owner and group may do is set by its folder, whatever the umask."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from store.jsonl.atomic import make_folder, write_whole


@pytest.fixture(params=[0o022, 0o077], ids=["open umask", "strict umask"], autouse=True)
def umask(request: pytest.FixtureRequest) -> Iterator[None]:
    former = os.umask(request.param)
    yield
    os.umask(former)


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_a_file_is_its_owner_s_alone(tmp_path: Path) -> None:
    write_whole(tmp_path / "new" / "a.json", b"{}")
    assert (mode(tmp_path / "new"), mode(tmp_path / "new" / "a.json")) == (0o700, 0o600)


def test_in_a_folder_given_to_a_group_it_is_the_group_s_too(tmp_path: Path) -> None:
    shared = tmp_path / "shared"
    shared.mkdir()
    shared.chmod(0o2770)
    make_folder(shared / "runs")
    write_whole(shared / "runs" / "a.json", b"{}")
    assert (mode(shared / "runs"), mode(shared / "runs" / "a.json")) == (0o2770, 0o660)
