"""The corpus is read as it must be, and every door has a target."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.fuzz import guard
from tests.fuzz.guard import Finding, Target, examine, make_folder
from tests.fuzz.seeds import CORPUS, name_input
from tests.fuzz.targets import TARGETS

ROOT = Path(__file__).parents[2]
MOST_BYTES = 100_000
READS = re.compile(
    r"\b(?:read_declared|read_toml|parse_toml|read_member|read_members|read_packed_lines|read_sheet"
    r"|read_json_lines|read_table|open_table|read_studio|read_records|read_known_records)\("
    r"|\b(?:KeyedFormat|csv\.DictReader|csv\.reader)\("
)
"""Calls that read what a stranger, or a person, has written."""
WITHOUT = {
    "agent/daemon/config/jobs.py": "reads by the door of watch_file.py what names other files",
    "agent/models/prices.py": "names a price list of a package",
    "agent/playground/catalogue.py": "reads a table that comes with the package",
    "agent/playground/footage.py": "reads a table that comes with the package",
    "agent/run/browser_profiles.py": "reads profiles by the door of tar archives",
    "agent/training/dataset.py": "reads what an export of ours has written",
    "analysis/report/declared_study.py": "reads a kept study file by the door of TOML",
    "store/bundle/pack.py": "writes bundles of what is kept",
    "store/cli/configured_group.py": "is given what config_file.py has read",
    "store/dataset/leaks.py": "reads an export that was just written",
    "store/encoders/picture_loader.py": "reads frames by the door of pictures",
    "store/maintenance/merged_studies.py": "reads kept study files by the door of TOML",
}
"""Modules without a target of their own, and why."""


@pytest.fixture(scope="module")
def folder() -> Path:
    return make_folder()


@pytest.mark.parametrize("name", TARGETS)
def test_the_corpus_finds_nothing(name: str, folder: Path) -> None:
    inputs = sorted((CORPUS / name).glob("*"))
    assert inputs, "a target begins with a seed"
    told = set()
    for path in inputs:
        content = path.read_bytes()
        assert path.name == name_input(content)
        told.add(examine(TARGETS[name], content, folder))
        assert examine(TARGETS[name], content, folder) in told, "the same bytes, read in two ways"
    assert told - {kind.__name__ for kind in _all_kinds(TARGETS[name])}, "every input is refused"


def test_the_corpus_is_small_and_of_targets_that_are_there() -> None:
    files = [path for path in CORPUS.rglob("*") if path.is_file()]
    assert sum(path.stat().st_size for path in files) < MOST_BYTES
    assert {path.parent.name for path in files} == set(TARGETS)


def _all_kinds(target: Target) -> list[type[BaseException]]:
    found: list[type[BaseException]] = list(target.refuses)
    for kind in found:
        found += kind.__subclasses__()
    return found


def opened_doors() -> set[str]:
    """Every module that reads what somebody else has written."""
    found = {str(path.relative_to(ROOT)) for path in (ROOT / "store/untrusted").glob("[a-z]*.py")}
    for package in ("agent", "analysis", "personas", "store"):
        for path in (ROOT / package).rglob("*.py"):
            if READS.search(path.read_text(encoding="utf-8")):
                found.add(str(path.relative_to(ROOT)))
    return found


def described_doors() -> set[str]:
    """The files that docs/architecture.md names for what is opened or read."""
    text = (ROOT / "docs/architecture.md").read_text(encoding="utf-8")
    rows = [
        line
        for line in text.splitlines()
        if re.match(r"\| [^|]*\b(?:opened|read|imported)\b", line)
    ]
    assert len(rows) > 8
    return {path for row in rows for path in re.findall(r"`([\w/]+\.py)`", row)}


def test_every_door_has_a_target() -> None:
    targeted = {module for target in TARGETS.values() for module in target.modules}
    assert all((ROOT / module).is_file() for module in targeted)
    doors = opened_doors() | described_doors()
    assert len(doors) > 25
    assert sorted(doors - targeted - set(WITHOUT)) == []
    assert sorted(set(WITHOUT) & targeted) == []


def _given(content: bytes, place: Path) -> object:
    """A door with a fault for each thing that may not happen."""
    match content:
        case b"raise":
            raise KeyError("x")
        case b"deep":
            return _given(content, place)
        case b"slow":
            return sum(number * number for number in range(10**6))
        case b"nan":
            return float("nan")
        case b"surrogate":
            return "\ud800"
        case b"write":
            (place.parents[1] / "feedsway-stray").write_text("x")
        case b"beside":
            (place.parent / "stray").write_text("x")
    return None


FAULTS = (b"raise", b"deep", b"nan", b"surrogate", b"write", b"beside", b"slow")


@pytest.mark.parametrize("content", FAULTS)
def test_the_guard_sees_what_may_not_happen(
    content: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(guard, "MOST_SECONDS", 0.02)
    with pytest.raises(Finding):
        examine(Target("given", (), _given), content, make_folder())


def test_a_documented_error_is_none() -> None:
    told = examine(Target("given", (), _given, (KeyError,)), b"raise", make_folder())
    assert told == "KeyError"
