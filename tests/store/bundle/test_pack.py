"""What goes into a bundle, what never does, and when none is made."""

from __future__ import annotations

import json
import re
import shutil
import tarfile
from pathlib import Path

import pytest
from click.testing import CliRunner
from pydantic import BaseModel

from agent.run_config import RunConfig
from analysis.examples.study import PERSONAS, STUDY, THEMES
from store.bundle import public_lines
from store.cli.main import main as store
from store.jsonl.append_only import committed, divide
from store.jsonl.hash_chain import seal_lines, split_line
from store.maintenance.verify import verify
from store.privacy.derived_files import entries
from store.runs import ledger_lines, ledger_site_lines, rejudgements
from store.runs.data_folder import DataFolder
from store.runs.ledger import read
from store.runs.ledger_lines import Frame, Judgement, Video
from tests.store.bundle.conftest import Workplace
from tests.store.bundle.test_reproduce import remade

LEFT_OUT = {
    "run_started": {"config_hash"},
    "feed_batch": {"name", "order", "site_count", "personalised", "signed_in", "region"},
    "fault": {"message"},
    Video: {
        *("url", "author_name", "caption", "hashtags", "likes", "comments", "views", "created_at"),
        *("music_id", "music_title", "music_author", "shares", "saves", "language", "category"),
        *("subtitled", "subtitle_languages", "stickers", "sources"),
    },
    Frame: set(),
    Judgement: {"reason", "description", "reply", "fault", "screen_text"},
    RunConfig: {"persona", "account", "recording", "recording_sha256"},
}
"""Fields that no stranger gets: what sites, people and judges wrote, and what could tell them."""


def edit(place: Path, old: bytes, new: bytes) -> None:
    """Put other bytes into the records of a file of lines, sealed as its writer does."""
    bodies, _ = committed(place.read_bytes())
    assert any(old in body for body in bodies)
    place.write_bytes(seal_lines(body.replace(old, new) for body in bodies)[0])


def test_each_field_of_a_line_stays_or_is_left_out_on_purpose() -> None:
    """A new field is not published, and not forgotten, before somebody has put it somewhere."""
    kinds = 0
    for module in (ledger_lines, ledger_site_lines, rejudgements):
        for model in vars(module).values():
            field = getattr(model, "model_fields", {}).get("kind")
            if field is None or field.default not in public_lines.KINDS:
                continue
            names = {each.alias or name for name, each in model.model_fields.items()}
            left = LEFT_OUT.get(field.default, set())
            assert names == public_lines.KINDS[field.default] | left, model.__name__
            kinds += 1
    assert kinds >= len(public_lines.KINDS)
    nested: dict[type[BaseModel], frozenset[str]] = {
        Video: public_lines.VIDEO,
        Frame: public_lines.FRAME,
        Judgement: public_lines.JUDGEMENT,
        RunConfig: public_lines.CONFIG,
    }
    for model, kept in nested.items():
        assert set(model.model_fields) == kept | LEFT_OUT[model], model.__name__


def test_no_handle_id_caption_path_or_key_is_in_it(reported: Workplace) -> None:
    content = reported.file.read_bytes()
    data = reported.data
    steps = [step for path in data.ledgers() for step in read(path).steps]
    handles = {step.video.author or "" for step in steps}
    ids = {step.video.id for step in steps}
    assert len(handles) > 50
    assert len(ids) > 500
    words = set(re.findall(rb"[\w@.-]+", content))
    assert not words & {text.encode() for text in (*handles, *ids)}
    assert not words & {handle.lstrip("@").encode() for handle in handles}
    for text in ("A video about", str(data.root), str(Path.home()), data.pseudonym_key.read_text()):
        assert text.encode() not in content
    assert re.search(rb"creator-[0-9a-f]{12}", content)
    assert all(theme.encode() in content for theme in THEMES if f" {theme}." in str(PERSONAS))


