"""Where the site has counted otherwise than a ledger, everyone who quotes the ledger says so."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from analysis.data.run_columns import read_run
from analysis.estimators.one_run import summarise
from analysis.report.group_measures import measure
from analysis.report.methods import methods
from analysis.report.report_inputs import read_runs
from store.cli.output import ledger_lines
from store.maintenance.verify import verify
from store.runs.data_folder import DataFolder
from store.runs.ledger import LedgerWriter, open_stream
from store.runs.ledger_site_lines import SiteCheck
from tests.store.samples import START, finished, keep_run

TOLD = "the site itself has counted otherwise"


@pytest.mark.parametrize("dwells", [(), (1,)])
def test_what_the_site_has_counted_otherwise_is_told(
    tmp_path: Path, dwells: tuple[int, ...]
) -> None:
    data = DataFolder(tmp_path / "data")
    keep_run(data, "r1", ["red", "green", "blue", "white"], end=False)
    path = data.ledger_path("r1")
    with LedgerWriter(path, fsync=False) as writer:
        check = SiteCheck(at=START, position=4, compared=4, furthest_s=5.1, dwells=dwells)
        writer.append(check)
        writer.append(finished(4))
    with open_stream(path) as stream:
        shown = ledger_lines(stream)
    report = methods(measure(read_runs(data, [path], ["r1"]), np.random.default_rng(0)), 0)
    everyone = [
        "\n".join(verify(data).notes),
        shown,
        "\n".join(summarise(read_run(path), np.random.default_rng(0)).cautions),
        "\n".join(report.cautions),
    ]
    assert [TOLD in words.lower() for words in everyone] == [bool(dwells)] * 4
    assert sum("dwell of videos 1" in words for words in everyone) == 3 * bool(dwells)


@pytest.mark.parametrize("compared", [0, 4])
def test_a_check_that_compared_nothing_has_not_counted_along(tmp_path: Path, compared: int) -> None:
    data = DataFolder(tmp_path / "data")
    keep_run(data, "r1", ["red", "green", "blue", "white"], end=False)
    path = data.ledger_path("r1")
    with LedgerWriter(path, fsync=False) as writer:
        writer.append(SiteCheck(at=START, position=4, compared=compared, furthest_s=None))
        writer.append(finished(4))
    assert read_runs(data, [path], ["r1"]).counted == ({"r1"} if compared else set())


@pytest.mark.parametrize(
    ("differs", "disputed"),
    [
        ({"dwells": (1, 2)}, False),
        ({"dwells": (1, 2, 3)}, True),
        ({"unrecorded": (1,)}, True),
        ({"lost_after": (1,)}, True),
    ],
)
def test_single_dwells_dispute_no_run(differs: dict[str, tuple[int, ...]], disputed: bool) -> None:
    """A stall of the machine moves a dwell; a video that no step tells of is another matter."""
    check = SiteCheck.model_validate(
        {"at": START, "position": 40, "compared": 40, "furthest_s": 5.1} | differs
    )
    assert not check.agrees
    assert check.disputes_run == disputed
