"""The status as numbers that a Prometheus server collects."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from agent.daemon.web.status import Status

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
Row = tuple[Sequence[str], float]


def exposition(status: Status) -> bytes:
    registry = CollectorRegistry()
    registry.register(_Told(status))
    return generate_latest(registry)


class _Told(Collector):
    def __init__(self, status: Status) -> None:
        self._status = status

    def collect(self) -> Iterator[Metric]:
        status = self._status
        yield from _plain(status)
        yield from _by_entry(status)
        going = Counter((run.platform, run.arm) for run in status.running if run.run_id)
        yield _gauge("runs_going", "Runs that go on now.", ("platform", "arm"), going.items())
        walls = (((one.platform, one.account), 1) for one in status.walls)
        yield _gauge("wall_open", "Walls that wait for a person.", ("platform", "account"), walls)
        breakers = (((one.platform,), 1) for one in status.breakers)
        yield _gauge("breaker_open", "Platforms that are not watched.", ("platform",), breakers)
        troubles = (((one.trouble,), 1) for one in status.troubles)
        yield _gauge("trouble_open", "What is wrong with the machine.", ("trouble",), troubles)
        videos = (((one.name,), one.videos) for one in status.studies)
        yield _gauge("study_videos", "Videos of a study that count.", ("study",), videos)
        total = (((one.name,), one.total) for one in status.studies)
        yield _gauge("study_videos_declared", "Videos when it is done.", ("study",), total)


def _plain(status: Status) -> Iterator[Metric]:
    counts, cost, machine = status.counts, status.cost, status.machine
    gauges = {
        "up": ("Whether a daemon holds the data folder.", float(status.daemon is not None)),
        "paused": ("Whether a person paused everything.", float(status.paused)),
        "watch_file_refused": ("Whether a change was wrong.", float(bool(status.file_problem))),
        "walls_open": ("Walls that wait for a person.", len(status.walls)),
        "runs": ("Runs that are kept.", counts.runs),
        "runs_complete": ("Runs that are complete.", counts.complete),
        "runs_damaged": ("Runs whose ledger cannot be read.", counts.damaged),
        "videos": ("Videos that are kept.", counts.videos),
        "cost_usd": ("Spent on models, as far as prices are known.", cost.total_usd),
        "unpriced_calls": ("Calls of models without a known price.", cost.unpriced_calls),
        "disk_free_bytes": ("Free space below the data folder.", machine.free),
        "disk_used_bytes": ("Size of the data folder.", machine.used),
    }
    for name, (text, value) in gauges.items():
        yield _gauge(name, text, (), [((), float(value))])
    if machine.days_left is not None:
        left = [((), machine.days_left)]
        yield _gauge("disk_days_left", "At the rate of the last seven days.", (), left)


def _by_entry(status: Status) -> Iterator[Metric]:
    ended = CounterMetricFamily(
        "feedsway_occurrences", "How starts of an entry ended.", labels=("entry", "outcome")
    )
    for entry, outcomes in status.counts.outcomes.items():
        for outcome, count in outcomes.items():
            ended.add_metric((entry, outcome), count)
    yield ended
    entries = status.entries
    paused = (((one.name,), float(one.paused)) for one in entries)
    yield _gauge("entry_paused", "Whether a person paused it.", ("entry",), paused)
    due = (((one.name,), one.next.timestamp()) for one in entries if one.next)
    yield _gauge("entry_next_timestamp_seconds", "When it starts next.", ("entry",), due)
    last = (
        ((one.name,), one.last.at.timestamp())
        for one in entries
        if one.last and one.last.at and one.last.outcome == "complete"
    )
    yield _gauge("entry_complete_timestamp_seconds", "Its last success.", ("entry",), last)


def _gauge(name: str, text: str, labels: Sequence[str], rows: Iterable[Row]) -> Metric:
    family = GaugeMetricFamily(f"feedsway_{name}", text, labels=labels)
    for values, number in rows:
        family.add_metric(values, number)
    return family