def test_the_chain_ends_as_that_of_the_kept_ledger(reported: Workplace, tmp_path: Path) -> None:
    checked = []

    def check(name: str, content: bytes) -> bytes:
        if name.endswith("ledger.jsonl"):
            kept = reported.data.root / name.removeprefix("data/")
            theirs, mine = (divide(each)[0] for each in (content, kept.read_bytes()))
            for line, original in zip(theirs, mine, strict=True):
                seals = split_line(line)[1], split_line(original)[1]
                assert seals[0] is not None
                assert seals[1] is not None
                assert (seals[0].digest, seals[0].chain) == (seals[1].digest, seals[1].chain)
                assert b'"salt"' not in line
            checked.append(name)
        return content

    remade(reported.file, tmp_path / "same.tar", check)
    assert (tmp_path / "same.tar").read_bytes() == reported.file.read_bytes()
    assert len(checked) == 12


def test_another_time_and_place_give_the_same_bytes(reported: Workplace, copied: Workplace) -> None:
    """A copy of the data folder, with its key of pseudonyms, and a report that is made again."""
    (copied.data.root / "frames").symlink_to(reported.data.frames_dir)
    assert copied.report().exit_code == 0
    assert copied.bundle().exit_code == 0
    assert copied.file.read_bytes() == reported.file.read_bytes()
    copied.data.pseudonym_key.unlink()
    other = copied.folder / "other.tar"
    assert copied.bundle(file=other).exit_code == 0
    assert other.read_bytes() != reported.file.read_bytes(), "another key, other pseudonyms"
    assert json.loads(copied.reproduce("--json", file=other).stdout)["different"] == 0


@pytest.mark.parametrize(
    ("broken", "words"),
    [
        ("no report", "has no report that says what it is made of"),
        ("older", "The report of example is older than .*ledger.jsonl"),
        ("judged again", "The report of example is older than .*judgements"),
        ("edited table", "estimates.csv is not as the report wrote it"),
        ("torn record", "report.json cannot be read"),
    ],
)
def test_a_report_that_is_not_of_what_is_kept_is_to_be_made_again(
    copied: Workplace, broken: str, words: str
) -> None:
    report = copied.data.studies_dir / STUDY / "report"
    if broken == "no report":
        shutil.rmtree(report)
    elif broken == "older":
        edit(copied.data.ledger_path("example-mo-passive"), b'"yes"', b'"no"')
    elif broken == "judged again":
        folder = copied.data.run_dir("example-mo-treatment") / "judgements"
        next(folder.iterdir()).rename(folder / "another.jsonl")
    elif broken == "edited table":
        (report / "tables" / "estimates.csv").write_text("platform\n")
    else:
        (report / "report.json").write_text("{")
    told = copied.bundle()
    assert told.exit_code == 2
    assert re.search(words, told.output)
    assert "Type: python -m analysis report example" in told.output
    assert_nothing_left(copied)


def assert_nothing_left(place: Workplace) -> None:
    assert {path.name for path in place.folder.iterdir()} == {"data"}
    kept = [entry for entry in entries(place.data) if entry.kind == "export"]
    assert not any(entry.is_there(place.data) for entry in kept)


def test_a_name_in_a_field_that_stays_stops_it(copied: Workplace) -> None:
    """As a service could name a creator in what it says has answered."""
    path = copied.data.ledger_path("example-mo-passive")
    edit(path, b'"served":null', b'"served":"as seen by @ocean12"')
    assert copied.report().exit_code == 0
    told = copied.bundle()
    assert told.exit_code == 2
    assert "would tell a name" in told.output
    assert "example-mo-passive/ledger.jsonl" in told.output
    assert_nothing_left(copied)
    assert copied.bundle("--keep-handles").exit_code == 0


