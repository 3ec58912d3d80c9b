"""A study that is looked at after each replicate: what a look takes, and what the report says."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from analysis.cli.main import main
from analysis.errors import NothingToCompare
from analysis.examples.study import STUDY
from analysis.report.group_measures import measure
from analysis.report.report_inputs import Material, read_study
from analysis.statistics import group_sequential
from analysis.statistics.group_sequential import SequentialLook
from store.jsonl.file_seal import strip_seal, write_sealed
from store.runs.data_folder import DataFolder
from store.runs.ledger import read
from store.runs.study_looks import StudyLook, keep_look, read_looks
from tests.analysis.report.html_reader import text_of, tree
from tests.store.sealed_lines import unseal_lines, write_anew

NOW = datetime(2025, 3, 2, tzinfo=UTC)


@pytest.fixture
def looked_at(copied: DataFolder) -> DataFolder:
    """The example with a second replicate, which repeats the first, and no control arm."""
    home = copied.studies_dir / STUDY
    text = strip_seal((home / "study.toml").read_bytes()).decode()
    for old, new in (
        ('arms = ["treatment", "passive"]', 'arms = ["treatment"]'),
        ("replicates = 1", "replicates = 2"),
        ('primary = "controlled"', 'primary = "matrix"\nlooks = "replicates"'),
    ):
        assert old in text
        text = text.replace(old, new)
    write_sealed(home / "study.toml", text.encode())
    cells = json.loads((home / "draws.json").read_bytes())
    treated = [cell for cell in cells if cell["arm"] == "treatment"]
    both = treated + [cell | {"replicate": 2} for cell in treated]
    write_sealed(home / "draws.json", json.dumps(both).encode())
    for path in copied.ledgers():
        if read(path).started.arm == "treatment":
            _repeat(copied, path)
    return copied


def _repeat(data: DataFolder, path: Path) -> None:
    name = f"{path.parent.name}-2"
    for file in (path, *(path.parent / "judgements").glob("*.jsonl")):
        first, *rest = unseal_lines(file)
        record = json.loads(first) | {"run_id": name}
        if "config" in record:
            cell = record["config"]["cell"].replace("/1/", "/2/")
            record["config"] |= {"cell": cell, "replicate": 2}
            record["account"] = record["account"].replace("-r1", "-r2")
        target = data.run_dir(name) / file.relative_to(path.parent)
        target.parent.mkdir(parents=True, exist_ok=True)
        write_anew(target, [json.dumps(record).encode(), *rest])


def look_of(material: Material) -> SequentialLook:
    (group,) = measure(material, np.random.default_rng(0)).groups
    assert group.primary.look is not None
    return group.primary.look


def taken(data: DataFolder, number: int, *, stands: bool = False) -> None:
    runs = ("example-kim-treatment",)
    look = StudyLook(
        number=number,
        of=2,
        at=NOW,
        runs=runs,
        statistic=9.0,
        p=0.02,
        spent=0.0125,
        found=stands,
        stands=stands,
    )
    keep_look(data.studies_dir / STUDY, look)


def test_a_look_takes_the_replicates_up_to_it(looked_at: DataFolder) -> None:
    first = look_of(read_study(looked_at, STUDY, upto=1))
    assert (first.number, first.of) == (1, 2)
    assert first.spent == pytest.approx(0.0125)
    assert first.found  # the example's feed listens
    assert first.p < 0.0125
    assert first == look_of(read_study(looked_at, STUDY, upto=2))  # of one seed


def test_what_nobody_looked_at_is_in_no_report(looked_at: DataFolder) -> None:
    with pytest.raises(NothingToCompare, match="no look yet"):
        read_study(looked_at, STUDY)
    taken(looked_at, 1)
    material = read_study(looked_at, STUDY)
    assert {run.replicate for run in material.views.runs} == {1}
    assert {cell.replicate for cell in material.study.planned} == {1}  # type: ignore[union-attr]
    taken(looked_at, 2)
    assert {run.replicate for run in read_study(looked_at, STUDY).views.runs} == {1, 2}
    assert [look.number for look in read_looks(looked_at.studies_dir / STUDY)] == [1, 2]


def test_the_report_says_which_look_it_was(looked_at: DataFolder, tmp_path: Path) -> None:
    taken(looked_at, 1, stands=True)
    words = ["report", STUDY, "--data", str(looked_at.root), "--out", str(tmp_path / "out")]
    done = CliRunner().invoke(main, words)
    assert done.exit_code == 0, done.output
    page = next((tmp_path / "out").rglob("*.html")).read_text(encoding="utf-8")
    text = text_of(tree(page))
    assert "look 1 of 2, as declared" in text
    assert "0.013 of the error of 0.05 could be spent by now" in text
    assert "The study stopped as soon as its answer was in." in text
    told = json.loads(CliRunner().invoke(main, [*words, "--json"]).stdout)
    (finding,) = told["findings"]
    assert finding["verdict"] == "up"
    assert finding["p"] < 0.0125
    assert finding["look"]["number"] == 1


def test_a_look_that_finds_nothing_is_no_finding(
    looked_at: DataFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A p below 0.05 that is above what may be spent by now is told as chance."""
    taken(looked_at, 1)
    monkeypatch.setattr(group_sequential, "error_spent", lambda alpha, number, of: 1e-4)
    (group,) = measure(read_study(looked_at, STUDY), np.random.default_rng(0)).groups
    assert group.primary.p < 0.05
    assert group.verdict(0.05) == "chance"


def test_a_replicate_that_another_judge_judged_is_not_looked_at(looked_at: DataFolder) -> None:
    """Else its look would be that of the replicate before, under another number."""
    for folder in looked_at.runs_dir.glob("*-2"):
        for file in (folder / "judgements").glob("*.jsonl"):
            first, *rest = unseal_lines(file)
            other = json.dumps(json.loads(first) | {"fingerprint": "another"})
            write_anew(file, [other.encode(), *rest])
    (group,) = measure(read_study(looked_at, STUDY, upto=2), np.random.default_rng(0)).groups
    assert group.primary.look is None
    assert group.verdict(0.05) == "untested"
    assert "not judged by the judge of the others" in group.claim(0.05)
