"""The benchmark of warm workers measures what its figures say, in real runs."""

from __future__ import annotations

import json

import pytest

from tests.e2e.commands import feedsway


@pytest.mark.drill
@pytest.mark.timing
def test_a_warm_run_costs_at_most_half_and_four_share_one_model() -> None:
    done = feedsway("bench", "--warm", "4")
    assert done.returncode == 0, done.stderr
    measured = json.loads(done.stdout)
    cold, first = measured["in the run's process"], measured["starts the worker"]
    warm, four = measured["warm"], measured["warm, four at once"]
    assert (cold["workers"], first["workers"], warm["workers"], four["workers"]) == (0, 1, 1, 1)
    assert warm["cpu_s"] < cold["cpu_s"] / 2
    assert warm["run_mib"] < cold["run_mib"] / 2
    assert four["worker_mib"] < 2 * warm["worker_mib"]
    assert measured["import_cpu_s"]["torch"] > 0
