"""A report says where a change of the site falls between what is compared."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from analysis.report.group_measures import measure
from analysis.report.methods import methods
from analysis.report.report_inputs import find_runs, read_runs
from store.maintenance.verify import verify
from store.runs.canary_log import CanaryRecord, append_canary
from store.runs.data_folder import DataFolder
from store.runs.ledger_lines import Fault
from tests.analysis import made_results
from tests.analysis.made_results import NOON, spread, started, step


def write_run(folder: Path, run_id: str, change_at: int | None, **changes: Any) -> None:
    """Write a run of 20 and 20 videos, whose site changed at a position."""
    answers = [*spread(6, 20), *spread(12, 20)]
    lines: list[Any] = [
        step(place, "before" if place < 20 else "after", answer)
        for place, answer in enumerate(answers)
    ]
    if change_at is not None:
        told = {"fault": "LayoutChanged", "message": "no ad", "recovered": False}
        details = {"capability": "ad", "since": change_at}
        fault = {"at": NOON, "position": change_at + 9, "details": details, **told}
        lines.insert(change_at + 9, Fault.model_validate(fault))
    made_results.write(folder, started(run_id, platform="tiktok", **changes), lines)


def cautions(folder: Path, *names: str) -> str:
    data = DataFolder(folder)
    material = read_runs(data, find_runs(data, names), names)
    return " ".join(methods(measure(material, np.random.default_rng(0)), 0).cautions)


@pytest.mark.parametrize(
    ("change_at", "words"),
    [
        (30, "between the before and the after window of r1"),
        (20, "between the before and the after window of r1"),
        (0, "in r1, outside of what is compared"),
    ],
)
def test_a_change_that_a_run_met_is_told_with_its_place(
    tmp_path: Path, change_at: int, words: str
) -> None:
    write_run(tmp_path, "r1", change_at)
    said = cautions(tmp_path, "r1")
    assert f"On {NOON:%Y-%m-%d}, tiktok was found to have changed (ad)" in said
    assert words in said


def test_nothing_is_said_of_a_site_that_has_not_changed(tmp_path: Path) -> None:
    write_run(tmp_path, "r1", None)
    assert "changed" not in cautions(tmp_path, "r1")


def test_a_canary_between_the_first_run_and_the_last_is_told(tmp_path: Path) -> None:
    later = NOON + timedelta(days=2)
    write_run(tmp_path, "r1", None, at=NOON)
    write_run(tmp_path, "r2", None, at=later)
    for hours, verdict, skin in ((24, "fails", False), (24, "fails", True), (99, "fails", False)):
        record = CanaryRecord(
            kind="probe",
            at=NOON + timedelta(hours=hours),
            platform="tiktok",
            skin=skin,
            verdicts={"counts": verdict, "id": "holds"},
        )
        append_canary(DataFolder(tmp_path), record)
    said = cautions(tmp_path, "r1", "r2")
    assert said.count("was found to have changed") == 1
    assert f"On {NOON + timedelta(days=1):%Y-%m-%d}, tiktok was found" in said
    assert "(counts), between the first run and the last" in said


def test_runs_of_different_adapter_files_are_told(tmp_path: Path) -> None:
    for run_id, version in (("r1", 1), ("r2", 2)):
        config = {"adapter": {"version": version, "sha256": "0", "own": version > 1}}
        write_run(tmp_path, run_id, None, config=config)
    assert "different adapter files" in cautions(tmp_path, "r1", "r2")


def test_what_is_the_visitors_or_seen_through_an_own_adapter_is_no_change_of_the_site(
    tmp_path: Path,
) -> None:
    write_run(tmp_path, "r1", None, at=NOON)
    write_run(tmp_path, "r2", None, at=NOON + timedelta(days=2))
    for failed, own in (("session", False), ("codec", False), ("ad", True)):
        record = CanaryRecord(
            kind="probe",
            at=NOON + timedelta(hours=24),
            platform="tiktok",
            own_adapter=own,
            verdicts={failed: "fails"},
        )
        append_canary(DataFolder(tmp_path), record)
    assert "changed" not in cautions(tmp_path, "r1", "r2")


def test_a_line_of_the_canary_log_that_cannot_be_read_is_told_and_the_rest_counts(
    tmp_path: Path,
) -> None:
    data = DataFolder(tmp_path)
    write_run(tmp_path, "r1", None, at=NOON)
    write_run(tmp_path, "r2", None, at=NOON + timedelta(days=2))
    failed = {"kind": "probe", "platform": "tiktok", "verdicts": {"counts": "fails"}}
    day = NOON + timedelta(days=1)
    append_canary(data, CanaryRecord.model_validate({"at": day, **failed}))
    with data.canary_path("tiktok").open("a", encoding="utf-8") as log:
        log.write('{"kind": "of a later version"}\n')
    said = cautions(tmp_path, "r1", "r2")
    assert "1 line of the canary log of tiktok cannot be read" in said
    assert "(counts), between the first run and the last" in said
    (problem,) = (one for one in verify(data).problems if "canary" in one.where)
    assert "tiktok.jsonl:2 is damaged" in problem.what
    assert "Restore the file from a copy." in problem.fix
    assert "delete" not in problem.fix, "the next line would be damaged as well"


def test_a_change_of_a_skin_is_no_change_of_the_site_it_looks_like(tmp_path: Path) -> None:
    drill = {"site": {"skin": "tiktok"}}
    write_run(tmp_path, "r1", 30, config=drill)
    write_run(tmp_path, "r2", None, at=NOON + timedelta(days=2), config=drill)
    day, verdicts = NOON + timedelta(days=1), {"ad": "fails"}
    record = CanaryRecord(kind="probe", at=day, platform="tiktok", verdicts=verdicts)
    append_canary(DataFolder(tmp_path), record)
    said = cautions(tmp_path, "r1", "r2")
    assert said.count("was found to have changed") == 1
    assert "tiktok (skin) was found to have changed (ad) between" in said
