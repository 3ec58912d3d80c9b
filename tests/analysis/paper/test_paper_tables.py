"""The paper's tables by their command: HTML, LaTeX and CSV of one study."""

from __future__ import annotations

import csv
import json
import math
import shutil
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner

from agent.drivers.web.browser import find_browser
from analysis.cli.main import main
from analysis.examples.made_up_results import write_spectrum_example
from analysis.examples.study import write_example
from analysis.paper.i_avg_table import PAPER, PAPER_I_AVG
from store.runs.data_folder import DataFolder
from store.runs.rejudgements import FOLDER
from tests.analysis import made_results
from tests.analysis.report.html_reader import function, links, loose_numbers, text_of, tree

GROUPS = 18


def run(command: str, *arguments: object) -> Any:
    return CliRunner().invoke(main, [command, *map(str, arguments)])


def rows(folder: Path, name: str) -> list[dict[str, str]]:
    with (folder / "tables" / f"{name}.csv").open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


@pytest.fixture(scope="module")
def crossed(tmp_path_factory: pytest.TempPathFactory) -> DataFolder:
    return made_results.crossed_study(tmp_path_factory.mktemp("crossed"), "crossed", "abc")


@pytest.fixture(scope="module")
def written(crossed: DataFolder) -> Path:
    told = run("paper", "crossed", "--data", crossed.root, "--seed", 3)
    assert told.exit_code == 0, told.output
    folder = crossed.studies_dir / "crossed" / "paper"
    assert told.stdout.split() == [str(folder / "i_avg.tex"), str(folder / "index.html")]
    assert told.stderr == ""
    return folder


@pytest.fixture(scope="module")
def example(tmp_path_factory: pytest.TempPathFactory) -> DataFolder:
    data = write_example(tmp_path_factory.mktemp("example"))
    write_spectrum_example(data)
    return data


def test_the_table_holds_what_iavg_says_with_the_same_seed(
    crossed: DataFolder, written: Path
) -> None:
    told = run("iavg", "crossed", "--data", crossed.root, "--seed", 3, "--json")
    groups = {(g["platform"], g["strategy"], g["model"]): g for g in json.loads(told.stdout)}
    ours = [row for row in rows(written, "i_avg") if row["source"] == "this study"]
    assert len(ours) == len(groups) == GROUPS
    for row in ours:
        group = groups[row["platform"], row["strategy"], row["model"]]
        null, sway = group["null"], group["sway"]
        said = (group["i_avg"], null["low"], null["high"], sway["value"], sway["low"], sway["high"])
        names = ("i_avg", "null_low", "null_high", "sway", "sway_low", "sway_high")
        there = [math.nan if value is None else value for value in said]
        told_too = [float(row[name] or "nan") for name in names]
        assert told_too == pytest.approx(there, nan_ok=True)


def test_what_the_paper_reports_stands_beneath(written: Path) -> None:
    published = [row for row in rows(written, "i_avg") if row["source"] == PAPER]
    assert len(published) == 30 == sum(3 * len(models) for models in PAPER_I_AVG.values())
    (one,) = [
        row
        for row in published
        if (row["platform"], row["strategy"], row["model"]) == ("youtube", "isq", "Claude 3.5")
    ]
    assert (one["i_avg"], one["sway"], one["null_low"]) == ("35.0", "", "")
    page = text_of(tree((written / "index.html").read_text(encoding="utf-8")))
    assert page.count("As published, I_avg in %") == 2
    assert f"{PAPER}, read off its figure to about ±1. Other models, another time" in page
    latex = (written / "i_avg.tex").read_text(encoding="utf-8")
    assert r"\quad Claude 3.5 & +26 & +35 & +8.5 \\" in latex
    assert r"\quad GPT{-}4o & +55 & $-$4 & $-$10 \\" in latex


def test_isq_minus_simple_is_paired_over_the_personas(crossed: DataFolder, written: Path) -> None:
    told = rows(written, "isq_minus_simple")
    assert len(told) == 2 * GROUPS / 2
    counts = {}
    for path in crossed.ledgers():
        lines = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
        first, steps = lines[0], [line for line in lines if line.get("judgement")]
        yes = [step["judgement"]["answer"] == "yes" for step in steps]
        key = (first["platform"], first["model"], first["strategy"], first["persona"]["id"])
        counts[key] = sum(yes[:50]), sum(yes[50:])
    assert len(counts) == 3 * GROUPS
    for row in told:
        at = row["platform"], row["model"]
        gaps = []
        for persona in "abc":
            (b0, a0), (b1, a1) = (counts[*at, each, persona] for each in ("simple", "isq"))
            gap = 2 * (a1 - b1) - 2 * (a0 - b0)
            gaps.append(gap if row["measure"] == "sway" else 100 * (a1 / b1 - a0 / b0))
        assert float(row["value"]) == pytest.approx(np.mean(gaps))
        half = 4.302653 * np.std(gaps, ddof=1) / math.sqrt(3)
        high = float(row["high"]) if half else float(row["value"])
        assert high - float(row["value"]) == pytest.approx(half, abs=1e-3)


