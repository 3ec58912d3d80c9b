"""No way of breaking a null passes silently, through ledgers, draws and re-judgements."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from analysis.cli.main import main
from analysis.report.report_inputs import read_study
from store.runs.data_folder import DataFolder
from tests.analysis.made_results import plausible
from tests.analysis.report.broken_nulls import WAYS
from tests.analysis.report.html_reader import text_of, tree
from tests.analysis.report.made_nulls import Way, headlined, judged, rates
from tests.analysis.report.made_study import STUDY, read_in_memory, write

TOWARDS = ("rose more, or fell less", "finds more", "higher than the borrowed base")
QUICK = (
    "profiles lean by 20 pp, passive before",
    "accounts exchanged after the draw",
    "start order by hand",
    "feed drifts, no control",
)
"""Ways that are read through the command in every run of the tests."""


def of_name(name: str) -> Way:
    (way,) = (one for one in WAYS if one.name == name)
    return way


def first_found(way: Way) -> int:
    """The first seed at which the test alone finds what nothing has made; 0 where none does."""
    for seed in range(40):
        rng = np.random.default_rng(seed)
        found = judged(read_in_memory(way.draw(rng)), rng)
        shows = found.primary.verdict(0.05, np.nan) in ("up", "untested")
        if found.primary.estimate.value > 0 and shows:
            return seed
    return 0


def through_the_command(way: Way, folder: Path) -> None:
    """Page, terminal and JSON of a written study say what was said of the same one in memory."""
    seed = first_found(way)
    rng = np.random.default_rng(seed)
    study = way.draw(rng)
    expected = headlined(judged(read_in_memory(study), np.random.default_rng(0)))
    data = write(study, folder)
    words = ["report", STUDY, "--data", str(data.root)]
    told = CliRunner().invoke(main, [*words, "--json"])
    assert told.exit_code == 0, told.output
    (finding,) = json.loads(told.stdout)["findings"]
    assert finding["verdict"] == expected
    assert finding["claim"] in CliRunner().invoke(main, words).stdout
    page = text_of(tree((data.studies_dir / STUDY / "report" / "index.html").read_text("utf-8")))
    begins = finding["claim"].split(",")[0].split("(")[0]
    assert begins in page
    if expected != "up" or finding["design"] == "paired":
        assert not any(said in finding["claim"] for said in TOWARDS)


@pytest.mark.parametrize("name", QUICK)
def test_the_page_says_what_broke_the_null(name: str, tmp_path: Path) -> None:
    through_the_command(of_name(name), tmp_path)


@pytest.mark.drill
@pytest.mark.parametrize("way", WAYS, ids=lambda way: way.name)
def test_every_way_through_the_command(way: Way, tmp_path: Path) -> None:
    through_the_command(way, tmp_path)


@pytest.mark.drill
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("way", WAYS, ids=lambda way: way.name)
def test_a_broken_null_is_seldom_headlined(way: Way) -> None:
    """300 studies without a sway, of each way."""
    assert plausible(rates(way, 300, 1).towards, 300, 0.0, 0.07)


def test_a_written_study_is_the_one_in_memory(tmp_path: Path) -> None:
    """What is measured in memory rests on the same rows, answers and draw."""
    study = of_name("runs begun anew until good, matrix").draw(np.random.default_rng(3))
    kept = read_in_memory(study)
    written = read_study(DataFolder(write(study, tmp_path).root), STUDY)
    assert [run.run_id for run in written.views.runs] == [run.run_id for run in kept.views.runs]
    assert (written.views.answer == kept.views.answer).all()
    assert (written.views.requested_at == kept.views.requested_at).all()
    assert written.former == kept.former
    assert written.study is not None
    assert kept.study is not None
    assert written.study.planned == kept.study.planned
    one, other = (judged(each, np.random.default_rng(0)) for each in (written, kept))
    assert one.primary.p == other.primary.p
    assert [check.finding for check in one.gate] == [check.finding for check in other.gate]
