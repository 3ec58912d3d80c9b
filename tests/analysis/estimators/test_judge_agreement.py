import json
import math
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from analysis.cli.main import main
from analysis.data.exposures import Views, from_ledgers
from analysis.errors import NothingToCompare
from analysis.estimators.judge_agreement import compare, mcnemar
from store.runs import ledger
from tests.analysis import made_results


def judged_twice(first: list[str], second: list[str], folder: Path) -> Views:
    ledgers = []
    for name, answers in (("one", first), ("two", second)):
        steps = [
            made_results.step(at, "before" if at < 50 else "after", answer)
            for at, answer in enumerate(answers)
        ]
        path = made_results.write(
            folder, made_results.started(name, model=f"scripted/{name}"), steps
        )
        ledgers.append(ledger.read(path))
    return from_ledgers(ledgers)


FIRST = [*made_results.spread(10, 50), *made_results.spread(20, 50)]
SECOND = [*made_results.spread(25, 50), *made_results.spread(30, 50)]


def test_mcnemar_by_hand() -> None:
    assert mcnemar(2, 8) == pytest.approx(2 * (1 + 10 + 45) / 1024)
    assert mcnemar(0, 0) == 1
    assert mcnemar(5, 5) == 1


def test_two_judges_on_one_feed(tmp_path: Path) -> None:
    told = compare(judged_twice(FIRST, SECOND, tmp_path))
    a, b = (np.array([answer == "yes" for answer in answers]) for answers in (FIRST, SECOND))
    assert told.videos == 100
    assert told.both_yes == (a & b).sum()
    assert told.first_only == (a & ~b).sum()
    assert told.second_only == (~a & b).sum()
    assert told.both_no == (~a & ~b).sum()
    assert told.difference.value == pytest.approx(25)
    assert told.difference.low < 25 < told.difference.high
    assert told.p == pytest.approx(mcnemar(told.first_only, told.second_only))
    assert told.agreement == pytest.approx(100 * (a == b).mean())
    assert (told.only_first, told.only_second) == (0, 0)


def test_the_split_adds_up(tmp_path: Path) -> None:
    told = compare(judged_twice(FIRST, SECOND, tmp_path))
    assert told.sway.whole.value == pytest.approx(20)
    assert told.sway.feed.value == pytest.approx(10)
    assert told.sway.judge.value == pytest.approx(10)
    assert told.runs.whole.value == pytest.approx(25)
    assert told.runs.feed.value == pytest.approx(0)
    for split in (told.sway, told.runs):
        assert split.feed.value + split.judge.value == pytest.approx(split.whole.value)


def test_only_common_judged_videos_are_compared(tmp_path: Path) -> None:
    second = [*SECOND[:40], "refused", "refused", *SECOND[42:90]]
    told = compare(judged_twice(FIRST, second, tmp_path))
    assert told.videos == 88
    assert (told.only_first, told.only_second) == (12, 0)
    assert told.runs.feed.value + told.runs.judge.value == pytest.approx(told.runs.whole.value)


def test_a_judge_against_itself_has_no_difference(tmp_path: Path) -> None:
    told = compare(judged_twice(FIRST, FIRST, tmp_path))
    assert told.difference.value == 0
    assert not told.difference.bounded
    assert told.difference.reason.startswith("every cluster says the same")
    assert told.p == 1
    assert told.kappa == pytest.approx(1)


def test_kappa_that_does_not_exist(tmp_path: Path) -> None:
    assert math.isnan(compare(judged_twice(["no"] * 60, ["no"] * 60, tmp_path)).kappa)


def test_runs_that_share_nothing(tmp_path: Path) -> None:
    views = judged_twice(FIRST, SECOND, tmp_path)
    views.video[views.run == 1] = "other"
    with pytest.raises(NothingToCompare, match="--platform replay --of one"):
        compare(views)


def test_the_command(tmp_path: Path) -> None:
    judged_twice(FIRST, SECOND, tmp_path)
    told = CliRunner().invoke(main, ["compare", "one", "two", "--data", str(tmp_path)])
    assert told.exit_code == 0, told.output
    for words in (
        "McNemar",
        "by the feed",
        "by the judge",
        "+25.0 pp",
        "100 videos judged by both",
    ):
        assert words in told.stdout
    program = CliRunner().invoke(main, ["compare", "one", "two", "--data", str(tmp_path), "--json"])
    assert json.loads(program.stdout)["difference"]["value"] == pytest.approx(25)