@pytest.mark.parametrize(("what", "words"), [("secret", ("--keep-handles",)), ("path", ())])
def test_a_secret_stops_it_whatever_is_asked_for(
    copied: Workplace, monkeypatch: pytest.MonkeyPatch, words: tuple[str, ...], what: str
) -> None:
    study = copied.data.studies_dir / STUDY / "study.toml"
    text = "sk-test-1234567890" if what == "secret" else str(copied.data.root.resolve())
    monkeypatch.setenv("OPENAI_API_KEY", "sk-test-1234567890")
    study.write_text(study.read_text() + f"\n# {text}\n", "utf-8")
    assert copied.report().exit_code == 0
    told = copied.bundle(*words)
    assert told.exit_code == 2
    assert "study.toml, line" in told.output
    assert text not in told.output
    assert_nothing_left(copied)


def test_earlier_runs_of_an_account_count_and_tell_nothing_else(copied: Workplace) -> None:
    """A gate of the report asks whether an account had served others before."""
    source = copied.data.ledger_path("example-olga-passive")
    target = copied.data.ledger_path("earlier")
    target.parent.mkdir()
    shutil.copy(source, target)
    for old, new in (
        (b"example-olga-passive", b"earlier"),
        (b'"study":"example"', b'"study":"another"'),
        (b"2025-03-01", b"2025-02-01"),
        (b"I paint tall buildings.", b"I keep a private thing."),
    ):
        edit(target, old, new)
    assert copied.report().exit_code == 0
    table = copied.data.studies_dir / STUDY / "report" / "index.html"
    assert "account had served another run before" in table.read_text("utf-8")
    assert copied.bundle().exit_code == 0
    content = copied.file.read_bytes()
    assert b"private thing" not in content
    with tarfile.open(copied.file) as tar:
        head = tar.extractfile("data/runs/left-out-001/ledger.jsonl")
        assert head is not None
        line = json.loads(head.read())
    told = {name for name, value in line.items() if value and value != "left-out"}
    assert told == {"kind", "schema", "run_id", "at", "persona", "platform", "arm", "account"} | {
        *("windows", "viewport", "provenance")
    }
    assert (line["windows"]["before"], line["viewport"], line["arm"]) == (1, [0, 0], "treatment")
    assert b"runs/earlier" not in content
    assert json.loads(copied.reproduce("--json").stdout)["different"] == 0
    kept = copied.folder / "kept.tar"
    assert copied.bundle("--keep-handles", file=kept).exit_code == 0
    assert b"private thing" not in kept.read_bytes()


def test_forgetting_names_it(copied: Workplace) -> None:
    assert copied.bundle().exit_code == 0
    video = read(copied.data.ledger_path("example-mo-passive")).steps[0].video.id
    words = ["forget", "--video", video, "--dry-run", "--json", "--data", str(copied.data.root)]
    told = json.loads(CliRunner().invoke(store, words).stdout)
    assert str(copied.file) in told["made_of_it"]


@pytest.mark.drill
def test_after_forgetting_a_bundle_is_made_anew(copied: Workplace) -> None:
    assert copied.bundle().exit_code == 0
    (entry,) = [one for one in entries(copied.data) if one.is_there(copied.data)]
    assert entry.place(copied.data) == copied.file
    video = read(copied.data.ledger_path("example-mo-passive")).steps[0].video.id
    words = ["forget", "--video", video, "--yes", "--data", str(copied.data.root)]
    refused = CliRunner().invoke(store, words)
    assert refused.exit_code == 2
    assert str(copied.file) in refused.output
    copied.file.unlink()
    assert CliRunner().invoke(store, words).exit_code == 0
    told = copied.bundle()
    assert told.exit_code == 2, "the report went too"
    assert not [one for one in verify(DataFolder(copied.data.root)).problems if "tar" in one.where]
    assert copied.report().exit_code == 0
    assert copied.bundle().exit_code == 0
    assert json.loads(copied.reproduce("--json").stdout)["different"] == 0


def test_what_is_there_is_not_written_over(copied: Workplace) -> None:
    copied.file.write_bytes(b"mine")
    told = copied.bundle()
    assert told.exit_code == 2
    assert "is there already" in told.output
    assert copied.file.read_bytes() == b"mine"
