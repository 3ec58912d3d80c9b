"""The rows in memory, and what is left of them: compared with the ledgers, counted by hand."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from agent.explorer.exposure_catalogue import CatalogueReader
from agent.explorer.frame_query import FrameQuery, rank, select
from store.privacy.forget import forget
from store.privacy.forget_plan import Request
from store.runs import ledger
from store.runs.data_folder import DataFolder
from store.runs.ledger import LedgerWriter
from tests.store.samples import START, finished, frame, jpeg, keep_run, started, step


@pytest.fixture
def data(tmp_path: Path) -> DataFolder:
    folder = DataFolder(tmp_path / "data")
    keep_run(folder, "r1", ["red", "blue", "green", "red"], config={"study": "colours"})
    keep_run(folder, "r2", ["red", "blue"], end=False, arm="passive", at=START.replace(day=2))
    return folder


def test_every_video_of_every_run_is_there_the_newest_run_first(data: DataFolder) -> None:
    shown = CatalogueReader(data).refresh()
    assert [run.run_id for run in shown.rows.views.runs] == ["r2", "r1"]
    told = [
        (shown.rows.views.runs[run].run_id, position, caption)
        for run, position, caption in zip(
            shown.rows.views.run, shown.rows.views.position, shown.rows.seen.caption, strict=True
        )
    ]
    kept = [
        (name, each.position, each.video.caption)
        for name in ("r2", "r1")
        for each in ledger.read(data.ledger_path(name)).steps
    ]
    assert told == kept
    assert shown.places[("r1", 3)] == 5


def test_a_run_that_goes_on_is_followed_and_a_forgotten_step_is_emptied(data: DataFolder) -> None:
    reader = CatalogueReader(data)
    assert len(reader.refresh()) == 6
    assert reader.refresh() is reader.shown
    picture = jpeg("white", 9)
    with LedgerWriter(data.ledger_path("r2"), fsync=False) as writer:
        writer.append(step(2, frame(picture)))
    assert len(reader.refresh()) == 7
    with LedgerWriter(data.ledger_path("r3"), fsync=False) as writer:
        writer.append(started("r3", at=START.replace(day=3)))
        writer.append(step(0))
        writer.append(finished(1))
    assert len(reader.refresh()) == 8
    assert reader.refresh().runs[0].started.run_id == "r3"
    forget(data, Request(asked="video", value="r1-3", at=START))
    shown = reader.refresh()
    assert (len(shown), shown.damaged) == (8, ())
    row = shown.places[("r1", 3)]  # the measurement stays
    assert (shown.rows.seen.caption[row], shown.rows.seen.frame[row]) == (None, None)


def test_a_damaged_run_is_named_and_hides_no_other(data: DataFolder) -> None:
    path = data.ledger_path("r1")
    content = path.read_bytes()
    path.write_bytes(content.replace(b'"position":1', b'"position":"?"', 1))
    shown = CatalogueReader(data).refresh()
    assert [run.run_id for run in shown.damaged] == ["r1"]
    assert "ledger.jsonl:3 is damaged" in shown.damaged[0].problem
    assert len(shown) == 2
    path.write_bytes(content)
    assert len(CatalogueReader(data).refresh()) == 6


def test_facets_choose_and_count_as_a_loop_over_the_ledgers_does(data: DataFolder) -> None:
    shown = CatalogueReader(data).refresh()
    kept = [
        (read.started.arm, each.judgement.answer or "none", each.phase)
        for name in ("r2", "r1")
        for read in [ledger.read(data.ledger_path(name))]
        for each in read.steps
    ]
    pairs = [("answer", "yes"), ("answer", "none"), ("arm", "treatment"), ("nonsense", "x")]
    found = select(shown, FrameQuery.read(pairs, shown.facets))
    wanted = [at for at, row in enumerate(kept) if row[1] != "no" and row[0] == "treatment"]
    assert found.rows.tolist() == wanted
    assert 0 < len(wanted) < len(kept)
    counts = {facet.name: {one.value: one.rows for one in facet.values} for facet in found.facets}
    of_arm = [row for row in kept if row[0] == "treatment"]
    assert counts["answer"] == {
        word: sum(row[1] == word for row in of_arm) for word in ("yes", "no", "none")
    }
    said = [row for row in kept if row[1] != "no"]
    assert counts["arm"] == {
        arm: sum(row[0] == arm for row in said) for arm in ("passive", "treatment")
    }


def test_words_are_found_in_any_case_and_nothing_is_a_pattern(data: DataFolder) -> None:
    shown = CatalogueReader(data).refresh()
    for words, count in (("BLUE thing", 2), ("a", 6), (".*", 0), ("(", 0), ("zebra", 0)):
        found = select(shown, FrameQuery.read([("words", words)], shown.facets))
        assert len(found.rows) == count, words


def test_of_near_duplicates_the_first_stays_and_is_what_is_counted(tmp_path: Path) -> None:
    data = DataFolder(tmp_path / "data")
    keep_run(data, "r1", ["red", "blue", "green"])
    keep_run(data, "r2", ["red", "blue"], at=START.replace(day=2))  # the same pictures again
    shown = CatalogueReader(data).refresh()
    found = select(shown, FrameQuery.read([("folded", "1")], shown.facets))
    assert found.rows.tolist() == [0, 1, 4]
    answers = next(facet for facet in found.facets if facet.name == "answer")
    assert sum(one.rows for one in answers.values) == 3


def test_a_chosen_value_that_nothing_has_can_be_dropped_again(data: DataFolder) -> None:
    shown = CatalogueReader(data).refresh()
    found = select(shown, FrameQuery.read([("persona", "nobody")], shown.facets))
    assert len(found.rows) == 0
    persona = next(facet for facet in found.facets if facet.name == "persona")
    assert [(one.value, one.chosen) for one in persona.values if one.chosen] == [("nobody", True)]


def test_ranking_puts_the_most_alike_first_and_leaves_out_what_has_no_vector() -> None:
    similarities = np.array([0.1, -np.inf, 0.9, 0.5, 0.9], dtype=np.float32)
    assert rank(np.array([0, 1, 2, 3, 4]), similarities).tolist() == [2, 4, 3, 0]
    assert rank(np.array([1]), similarities).tolist() == []
