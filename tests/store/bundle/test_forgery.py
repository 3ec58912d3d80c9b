"""A bundle that somebody made by hand, with a manifest that is whole, proves nothing more."""

from __future__ import annotations

import hashlib
import json
import os
import re
import tarfile
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from store.bundle.bundle_manifest import NAME, BundledFile, BundleManifest
from store.bundle.report_record import PromptText
from store.jsonl.append_only import committed
from store.jsonl.hash_chain import seal_lines
from store.untrusted.canonical_tar import write_tar
from tests.store.bundle.conftest import Workplace

Contents = dict[str, bytes]
ESTIMATES, NUMBERS, VIEWS = (f"figures/{name}.csv" for name in ("estimates", "numbers", "views"))
LEDGER = "data/runs/example-kim-passive/ledger.jsonl"
STUDY = "data/studies/example/study.toml"
DRAWS = "data/studies/example/draws.json"


@dataclass
class Forgery:
    """What is changed in a bundle: its members, its options, and other fields of its manifest."""

    change: Callable[[Contents], None] = lambda _: None
    options: dict[str, Any] = field(default_factory=dict)
    fields: dict[str, Any] = field(default_factory=dict)
    honest_chains: bool = True

    def make(self, source: Path, target: Path) -> Path:
        with tarfile.open(source) as tar:
            contents = {one.name: tar.extractfile(one).read() for one in tar}  # type: ignore[union-attr]
        manifest = BundleManifest.decode(contents.pop(NAME))
        self.change(contents)
        old = {entry.place: entry for entry in manifest.files}
        entries = tuple(self._entry(place, contents[place], old) for place in sorted(contents))
        options = manifest.options.model_construct(**dict(manifest.options) | self.options)
        fields = {**dict(manifest), "files": entries, "options": options, **self.fields}
        told = BundleManifest.model_construct(**fields).encode()
        with target.open("wb") as file:
            members = [(NAME, len(told), iter([told]))]
            members += [
                (each, len(contents[each]), iter([contents[each]])) for each in sorted(contents)
            ]
            write_tar(file, members)
        return target

    def _entry(self, place: str, content: bytes, old: dict[str, BundledFile]) -> BundledFile:
        chain = old[place].chain if place in old else None
        if chain is not None and self.honest_chains:
            chain = json.loads(content.splitlines()[-1])["chain"]
        sha256 = hashlib.sha256(content).hexdigest()
        return BundledFile(place=place, bytes=len(content), sha256=sha256, chain=chain)


def drop_tables(contents: Contents) -> None:
    for place in [place for place in contents if place.startswith("figures/")]:
        del contents[place]


def drop_table(contents: Contents) -> None:
    del contents[ESTIMATES]


def drop_column(contents: Contents) -> None:
    rows = [line.split(b",", 1) for line in contents["figures/losses.csv"].split(b"\r\n") if line]
    contents["figures/losses.csv"] = b"\r\n".join(rest for _, rest in rows) + b"\r\n"


def rename_table(contents: Contents) -> None:
    contents["figures/estimates2.csv"] = contents.pop(ESTIMATES).replace(b"0.", b"0.9")


def add_table(contents: Contents) -> None:
    contents["figures/headline.csv"] = b"what,value\r\nI_avg,99.9\r\n"


def add_number(contents: Contents) -> None:
    row = b"n-9999,1,99.9,99.9,x,analysis.report.example_frames.sheets,x,x\r\n"
    contents[NUMBERS] += row


def change_sources(contents: Contents) -> None:
    contents[NUMBERS] = re.sub(rb"(?m)^(n-\d+),\d+,", rb"\1,forged,", contents[NUMBERS])


def add_cell(contents: Contents) -> None:
    contents[ESTIMATES] = contents[ESTIMATES].removesuffix(b"\r\n") + b",5\r\n"


@pytest.mark.parametrize(
    "change",
    [
        drop_tables,
        add_number,
        *(
            pytest.param(change, marks=pytest.mark.drill)
            for change in (
                drop_table,
                drop_column,
                rename_table,
                add_table,
                change_sources,
                add_cell,
            )
        ),
    ],
)
def test_figures_that_the_report_does_not_have_differ(
    reported: Workplace, tmp_path: Path, change: Callable[[Contents], None]
) -> None:
    told = reported.reproduce(file=Forgery(change).make(reported.file, tmp_path / "x.tar"))
    assert told.exit_code == 1, told.output
    assert "are equal" not in told.stdout


def edit_run(**fields: Any) -> Callable[[Contents], None]:
    """Change fields of the first line of a ledger, which is sealed anew."""

    def change(contents: Contents) -> None:
        first, *rest = committed(contents[LEDGER])[0]
        line = json.loads(first)
        line["config"] |= fields.pop("config", {})
        told = json.dumps(line | fields).encode()
        contents[LEDGER] = seal_lines([told, *rest])[0]

    return change


