"""A recorded run is a feed, and its frames can be asked about again."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from store.runs.data_folder import DataFolder
from store.runs.ledger import Ledger, read
from store.runs.rejudgements import judgement_files, read_judgements
from tests.e2e.commands import feedsway, run
from tests.store.samples import delivered

COIN = "scripted/coin?p=0.4"


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("data")
    run(folder, "--model", COIN, "--no-index", before=14, after=14)
    return folder


def source(data: Path) -> Ledger:
    return read(DataFolder(data).ledgers()[0])


def replay(data: Path, *more: str) -> Ledger:
    words = ("--platform", "replay", "--of", source(data).started.run_id, "--no-index", *more)
    done = feedsway("run", "--persona", "p09", *words, "--data", str(data), "--json")
    assert done.returncode == 0, done.stderr
    return read(DataFolder(data).find_run(json.loads(done.stdout)["run"]["run_id"]))


@pytest.mark.drill
def test_a_replay_shows_the_very_videos_to_another_judge(data: Path) -> None:
    old, new = source(data), replay(data, "--model", "scripted/keywords?words=a,the")
    assert [step.video for step in new.steps] == [step.video for step in old.steps]
    assert [step.frames for step in new.steps] == [step.frames for step in old.steps]
    assert [step.excluded for step in new.steps] == [step.excluded for step in old.steps]
    assert {delivered(step) for step in new.steps} == {0.0}
    compared = feedsway(
        "compare",
        old.started.run_id,
        new.started.run_id,
        "--data",
        str(data),
        "--json",
        package="analysis",
    )
    assert compared.returncode == 0, compared.stderr
    told = json.loads(compared.stdout)
    assert told["videos"] == 28
    for whole, feed, judge in (
        [told[name][part]["value"] for part in ("whole", "feed", "judge")]
        for name in ("runs", "sway")
    ):
        assert feed + judge == pytest.approx(whole)


def test_the_same_replay_by_the_same_judge_says_the_same(data: Path) -> None:
    first, second = replay(data, "--model", COIN), replay(data, "--model", COIN, "--new")
    assert [s.judgement.answer for s in first.steps] == [s.judgement.answer for s in second.steps]


def test_rejudging_asks_each_question_once_and_goes_on(data: Path) -> None:
    run_id = source(data).started.run_id
    words = ("rejudge", run_id, "--model", "scripted/coin?p=0.5&seed=9", "--data", str(data))
    told = feedsway(*words, "--repeats", "2")
    assert told.returncode == 0, told.stderr
    assert "56 questions answered" in told.stdout
    again = feedsway(*words, "--repeats", "2", "--mirrored")
    assert "56 questions answered" in again.stdout
    assert "0 questions answered" in feedsway(*words, "--repeats", "2", "--mirrored").stdout
    (file,) = judgement_files(DataFolder(data).run_dir(run_id))
    asked = read_judgements(file).asked
    assert len(asked) == len({line.key for line in asked}) == 112
    positions = [line.position for line in asked if not line.mirrored and line.repeat == 0]
    assert sorted(positions) == [step.position for step in source(data).steps if step.eligible]
    assert positions != sorted(positions), "the order was not shuffled"


def test_a_mirrored_answer_is_kept_as_it_was_given(data: Path) -> None:
    run_id = source(data).started.run_id
    words = ("rejudge", run_id, "--model", "scripted/yes", "--mirrored", "--data", str(data))
    assert feedsway(*words).returncode == 0
    kept = [read_judgements(file) for file in judgement_files(DataFolder(data).run_dir(run_id))]
    (yes,) = [file for file in kept if file.judge.model == "scripted/yes"]
    assert {line.judgement.answer for line in yes.asked} == {"yes"}


@pytest.mark.drill
def test_a_yoked_run_engages_as_its_source_did(data: Path) -> None:
    old = source(data)
    words = ("run", "--persona", "p12", "--model", COIN, "--before", "14", "--after", "14")
    yoked = ("--arm", "yoked", "--yoke", old.started.run_id, "--no-index", "--data", str(data))
    done = feedsway(*words, *yoked, "--json")
    assert done.returncode == 0, done.stderr
    new = read(DataFolder(data).find_run(json.loads(done.stdout)["run"]["run_id"]))
    asked = sorted(step.reaction.dwell_asked_s for step in new.steps if step.eligible)
    dwells = sorted(delivered(step) for step in old.steps if step.eligible)
    assert asked == pytest.approx(dwells)
    actions = [step.reaction.action for step in new.steps if step.eligible]
    answers = ["stay" if s.judgement.answer == "yes" else "swipe" for s in new.steps if s.eligible]
    assert actions != answers, "a yoke must be blind to its own answers"


@pytest.mark.drill
@pytest.mark.parametrize("how", [(), ("--sheet",)])
def test_asking_again_shows_all_that_the_acting_judge_saw(
    tmp_path: Path, how: tuple[str, ...]
) -> None:
    run(tmp_path, "--model", COIN, "--frames", "3", *how, "--no-index", before=4, after=4)
    told = feedsway("rejudge", "latest", "--model", COIN, "--data", str(tmp_path))
    assert told.returncode == 0, told.stderr
    acted = {step.position: step.judgement.answer for step in source(tmp_path).steps}
    (file,) = judgement_files(DataFolder(tmp_path).run_dir(source(tmp_path).started.run_id))
    asked = read_judgements(file).asked
    assert len(asked) == 8
    assert all(acted[line.position] == line.judgement.answer for line in asked)
