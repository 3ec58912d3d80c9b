import math
from pathlib import Path

import numpy as np
import pytest

from analysis.data.exposures import from_ledgers
from analysis.estimators.iavg import iavg
from analysis.estimators.strategy_contrasts import StrategyContrast, isq_minus_simple
from store.runs.ledger import Ledger
from tests.analysis import made_results

Yes = dict[str, tuple[int, int]]  # yes before and after, of 50 videos each, by persona


def runs(folder: Path, strategy: str, yes: Yes) -> list[Ledger]:
    return [
        made_results.paper_run(
            folder, *both, run_id=f"{strategy}-{persona}", persona=persona, strategy=strategy
        )
        for persona, both in yes.items()
    ]


def contrast(folder: Path, simple: Yes, isq: Yes) -> StrategyContrast:
    made = [*runs(folder, "simple", simple), *runs(folder, "isq", isq)]
    (told,) = isq_minus_simple(iavg(from_ledgers(made), np.random.default_rng(1)))
    return told


def test_it_is_paired_over_personas(tmp_path: Path) -> None:
    simple = {"a": (10, 20), "b": (20, 20), "c": (10, 15), "only": (1, 50)}
    isq = {"c": (10, 25), "a": (10, 15), "b": (20, 40)}
    told = contrast(tmp_path, simple, isq)
    differences = np.array([10 - 20, 40 - 0, 30 - 10])  # in pp, of a, b and c
    half = 4.302653 * differences.std(ddof=1) / math.sqrt(3)  # Student's t with 2 df
    assert told.sway.value == pytest.approx(differences.mean())
    assert told.sway.high - told.sway.value == pytest.approx(half, abs=1e-4)
    assert told.change.value == pytest.approx(np.mean([50 - 100, 100 - 0, 150 - 50]))
    assert (told.personas, told.undefined, told.sway.clusters) == (3, 0, 3)


def test_a_persona_without_i_is_counted_and_keeps_its_sway(tmp_path: Path) -> None:
    told = contrast(
        tmp_path,
        {"a": (10, 20), "b": (0, 20), "c": (10, 15)},
        {"a": (10, 15), "b": (5, 10), "c": (0, 5)},
    )
    assert (told.personas, told.undefined) == (3, 2)
    assert (told.sway.clusters, told.change.clusters) == (3, 1)
    assert told.change.value == pytest.approx(-50)
    assert told.change.reason == "one persona has no spread over personas"


def test_strategies_that_share_no_persona_have_no_contrast(tmp_path: Path) -> None:
    told = contrast(tmp_path, {"a": (10, 20)}, {"b": (10, 20)})
    assert (told.personas, told.sway.reason) == (0, "no persona has both")
    assert math.isnan(told.sway.value)
    groups = iavg(
        from_ledgers(runs(tmp_path / "x", "isq", {"a": (1, 2)})), np.random.default_rng(1)
    )
    assert isq_minus_simple(groups) == ()
