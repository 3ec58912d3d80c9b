"""Re-judgements put in order, and what they say of a judge."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest

from analysis.data.exposures import RunInfo, Views
from analysis.errors import NotOffered
from analysis.estimators.judge_bias import blind, eagerness, steadiness, taste_overlap
from analysis.estimators.rejudged_matrix import PersonaMatrix, persona_matrix
from analysis.estimators.rejudged_replies import RejudgedReplies, by_judge, replies
from store.runs.ledger_lines import Judgement, Windows
from store.runs.rejudgements import Judgements, RejudgedAnswer, RejudgementHeader
from tests.analysis import made_results

NOON = datetime(2025, 3, 1, 12, tzinfo=UTC)
Says = Callable[[str, int, int, bool, int], str | None]
"""What the judge says, by persona, run, position, mirrored and repeat."""
Grades = Callable[[int, str | None], dict[str, float]]
"""What it grades, by position and answer."""


def table(personas: int, videos: int = 96, baseline: str = "passive") -> Views:
    windows = Windows(before=videos // 2, after=videos // 2, baseline=baseline)
    infos = [RunInfo(f"r{i}", f"p{i}", windows=windows) for i in range(personas)]
    acting = [np.arange(videos) % 2 for _ in infos]
    return made_results.views(acting, videos // 2, infos)


def file_of(
    run: int,
    personas: int,
    positions: range,
    says: Says,
    kinds: int = 1,
    grades: Grades = lambda *_: {},
) -> Judgements:
    """A file where every persona was asked about every position; plainly, mirrored, again."""
    judge = RejudgementHeader(
        run_id=f"r{run}",
        model="m",
        strategy="simple",
        prompts={},
        seed=1,
        at=NOON,
        code_version="0",
    )
    lines = []
    for persona, position in itertools.product(range(personas), positions):
        for mirrored, repeat in [(False, 0), (True, 0), (False, 1)][:kinds]:
            answer = says(f"p{persona}", run, position, mirrored, repeat)
            given: dict[str, object] = {"answer": answer, **grades(position, answer)}
            given["missing"] = None if answer else "refused"
            lines.append(
                RejudgedAnswer(
                    persona=f"p{persona}",
                    position=position,
                    frame=f"f{run}-{position}",
                    mirrored=mirrored,
                    repeat=repeat,
                    judgement=Judgement.model_validate(given),
                )
            )
    return Judgements(Path("x.jsonl"), (judge,), tuple(lines), 0)


def told(personas: int, says: Says, kinds: int = 1, videos: int = 96) -> RejudgedReplies:
    views = table(personas, videos)
    files = {run: file_of(run, personas, range(videos), says, kinds) for run in range(personas)}
    return replies(views, files)


def coin(share: float, seed: int = 3) -> Says:
    rng = np.random.default_rng(seed)
    return lambda *_: "yes" if rng.random() < share else "no"


def own(persona: str, run: int) -> bool:
    return persona == f"p{run}"


def test_rows_stand_beside_the_videos_that_they_are_about() -> None:
    asked = replies(table(2), {1: file_of(1, 2, range(90, 110), coin(0.5))})
    assert asked.outside == 2 * 14  # the runs have 96 videos
    assert set(asked.run.tolist()) == {1}
    assert asked.after.all()
    assert set(asked.batch.tolist()) == {7}
    assert asked.acting.tolist() == (asked.position % 2).tolist()
    assert asked.own.sum() == asked.plain.sum() / 2


def test_videos_that_could_not_react_are_outside() -> None:
    views = table(2)
    asked = replies(views, {0: file_of(0, 2, range(96), coin(0.5))})
    early = ((views.position >= 48) & (views.requested_at < 48) & (views.run == 0)).sum()
    assert asked.outside == 2 * early > 0


def test_a_planted_specific_sway_comes_through() -> None:
    rng = np.random.default_rng(1)

    def says(persona: str, run: int, position: int, *_: object) -> str:
        return "yes" if rng.random() < 0.2 + 0.3 * (own(persona, run) and position >= 48) else "no"

    matrix = persona_matrix(told(6, says), np.random.default_rng(0))
    assert matrix.personas == tuple(f"p{i}" for i in range(6))
    assert matrix.sway.adjusted
    assert matrix.sway.estimate.low < 30 < matrix.sway.estimate.high
    assert matrix.sway.test.p < 0.01
    assert matrix.sway.placebo_test.p > 0.001
    assert matrix.drawn.mean() == pytest.approx(0, abs=1)
    assert (matrix.drawn >= matrix.sway.estimate.value).mean() < 0.01
    assert matrix.borrowed is not None
    assert np.diag(matrix.after).mean() > 40


def test_a_matrix_takes_the_plain_questions_alone() -> None:
    def says(persona: str, run: int, position: int, mirrored: bool, repeat: int) -> str:
        first = not mirrored and repeat == 0
        return "yes" if first and position % 3 == 0 else "no"

    matrix = persona_matrix(told(5, says, kinds=3), np.random.default_rng(0))
    assert np.allclose(matrix.before, 100 / 3, atol=2)


@pytest.mark.parametrize(("name", "scale"), [("score", 1.0), ("p_yes", 100.0)])
def test_graded_answers_give_a_sensitivity_and_leave_the_primary_as_it_is(
    name: str, scale: float
) -> None:
    def matrix_of(grades: Grades) -> PersonaMatrix:
        says, views = coin(0.4), table(6)
        files = {run: file_of(run, 6, range(96), says, grades=grades) for run in range(6)}
        return persona_matrix(replies(views, files), np.random.default_rng(0))

    def half_as_far(_: int, answer: str | None) -> dict[str, float]:
        return {name: (75 if answer == "yes" else 25) / scale}

    plain, told = matrix_of(lambda *_: {}), matrix_of(half_as_far)
    assert plain.graded is None
    assert plain.graded_by == ""
    assert told.sway.test == plain.sway.test
    assert (told.drawn == plain.drawn).all()
    assert told.graded is not None
    assert told.graded_by == name
    assert told.graded.adjusted
    assert told.graded.estimate.unit == "points"
    # a grade of 75 for yes and 25 for no halves every share's distance from another
    assert told.graded.estimate.value == pytest.approx(told.sway.estimate.value / 2)
    assert told.graded.test.exact
    assert told.graded.test.p == told.sway.test.p
    some = matrix_of(lambda at, answer: half_as_far(at, answer) if at else {})
    assert some.graded is None  # the answers about one video have no grade


def test_what_a_matrix_needs() -> None:
    with pytest.raises(NotOffered, match="has 4"):
        persona_matrix(told(4, coin(0.3)), np.random.default_rng(0))
    views = table(6)
    part = {run: file_of(run, 6, range(96), coin(0.3)) for run in range(5)}
    matrix = persona_matrix(replies(views, part), np.random.default_rng(0))
    assert matrix.personas == tuple(f"p{i}" for i in range(5))  # p5's run was not judged again
    control = [RunInfo(f"r{i}", f"p{i}", arm="passive") for i in range(5)]
    passive = made_results.views([np.ones(96, dtype=int)] * 5, 48, control)
    with pytest.raises(NotOffered, match="needs treatment runs"):
        persona_matrix(replies(passive, part), np.random.default_rng(0))


def test_runs_of_another_group_stay_out() -> None:
    views = table(10)
    files = {run: file_of(run, 10, range(96), coin(0.3)) for run in range(10)}
    matrix = persona_matrix(replies(views, files, range(5)), np.random.default_rng(0))
    assert len(matrix.personas) == 5


def test_files_are_sorted_by_judge() -> None:
    one, two = file_of(0, 1, range(2), coin(1)), file_of(1, 1, range(2), coin(1))
    other = Judgements(two.path, (two.judge.model_copy(update={"model": "another"}),), two.asked, 0)
    found = by_judge({0: [one], 1: [two, other], 2: []})
    assert [sorted(files) for files in found.values()] == [[0, 1], [1]]


def test_a_judge_with_one_opinion_has_no_tendency() -> None:
    def says(persona: str, run: int, position: int, mirrored: bool, repeat: int) -> str:
        return "yes" if (position % 4 == 0) != mirrored else "no"

    said = eagerness(told(3, says, kinds=2))
    assert said is not None
    assert (said.contrary, said.tendency.value) == (100, 0)
    assert said.plain + said.mirrored == pytest.approx(100)
    assert eagerness(told(3, says)) is None


def test_a_judge_that_agrees_with_anything_is_found_out() -> None:
    said = eagerness(told(3, lambda *_: "yes", kinds=2))
    assert said is not None
    assert (said.plain, said.mirrored, said.contrary, said.tendency.value) == (100, 100, 0, 100)


def test_steadiness_counts_repeats_and_leaves_missing_answers_out() -> None:
    def says(persona: str, run: int, position: int, mirrored: bool, repeat: int) -> str | None:
        if position == 5:
            return None if repeat else "yes"
        return "yes" if position % 2 and not (repeat and position % 8 == 1) else "no"

    asked = told(2, says, kinds=3, videos=48)
    said = steadiness(asked)
    plain = asked.plain & (asked.position != 5)
    assert said is not None
    assert said.pairs == plain.sum()
    changed = (asked.position[plain] % 8 == 1).mean()
    assert said.agreement.value == pytest.approx(100 * (1 - changed), abs=1)
    assert 0 < said.kappa < 1
    assert steadiness(asked, reworded=True) is None
    assert steadiness(told(2, says)) is None


def test_the_split_into_feed_and_judge_adds_up() -> None:
    asked = told(4, coin(0.4))
    said = blind(asked)
    assert said is not None
    assert said.acting.value == pytest.approx(said.blind.value + said.judge.value)
    rows = asked.plain & asked.own
    assert said.videos == rows.sum()
    expected = 100 * (asked.acting[rows].mean() - asked.answer[rows].mean())
    assert said.lenience.value == pytest.approx(expected, abs=0.5)
    assert blind(replies(table(2), {0: file_of(0, 2, range(96), lambda *_: None)})) is None


def test_the_same_taste_overlaps_wholly_and_unrelated_tastes_not() -> None:
    alike = taste_overlap(told(4, lambda _p, _r, at, *_: "yes" if at % 3 else "no", kinds=3))
    assert alike.value == pytest.approx(1)
    rng = np.random.default_rng(0)
    taste = rng.random((4, 4, 96)) < 0.4

    def says(persona: str, run: int, position: int, *_: object) -> str:
        return "yes" if taste[int(persona[1:]), run, position] else "no"

    assert taste_overlap(told(4, says, kinds=3)).value == pytest.approx(0, abs=0.15)
    assert np.isnan(taste_overlap(told(4, says)).value)


def test_the_matrix_exchanges_runs_within_a_draw() -> None:
    """Four and four personas, each asked about the feeds of its own draw only."""
    rng = np.random.default_rng(1)

    def says(persona: str, run: int, position: int, *_: object) -> str | None:
        return "yes" if rng.random() < 0.2 + 0.5 * (own(persona, run) and position >= 48) else "no"

    views = table(8)
    views = replace(
        views, runs=tuple(replace(run, block=1 + at // 4) for at, run in enumerate(views.runs))
    )
    files = {}
    for run in range(8):
        file = file_of(run, 8, range(96), says)
        kept = [line for line in file.asked if int(line.persona[1:]) // 4 == run // 4]
        files[run] = replace(file, lines=tuple(kept))
    matrix = persona_matrix(replies(views, files), np.random.default_rng(0))
    assert matrix.sway.test.arrangements == 24 * 24
    assert matrix.sway.test.p < 0.01
    assert matrix.sway.estimate.low < 50 < matrix.sway.estimate.high
    assert np.isnan(matrix.after[:4, 4:]).all()
    assert matrix.borrowed is None
    assert "personas were added later" in matrix.refused


def test_two_runs_of_each_persona_have_no_borrowed_base() -> None:
    views = table(12)
    infos = [
        replace(run, persona=f"p{at % 6}", replicate=1 + at // 6)
        for at, run in enumerate(views.runs)
    ]
    views = replace(views, runs=tuple(infos))
    files = {run: file_of(run, 6, range(96), coin(0.3)) for run in range(12)}
    matrix = persona_matrix(replies(views, files), np.random.default_rng(0))
    assert len(matrix.cells) == 2
    assert matrix.borrowed is None
    assert "one run of each persona, and there are several" in matrix.refused


def test_cells_of_several_sittings_are_refused() -> None:
    views = table(6)
    files = {run: file_of(run, 6, range(96), coin(0.3)) for run in range(6)}
    later = files[2].judge.model_copy(update={"at": NOON.replace(month=5)})
    files[2] = replace(files[2], sittings=(files[2].judge, later))
    with pytest.raises(NotOffered, match="of 1 run, such as r2, were judged in several sittings"):
        persona_matrix(replies(views, files), np.random.default_rng(0))
    whole = tuple(one.model_copy(update={"personas": ("p0~",)}) for one in files[2].sittings)
    files[2] = replace(files[2], sittings=whole)  # what was left of one shuffled order
    assert persona_matrix(replies(views, files), np.random.default_rng(0)).sway.personas == 6


def test_runs_without_a_video_that_could_react_are_named() -> None:
    """With batches of twelve, the first after videos were asked for before the change."""
    positions = [range(96) if run else range(50) for run in range(5)]
    files = {run: file_of(run, 5, positions[run], coin(0.5)) for run in range(5)}
    with pytest.raises(NotOffered, match="1 treatment run, such as r0, without a video"):
        persona_matrix(replies(table(5), files), np.random.default_rng(0))
    with pytest.raises(NotOffered, match="A persona matrix needs 5 personas and has 3"):
        persona_matrix(told(3, coin(0.5)), np.random.default_rng(0))
