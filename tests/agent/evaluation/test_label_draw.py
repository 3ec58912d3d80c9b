"""The draw of people's questions: every chance is known, and no answer is looked at."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import replace
from datetime import UTC, datetime
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.errors import BadConfig, UserError
from agent.evaluation.label_draw import LabelPlan, draw_questions, share_out
from agent.evaluation.label_session import LabelSession
from agent.evaluation.rejudged_sitting import RejudgePlan, plan_sitting
from analysis.examples.study import write_example
from store.runs.data_folder import DataFolder
from store.runs.labels import LabelDraw, write_draw
from store.runs.ledger import Ledger, read
from store.runs.ledger_lines import Step

NOW = datetime(2025, 4, 1, tzinfo=UTC)


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> DataFolder:
    return write_example(tmp_path_factory.mktemp("example") / "data")


@pytest.fixture(scope="module")
def runs(data: DataFolder) -> list[Ledger]:
    found = [read(path) for path in data.ledgers()]
    return [run for run in found if run.finished is not None]


def draw(runs: list[Ledger], **changes: object) -> LabelDraw:
    return draw_questions(runs, LabelPlan(**changes), "d-1", NOW)  # type: ignore[arg-type]


def test_every_question_has_the_chance_that_its_stratum_gives_it(runs: list[Ledger]) -> None:
    made = draw(runs, questions=200)
    assert len(made.questions) == 200
    drawn = Counter((one.run_id, str(one.window)) for one in made.questions)
    for stratum in made.strata:
        run_id, window = stratum.of["run"], stratum.of["window"]
        run = next(run for run in runs if run.started.run_id == run_id)
        steps = [step for step in run.steps if step.eligible and step.phase == window]
        assert stratum.population == len([step for step in steps if step.frames])
        assert drawn[run_id, window] == stratum.sample
        chances = {
            one.probability
            for one in made.questions
            if (one.run_id, one.window) == (run_id, window)
        }
        assert chances == {stratum.sample / stratum.population}
    weights = sum(1 / one.probability for one in made.questions)
    assert weights == pytest.approx(sum(stratum.population for stratum in made.strata))


def test_each_question_is_drawn_as_often_as_it_says(runs: list[Ledger]) -> None:
    """Over many seeds: 600 draws of 1 in 4 lie within 4 standard errors."""
    counts: Counter[tuple[str, int]] = Counter()
    chance: dict[tuple[str, int], float] = {}
    seeds = 600
    for seed in range(seeds):
        for one in draw(runs[:1], questions=19, seed=seed).questions:
            counts[one.run_id, one.position] += 1
            chance[one.run_id, one.position] = one.probability
    assert len(counts) == 76, "every question that there is was drawn some time"
    for place, count in counts.items():
        p = chance[place]
        assert abs(count - seeds * p) < 4.5 * (seeds * p * (1 - p)) ** 0.5


def _silence(step: Step, changes: dict[str, str | None]) -> Step:
    return step.model_copy(update={"judgement": step.judgement.model_copy(update=changes)})


def test_a_draw_looks_at_no_answer(runs: list[Ledger]) -> None:
    nothing = {"answer": None, "missing": "refused", "p_yes": None}
    silent = [
        replace(run, steps=tuple(_silence(step, nothing) for step in run.steps)) for run in runs
    ]
    assert draw(silent, questions=150).questions == draw(runs, questions=150).questions


def test_coarser_strata(runs: list[Ledger]) -> None:
    made = draw(runs, questions=60, strata=("arm", "window"))
    assert {tuple(one.of.values()) for one in made.strata} == {
        (arm, window) for arm in ("treatment", "passive") for window in ("before", "after")
    }
    with pytest.raises(BadConfig, match=r"there are 2\d strata.*--strata arm,window"):
        draw(runs, questions=10)
    assert len(draw(runs[:1], questions=5000).questions) == 76, "all that there are"


def test_everyone_is_the_sample_that_a_dear_judge_would_get(runs: list[Ledger]) -> None:
    treated = [run for run in runs if run.started.arm == "treatment"]
    made = draw(treated, questions=120, everyone=True)
    plan = RejudgePlan("human/anna", everyone=True, sample=120, seed=1)
    sitting = plan_sitting(treated, plan, None, NOW)
    expected = {
        (each.header.run_id, step.position, who.identity)
        for each in sitting
        for step, who in each.questions()
    }
    assert {(one.run_id, one.position, one.identity) for one in made.questions} == expected
    assert [stratum.sample for stratum in made.strata] == [48, 72]
    assert {one.window for one in made.questions} == {"after"}


def test_an_overlap_is_asked_of_all_and_the_rest_once(runs: list[Ledger], data: DataFolder) -> None:
    made = draw(runs, questions=100, labellers=("anna", "bo", "cy"), overlap=0.4)
    asked = {name: {one.id for one in made.questions_of(name)} for name in ("anna", "bo", "cy")}
    common = set.intersection(*asked.values())
    assert len(common) == 40
    assert all(len(names) == 60 for names in asked.values())
    assert len(set.union(*asked.values())) == 100
    write_draw(data, made)
    with pytest.raises(UserError, match="no labeller 'dan'"):
        LabelSession(data, made, "dan")


def test_a_card_tells_nothing_of_run_window_or_judge(runs: list[Ledger], data: DataFolder) -> None:
    made = draw(runs, questions=100)
    cards = LabelSession(data, made, "anna").list_cards()
    assert len(cards) == 100
    for card, question in zip(cards, made.questions, strict=True):
        text = json.dumps(vars(card))
        run = next(run for run in runs if run.started.run_id == question.run_id)
        said = next(one for one in run.steps if one.position == question.position).judgement
        for secret in (question.run_id, "treatment", "passive", "scripted", said.reply):
            assert not secret or secret not in text
    assert "p_yes" not in json.dumps([vars(card) for card in cards])


@given(st.lists(st.integers(1, 60), min_size=1, max_size=12), st.data())
def test_shares_are_fair(sizes: list[int], data: st.DataObject) -> None:
    total: int = data.draw(st.integers(len(sizes), sum(sizes)))
    parts = share_out(total, sizes)
    assert sum(parts) == total
    assert all(1 <= part <= size for part, size in zip(parts, sizes, strict=True))
    for part, size in zip(parts, sizes, strict=True):
        fair = Fraction(total * size, sum(sizes))
        assert part == 1 or part <= fair + 1


def test_a_persona_without_a_trait_is_nobody(runs: list[Ledger]) -> None:
    started = runs[0].started
    nobody = started.model_copy(
        update={"persona": started.persona.model_copy(update={"traits": ()})}
    )
    with pytest.raises(BadConfig, match="Nobody watched run"):
        draw([replace(runs[0], started=nobody)])
