"""A persona matrix from drawn questions: unbiased, complete, and with its own missing answers."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from analysis.errors import NotOffered
from analysis.estimators.persona_matrix import own_minus_others
from analysis.estimators.persona_matrix_cells import missing_shares
from analysis.estimators.rejudged_matrix import persona_matrix
from analysis.estimators.rejudged_replies import RejudgedReplies, replies
from store.runs.rejudgements import Judgements
from tests.analysis.estimators.test_rejudged_matrix import Says, file_of, own, table

SIZE, VIDEOS = 6, 96


CHANCE = np.random.default_rng(7).random((SIZE, SIZE, VIDEOS))


def drawn_file(file: Judgements, run: int, seed: int, others: float) -> Judgements:
    """What is left of a whole sitting where a share of the others' questions was drawn."""
    names = tuple(f"p{number}~" for number in range(SIZE))
    judge = file.judge.model_copy(update={"others": others, "seed": seed, "personas": names})
    asked = {name: judge.draw(name, range(VIDEOS), own=name == f"p{run}~") for name in names}
    kept = tuple(line for line in file.lines if line.position in asked[f"{line.persona}~"])
    return replace(file, sittings=(judge,), lines=kept)


def whole_files(says: Says) -> dict[int, Judgements]:
    return {run: file_of(run, SIZE, range(VIDEOS), says) for run in range(SIZE)}


def drawn(says: Says, seed: int = 1, others: float = 0.5) -> dict[int, Judgements]:
    files = whole_files(says)
    return {run: drawn_file(file, run, seed, others) for run, file in files.items()}


def put_in_order(files: dict[int, Judgements]) -> RejudgedReplies:
    views = table(SIZE)
    infos = tuple(replace(run, identity=f"{run.persona}~") for run in views.runs)
    return replies(replace(views, runs=infos), files)


def fixed(persona: str, run: int, position: int, *_: object) -> str:
    """Answers that are the same in every sitting, with a sway after the change."""
    share = 0.3 + 0.3 * (own(persona, run) and position >= VIDEOS // 2)
    return "yes" if CHANCE[int(persona[1:]), run, position] < share else "no"


def test_the_matrix_of_drawn_questions_is_that_of_all_but_for_the_draw() -> None:
    files = whole_files(fixed)
    whole = persona_matrix(put_in_order(files), np.random.default_rng(0))
    values = []
    for seed in range(12):
        part = {run: drawn_file(file, run, seed, 0.5) for run, file in files.items()}
        matrix = persona_matrix(put_in_order(part), np.random.default_rng(0))
        assert np.diag(matrix.after).tolist() == np.diag(whole.after).tolist()
        assert matrix.cells[0].asked.sum() < 0.62 * whole.cells[0].asked.sum()
        values.append(own_minus_others(matrix.after))
    mean, error = np.mean(values), np.std(values, ddof=1) / np.sqrt(len(values))
    assert 0 < error < 1
    assert abs(mean - own_minus_others(whole.after)) < 5 * error


def test_a_planted_sway_is_found_in_drawn_questions() -> None:
    matrix = persona_matrix(put_in_order(drawn(fixed)), np.random.default_rng(0))
    assert matrix.sway.adjusted
    assert matrix.sway.test.p < 0.01
    assert matrix.sway.estimate.low < 30 < matrix.sway.estimate.high
    assert matrix.borrowed is None
    assert "a share was drawn" in matrix.refused


def test_bounds_count_what_was_asked_alone() -> None:
    """An answer that was not drawn is none that is missing."""

    def says(persona: str, run: int, position: int, *_: object) -> str | None:
        return None if position % 16 == 5 else fixed(persona, run, position)

    whole = persona_matrix(put_in_order(drawn(fixed)), np.random.default_rng(0))
    assert missing_shares(whole.cells) == (0, 0)
    assert whole.worst == ()
    some = persona_matrix(put_in_order(drawn(says)), np.random.default_rng(0))
    assert 4 < missing_shares(some.cells)[1] < 9
    low, high = some.bounds
    assert low < some.sway.estimate.value <= high
    assert high - low < 35


def test_a_draw_that_is_not_done_gives_no_matrix() -> None:
    files = drawn(fixed)
    files[2] = replace(files[2], lines=files[2].lines[:-1])
    with pytest.raises(NotOffered, match="Not every question that was drawn has been put"):
        persona_matrix(put_in_order(files), np.random.default_rng(0))


def test_runs_of_different_shares_give_no_matrix() -> None:
    files = drawn(fixed) | {0: drawn(fixed, others=0.75)[0]}
    with pytest.raises(NotOffered, match="different shares"):
        persona_matrix(put_in_order(files), np.random.default_rng(0))
