"""Labels in a data folder elsewhere: a machine may die at each of its calls."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from store.errors import DataUnwritable
from store.runs.data_folder import DataFolder
from store.runs.labels import Label, LabelFile
from tests.store.remote.stores import DeadError, MortalStore, dying_machine, machine

NOW = datetime(2025, 3, 1, tzinfo=UTC)
NAMES = [f"q{number}" for number in range(4)]


def label(name: str) -> Label:
    return Label(question=name, answer="yes", by="anna", at=NOW)


@pytest.mark.parametrize("after", [False, True])
def test_an_acknowledged_label_outlives_its_machine(tmp_path: Path, after: bool) -> None:
    deaths = 0
    for call in range(1, 60):
        url = f"file://{tmp_path}/shared-{call}"
        store = MortalStore(url, call, after=after)
        told: list[str] = []
        try:
            with dying_machine(tmp_path / f"dead-{call}", store) as mirror:
                file = LabelFile(DataFolder(mirror.root), "d-1", "anna")
                for name in NAMES:
                    file.add([label(name)])
                    told.append(name)
        except DeadError:
            deaths += 1
        with machine(tmp_path / f"next-{call}", url) as root:
            log = LabelFile(DataFolder(root), "d-1", "anna").read()
            standing = list(log.standing)
            assert standing[: len(told)] == told, "an acknowledged label is lost"
            assert len(standing) <= len(told) + 1
            assert log.repeats == 0
        if not store.dead:
            break
    assert 4 <= deaths < 58


def test_two_machines_of_one_person_lose_nothing(tmp_path: Path) -> None:
    """Who comes second is told so, and writes over nothing."""
    url = f"file://{tmp_path}/shared"
    with machine(tmp_path / "one", url) as one, machine(tmp_path / "two", url) as two:
        first, second = (LabelFile(DataFolder(root), "d-1", "anna") for root in (one, two))
        assert first.add([label("q0")]) == 1
        with pytest.raises(DataUnwritable, match="another machine went on with it"):
            second.add([label("q1")])
    with machine(tmp_path / "two", url) as root:
        file = LabelFile(DataFolder(root), "d-1", "anna")
        assert list(file.read().standing) == ["q0"]
        assert file.add([label("q0"), label("q1")]) == 1
