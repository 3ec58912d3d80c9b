"""Whatever a file of TOML holds, it is read, or refused in a sentence."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from agent.daemon.config.jobs import load as load_watch
from agent.daemon.config.watch_file import BadWatch
from agent.study.declared import BadStudy
from agent.study.declared import load as load_study
from analysis.errors import BadStudyFolder
from analysis.report.declared import read_study_file
from personas.errors import BadPersona
from personas.library import load as load_persona
from store.foreign.toml import MOST_TOML_BYTES, BadToml, read_toml

HOSTILE = {
    "a number of 5,000 digits": b"id = " + b"9" * 5000,
    "5,000 lists within each other": b"id = " + b"[" * 5000 + b"]" * 5000,
    "more than a file has": b"#" * (MOST_TOML_BYTES + 1),
    "no text": b"id = '\xff'",
    "NUL": b"id = '\0'",
    "a day that is none": b"id = 2025-02-31",
}
READERS: list[tuple[Callable[[Path], Any], type[Exception]]] = [
    (load_persona, BadPersona),
    (load_study, BadStudy),
    (load_watch, BadWatch),
    (lambda path: read_study_file(path.parent), BadStudyFolder),
]


@pytest.mark.parametrize("what", HOSTILE)
@pytest.mark.parametrize(("read", "fault"), READERS)
def test_what_cannot_be_read_is_told_by_each_reader(
    tmp_path: Path, what: str, read: Callable[[Path], Any], fault: type[Exception]
) -> None:
    path = tmp_path / "study.toml"
    path.write_bytes(HOSTILE[what])
    with pytest.raises(fault, match=r"study\.toml"):
        read(path)


def test_the_line_is_named(tmp_path: Path) -> None:
    path = tmp_path / "a.toml"
    path.write_bytes(b"a = 1\r\nb = \r\n")
    with pytest.raises(BadToml) as caught:
        read_toml(path)
    assert caught.value.line == 2


def test_lines_may_end_as_windows_ends_them(tmp_path: Path) -> None:
    path = tmp_path / "a.toml"
    path.write_bytes('a = """x\r\ny"""\r\nb = "ü"\r\n'.encode())
    assert read_toml(path) == {"a": "x\ny", "b": "ü"}


@pytest.mark.parametrize(
    "told",
    ["test = 5", "[test]\nalpha = 'x'", "[test]\nalpha = []", "name = 's'"],
)
def test_a_study_that_declares_no_test_is_told(tmp_path: Path, told: str) -> None:
    (tmp_path / "study.toml").write_text(told)
    (tmp_path / "draws.json").write_text("[" * 50_000)
    with pytest.raises(BadStudyFolder):
        read_study_file(tmp_path)
