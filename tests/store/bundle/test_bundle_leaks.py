"""What the search of a bundle finds, and what it excuses."""

from __future__ import annotations

import json
import tarfile
from pathlib import Path

import pytest

from analysis.examples.study import STUDY
from store.bundle.bundle_leaks import LeakSearch
from store.bundle.bundle_manifest import NAME, BundleManifest
from store.bundle.errors import BadBundle
from store.dataset.pseudonyms import KnownPeople, Pseudonyms
from store.jsonl.append_only import committed
from store.jsonl.hash_chain import seal_lines
from store.runs.data_folder import DataFolder
from store.runs.ledger import read
from tests.store.bundle.conftest import Workplace

ROOT, HOMES = (f"/{name}/" for name in ("root", "home"))
HEX = "0123456789abcdef0123456789abcdef"


def search(folder: Path, text: str, *own: str, handle: str = "low.orbit.leo") -> None:
    """Search one text; raises ``BadBundle``."""
    people = KnownPeople()
    people.add("tiktok", "7312345678901234567", handle)
    path = folder / "x.jsonl"
    path.write_text(json.dumps({"text": text}) + "\n", "utf-8")
    data = DataFolder(folder / "data")
    LeakSearch(data, Pseudonyms(b"key", people), ["a-viewer-9f3a"], own).refuse("x.jsonl", path)


@pytest.mark.parametrize(
    ("text", "what"),
    [
        (f"see {ROOT}lab/adapters/tiktok.toml", "a path of a machine"),
        (f"Executable doesn't exist at {HOMES}anna/.cache/x", "a path of a machine"),
        ("file:///Users/anna/x", "a path of a machine"),
        (r"C:\Users\anna", "a path of a machine"),
        ("key sk-proj-abcdefghijklmnop1234567890", "a secret"),
        ("http://leo:hunter22@10.0.0.7:8265", "a secret"),
        (HEX, "a secret"),
        (f"v1 {HEX}", "a secret"),
        ("as @low.orbit.leo said", "a name"),
        ("a-viewer-9f3a", "a name"),
    ],
)
def test_it_says_what_it_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str, what: str
) -> None:
    monkeypatch.setenv("AZURE_OPENAI_API_KEY", HEX)
    with pytest.raises(BadBundle, match=f"would tell {what} in x.jsonl") as told:
        search(tmp_path, text)
    assert ("--keep-handles" in str(told.value)) == (what == "a name"), "what helps is typed"


@pytest.mark.parametrize(
    "text",
    [
        f"https://site.example{HOMES}anna",
        f"a{ROOT}b",
        "0" * 64,
        "1.5",
        "http://10.0.0.7:8265/x@y",
        "on",
    ],
)
def test_what_names_nobody_passes(tmp_path: Path, text: str) -> None:
    search(tmp_path, text)


def test_a_name_of_several_words_is_excused_only_where_it_stands_whole(tmp_path: Path) -> None:
    with pytest.raises(BadBundle, match="a name"):
        search(tmp_path, "low.orbit.leo", "leo", "an orbit", "a low one")
    search(tmp_path, "low.orbit.leo", "model low-orbit-leo")
    search(tmp_path, "leonie99", "leonie99", handle="leonie99")


@pytest.mark.parametrize("handle", [True, False])
def test_comments_of_a_study_file_are_searched(copied: Workplace, handle: bool) -> None:
    """What they name was once excused wherever it stood."""
    name = read(copied.data.ledger_path("example-mo-passive")).steps[0].video.author or ""
    study = copied.data.studies_dir / STUDY / "study.toml"
    text = f"left out: {name}" if handle else f"at {ROOT}lab-x/adapters"
    study.write_text(f"{study.read_text().rstrip()}\n# {text}\n", "utf-8")
    assert copied.report().exit_code == 0
    told = copied.bundle()
    assert told.exit_code == 2, name
    assert ("a name" if handle else "a path of a machine") in told.output
    assert "study.toml, line" in told.output
    assert not copied.file.exists()


def test_no_hash_is_told_of_a_table_that_names_stood_in(reported: Workplace) -> None:
    """Accounts could be tried out on it."""
    with tarfile.open(reported.file) as tar:
        member = tar.extractfile(NAME)
        assert member is not None
        files = BundleManifest.decode(member.read()).files
    tables = [one for one in files if one.place.startswith("figures/")]
    assert [one.original for one in tables] == [None] * 12
    assert sum(bool(one.columns_left_out) for one in tables) == 2
    numbers = next(one for one in tables if one.place == "figures/numbers.csv")
    assert numbers.rows_left_out > 0


def test_folders_in_messages_of_faults_are_taken_out_where_lines_stay(copied: Workplace) -> None:
    path = copied.data.ledger_path("example-mo-passive")
    first, *rest = committed(path.read_bytes())[0]
    fault = {
        "kind": "fault",
        "at": json.loads(rest[-1])["at"],
        "position": 1,
        "fault": "BrowserLost",
        "message": f"Executable doesn't exist at {HOMES}anna/.cache/chrome, gone",
        "recovered": True,
        "details": {},
    }
    path.write_bytes(seal_lines([first, json.dumps(fault).encode(), *rest])[0])
    assert copied.report().exit_code == 0
    told = copied.bundle("--keep-handles")
    assert told.exit_code == 0, told.output
    content = copied.file.read_bytes()
    assert f"{HOMES}anna".encode() not in content
    assert b"Executable doesn't exist at (path) gone" in content
    assert json.loads(copied.reproduce("--json").stdout)["different"] == 0


def test_a_tilde_is_a_letter_as_any(
    copied: Workplace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Shells expand it; a quoted one means itself."""
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.chdir(tmp_path)
    (tmp_path / "home").mkdir()
    (tmp_path / "home" / "x.tar").write_bytes(b"mine")
    assert copied.bundle(file=Path("~") / "x.tar").exit_code == 0
    assert (tmp_path / "home" / "x.tar").read_bytes() == b"mine"
    assert (tmp_path / "~" / "x.tar").is_file()
