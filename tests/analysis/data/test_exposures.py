import math
from pathlib import Path

import numpy as np
import pytest

from analysis.data.exposures import (
    AFTER,
    BEFORE,
    MISSING,
    NO,
    NONE,
    YES,
    from_ledgers,
    table,
    without_repeats,
)
from analysis.statistics.estimate import Estimate, as_json
from store.runs import ledger
from store.runs.ledger_lines import Reaction, Video
from tests.analysis import made_results


def test_steps_become_rows(tmp_path: Path) -> None:
    blind = Reaction(action="swipe", dwell_asked_s=1, dwell_s=1.25, exposure_s=0, held_s=0)
    steps = [
        made_results.step(0, "before", "yes"),
        made_results.step(1, "before", "no", excluded="ad", video=Video(id="x")),
        made_results.step(2, "after", "refused", reaction=blind),
    ]
    path = made_results.write(
        tmp_path, made_results.started(config={"replicate": 3}), steps, finished=False
    )
    views = from_ledgers([ledger.read(path)])
    assert len(views) == 3
    assert views.answer.tolist() == [YES, NO, NONE]
    assert views.phase.tolist() == [BEFORE, BEFORE, AFTER]
    assert views.batch.tolist() == [0, -1, 0]
    assert views.requested_at.tolist() == [0, -1, 0]
    assert views.eligible.tolist() == [True, False, True]
    assert views.judged.tolist() == [True, False, False]
    assert views.dwell.tolist() == [10.0, 1.0, 1.25]
    assert math.isnan(views.duration[1])
    assert math.isnan(views.score[0])
    assert views.p_yes[0] == 0.8
    assert views.video.tolist() == ["v0", "x", "v2"]
    assert views.exclusions() == {"ad": 1}
    assert views.missing.tolist() == [0, 0, MISSING.index("refused")]
    assert views.runs[0].replicate == 3
    assert views.runs[0].status != "complete"


def test_runs_stay_apart(tmp_path: Path) -> None:
    ledgers = [
        made_results.paper_run(tmp_path, yes, 10, run_id=f"r{yes}", persona=f"p{yes}")
        for yes in (5, 20)
    ]
    views = from_ledgers(ledgers)
    assert len(views) == 200
    second = views.one(1)
    assert second.runs[0].persona == "p20"
    assert (second.answer == YES).sum() == 30
    assert second.run.max() == 0


def test_rows_are_put_in_order() -> None:
    rows = [(0, at, 0, 0, 0, 1, 0, 0, None, None, 1.0, None, 0.0, f"v{at}", 0) for at in (2, 0, 1)]
    assert table(made_results.views([], 0).runs, rows).video.tolist() == ["v0", "v1", "v2"]


def test_a_table_of_nothing() -> None:
    views = from_ledgers([])
    assert len(views) == 0
    assert views.exclusions() == {}


def test_a_number_that_does_not_exist_is_null_in_json() -> None:
    told = as_json(Estimate(math.nan, reason="none"))
    assert told["value"] is None
    assert told["reason"] == "none"
    assert as_json((np.float64(1.5), np.int64(2), np.array([math.inf]))) == [1.5, 2, [None]]


def test_unequal_rows_are_refused() -> None:
    with pytest.raises(ValueError, match="shorter"):
        table([], [(1, 2), (1,)])


def test_repeats_count_and_can_be_left_out(tmp_path: Path) -> None:
    """Steps as they are written now count; a ledger that excluded its repeats stays as it was."""
    steps = [
        made_results.step(
            at,
            "before" if at < 4 else "after",
            "yes" if at in (0, 5, 6) else "no",
            repeat="run" if at in (3, 5, 6) else "account" if at == 7 else None,
            excluded="repeat" if at == 2 else None,
        )
        for at in range(8)
    ]
    views = from_ledgers([ledger.read(made_results.write(tmp_path, made_results.started(), steps))])
    assert views.eligible.tolist() == [True, True, False, *[True] * 5]
    new = without_repeats(views)
    assert np.flatnonzero(new.eligible).tolist() == [0, 1, 4]
    assert (views.exclusions(), new.exclusions()) == ({"repeat": 1}, {"repeat": 5})
