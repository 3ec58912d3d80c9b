"""What a report is made of: the newest run of each cell, and what is missing."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest

from analysis.errors import BadStudyFolder, NothingToCompare, UnknownStudy
from analysis.examples.study import STUDY
from analysis.report.declared_study import PrimaryTest, read_study_file
from analysis.report.group_measures import measure
from analysis.report.report_inputs import find_runs, is_study, read_runs, read_study
from store.runs.data_folder import DataFolder
from store.runs.ledger import LedgerWriter, read
from tests.analysis import made_results


def test_a_study_is_read_with_what_it_declared(example: DataFolder) -> None:
    material = read_study(example, STUDY)
    assert material.title == STUDY
    assert material.test == PrimaryTest("controlled", "two", 0.05, declared=True)
    assert len(material.views.runs) == 12
    assert len(material.started) == len(material.judgements) == 12
    assert [first.run_id for first in material.started] == [
        run.run_id for run in material.views.runs
    ]
    assert material.seen is not None
    assert len(material.seen.author) == len(material.views)
    assert material.study is not None
    assert {cell.key for cell in material.study.planned} == {
        str(first.config["cell"]) for first in material.started
    }


def test_columns_beside_the_views_are_of_the_same_rows(example: DataFolder) -> None:
    material = read_study(example, STUDY)
    views, seen = material.views, material.seen
    assert seen is not None
    for at in (0, 137, len(views) - 1):
        run = read(example.ledger_path(views.runs[views.run[at]].run_id))
        step = next(step for step in run.steps if step.position == views.position[at])
        assert (seen.author[at], seen.frame[at], seen.phash[at], seen.caption[at]) == (
            step.video.author,
            step.frames[0].sha256,
            step.frames[0].phash,
            step.video.caption,
        )


def test_a_newer_run_of_a_cell_stands_in_for_the_older(copied: DataFolder) -> None:
    old = read(copied.ledger_path("example-pia-passive"))
    again = old.started.model_copy(
        update={"run_id": "again", "at": made_results.NOON.replace(year=2026)}
    )
    with LedgerWriter(copied.ledger_path("again"), fsync=False) as writer:
        writer.append(again)
        for step in old.steps[:30]:
            writer.append(step)
    material = read_study(copied, STUDY)
    assert material.superseded == {"example-pia-passive": "again"}
    assert "again" in {run.run_id for run in material.views.runs}
    assert len(material.views.runs) == 12


def test_cells_without_a_run_are_lost_runs(copied: DataFolder) -> None:
    shutil.rmtree(copied.run_dir("example-kim-passive"))
    (group,) = measure(read_study(copied, STUDY), np.random.default_rng(0)).groups
    lost = {entry.arm: entry for entry in group.lost}
    assert (lost["passive"].started, lost["passive"].complete) == (6, 4)
    assert set(lost["passive"].short) == {"never begun", "example-pia-passive"}
    assert group.never == {"passive": 1}
    assert len(group.result.contrasts[0].pairs) == 5


def test_an_arm_that_never_began_is_lost_as_a_whole(copied: DataFolder) -> None:
    for run in copied.runs_dir.glob("*-passive"):
        shutil.rmtree(run)
    (group,) = measure(read_study(copied, STUDY), np.random.default_rng(0)).groups
    assert {entry.arm: entry.started for entry in group.lost} == {"treatment": 6, "passive": 6}
    assert group.primary.verdict(0.05, group.p_holm) == "absent"
    assert group.primary.estimate.reason == "no control run has started"


def test_a_study_without_runs_says_what_to_type(copied: DataFolder) -> None:
    shutil.rmtree(copied.runs_dir)
    with pytest.raises(NothingToCompare, match="Type: python -m agent study"):
        read_study(copied, STUDY)


@pytest.mark.parametrize(
    ("name", "text"),
    [("study.toml", "name = "), ("draws.json", "{"), ("draws.json", '[{"arm": "passive"}]')],
)
def test_a_damaged_study_folder_is_named(copied: DataFolder, name: str, text: str) -> None:
    (copied.studies_dir / STUDY / name).write_text(text, encoding="utf-8")
    with pytest.raises(BadStudyFolder, match=name):
        read_study(copied, STUDY)


def test_names_that_fit_nothing_offer_the_nearest(example: DataFolder) -> None:
    assert is_study(example, STUDY)
    assert not is_study(example, "exampel")
    with pytest.raises(UnknownStudy, match=r"Nearest: .*example"):
        find_runs(example, ["exampel"])
    with pytest.raises(UnknownStudy, match="example-kim-passive, example-kim-treatment"):
        find_runs(example, ["example-kim"])


def test_runs_that_belong_to_no_study_declare_nothing(tmp_path: Path) -> None:
    made_results.paper_run(tmp_path, 10, 20)
    data = DataFolder(tmp_path)
    (path,) = find_runs(data, ["latest"])
    material = read_runs(data, [path], ["latest"])
    assert material.test == PrimaryTest("paired", declared=False)
    assert material.title == "r1"
    assert material.command == "python -m analysis report latest"


def test_what_a_study_file_leaves_out_is_what_its_program_takes(tmp_path: Path) -> None:
    """The defaults here and where studies are declared must be the same."""
    from agent.study.study_file import EXAMPLE, load_study

    text = EXAMPLE.partition("[test]")[0].replace('["treatment"]', '["treatment", "passive"]')
    (tmp_path / "study.toml").write_text(text, encoding="utf-8")
    ours, theirs = read_study_file(tmp_path), load_study(tmp_path / "study.toml")
    assert (ours.test.primary, ours.test.sides, ours.test.alpha) == (
        theirs.test.primary,
        theirs.test.sides,
        theirs.test.alpha,
    )
    assert ours.name == theirs.name
    assert ours.planned == ()
