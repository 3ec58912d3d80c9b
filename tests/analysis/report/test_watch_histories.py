"""Histories of people stand beside feeds, cut to the windows' length; by hand and on the page."""

from __future__ import annotations

import csv
import json
import math
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from jinja2 import Environment
from jinja2.nodes import CondExpr

from analysis import report
from analysis.cli.main import main
from analysis.examples import study as example
from analysis.report.ledger_rows import read_rows
from analysis.report.watch_histories import history_varieties
from store.cli.main import main as store_main
from store.dataset.donations import parse_donation
from store.dataset.watch_history import keep_history
from store.privacy.derived_files import entries
from store.runs.data_folder import DataFolder
from store.runs.ledger import LedgerWriter, read
from store.runs.ledger_lines import Video, Windows
from tests.store.dataset.donation_samples import instagram_old, tiktok
from tests.store.samples import finished, keep_run, started, step

REPORT = Path(report.__file__).parent
FIRST = 7300000000000000000
"""Id of the first video of a made-up history; the others count on from it."""


def keep_feed(data: DataFolder, run: str, shown: list[int]) -> None:
    """A run of two windows of four videos, some of which a person has watched, too."""
    with LedgerWriter(data.ledger_path(run), fsync=False) as writer:
        writer.append(started(run, platform="tiktok", windows=Windows(before=4, adapt=0, after=4)))
        for position, number in enumerate(shown):
            video = Video(id=str(FIRST + number), author=f"maker{number % 3}")
            phase = "before" if position < 4 else "after"
            answer = "yes" if position % 2 else "no"
            writer.append(step(position, video=video, phase=phase, answer=answer))
        writer.append(finished(8))


@pytest.fixture
def data(tmp_path: Path) -> DataFolder:
    data = DataFolder(tmp_path / "data")
    keep_feed(data, "r1", [0, 1, 2, 100, 200, 201, 202, 203])
    keep_feed(data, "r2", [300, 301, 302, 303, 304, 305, 306, 9])
    keep_history(data, parse_donation(tiktok(10)), "donor7", "0.1.0")
    return data


def typed(data: DataFolder, *words: str) -> Result:
    return CliRunner().invoke(main, [*words, "--data", str(data.root)])


def test_a_history_by_hand(data: DataFolder) -> None:
    """Stretches 0-3 and 4-7 of ten videos, beside four windows of four."""
    views = read_rows([data.ledger_path("r1"), data.ledger_path("r2")]).views
    beside = read_rows([data.ledger_path("imported-tiktok-donor7")])
    (told,), length = history_varieties(beside, views, [0, 1], sample=4)
    assert length == 4
    assert (told.arm, told.window, told.videos) == ("donor7", "stretches", 10)
    assert told.shared == pytest.approx(100 * (3 / 4) / 8), "one of eight pairs shares three of 4"
    assert told.repeats.value == 0
    assert math.isnan(told.repeats.low)
    assert math.isnan(told.creators.value), "TikTok's file names no creators"
    assert math.isnan(told.yes.value)
    assert history_varieties(beside, views, [], sample=4) == ((), 0)
    assert history_varieties(None, views, [0], sample=4) == ((), 0)


def test_repeats_do_not_grow_with_the_length_of_a_history(data: DataFolder) -> None:
    """Each video is there twice, with 300 others between: no stretch has any of them twice."""
    history = tiktok(600, newest_first=False)
    for at, entry in enumerate(history["Your Activity"]["Watch History"]["VideoList"]):
        entry["Link"] = f"https://www.tiktokv.com/share/video/{FIRST + 1000 + at % 300}/"
    keep_history(data, parse_donation(history), "long", "0.1.0")
    out = data.root / "page"
    done = typed(data, "report", "r1", "--out", str(out), "--beside", "imported-tiktok-long")
    assert done.exit_code == 0, done.output
    row = variety(out)[-1]
    assert (row["arm"], float(row["repeats"])) == ("long", 0)
    assert "those that its stretch had before" in (out / "index.html").read_text("utf-8")


def test_repeats_and_creators_are_told_where_the_file_tells_them(data: DataFolder) -> None:
    history = tiktok(8)
    for at, entry in enumerate(history["Your Activity"]["Watch History"]["VideoList"]):
        number = FIRST + at // 2  # newest first: each one twice
        entry["Link"] = f"https://www.tiktok.com/@m{at % 2}/video/{number}"
    keep_history(data, parse_donation(history), "twice", "0.1.0")
    views = read_rows([data.ledger_path("r1")]).views
    beside = read_rows([data.ledger_path("imported-tiktok-twice")])
    ((told,), _) = history_varieties(beside, views, [0], sample=2)
    assert told.repeats.value == 50
    assert told.creators.value == pytest.approx(1 + 2 / 3), "two of four videos of two creators"


