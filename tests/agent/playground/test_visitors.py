from __future__ import annotations

import json
from math import isnan
from pathlib import Path

import pytest

from agent.playground.catalogue import load_catalogue
from agent.playground.errors import (
    DamagedState,
    FolderUnwritable,
    SettingsChanged,
    VisitorBusy,
)
from agent.playground.recommend import BATCH, Settings, Shelf
from agent.playground.visitors import BatchPart, Like, Visitor, Visitors, WatchReport

SHELF = Shelf(load_catalogue())
SETTINGS = Settings("listener", 1.0, 7)


def watch(index: int, seconds: float, view: str = "v", ended_by: str | None = "key") -> WatchReport:
    return WatchReport(
        index=index, view=view, watched_s=seconds, duration_s=6.0, loops=0, ended_by=ended_by
    )


def page(visitor: Visitor, after: int | None = None) -> BatchPart:
    found = visitor.page(after)
    assert found is not None
    return found


def visitors(folder: Path, settings: Settings = SETTINGS) -> Visitors:
    return Visitors(folder, SHELF, settings)


def only_file(folder: Path) -> Path:
    (path,) = folder.glob("*.jsonl")
    return path


def test_a_batch_is_made_once_and_served_again_in_parts(tmp_path: Path) -> None:
    visitor = visitors(tmp_path).get("a")
    first = page(visitor)
    assert (first.batch, first.first, len(first.numbers)) == (0, 0, BATCH)
    assert page(visitor) == first
    assert page(visitor, 5) == BatchPart(0, 5, first.numbers[5:])
    second = page(visitor, BATCH)
    assert (second.batch, second.first) == (1, BATCH)
    assert page(visitor, BATCH) == second
    assert visitor.page(2 * BATCH + 1) is None


def test_it_goes_on_after_the_last_place_that_was_reported(tmp_path: Path) -> None:
    visitor = visitors(tmp_path).get("a")
    first = page(visitor)
    visitor.watch(watch(0, 3.0))
    visitor.watch(watch(1, 0.4))
    assert page(visitor).numbers == first.numbers[2:]


@pytest.mark.parametrize("ended_by", [None, "pagehide"])
def test_a_video_that_was_not_moved_on_from_is_shown_again(
    tmp_path: Path, ended_by: str | None
) -> None:
    visitor = visitors(tmp_path).get("a")
    first = page(visitor)
    visitor.watch(watch(0, 3.0))
    visitor.watch(watch(1, 2.0, ended_by=ended_by))
    assert page(visitor).numbers == first.numbers[1:]
    visitor.watch(watch(1, 1.5, view="again"))
    assert page(visitor).numbers == first.numbers[2:]
    told = visitor.record()
    assert [place["watched_s"] for place in told] == [3.0, 3.5]
    assert [place["ended_by"] for place in told] == ["key", "key"]


def test_everything_confirmed_survives_and_the_feed_goes_on_exactly(tmp_path: Path) -> None:
    one = visitors(tmp_path / "whole")
    two = visitors(tmp_path / "broken")
    for batch in range(4):
        for site in (one, two):
            visitor = site.get("a")
            served = page(visitor, batch * BATCH)
            for offset, number in enumerate(served.numbers):
                theme = SHELF.catalogue.items[number].theme
                visitor.watch(watch(served.first + offset, 8.0 if theme == "food" else 0.5))
            visitor.like(Like(id=SHELF.catalogue.items[served.numbers[0]].id, liked=True))
        two.close()
        two = visitors(tmp_path / "broken")
    assert two.get("a").served == one.get("a").served
    left, right = one.get("a").history(), two.get("a").history()
    assert left == right
    assert sum(left.liked) >= 4


def test_reports_are_cumulative_and_may_come_twice_or_late(tmp_path: Path) -> None:
    visitor = visitors(tmp_path).get("a")
    page(visitor)
    for report in (watch(0, 2.0, ended_by=None), watch(0, 4.5), watch(0, 4.0, ended_by=None)):
        assert visitor.watch(report)
    assert visitor.watch(watch(0, 4.5))
    assert visitor.history().watched_s[0] == 4.5
    visitor.watch(watch(0, 1.5, view="again"))
    assert visitor.history().watched_s[0] == 6.0
    assert isnan(visitor.history().watched_s[1])
    reports = [line for line in only_file(tmp_path).read_text().splitlines() if "watch" in line]
    assert len(reports) == 3
    assert not visitor.watch(watch(BATCH, 1.0))


def test_likes_can_be_taken_back(tmp_path: Path) -> None:
    site = visitors(tmp_path)
    item = SHELF.catalogue.items[page(site.get("a")).numbers[0]].id
    site.get("a").like(Like(id=item, liked=True))
    assert site.get("a").likes(item)
    site.get("a").like(Like(id=item, liked=False))
    site.close()
    assert not visitors(tmp_path).get("a").likes(item)


def test_a_torn_last_line_is_dropped(tmp_path: Path) -> None:
    site = visitors(tmp_path)
    page(site.get("a"))
    site.get("a").watch(watch(0, 5.0))
    site.close()
    path = only_file(tmp_path)
    whole = path.read_bytes()
    path.write_bytes(whole + b'{"watch":{"ind')
    back = visitors(tmp_path).get("a")
    assert back.resume_at == 1
    back.watch(watch(1, 1.0))
    assert path.read_bytes().startswith(whole)
    assert [json.loads(line) for line in path.read_bytes().splitlines()]


def test_a_damaged_line_in_the_middle_is_named(tmp_path: Path) -> None:
    site = visitors(tmp_path)
    page(site.get("a"))
    site.close()
    path = only_file(tmp_path)
    lines = path.read_text().splitlines()
    path.write_text("\n".join([lines[0], '{"watch": 3}', *lines[1:]]) + "\n")
    with pytest.raises(DamagedState, match=r"\.jsonl:2 is damaged"):
        visitors(tmp_path).get("a")


@pytest.mark.parametrize(
    ("settings", "name"),
    [
        (Settings("random", 1.0, 7), "feed listener"),
        (Settings("listener", 0.5, 7), "gain 1.0"),
        (Settings("listener", 1.0, 8), "seed 7"),
    ],
)
def test_other_settings_are_refused(tmp_path: Path, settings: Settings, name: str) -> None:
    site = visitors(tmp_path)
    site.get("a")
    site.close()
    with pytest.raises(SettingsChanged, match=f"--{name}$"):
        visitors(tmp_path, settings).get("a")
    assert page(visitors(tmp_path, settings).get("b")).numbers


def test_two_sites_never_write_one_visitor(tmp_path: Path) -> None:
    first = visitors(tmp_path)
    first.get("a")
    with pytest.raises(VisitorBusy):
        visitors(tmp_path).get("a")
    visitors(tmp_path).get("b")
    first.close()
    visitors(tmp_path).get("a")


def test_visitors_are_independent(tmp_path: Path) -> None:
    site = visitors(tmp_path)
    alone = page(visitors(tmp_path / "alone").get("b"), 0)
    page(site.get("a"))
    site.get("a").watch(watch(0, 6.0))
    assert page(site.get("b")) == alone
    assert site.get("b").resume_at == 0


def test_a_state_folder_that_is_a_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "state").touch()
    with pytest.raises(FolderUnwritable, match=r"type: --state FOLDER$"):
        visitors(tmp_path / "state")
