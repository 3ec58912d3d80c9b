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

NAMES = ("ann", "bob", "cem")
VIDEOS = 12


@pytest.fixture
def data(tmp_path: Path) -> DataFolder:
    folder = DataFolder(tmp_path / "data")
    for name in NAMES:
        who = PersonaRecord(id=name, traits=(f"I am {name}.",), source="x", licence="x")
        keep_run(folder, f"r-{name}", ["red"] * VIDEOS, persona=who, config={"study": "three"})
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
        assert (judged.judge.others, judged.judge.sample) == (0.5, 1.0)
        assert judged.count_unasked(next(who for who in judged.judge.personas if name in who)) == 0
        counts = {who: len(put) for who, put in positions(data, name).items()}
        assert counts == {who: VIDEOS if who == name else VIDEOS // 2 for who in NAMES}
    drawn = [tuple(sorted(positions(data, "ann")[who])) for who in ("bob", "cem")]
    assert drawn[0] != drawn[1], "each persona is drawn for apart"


def test_a_sample_is_the_same_for_every_persona(data: DataFolder) -> None:
    assert ask(data, "--everyone", "--sample", "0.25").exit_code == 0
    for name in NAMES:
        asked = positions(data, name)
        assert set(asked) == set(NAMES)
        assert len(asked["ann"]) == VIDEOS // 4
        assert asked["ann"] == asked["bob"] == asked["cem"]


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
        ("--sample", ["--others", "0.5"], "the same with --everyone --sample 0.5"),
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
        (["--everyone", "--sample", "0"], "of 0.05 to 1, and --sample is 0"),
        (["--everyone", "--sample", "nan"], "--sample is nan"),
        (["--others", "0.5"], "Type: --everyone --others 0.5"),
        (["--everyone", "--others", "0.5", "--sample", "0.5"], "One draw at a time"),
    ],
)
def test_what_is_not_drawn(data: DataFolder, words: list[str], said: str) -> None:
    done = ask(data, *words)
    assert done.exit_code == 2
    assert said in done.output
    assert "Traceback" not in done.output
    assert not judgement_files(data.run_dir("r-ann"))
