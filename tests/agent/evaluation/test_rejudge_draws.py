"""Asking about drawn shares, by the public command: who is asked what, resumed and refused."""

from __future__ import annotations

from collections import defaultdict
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from agent.cli import cli
from store.jsonl.atomic import write_whole
from store.runs.data_folder import DataFolder
from store.runs.ledger_lines import PersonaRecord
from store.runs.rejudgements import Judgements, judgement_files, read_judgements
from tests.store.samples import keep_run
from tests.store.sealed_lines import refit

NAMES = ("ann", "bob", "cem")
VIDEOS, LONG, BEFORE = 12, 40, 2


@pytest.fixture
def data(tmp_path: Path) -> DataFolder:
    folder = DataFolder(tmp_path / "data")
    for name in NAMES:
        who = PersonaRecord(id=name, traits=(f"I am {name}.",), source="x", licence="x")
        keep_run(folder, f"r-{name}", ["red"] * VIDEOS, persona=who, config={"study": "three"})
    write_whole(folder.study_dir("three") / "study.toml", b"")
    return folder


@pytest.fixture
def long(tmp_path: Path) -> DataFolder:
    """Runs with windows that a sample can be drawn of."""
    folder = DataFolder(tmp_path / "data")
    for name in NAMES:
        who = PersonaRecord(id=name, traits=(f"I am {name}.",), source="x", licence="x")
        keep_run(folder, f"r-{name}", ["red"] * LONG, persona=who, config={"study": "three"})
    write_whole(folder.study_dir("three") / "study.toml", b"")
    return folder


def ask(data: DataFolder, *words: str) -> Result:
    start = ["rejudge", "three", "--model", "scripted/coin?p=0.5"]
    return CliRunner().invoke(cli, [*start, *words, "--data", str(data.root)])


def answers(data: DataFolder, name: str) -> Judgements:
    (file,) = judgement_files(data.run_dir(f"r-{name}"))
    return read_judgements(file)


def positions(data: DataFolder, name: str) -> dict[str, set[int]]:
    """Positions of a run that each persona was asked about."""
    found: dict[str, set[int]] = defaultdict(set)
    for line in answers(data, name).lines:
        found[line.persona].add(line.position)
    return found


