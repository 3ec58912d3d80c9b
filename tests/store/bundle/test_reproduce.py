"""Whoever has a bundle derives every figure of its report again, and learns which differ."""

from __future__ import annotations

import csv
import json
import os
import shutil
import subprocess
import sys
import tarfile
from collections.abc import Callable
from pathlib import Path

from store.bundle.bundle_manifest import NAME, BundledFile, BundleManifest
from store.bundle.report_record import hash_file
from store.jsonl.append_only import committed
from store.jsonl.hash_chain import seal_lines
from store.untrusted.canonical_tar import write_tar
from tests.store.bundle.conftest import Workplace

ROOT = Path(__file__).parents[3]


def test_every_figure_is_equal_in_a_fresh_process_elsewhere(
    reported: Workplace, tmp_path: Path
) -> None:
    """Neither its folder, its home nor its data folder is known there."""
    folder, home = tmp_path / "elsewhere", tmp_path / "home"
    folder.mkdir()
    home.mkdir()
    shutil.copy(reported.file, folder / "paper.tar")
    own = ("PATH", "LANG", "LD_LIBRARY_PATH")
    kept = {name: os.environ[name] for name in own if name in os.environ}
    done = subprocess.run(
        [sys.executable, "-m", "analysis", "reproduce", "paper.tar", "--json"],
        cwd=folder,
        env={**kept, "HOME": str(home), "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
        timeout=240,
    )
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert (told["different"], told["close"], told["differences"]) == (0, 0, [])
    assert told["sha256"] == hash_file(reported.file)
    assert told["environment_differs"] == []
    counts = {table["name"]: table["equal"] for table in told["tables"]}
    assert len(counts) == 12
    assert all(counts.values())
    assert told["figures"] == sum(counts.values()) > 7000
    assert [path.name for path in folder.iterdir()] == ["paper.tar"]
    written = reported.data.studies_dir / "example" / "report" / "tables" / "estimates.csv"
    with written.open(newline="") as file:
        header, *rows = csv.reader(file)
    numbers = sum(bool(row[header.index(name)]) for row in rows for name in ("value", "low"))
    assert counts["estimates"] > numbers > 30


def test_it_says_what_it_is_and_what_was_not_checked(reported: Workplace) -> None:
    sha256 = hash_file(reported.file)
    told = reported.reproduce("--sha256", sha256.upper())
    assert told.exit_code == 0, told.output
    assert f"SHA-256 {sha256}  as cited" in told.stdout
    assert "study example: 12 ledgers, 6 judgement files" in told.stdout
    assert "the same code" in told.stdout
    assert "Not checked, views: video and author" in told.stdout
    assert "contact sheets, whose frames are not in the bundle" in told.stdout
    assert told.stdout.rstrip().endswith("figures are equal.")


def test_a_hash_that_is_none_is_yours_to_fix(reported: Workplace) -> None:
    assert reported.reproduce("--sha256", "abc").exit_code == 2


def test_with_frames_and_handles_nothing_is_left_unchecked(
    reported: Workplace, tmp_path: Path
) -> None:
    file = tmp_path / "full.tar"
    done = reported.bundle("--with-frames", "--keep-handles", "--json", file=file)
    assert json.loads(done.stdout)["frames"] == 317
    told = json.loads(reported.reproduce("--json", file=file).stdout)
    assert (told["different"], told["unchecked"]) == (0, [])
    with tarfile.open(file) as tar:
        place = "runs/example-kim-passive/ledger.jsonl"
        member = tar.extractfile(f"data/{place}")
        assert member is not None
        assert member.read() == (reported.data.root / place).read_bytes()


def remade(source: Path, target: Path, change: Callable[[str, bytes], bytes]) -> None:
    """Make a bundle again with other bytes, the manifest mended, as who hides a change would."""
    with tarfile.open(source) as tar:
        contents = {one.name: tar.extractfile(one).read() for one in tar}  # type: ignore[union-attr]
    manifest = BundleManifest.decode(contents.pop(NAME))
    new = {name: change(name, content) for name, content in contents.items()}
    entries = []
    for entry in manifest.files:
        place = target.with_suffix(".part")
        place.write_bytes(new[entry.place])
        fields = dict(entry) | {"bytes": len(new[entry.place]), "sha256": hash_file(place)}
        if entry.chain is not None:
            fields["chain"] = str(json.loads(new[entry.place].splitlines()[-1])["chain"])
        entries.append(BundledFile(**fields))
    told = manifest.model_copy(update={"files": tuple(entries)}).encode()
    with target.open("wb") as file:
        members = [(NAME, len(told), iter([told]))]
        members += [(one.place, one.bytes, iter([new[one.place]])) for one in entries]
        write_tar(file, members)


def test_an_edited_ledger_is_found_by_the_hash_and_by_its_figures(
    reported: Workplace, tmp_path: Path
) -> None:
    edited = "data/runs/example-mo-treatment/ledger.jsonl"

    def edit(name: str, content: bytes) -> bytes:
        if name != edited:
            return content
        bodies, _ = committed(content)
        return seal_lines(line.replace(b'"answer":"no"', b'"answer":"yes"') for line in bodies)[0]

    file = tmp_path / "edited.tar"
    remade(reported.file, file, edit)
    cited = hash_file(reported.file)
    told = reported.reproduce("--sha256", cited, file=file)
    assert told.exit_code == 1
    assert f"NOT THE FILE THAT IS CITED, whose SHA-256 is {cited}" in told.stdout
    assert "The file is not the one that is cited." in told.stdout
    found = json.loads(reported.reproduce("--json", file=file).stdout)
    assert found["different"] > 50
    tables = {one["table"] for one in found["differences"]}
    assert {"estimates", "runs", "personas", "views"} <= tables
    gaps = [one["gap"] if one["gap"] is not None else float("inf") for one in found["differences"]]
    assert gaps == sorted(gaps, reverse=True)


def test_one_answer_in_an_unsealed_copy_is_refused_by_the_chain(
    reported: Workplace, tmp_path: Path
) -> None:
    """Whoever changes a line and leaves its seal has changed what the line says of itself."""

    def edit(name: str, content: bytes) -> bytes:
        return content.replace(b'"answer":"no"', b'"answer":"yes"', 1)

    file = tmp_path / "edited.tar"
    remade(reported.file, file, edit)
    told = reported.reproduce(file=file)
    assert told.exit_code == 2
    assert "ledger.jsonl" in told.stderr
    assert "it was rewritten, and has changed since" in told.stderr


def test_an_edited_figure_is_named_with_both_values(reported: Workplace, tmp_path: Path) -> None:
    values: list[str] = []

    def edit(name: str, content: bytes) -> bytes:
        if name != "figures/estimates.csv":
            return content
        head, first, rest = content.split(b"\r\n", 2)
        cells = first.split(b",")
        at = head.split(b",").index(b"value")
        values.append(cells[at].decode())
        cells[at] = b"99.5"
        return b"\r\n".join([head, b",".join(cells), rest])

    file = tmp_path / "edited.tar"
    remade(reported.file, file, edit)
    told = reported.reproduce(file=file)
    assert told.exit_code == 1
    assert f"in the bundle 99.5, derived {values[0]}" in told.stdout
    assert "1 figure of" in told.stdout


def test_a_run_is_bundled_too(copied: Workplace) -> None:
    name = "example-kim-treatment"
    assert copied.report("--seed", "5", name=name).exit_code == 0
    assert copied.bundle(name=name).exit_code == 0
    told = json.loads(copied.reproduce("--json").stdout)
    assert (told["study"], told["runs"], told["different"]) == (None, [name], 0)
    assert told["figures"] > 500


def test_the_seed_of_the_report_is_that_of_the_derivation(copied: Workplace) -> None:
    before = copied.data.studies_dir / "example" / "report" / "tables" / "i_avg.csv"
    usual = before.read_bytes()
    assert copied.report("--seed", "6").exit_code == 0
    assert before.read_bytes() != usual, "another seed draws another null"
    assert copied.bundle().exit_code == 0
    assert json.loads(copied.reproduce("--json").stdout)["different"] == 0


def test_a_damaged_file_ends_with_2(reported: Workplace, tmp_path: Path) -> None:
    file = tmp_path / "x.tar"
    content = bytearray(reported.file.read_bytes())
    content[len(content) // 2] ^= 1
    file.write_bytes(content)
    told = reported.reproduce(file=file)
    assert told.exit_code == 2
    assert "is damaged in data/runs/" in told.stderr
    file.write_bytes(b"no archive at all" * 100)
    told = reported.reproduce(file=file)
    assert told.exit_code == 2
    assert "no whole bundle" in told.stderr
