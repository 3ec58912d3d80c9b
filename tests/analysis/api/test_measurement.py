"""A run or a study in a notebook: the report's own numbers, as tables and plots."""

from __future__ import annotations

import doctest
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np
import pytest

import analysis
import store
import store.api.data_reader
import store.api.run_reader
from analysis.api.measurement import Measurement
from analysis.errors import NothingToCompare, UnknownStudy
from analysis.examples.study import PERSONAS, STUDY, write_example
from analysis.report.report_page import write_report
from store.errors import NothingKept
from store.runs.data_folder import DataFolder
from store.runs.ledger import LedgerWriter
from store.runs.ledger_lines import Video
from store.runs.step_columns import REJUDGEMENT_COLUMNS, STEP_COLUMNS
from tests.store.samples import START, frame, jpeg, keep_run, step

ROOT = Path(__file__).parents[3]
PAGE = (ROOT / "docs" / "notebooks.md").read_text("utf-8")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the example study in `data`."""
    place = tmp_path_factory.mktemp("example")
    write_example(place / "data")
    return place


@pytest.fixture(scope="module")
def study(folder: Path) -> Measurement:
    return analysis.open_study(folder / "data")


@pytest.fixture(autouse=True)
def no_windows() -> Iterator[None]:
    with mpl.rc_context({"backend": "agg"}):
        yield
    plt.close("all")


def test_a_study_gives_the_numbers_of_its_report(study: Measurement, tmp_path: Path) -> None:
    written = write_report(study.material, tmp_path, study.seed, START)
    kept = {path.stem: path for path in (tmp_path / "tables").glob("*.csv")}
    assert repr(study) == "<example: 12 runs, 1,245 videos>"
    (found,) = written.findings
    assert found.claim in study.summary()
    assert f"{found.estimate.value:+.1f} pp" in study.summary()
    compared = 0
    for name in set(kept) - {"numbers"}:
        table = study.table(name)
        header, *lines = kept[name].read_text("utf-8").splitlines()
        assert list(table.columns) == header.split(",")
        assert len(table) == len(lines)
        compared += 1
    assert compared >= 10
    assert study.curve().equals(study.table("drift"))


def test_steps_say_what_became_of_each(study: Measurement) -> None:
    steps = study.steps()
    views = study.table("views")
    assert list(steps.columns) == [*(column.name for column in STEP_COLUMNS), "use"]
    assert steps["use"].tolist() == views["use"].tolist()
    assert steps["video"].tolist() == views["video"].tolist()
    assert steps["run"].tolist() == views["run"].tolist()
    counted = steps[steps["use"].isin(["before", "after"])]
    assert counted["answer"].notna().all()
    assert counted["excluded"].isna().all()
    n = study.table("runs")[["judged_before", "judged_after"]].to_numpy().sum()
    assert len(counted) == n > 800
    assert study.steps("polars").shape == steps.shape


def test_a_matrix_is_a_table_of_personas(study: Measurement) -> None:
    matrix = study.matrix()
    square = matrix[matrix["window"] == "after"].pivot_table("share", "persona", "feed_of")
    assert square.shape == (len(PERSONAS), len(PERSONAS))
    judge = study.groups[0].matrix_judge
    assert judge is not None
    assert judge.matrix is not None
    assert np.allclose(square.to_numpy(), judge.matrix.after)


def test_every_plot_has_a_title_and_axes_with_names(study: Measurement) -> None:
    for plot in (study.plot_curve, study.plot_null, study.plot_personas, study.plot_matrix):
        axes = plot()
        assert axes.get_title(loc="left")
        assert axes.get_xlabel()
    own = plt.figure().subplots()
    assert study.plot_curve(own) is own


def test_one_run_is_told_as_at_its_end(folder: Path) -> None:
    run = analysis.open_run(folder / "data", "example-kim-treatment")
    assert run.summary().startswith("kim on example: share of yes rose by")
    assert run.curve()["arm"].unique().tolist() == ["treatment"]
    assert run.curve()["low"].isna().all()
    (reader,) = run.runs
    assert reader.id == "example-kim-treatment"
    assert run.plot_curve().get_title(loc="left")
    passive = analysis.open_run(folder / "data", "example-kim-passive")
    with pytest.raises(NothingToCompare, match="Type: python -m agent run"):
        passive.plot_personas()
    with pytest.raises(NothingToCompare, match="Type: python -m agent rejudge"):
        passive.plot_matrix()


def test_what_is_not_there_says_what_to_type(study: Measurement, tmp_path: Path) -> None:
    with pytest.raises(NothingToCompare, match="Type one of: views, runs"):
        study.table("numbers")
    with pytest.raises(UnknownStudy, match="Nearest: example"):
        analysis.open_study(study.data, "exampel")
    with pytest.raises(NothingToCompare, match=r"Type: python -m agent study --example"):
        analysis.open_study(tmp_path)
    with pytest.raises(NothingKept, match=r"Type: python -m agent run"):
        analysis.open_run(tmp_path)


def test_words_of_a_feed_steer_no_terminal(tmp_path: Path) -> None:
    folder = DataFolder(tmp_path)
    keep_run(folder, "r1", ["red", "blue"], model="scripted/\x1b[2J", end=False)
    with LedgerWriter(folder.ledger_path("r1"), fsync=False) as writer:
        writer.append(step(2, frame(jpeg("red")), video=Video(id="v", author="x\x1b]0;y\x07")))
    run = analysis.open_run(tmp_path)
    assert run.table("views")["author"].iloc[-1] == "x\\u001b]0;y\\u0007"
    assert run.table("runs")["model"].tolist() == ["scripted/\\u001b[2J"]
    assert run.steps()["author"].iloc[-1] == "x\\u001b]0;y\\u0007"
    assert "\x1b" not in repr(run.runs[0]) + repr(run)


def test_both_doors_open_without_anything_heavy() -> None:
    """Tables, arrays and models of records are loaded when something is read."""
    code = "import sys, store, analysis; print(sorted({n.partition('.')[0] for n in sys.modules}))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    heavy = {"numpy", "pandas", "polars", "pyarrow", "pydantic", "click", "scipy", "matplotlib"}
    assert "'store'" in done.stdout
    assert {name for name in heavy if f"'{name}'" in done.stdout} == set()


@pytest.mark.parametrize(
    ("module", "least"),
    [(store, 1), (store.api.data_reader, 1), (store.api.run_reader, 1), (analysis, 2)],
)
def test_the_examples_in_docstrings_run(
    module: ModuleType, least: int, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(folder)
    failed, tried = doctest.testmod(module)
    assert failed == 0
    assert tried > least


def test_the_page_s_examples_run(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(folder)
    blocks = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
    assert len(blocks) == 4
    names: dict[str, object] = {}
    for block in blocks:
        exec(block, names)
    assert STUDY in str(names["names"])
    assert len(plt.get_fignums()) == 4


def test_the_page_documents_every_column() -> None:
    for columns in (STEP_COLUMNS, REJUDGEMENT_COLUMNS):
        rows = [f"| `{c.name}` | {c.kind} | {c.unit or '-'} | {c.meaning} |" for c in columns]
        assert "\n".join(rows) in PAGE
