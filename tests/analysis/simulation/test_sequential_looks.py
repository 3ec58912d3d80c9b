"""Looks at a growing study: one error over all of them, and fewer videos."""

from __future__ import annotations

import numpy as np
import pytest

from analysis.simulation import sequential_looks
from analysis.simulation.scenarios import World
from analysis.simulation.sequential_looks import looks_checks, simulate_looks
from analysis.statistics import group_sequential


def test_all_looks_together_err_as_often_as_one(monkeypatch: pytest.MonkeyPatch) -> None:
    """A test at 0.05 after each replicate, as people do it, errs far more often."""
    still = World(effect=0.0)
    held = simulate_looks(5, still, 1200, np.random.default_rng(1))
    assert 0.028 < held.found.mean() < 0.072  # 0.05 within 3.5 simulation errors
    monkeypatch.setattr(group_sequential, "error_spent", lambda alpha, number, of: alpha)
    monkeypatch.setattr(group_sequential, "_crossing", lambda values, alive, allowed: ~alive)
    assert simulate_looks(5, still, 600, np.random.default_rng(1)).found.mean() > 0.09


def test_stopping_early_saves_a_fifth_of_the_videos() -> None:
    """At a power of 0.85 of the headline; against a study of one test with the same power."""
    found = simulate_looks(5, World(effect=0.08), 1000, np.random.default_rng(2))
    assert 0.8 < found.power < 0.9
    assert found.same_power <= 5
    assert found.saved > 0.18


def test_profiles_that_lean_are_seldom_headlined_at_any_look() -> None:
    found = simulate_looks(3, World(effect=0.0, lean=0.1), 1000, np.random.default_rng(4))
    assert found.found.mean() > 0.2
    assert found.power < 0.085  # 0.055, and more than four simulation errors


def test_checks_of_looks_are_named_by_their_number() -> None:
    checks = looks_checks(20, np.random.default_rng(3))
    assert [check.name[-7:] for check in checks] == ["3 looks", "4 looks", "5 looks"]
    assert sequential_looks.LOOKS == (3, 4, 5)
