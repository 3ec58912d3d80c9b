"""Estimates of other packages: each field is checked, and nothing of ours can be changed."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from analysis.data.exposures import RunInfo, Views, table
from analysis.estimators.custom_estimators import CustomEstimates, estimate_by_plug_ins
from tests.plug_in_packages import seen, write_package

HEAD = (
    "import sys\nfrom analysis.estimators.custom_estimators import Estimate\nNAN = float('nan')\n"
)


def estimate(folder: Path, body: str) -> CustomEstimates:
    code = f"{HEAD}def own(views, rng):\n    {body}"
    with seen(write_package(folder, "mine", code, {"estimators.own": "mine:own"})):
        (found,) = estimate_by_plug_ins(made_up(), [0], 1)
    return found


def made_up() -> Views:
    return table([RunInfo("r1", "p12")], [(0, 0, 0, 0, 0, 1, 0, 0, *[np.nan] * 4, 0.1, "v", 0)])


@pytest.mark.parametrize(
    ("made", "problem"),
    [
        ("'no', None", "value is 'no', and no number"),
        ("1.0, None", "low is None, and no number"),
        ("1.0, 2.0, 3.0", "1.0 is not within its interval, 2.0 to 3.0"),
        ("1.0, 2.0, 0.5", "1.0 is not within its interval, 2.0 to 0.5"),
        ("NAN", "its value is nan, and no reason says why"),
        ("1.0, unit=None", "unit is None, and no str"),
        ("1.0, reason=3", "reason is 3, and no str"),
        ("1.0, clusters='two'", "clusters is 'two', and no number"),
        ("True", "value is True, and no number"),
    ],
)
def test_an_estimate_that_is_amiss_is_a_line(tmp_path: Path, made: str, problem: str) -> None:
    found = estimate(tmp_path, f"return {{'own': Estimate({made})}}")
    assert found.estimates == {}
    assert f"its estimate 'own' is wrong: {problem}" in found.problem


def test_numbers_become_plain_and_words_a_line(tmp_path: Path) -> None:
    made = "Estimate(numpy.float32(1), 0, 2, unit='a\\nb')"
    found = estimate(tmp_path, f"import numpy; return {{'own': {made}}}")
    own = found.estimates["own"]
    assert (type(own.value), type(own.low), own.unit) == (float, float, "a\\nb")


def test_an_estimator_that_ends_the_process_is_a_line(tmp_path: Path) -> None:
    assert "SystemExit: 0" in estimate(tmp_path, "sys.exit(0)").problem


def test_an_estimator_changes_no_run_of_ours(tmp_path: Path) -> None:
    views = made_up()
    code = (
        f"{HEAD}def own(views, rng):\n    views.answer[:] = 0\n"
        "    for run in views.runs:\n        object.__setattr__(run, 'arm', 'control')\n"
        "    print('done')\n    return {}"
    )
    with seen(write_package(tmp_path, "mine", code, {"estimators.own": "mine:own"})):
        (found,) = estimate_by_plug_ins(views, [0], 1)
    assert (found.problem, views.runs[0].arm, views.answer.tolist()) == ("", "treatment", [1])