def test_own_videos_are_all_asked_about_and_half_of_the_others(data: DataFolder) -> None:
    done = ask(data, "--everyone", "--others", "0.5")
    assert done.exit_code == 0, done.output
    assert f"{3 * VIDEOS + 3 * 2 * VIDEOS // 2} questions answered about 3 runs." in done.output
    for name in NAMES:
        judged = answers(data, name)
        assert (judged.judge.others, judged.judge.sample) == (0.5, None)
        assert judged.count_unasked(next(who for who in judged.judge.personas if name in who)) == 0
        counts = {who: len(put) for who, put in positions(data, name).items()}
        assert counts == {who: VIDEOS if who == name else VIDEOS // 2 for who in NAMES}
    drawn = [tuple(sorted(positions(data, "ann")[who])) for who in ("bob", "cem")]
    assert drawn[0] != drawn[1], "each persona is drawn for apart"


def test_a_sample_is_drawn_over_all_runs_of_own_questions_and_of_the_others(
    long: DataFolder,
) -> None:
    done = ask(long, "--everyone", "--sample", "100")
    assert done.exit_code == 0, done.output
    assert "100 questions answered about 3 runs." in done.output
    asked = {name: positions(long, name) for name in NAMES}
    own = sum(len(asked[name][name]) for name in NAMES)
    every = sum(len(places) for of_run in asked.values() for places in of_run.values())
    assert (own, every) == (40, 100)
    places = {place for of_run in asked.values() for one in of_run.values() for place in one}
    assert min(places) >= BEFORE, "before the change no feed has learnt"
    for name in NAMES:
        judged = answers(long, name)
        own_identity = next(who for who in judged.judge.personas if name in who)
        assert judged.count_unasked(own_identity) == 0
        assert judged.judge.sample is not None
        assert judged.judge.sample.here == len(judged.asked)
    assert "0 questions answered" in ask(long, "--everyone", "--sample", "100").output


def test_a_sample_that_was_broken_off_draws_the_same(long: DataFolder) -> None:
    assert ask(long, "--everyone", "--sample", "100").exit_code == 0
    whole = {name: positions(long, name) for name in NAMES}
    for name in NAMES:
        (file,) = judgement_files(long.run_dir(f"r-{name}"))
        file.write_bytes(b"".join(file.read_bytes().splitlines(keepends=True)[:5]))
        assert answers(long, name).count_unasked("") > 0
    assert ask(long, "--everyone", "--sample", "100").exit_code == 0
    assert {name: positions(long, name) for name in NAMES} == whole


def test_answers_of_everything_are_read_as_older_headers_have_it(data: DataFolder) -> None:
    assert ask(data, "--everyone").exit_code == 0
    (file,) = judgement_files(data.run_dir("r-ann"))
    lines = file.read_bytes()
    assert lines.count(b'"sample":null') == 1
    file.write_bytes(lines.replace(b'"sample":null', b'"sample":1.0'))
    refit(file)
    assert answers(data, "ann").judge.sample is None
    assert "0 questions answered" in ask(data, "--everyone").output


def test_a_sitting_that_was_broken_off_draws_the_same(data: DataFolder) -> None:
    words = ("--everyone", "--others", "0.5", "--mirrored")
    assert ask(data, *words).exit_code == 0
    whole = {name: positions(data, name) for name in NAMES}
    for name in NAMES:
        (file,) = judgement_files(data.run_dir(f"r-{name}"))
        lines = file.read_bytes().splitlines(keepends=True)
        file.write_bytes(b"".join(lines[:9]))
        judged = answers(data, name)
        own = next(who for who in judged.judge.personas if name in who)
        assert judged.count_unasked(own) > 0, "what was not put is told from what was not drawn"
    assert ask(data, *words).exit_code == 0
    assert {name: positions(data, name) for name in NAMES} == whole
    assert "0 questions answered" in ask(data, *words).output


@pytest.mark.parametrize(
    ("begun", "words", "said"),
    [
        ("--others", [], "with --everyone --others 0.5, or for another sitting with --seed 2"),
        ("", ["--others", "0.5"], "without --others and --sample"),
    ],
)
def test_a_sitting_goes_on_with_its_own_draw(
    data: DataFolder, begun: str, words: list[str], said: str
) -> None:
    first = [begun, "0.5"] if begun else []
    assert ask(data, "--everyone", *first).exit_code == 0
    before = {name: positions(data, name) for name in NAMES}
    done = ask(data, "--everyone", *words)
    assert done.exit_code == 2
    assert said in done.output
    assert {name: positions(data, name) for name in NAMES} == before
    assert ask(data, "--everyone", *words, "--seed", "2").exit_code == 0


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--everyone", "--others", "0.2"], "of 0.25 to 1, and --others is 0.2"),
        (["--everyone", "--others", "0.33"], "steps of 0.05"),
        (["--everyone", "--others", "nan"], "--others is nan"),
        (["--others", "0.5"], "Type: --everyone --others 0.5"),
        (["--sample", "100"], "Type: --everyone --sample 100"),
        (["--everyone", "--sample", "0"], "0 is not in the range"),
        (["--everyone", "--sample", "99"], "tells nothing of a sway"),
        (["--everyone", "--sample", "1000"], "a sample of 1000 takes more"),
        (["--everyone", "--others", "0.5", "--sample", "100"], "One draw at a time"),
    ],
)
def test_what_is_not_drawn(data: DataFolder, words: list[str], said: str) -> None:
    done = ask(data, *words)
    assert done.exit_code == 2
    assert said in done.output
    assert "Traceback" not in done.output
    assert not judgement_files(data.run_dir("r-ann"))