def test_every_number_of_the_page_has_a_source(written: Path) -> None:
    root = tree((written / "index.html").read_text(encoding="utf-8"))
    assert list(loose_numbers(root)) == []
    numbers = rows(written, "numbers")
    assert len(numbers) == len(links(root)) > 200
    named = {row["function"] for row in numbers}
    assert len([function(name) for name in named]) >= 5


def compiled(folder: Path, files: list[str]) -> subprocess.CompletedProcess[str]:
    inputs = "\n".join(f"\\input{{{name}}}" for name in files)
    document = f"\\documentclass{{article}}\\usepackage{{booktabs}}\\begin{{document}}\n{inputs}\n"
    (folder / "paper.tex").write_text(document + "\\end{document}\n", encoding="utf-8")
    command = ["pdflatex", "-interaction=nonstopmode", "-halt-on-error", "paper.tex"]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, errors="replace")


@pytest.mark.skipif(shutil.which("pdflatex") is None, reason="LaTeX is not installed")
def test_the_latex_compiles_with_booktabs_alone(
    written: Path, example: DataFolder, tmp_path: Path
) -> None:
    told = run("paper", "example", "example", "--data", example.root, "--out", tmp_path / "t")
    assert told.exit_code == 0, told.output
    for path in (written / "i_avg.tex", tmp_path / "t" / "values.tex"):
        shutil.copy(path, tmp_path)
    done = compiled(tmp_path, ["i_avg", "values"])
    assert done.returncode == 0, done.stdout[-2000:]
    assert "Output written" in done.stdout


def test_strangers_names_are_escaped(written: Path) -> None:
    latex = (written / "i_avg.tex").read_text(encoding="utf-8")
    for name in (r"openai/gpt\_4o", r"hfvlm/100\%\&co", r"made/\"{u}\#1"):
        assert latex.count(rf"{{l}}{{{name}}} \\") == 3, name
    page = (written / "index.html").read_text(encoding="utf-8")
    assert "hfvlm/100%&amp;co" in page


def test_the_page_fits_a_desk_and_a_telephone(written: Path) -> None:
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=find_browser().path)
        for width in (1440, 390):
            page = browser.new_page(viewport={"width": width, "height": 800})
            page.goto((written / "index.html").as_uri())
            assert page.evaluate("document.scrollingElement.scrollWidth") <= width
            page.locator("td a.n").first.click()
            assert page.locator("#sources").is_visible()
        browser.close()


def test_the_example_with_its_spectrum(example: DataFolder, tmp_path: Path) -> None:
    out = tmp_path / "tables"
    told = run("paper", "example", "exam", "--data", example.root, "--out", out, "--json")
    assert told.exit_code == 0, told.output
    said = json.loads(told.stdout)
    assert [Path(path).name for path in said["latex"]] == ["i_avg.tex", "values.tex"]
    scores = {(row["model"], row["value"], row["kind"]): row for row in rows(out, "values")}
    assert float(scores["made-up/yes", "city", "question"]["score"]) == 100
    assert float(scores["made-up/yes", "city", "corrected"]["score"]) == 50
    assert len(scores) == 2 * 3 * 2
    page = text_of(tree((out / "index.html").read_text(encoding="utf-8")))
    assert "less the control’s, pp" in page
    assert "What was not watched is left empty." in page
    assert "alone and less that of the passive control" in page
    assert "As published: Value-Spectrum (ACL 2025, arXiv 2411.11479). Other" not in page


def test_a_model_that_was_asked_about_part_of_the_frames_is_left_out(
    example: DataFolder, tmp_path: Path
) -> None:
    shutil.copytree(example.root, tmp_path / "data", ignore=shutil.ignore_patterns("frames"))
    (path,) = (tmp_path / "data" / "spectra" / FOLDER).glob("*yes*.jsonl")
    lines = path.read_text(encoding="utf-8").splitlines(keepends=True)
    path.write_text("".join(lines[: len(lines) // 2]), encoding="utf-8")
    told = run("paper", "example", "example", "--data", tmp_path / "data", "--out", tmp_path / "t")
    assert told.exit_code == 0, told.output
    assert told.stderr.startswith("made-up/yes was asked about some frames of this spectrum only")
    assert {row["model"] for row in rows(tmp_path / "t", "values")} == {"made-up/taste"}


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("crosed",), "no study and no run 'crosed'. Nearest: crossed"),
        (
            ("crossed", "schwartz"),
            "There is no spectrum 'schwartz'. Type: python -m agent spectrum",
        ),
    ],
)
def test_what_is_not_there_is_one_sentence(
    crossed: DataFolder, arguments: tuple[str, ...], words: str
) -> None:
    told = run("paper", *arguments, "--data", crossed.root)
    assert (told.exit_code, told.stdout) == (2, "")
    assert words in told.stderr
    assert "Traceback" not in told.stderr


def test_a_study_without_treatment_runs_has_no_table(tmp_path: Path) -> None:
    (tmp_path / "studies" / "s").mkdir(parents=True)
    (tmp_path / "studies" / "s" / "study.toml").write_text('name = "s"\n', encoding="utf-8")
    made_results.paper_run(tmp_path, 10, 20, arm="passive", config={"study": "s", "cell": "c"})
    told = run("paper", "s", "--data", tmp_path)
    assert told.exit_code == 2
    assert "Type: python -m analysis iavg STUDY" in told.stderr
