"""A made-up ladder read from its folder: arrays, words and figures."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from analysis.alignment.alignment_report import sentence, write
from analysis.errors import NothingToCompare
from analysis.estimators.learning_curve import Alignment, latest, points, read, saturation
from analysis.examples.made_up_results import ASKED, CURVE, SATURATED, SEEDS, SIZES, write_ladder
from store.results import trainings
from store.results.trainings import BadLadder, TrainingRun, TrainingScores
from store.runs.ledger_lines import Judgement


@pytest.fixture
def out(tmp_path: Path) -> Path:
    return write_ladder(tmp_path)


def told(out: Path) -> Alignment:
    return read(out, ASKED, SIZES, SEEDS, 5.0)


def told_of(out: Path, found: Alignment) -> Alignment:
    return read(out, ASKED, found.sizes, found.seeds, 5.0)


def test_the_planted_curve_and_its_saturation_come_back(out: Path) -> None:
    found = told(out)
    means = [point.value for point in found.score.points]
    assert means == pytest.approx(CURVE, abs=6)
    assert found.score.scores.shape == (len(SIZES), SEEDS, 40)
    assert (found.score.scores[0] == found.score.scores[0, 0]).all()  # one model, not trained
    low, high = found.saturation.low, found.saturation.high
    assert low is not None
    assert low <= SATURATED
    assert high is None or high >= SATURATED
    assert found.yes_change.high < 0
    assert found.losses[SIZES[-1], 1][0][1] > found.losses[SIZES[-1], 1][-1][1]


def test_the_latest_judge_and_all_whole_sizes_are_found(out: Path) -> None:
    assert latest(out).sizes == SIZES
    path = trainings.judged_folder(out, ASKED) / f"{trainings.name(128, 3)}.json"
    path.unlink()
    found = latest(out)
    assert (found.sizes, found.seeds) == ((0, 16, 32, 64, 256), SEEDS)
    assert found.score.points[-1].value == told_of(out, found).score.points[-1].value


def test_text_json_and_figures_say_the_same(out: Path) -> None:
    found = told(out)
    written = write(found, out)
    plain = json.loads((out / "result.json").read_bytes())
    assert plain["saturation"]["size"] == found.saturation.size
    assert f"Saturation size: {found.saturation.size} pairs" in written.text()
    assert f"{found.score.points[-1].value:.1f}" in written.text()
    for name in ("curve.png", "loss.png"):
        with Image.open(out / name) as picture:
            assert np.asarray(picture.convert("L")).std() > 10  # something is drawn


def test_a_video_without_a_score_somewhere_is_left_out_everywhere(out: Path) -> None:
    path = trainings.judged_folder(out, ASKED) / f"{trainings.name(32, 2)}.json"
    whole = trainings.recall(path, TrainingScores)
    assert whole is not None
    refused = Judgement(answer=None, missing="refused")
    trainings.keep(path, TrainingScores(judgements=(refused, *whole.judgements[1:])))
    found = told(out)
    assert found.score.left_out == 1
    assert found.score.scores.shape[2] == 39
    assert found.preference.left_out == 0
    assert dict(found.missing) == {"refused": 1}
    assert "No score: 1 refused; videos left out at every size: 1." in write(found, out).text()


def test_a_judge_that_never_answers_leaves_no_curve(out: Path) -> None:
    refused = Judgement(answer=None, missing="refused")
    for path in trainings.judged_folder(out, ASKED).glob("0*.json"):
        trainings.keep(path, TrainingScores(judgements=(refused,) * 80))
    assert "Saturation size: none" in write(told(out), out).text()


def test_what_is_not_finished_is_not_read(out: Path) -> None:
    (trainings.cell_folder(out, 64, 3) / trainings.RECORD).unlink()
    with pytest.raises(NothingToCompare, match="not finished"):
        told(out)


def test_a_record_that_makes_no_sense_is_named(out: Path) -> None:
    path = trainings.cell_folder(out, 64, 3) / trainings.RECORD
    path.write_text("{")
    with pytest.raises(BadLadder, match=r"Type: rm .*cell\.json"):
        trainings.recall(path, TrainingRun)


def test_the_sentence_says_where_the_interval_ends() -> None:
    rng = np.random.default_rng(2)

    def said(curve: np.ndarray[tuple[int], np.dtype[np.float64]], noise: float) -> str:
        scores = curve[:, None, None] + rng.normal(0, noise, (len(SIZES), 4, 50))
        return sentence(saturation(SIZES, scores))

    assert "95 % interval: 16 pairs to 16 pairs (0 steps)" in said(np.array([0] + [90] * 5), 4)
    assert "to not reached on this ladder" in said(np.array([0] + [90] * 5), 40)
    assert "not reached" in said(np.linspace(0, 90, 6), 4)
    assert "holds with 95 % confidence" in said(np.linspace(0, 90, 6), 4)


@pytest.mark.parametrize(
    ("judged", "score"),
    [
        (None, 0),  # the checkpoint wrote nothing, so there was nothing to ask the judge about
        (Judgement(answer="yes", missing=None), 100),
        (Judgement(answer="no", missing=None), 0),
        (Judgement(answer="no", missing=None, p_yes=0.25), 25),
    ],
)
def test_an_empty_reply_shows_nothing_and_a_probability_says_more_than_an_answer(
    judged: Judgement | None, score: float
) -> None:
    assert points(judged) == score
    assert np.isnan(points(Judgement(answer=None, missing="refused")))
