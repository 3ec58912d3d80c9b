"""A report of views that were made elsewhere, above all where nothing happened."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from analysis.cli.main import main
from analysis.data.imported_views import ImportOptions, read_imported_views
from analysis.report.group_measures import measure
from analysis.report.report_inputs import Material
from analysis.report.report_page import compose, render
from store.runs.ledger_lines import Windows
from tests.analysis.report.conftest import NOW
from tests.analysis.report.html_reader import loose_numbers, text_of, tree

READING = ImportOptions(Windows(before=50, after=50))


def read_imported(path: Path, options: ImportOptions, command: str) -> Material:
    return Material(path.stem, read_imported_views(path, options).views, command, origin="0123abcd")


def null_views(folder: Path, seed: int) -> Path:
    """Ten personas with base rates from 3 to 20 %, correlated batches, and no change."""
    rng = np.random.default_rng(seed)
    lines = ["run,persona,position,batch,video,answer"]
    for persona, base in enumerate(np.linspace(0.03, 0.20, 10)):
        for batch in range(9):
            rate = rng.beta(base * 9, (1 - base) * 9)
            lines += [
                f"r{persona},q{persona},{at},{batch},v{persona}-{at},{int(rng.random() < rate)}"
                for at in range(12 * batch, min(100, 12 * batch + 12))
            ]
    path = folder / "views.csv"
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def test_the_i_avg_of_a_null_data_set_is_unremarkable_with_its_percentile(tmp_path: Path) -> None:
    path = null_views(tmp_path, 8)
    told = CliRunner().invoke(main, ["import", str(path), "--report", str(tmp_path / "out")])
    assert told.exit_code == 0, told.output
    assert f"Report: {tmp_path / 'out' / 'index.html'}" in told.stderr
    root = tree((tmp_path / "out" / "index.html").read_text(encoding="utf-8"))
    (card,) = [e for e in root.iter("figure") if "average" in (e.get("class") or "").split()]
    said = text_of(card)
    place = re.search(r"Unremarkable: it lies above (\d+) % of the values that chance gives", said)
    assert place is not None, said
    assert 2.5 <= float(place[1]) <= 97.5
    assert re.search(r"their mean is \+\d+ %", said)
    assert "No sway could be told from chance." in text_of(root)
    assert list(loose_numbers(next(root.iter("body")))) == []


def test_what_is_not_known_of_imported_views_is_left_out(tmp_path: Path) -> None:
    material = read_imported(
        null_views(tmp_path, 3), READING, "python -m analysis import views.csv"
    )
    html = render(compose(measure(material, np.random.default_rng(0)), 0, NOW)).html
    said = text_of(tree(html))
    assert "imported from a file whose SHA-256 is " + material.origin in said
    assert "What yes and no looked like" not in said
    assert "How long it was watched" not in said
    assert "What made the runs" not in said
    assert "No study file says which test is primary" in said
    assert "There is no control arm" in said


def test_an_interval_over_repeated_personas_speaks_of_these(tmp_path: Path) -> None:
    path = null_views(tmp_path, 3)
    words = "Personas were watched as more than once."
    once = read_imported(path, READING, "python -m analysis import views.csv")
    assert words not in render(compose(measure(once, np.random.default_rng(0)), 0, NOW)).html
    path.write_text(re.sub(r",q\d,", ",q0,", path.read_text(encoding="utf-8")), encoding="utf-8")
    often = read_imported(path, READING, "python -m analysis import views.csv")
    assert words in render(compose(measure(often, np.random.default_rng(0)), 0, NOW)).html


@pytest.mark.parametrize("rows", [1, 3])
def test_the_least_that_can_be_imported_still_makes_a_page(tmp_path: Path, rows: int) -> None:
    path = tmp_path / "few.csv"
    lines = "".join(f"r,{at},yes\n" for at in range(rows))
    path.write_text("run,position,answer\n" + lines, encoding="utf-8")
    reading = ImportOptions(Windows(before=1, after=1))
    material = read_imported(path, reading, "python -m analysis import few.csv")
    html = render(compose(measure(material, np.random.default_rng(0)), 0, NOW)).html
    root = tree(html)
    assert list(loose_numbers(next(root.iter("body")))) == []


def test_several_models_stand_in_one_table_with_holms_correction(tmp_path: Path) -> None:
    rng = np.random.default_rng(5)
    lines = ["run,persona,arm,model,position,batch,answer"]
    for model, sway in (("m1", 0.4), ("m2", 0.0)):
        for persona in range(6):
            for arm in ("treatment", "passive"):
                lift = sway if arm == "treatment" else 0
                lines += [
                    f"{model}-{persona}-{arm},q{persona},{arm},{model},{at},{at // 12},"
                    f"{int(rng.random() < 0.2 + lift * (at >= 50))}"
                    for at in range(100)
                ]
    path = tmp_path / "two.csv"
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    measures = measure(read_imported(path, READING, "import"), np.random.default_rng(0))
    one, two = measures.groups
    assert one.p_holm == pytest.approx(2 * one.primary.p)
    assert two.p_holm == pytest.approx(two.primary.p)
    root = tree(render(compose(measures, 0, NOW)).html)
    assert list(loose_numbers(next(root.iter("body")))) == []
    said = text_of(root)
    assert "with Holm’s correction across them" in said
    assert "The share of yes rose more, or fell less, in treatment runs" in said
    assert "No sway could be told from chance." in said
    assert len(list(root.iter("article"))) == 2
