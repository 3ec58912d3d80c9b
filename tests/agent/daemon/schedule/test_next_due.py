"""When entries are due: across a change of summer time, in drawn hours, and what is missed."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import islice, pairwise, takewhile
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from agent.daemon.config.watch_file import WatchEntry, WatchFile
from agent.daemon.journal.events import (
    ActionRequested,
    AnyEvent,
    ChildEnded,
    ChildStarted,
    DaemonStopped,
    FileAccepted,
    OccurrenceSkipped,
)
from agent.daemon.journal.state import State, fold
from agent.daemon.schedule import next_due
from agent.daemon.schedule.due_queue import DueQueue

BERLIN = ZoneInfo("Europe/Berlin")
FORWARD = datetime(2027, 3, 28, tzinfo=BERLIN)
"""The day on which 02:00 is 03:00."""
BACK = datetime(2027, 10, 31, tzinfo=BERLIN)
"""The day on which 02:00 to 03:00 comes twice."""
NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)
MOMENT = timedelta(seconds=1)


def entry(**told: Any) -> WatchEntry:
    return WatchEntry.model_validate({"name": "p12", "run": {"persona": "p12"}, **told})


def watch(*entries: WatchEntry, timezone: str = "Europe/Berlin", seed: int = 1) -> WatchFile:
    return WatchFile(timezone=timezone, seed=seed, entry=entries)


def next_dues(one: WatchEntry, after: datetime, count: int, seed: int = 1) -> list[datetime]:
    return list(islice(next_due.due_after(watch(one, seed=seed), one, after), count))


def clock_face(dues: list[datetime]) -> list[str]:
    return [f"{due.astimezone(BERLIN):%d %H:%M}" for due in dues]


def test_a_time_that_the_clocks_leave_out_is_due_an_hour_later() -> None:
    dues = next_dues(entry(cron="30 2 * * *"), FORWARD - timedelta(days=1), 3)
    assert clock_face(dues) == ["27 02:30", "28 03:30", "29 02:30"]


def test_a_time_that_comes_twice_is_due_the_first_time() -> None:
    dues = next_dues(entry(cron="30 2 * * *"), BACK, 2)
    assert clock_face(dues) == ["31 02:30", "01 02:30"]
    assert dues[0] == datetime(2027, 10, 31, 0, 30, tzinfo=UTC)


SANTIAGO = "America/Santiago"
"""On 2026-09-06 there is no hour from 00:00 to 01:00."""


@pytest.mark.parametrize(
    ("cron", "zone", "after", "faces"),
    [
        ("0 0 * * *", SANTIAGO, "2026-09-05", ["05 00:00", "06 01:00", "07 00:00"]),
        ("30 0 * * *", SANTIAGO, "2026-09-05", ["05 00:30", "06 01:30", "07 00:30"]),
        ("15 0 * * sun", SANTIAGO, "2026-09-02", ["06 01:15", "13 00:15", "20 00:15"]),
        ("0 0 6 9 *", SANTIAGO, "2026-01-01", ["06 01:00", "06 00:00", "06 00:00"]),
        ("*/20 0 * * *", SANTIAGO, "2026-09-06", ["06 01:00", "06 01:20", "06 01:40"]),
        ("0 0,1 * * *", SANTIAGO, "2026-09-06", ["06 01:00", "07 00:00", "07 01:00"]),
        (
            "*/15 2 * * *",
            "Europe/Berlin",
            "2027-03-28",
            ["28 03:00", "28 03:15", "28 03:30", "28 03:45", "29 02:00"],
        ),
        ("0 2,3 * * *", "Europe/Berlin", "2027-03-28", ["28 03:00", "29 02:00", "29 03:00"]),
        ("30 1-3 * * *", "Europe/Berlin", "2027-10-31", ["31 01:30", "31 02:30", "31 03:30"]),
        ("0 2 * * *", "Australia/Lord_Howe", "2026-10-04", ["04 02:30", "05 02:00"]),
    ],
)
def test_no_due_time_is_lost_where_clocks_are_put_on(
    cron: str, zone: str, after: str, faces: list[str]
) -> None:
    one, at = entry(cron=cron), ZoneInfo(zone)
    begin = datetime.fromisoformat(after).replace(tzinfo=at) - timedelta(seconds=1)
    dues = list(islice(next_due.due_after(watch(one, timezone=zone), one, begin), len(faces)))
    assert [f"{due.astimezone(at):%d %H:%M}" for due in dues] == faces
    assert dues == sorted(set(dues))


@pytest.mark.parametrize("zone", [SANTIAGO, "Europe/Berlin", "Australia/Lord_Howe", "UTC"])
@pytest.mark.parametrize("cron", ["0 0 * * *", "30 2 * * *", "45 23 * * *", "10 1,2,3 * * *"])
def test_a_year_has_every_day_s_due_times(zone: str, cron: str) -> None:
    one, at = entry(cron=cron), ZoneInfo(zone)
    begin, end = (datetime(year, 1, 1, tzinfo=at) for year in (2026, 2027))
    both = watch(one, timezone=zone)
    dues = list(takewhile(lambda due: due < end, next_due.due_after(both, one, begin - MOMENT)))
    times = len(cron.split()[1].split(","))
    folded = len({due.astimezone(at).date() for due in dues})
    # two wall times of one day may be one moment, where the clock jumps over an hour
    assert (folded, 365 * times - len(dues)) in {(365, 0), (365, times > 1)}


def test_every_hour_is_every_hour_on_the_days_of_the_change() -> None:
    for day in (FORWARD, BACK):
        dues = next_dues(entry(cron="30 * * * *"), day, 6)
        assert {later - one for one, later in pairwise(dues)} == {timedelta(hours=1)}


def test_nine_in_the_morning_stays_nine_in_the_morning() -> None:
    dues = next_dues(entry(cron="0 9 * * *"), FORWARD - timedelta(days=1), 3)
    assert clock_face(dues) == ["27 09:00", "28 09:00", "29 09:00"]
    assert dues[1] - dues[0] == timedelta(hours=23)


def test_an_interval_does_not_know_summer_time() -> None:
    dues = next_dues(entry(every="6h"), FORWARD, 8)
    assert {later - one for one, later in pairwise(dues)} == {timedelta(hours=6)}


def test_a_moment_is_drawn_once_a_day_within_its_hours_and_the_same_again() -> None:
    one = entry(between="22:00-02:00")
    dues = next_dues(one, NOON, 200)
    assert dues == next_dues(one, NOON, 200)
    assert dues[50:] == next_dues(one, dues[49], 150)
    assert dues != next_dues(one, NOON, 200, seed=2)
    hours = [due.astimezone(BERLIN).hour for due in dues]
    assert set(hours) == {22, 23, 0, 1}
    evenings = [(due.astimezone(BERLIN) - timedelta(hours=12)).date() for due in dues]
    assert evenings == [evenings[0] + timedelta(days=day) for day in range(200)]


def test_what_comes_next_is_told_over_all_entries() -> None:
    both = watch(entry(every="1h"), entry(name="p05", cron="15 * * * *"), timezone="UTC")
    told = next_due.upcoming(both, NOON, 3)
    assert [(f"{due:%H:%M}", name) for due, name in told] == [
        ("12:15", "p05"),
        ("13:00", "p12"),
        ("13:15", "p05"),
    ]


# What is taken up


def look(
    dues: DueQueue, one: WatchEntry, state: State, now: datetime
) -> tuple[list[str], list[str]]:
    """Return what waits now, and why something was skipped."""
    events = dues.collect(watch(one, timezone="UTC"), state, now)
    for event in events:
        state.apply_event(event)
    waiting = [f"{due:%H:%M}" for due in state.queued.get(one.name, ())]
    return waiting, [
        f"{e.due:%H:%M} {e.reason}" for e in events if isinstance(e, OccurrenceSkipped)
    ]


def known(at: datetime = NOON) -> State:
    return fold([FileAccepted(at=at, sha256="", entries=("p12",))])


def begin(state: State, due: datetime) -> None:
    state.apply_event(ChildStarted(at=due, entry="p12", due=due, pid=1, log=""))


def finish(state: State, due: datetime, outcome: str = "complete") -> None:
    told = {"at": due, "entry": "p12", "due": due, "outcome": outcome}
    state.apply_event(ChildEnded.model_validate(told))


def test_a_daily_start_that_was_missed_is_caught_up_once() -> None:
    one, state, dues = entry(cron="0 18 * * *"), known(), DueQueue()
    later = NOON + timedelta(days=3)
    waiting, skipped = look(dues, one, state, later)
    assert waiting == ["18:00"]
    assert skipped == ["18:00 missed, as were 1 before it"]
    begin(state, NOON.replace(day=22, hour=18))
    finish(state, NOON.replace(day=22, hour=18))
    assert look(dues, one, state, later + timedelta(minutes=1)) == ([], [])
    assert look(DueQueue(), one, state, later + timedelta(minutes=2)) == ([], [])  # also restarted


def test_a_missed_start_is_skipped_where_that_is_declared() -> None:
    one, state = entry(cron="0 18 * * *", missed="skip"), known()
    waiting, skipped = look(DueQueue(), one, state, NOON + timedelta(hours=8))
    assert (waiting, skipped) == ([], ["18:00 missed"])
    on_time = look(DueQueue(), one, state, NOON + timedelta(days=1, hours=6, seconds=5))
    assert on_time == (["18:00"], [])


def test_a_start_that_overlaps_is_skipped_or_waits_as_declared() -> None:
    for overlap, waits in (("skip", []), ("wait", ["12:20"])):
        one, state, dues = entry(cron="*/10 * * * *", overlap=overlap), known(), DueQueue()
        assert look(dues, one, state, NOON + timedelta(minutes=10, seconds=1))[0] == ["12:10"]
        begin(state, NOON + timedelta(minutes=10))
        waiting, skipped = look(dues, one, state, NOON + timedelta(minutes=20, seconds=1))
        assert waiting == waits
        why = "12:20 the one due 2026-11-20 12:10:00 UTC was not over"
        assert skipped == ([why] if overlap == "skip" else [])
        finish(state, NOON + timedelta(minutes=10))
        waiting, skipped = look(dues, one, state, NOON + timedelta(minutes=30, seconds=1))
        assert (waiting, len(skipped)) == ((["12:30"], 0) if overlap == "skip" else (["12:20"], 1))


def restarted(state: State, events: list[AnyEvent]) -> State:
    """What a daemon that was killed knows again from its journal."""
    again = fold(events)
    assert again == state
    return again


@pytest.mark.parametrize("missed", ["once", "skip"])
@pytest.mark.parametrize("when", [{"cron": "*/10 * * * *"}, {"every": "10m"}])
def test_a_due_time_that_waits_still_waits_after_a_restart(missed: str, when: Any) -> None:
    one = entry(missed=missed, **when)
    events: list[AnyEvent] = [FileAccepted(at=NOON, sha256="", entries=("p12",))]
    state = fold(events)
    for minutes in (10, 20, 30):  # it is paused, or at a wall, and restarted each time
        now = NOON + timedelta(minutes=minutes, seconds=1)
        found = DueQueue().collect(watch(one, timezone="UTC"), state, now)
        for event in found:
            state.apply_event(event)
        state = restarted(state, events := [*events, *found])
        later = now + timedelta(minutes=5)
        assert DueQueue().collect(watch(one, timezone="UTC"), state, later) == []
    (first,) = DueQueue().candidates(state)
    assert first.due.minute == 10
    assert [event.due.minute for event in events if isinstance(event, OccurrenceSkipped)] == [
        20,
        30,
    ]


def test_an_interval_is_due_at_once_when_it_is_new_and_not_again_after_a_restart() -> None:
    one, state, dues = entry(every="10m"), known(), DueQueue()
    first = NOON + timedelta(minutes=3)
    assert look(dues, one, state, first) == (["12:03"], [])
    begin(state, first)
    finish(state, first)
    assert look(DueQueue(), one, state, first + timedelta(minutes=1)) == ([], [])
    assert look(DueQueue(), one, state, NOON + timedelta(minutes=10, seconds=2)) == (["12:10"], [])


def test_no_due_time_is_taken_up_twice_when_the_clock_is_set_back() -> None:
    one, state, dues = entry(cron="*/10 * * * *"), known(), DueQueue()
    look(dues, one, state, NOON + timedelta(minutes=10, seconds=1))
    begin(state, NOON + timedelta(minutes=10))
    finish(state, NOON + timedelta(minutes=10))
    now = NOON + timedelta(minutes=5)
    dues.set_back(now)
    assert look(dues, one, state, now) == ([], [])
    assert look(dues, one, state, NOON + timedelta(minutes=11)) == ([], [])
    assert look(dues, one, state, NOON + timedelta(minutes=20, seconds=1)) == (["12:20"], [])


def test_what_was_killed_is_open_and_asked_again_is_tried_again() -> None:
    state = known()
    state.apply_event(ChildStarted(at=NOON, entry="p12", due=NOON, pid=1, log=""))
    assert list(state.running) == [("p12", NOON)]
    finish(state, NOON, "fault")
    state.apply_event(OccurrenceSkipped(at=NOON, entry="p12", due=NOON, reason="given up"))
    assert not state.open
    state.apply_event(ActionRequested(at=NOON, entry="p12", what="retry"))
    (again,) = DueQueue().candidates(state)
    assert (again.due, again.failures, again.attempts, again.number) == (NOON, 0, 1, 1)
    state.apply_event(ActionRequested(at=NOON + timedelta(hours=1), entry="p12", what="run_now"))
    assert len(state.open) == 2
    state.apply_event(DaemonStopped(at=NOON, reason=""))
    assert state.stopped is not None


def test_an_entry_that_is_seldom_due_is_told_beside_frequent_ones() -> None:
    both = watch(entry(every="5m"), entry(name="yearly", cron="0 0 1 1 *"), timezone="UTC")
    told = next_due.upcoming(both, NOON, 3)
    assert [name for _, name in told] == ["p12", "p12", "p12", "yearly"]
    assert told[-1][0] == datetime(2027, 1, 1, tzinfo=UTC)