def test_a_history_without_names_of_videos_shares_nothing_that_is_known(data: DataFolder) -> None:
    keep_history(data, parse_donation(instagram_old()), "donor9", "0.1.0")
    keep_run(data, "i1", ("red", "green", "blue", "red"), platform="instagram")
    views = read_rows([data.ledger_path("i1")]).views
    beside = read_rows([data.ledger_path("imported-instagram-donor9")])
    ((told,), _) = history_varieties(beside, views, [0], sample=1)
    assert math.isnan(told.shared)
    assert math.isnan(told.repeats.value)
    assert told.creators.value == 1


def variety(report: Path) -> list[dict[str, str]]:
    with (report / "tables" / "variety.csv").open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def test_two_histories_stand_beside_one_report(data: DataFolder) -> None:
    keep_history(data, parse_donation(tiktok(6)), "donor8", "0.1.0")
    out = data.root / "page"
    names = ("imported-tiktok-donor7", "imported-tiktok-donor8")
    beside = [word for name in names for word in ("--beside", name)]
    done = typed(data, "report", "r1", "r2", "--out", str(out), *beside)
    assert done.exit_code == 0, done.output
    assert [row["arm"] for row in variety(out)[2:]] == ["donor7", "donor8"]
    page = (out / "index.html").read_text("utf-8")
    assert page.count("<td>stretches</td>") == 2


def test_no_template_prints_what_an_if_without_an_else_leaves_open() -> None:
    """Pages print nothing that is undefined: such an if is a traceback, and there is no report."""
    found = list(REPORT.parent.rglob("*.html"))
    assert len(found) > 5
    for path in found:
        tree = Environment().parse(path.read_text("utf-8"))
        assert all(each.expr2 is not None for each in tree.find_all(CondExpr)), path


def test_a_report_has_a_row_of_its_own_for_a_history(data: DataFolder, tmp_path: Path) -> None:
    out = data.root / "page"
    beside = ["--beside", "imported-tiktok-donor7"]
    done = typed(data, "report", "r1", "r2", "--out", str(out), *beside)
    assert done.exit_code == 0, done.output
    rows = variety(out)
    assert [row["arm"] for row in rows] == ["treatment", "treatment", "donor7"]
    assert float(rows[-1]["shared"]) == pytest.approx(9.375)
    assert rows[-1]["yes"] == rows[-1]["creators"] == ""
    page = (out / "index.html").read_text("utf-8")
    assert "donor7" in page
    assert "they are no control" in page
    assert "--beside imported-tiktok-donor7" in page, "the command that makes it again"
    (entry,) = entries(data)
    assert set(entry.runs) == {"r1", "r2", "imported-tiktok-donor7"}
    plain = typed(data, "report", "r1", "r2", "--out", str(data.root / "plain"))
    assert plain.exit_code == 0
    assert "they are no control" not in (data.root / "plain" / "index.html").read_text("utf-8")


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("r2", "no donation and no capture"),
        ("imported-instagram-donor9", "no run of this report is"),
        ("imported-nobody", "imported"),
    ],
)
def test_only_a_history_of_the_platform_stands_beside(
    data: DataFolder, name: str, words: str
) -> None:
    keep_history(data, parse_donation(instagram_old()), "donor9", "0.1.0")
    refused = typed(data, "report", "r1", "--beside", name)
    assert refused.exit_code == 2
    assert words in refused.output
    assert not data.run_dir("r1").joinpath("report").exists()


def test_a_study_report_goes_with_its_own_videos_only(copied: DataFolder) -> None:
    """A donation that it does not show leaves it, and its paper; both are told before they go."""
    study = example.STUDY
    for command in ("report", "paper"):
        assert typed(copied, command, study).exit_code == 0
    pages = [copied.studies_dir / study / name for name in ("paper", "report")]
    keep_history(copied, parse_donation(tiktok(4)), "donor7", "0.1.0")

    def forget(*words: str) -> Result:
        line = ["forget", *words, "--json", "--data", str(copied.root)]
        return CliRunner().invoke(store_main, line)

    donation = ("--donation", "imported-tiktok-donor7")
    assert json.loads(forget(*donation, "--dry-run").stdout)["made_of_it"] == []
    assert forget(*donation, "--yes").exit_code == 0
    assert all(page.is_dir() for page in pages)
    (run, *_) = (run for run in copied.runs() if run.started and run.started.study == study)
    video = ("--video", read(run.path).steps[0].video.id)
    told = json.loads(forget(*video, "--dry-run").stdout)["made_of_it"]
    assert {str(page.absolute()) for page in pages} <= set(told)
    assert forget(*video, "--yes").exit_code == 0
    assert not any(page.exists() for page in pages)