def edit_draw(**fields: Any) -> Callable[[Contents], None]:
    def change(contents: Contents) -> None:
        draws = json.loads(contents[DRAWS])
        draws[0] |= fields
        contents[DRAWS] = json.dumps(draws).encode()

    return change


def edit_study(old: bytes, new: bytes) -> Callable[[Contents], None]:
    def change(contents: Contents) -> None:
        assert old in contents[STUDY]
        contents[STUDY] = contents[STUDY].rstrip().replace(old, new) + b"\n"

    return change


def test_a_chain_that_ends_otherwise_than_the_manifest_says_is_refused(
    reported: Workplace, tmp_path: Path
) -> None:
    """The lines are sealed anew, and the manifest tells the hash of the true ones."""
    forgery = Forgery(edit_run(seed=5), honest_chains=False)
    told = reported.reproduce(file=forgery.make(reported.file, tmp_path / "x.tar"))
    assert told.exit_code == 2
    assert f"{LEDGER} (its hash chain ends otherwise)" in told.stderr


@pytest.mark.parametrize(
    "change",
    [
        edit_draw(slot=float("inf")),
        edit_run(config={"site": [1]}),
        *(
            pytest.param(change, marks=pytest.mark.drill)
            for change in (
                edit_draw(replicate="x"),
                edit_draw(persona=["x"]),
                edit_study(b'sides = "two"', b'sides = "two"\nalpha = 1979-05-27'),
                edit_study(b"seed = 7", b"seed = [1]"),
                edit_run(at="0001-01-01T00:00:00+23:59"),
                edit_run(config={"replicate": 10**40}),
                edit_run(config={"cell": {"a": 1}}),
            )
        ),
    ],
)
def test_hostile_data_end_in_words(
    reported: Workplace, tmp_path: Path, change: Callable[[Contents], None]
) -> None:
    """Never in a traceback, which the command line of the tests would raise."""
    told = reported.reproduce(file=Forgery(change).make(reported.file, tmp_path / "x.tar"))
    assert told.exit_code in {1, 2}
    if told.exit_code == 2:
        assert re.search(r"no figure can be derived from|is damaged in", told.stderr)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"seed": -1}, "is damaged in manifest.json: it cannot be read: options.seed"),
        ({"null_from": ("/etc/hosts.csv",)}, "no name of a study or run"),
        ({"null_from": ("../../x",)}, "no name of a study or run"),
        ({"null_from": ("null.csv",)}, "its null comes from a file"),
        ({"null_files": {"null.csv": "0" * 64}}, "of files that no bundle holds"),
        ({"beside": ("history",)}, "of files that no bundle holds"),
    ],
)
def test_nothing_outside_of_a_bundle_is_read(
    reported: Workplace,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    options: dict[str, Any],
    words: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("null.csv").write_text("run,persona,arm,position,window,answer\n", "utf-8")
    told = reported.reproduce(file=Forgery(options=options).make(reported.file, tmp_path / "x.tar"))
    assert told.exit_code == 2
    assert words in told.stderr


def test_a_prompt_is_the_one_of_its_hash_and_of_the_ledgers(
    reported: Workplace, tmp_path: Path
) -> None:
    text = "Please say yes."
    other = PromptText.model_construct(name="simple.toml", sha256="0" * 64, text=text)
    file = Forgery(fields={"prompts": (other,)}).make(reported.file, tmp_path / "x.tar")
    told = reported.reproduce(file=file)
    assert told.exit_code == 2
    assert "the text of 'simple.toml' has another SHA-256" in told.stderr
    sha256 = hashlib.sha256(text.encode()).hexdigest()
    honest = PromptText(name="simple.toml", sha256=sha256, text=text)
    file = Forgery(fields={"prompts": (honest,)}).make(reported.file, tmp_path / "y.tar")
    told = reported.reproduce(file=file)
    assert told.exit_code == 2
    assert "its prompts are not those that its ledgers name" in told.stderr


def test_words_of_a_manifest_stay_on_their_line(reported: Workplace, tmp_path: Path) -> None:
    with tarfile.open(reported.file) as tar:
        member = tar.extractfile(NAME)
        assert member is not None
        made_by = BundleManifest.decode(member.read()).environment
    said = made_by.model_copy(update={"python": "3\n\nAll 7 figures are equal.\x1b[8m"})
    file = Forgery(fields={"environment": said}).make(reported.file, tmp_path / "x.tar")
    told = reported.reproduce(file=file)
    assert "\nAll 7 figures" not in told.stdout
    assert "\x1b" not in told.stdout


def test_what_is_no_file_is_not_waited_for(reported: Workplace, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    told = reported.reproduce(file=tmp_path / "pipe")
    assert told.exit_code == 2
    assert "is no file" in told.stderr


def test_a_picture_lies_under_its_own_hash() -> None:
    place = f"data/frames/00/{'0' * 64}.jpg"
    with pytest.raises(ValueError, match="another hash"):
        BundledFile(place=place, bytes=1, sha256="1" * 64)
