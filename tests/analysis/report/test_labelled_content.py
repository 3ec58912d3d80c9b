"""Commercial content is counted by hand, and what is not known is never counted as no."""

from __future__ import annotations

import json
import math
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from analysis.cli.main import main
from analysis.data.content_labels import LABELS, label_codes
from analysis.report.labelled_content import label_shares, share_of_runs
from store.runs.data_folder import DataFolder
from store.runs.ledger import LedgerWriter
from store.runs.ledger_lines import Video, Windows
from tests.analysis import made_results
from tests.analysis.report.html_reader import text_of, tree
from tests.store.samples import finished, started, step


def test_what_a_site_does_not_tell_is_not_known() -> None:
    assert label_codes(Video(id="a")) == (-1,) * len(LABELS)
    told = Video(id="a", ad=False, paid_partnership=True, ai_label=False, photos=3)
    assert label_codes(told) == (0, 1, -1, 0, 1)
    assert label_codes(Video(id="a", duration_s=9.0))[LABELS.index("photo_post")] == 0


def test_shares_are_counted_by_arm_and_window() -> None:
    views = made_results.views([np.zeros(12, dtype=int), np.zeros(12, dtype=int)], before=6)
    codes = np.full((24, len(LABELS)), -1)
    codes[:, 0] = [*[1, 0, 0, 0, 0, -1], *[0] * 6, *[1, 1, 0, 0, 0, 0], *[-1] * 6]
    shares = label_shares(views, codes, [0, 1], ["treatment"])
    before, after = (one for one in shares if one.label == "ad")
    assert len(shares) == 2 * len(LABELS)
    assert (before.label, before.window, after.window) == ("ad", "before", "after")
    assert (before.labelled, before.not_labelled, before.unknown) == (3, 8, 1)
    assert (after.labelled, after.not_labelled, after.unknown) == (0, 6, 6)
    assert before.share.value == pytest.approx(100 * 3 / 11)
    assert after.share.value == 0
    assert after.share.high == pytest.approx(100 * (1 - 0.025 ** (1 / 6)))  # Clopper and Pearson
    assert label_shares(views, None, [0, 1], ["treatment"]) == ()


def test_the_interval_allows_for_runs_that_differ() -> None:
    alike = share_of_runs(np.array([10.0, 10, 10, 10]), np.full(4, 100.0))
    unlike = share_of_runs(np.array([0.0, 2, 8, 30]), np.full(4, 100.0))
    assert alike.value == unlike.value == 10
    assert unlike.high - unlike.low > 2 * (alike.high - alike.low)
    # alike runs: the binomial standard error, and Student's t of three degrees of freedom
    n, t = 400, 3.182446305284263
    centre = (0.1 + t * t / (2 * n)) / (1 + t * t / n)
    half = t / (1 + t * t / n) * math.sqrt(0.09 / n + t * t / (4 * n * n))
    assert (alike.low, alike.high) == pytest.approx((100 * (centre - half), 100 * (centre + half)))
    assert not share_of_runs(np.zeros(2), np.zeros(2)).exists


def test_intervals_hold_the_truth_as_often_as_they_say() -> None:
    """Runs with rates of their own: the mean rate lies in the interval in 95 of 100."""
    rng = np.random.default_rng(5)
    held = 0
    for _ in range(400):
        rates = rng.beta(2, 38, size=8)  # 5 % on average
        told = share_of_runs(rng.binomial(60, rates).astype(float), np.full(8, 60.0))
        held += told.low <= 5 <= told.high
    assert held >= 360


def test_report_and_json_tell_of_labels(tmp_path: Path) -> None:
    data = DataFolder(tmp_path / "data")
    with LedgerWriter(data.ledger_path("r1"), fsync=False) as writer:
        writer.append(started("r1", windows=Windows(before=4, adapt=0, after=4)))
        for position in range(8):
            labels = {"ad": position == 7, "ai_label": True if position == 1 else None}
            phase = "before" if position < 4 else "after"
            video = Video(id=f"v{position}", duration_s=5.0, **labels)
            writer.append(step(position, phase=phase, video=video))
        writer.append(finished(8))
    told = CliRunner().invoke(main, ["report", "r1", "--data", str(data.root), "--json"])
    assert told.exit_code == 0, told.output
    said = json.loads(told.stdout)
    found = {(one["label"], one["window"]): one for one in said["findings"][0]["labels"]}
    assert set(found) == {(name, window) for name in LABELS for window in ("before", "after")}
    ai = found["ai_label", "before"]
    assert (ai["labelled"], ai["not_labelled"], ai["unknown"]) == (1, 0, 3)
    assert found["ai_label", "after"]["share"]["value"] is None
    assert found["ad", "after"]["share"]["value"] == 25
    page = text_of(tree(Path(said["page"]).read_text(encoding="utf-8")))
    assert "Commercial and generated content" in page
    assert "labelled as AI-generated" in page
    assert "paid partnership" not in page.replace("paid partnerships", "")
