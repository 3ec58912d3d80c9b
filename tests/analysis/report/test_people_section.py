"""People's labels in the report and at the terminal: the same figures, each with its source."""

from __future__ import annotations

import csv
import json
import random
import re
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
from click.testing import CliRunner

from agent.evaluation.label_draw import LabelPlan, draw_questions
from analysis.cli.main import main
from analysis.data.people_labels import as_judgements, read_people
from analysis.examples.study import write_example
from store.runs.data_folder import DataFolder
from store.runs.labels import Label, LabelFile, write_draw
from store.runs.ledger import read

NOW = datetime(2025, 4, 1, 12, tzinfo=UTC)


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> DataFolder:
    """The example with two draws: one by runs and windows, one for the persona matrix."""
    folder = write_example(tmp_path_factory.mktemp("example") / "data")
    runs = [run for path in folder.ledgers() if (run := read(path)).finished is not None]
    treated = [run for run in runs if run.started.arm == "treatment"]
    rng = random.Random(1)
    for name, of, plan in (
        ("example-1", runs, LabelPlan(questions=200)),
        ("example-2", treated, LabelPlan(questions=150, everyone=True, seed=2)),
    ):
        draw = draw_questions(of, plan, name, NOW)
        write_draw(folder, draw)
        for by in ("anna", "bo"):
            answers = rng.choices(("yes", "no", "unsure"), (30, 60, 5), k=len(draw.questions))
            LabelFile(folder, name, by).add(
                [
                    Label.model_validate(
                        {"question": one.id, "answer": answer, "by": by, "at": NOW}
                    )
                    for one, answer in zip(draw.questions, answers, strict=True)
                ]
            )
    return folder


def run(*words: str) -> str:
    done = CliRunner().invoke(main, list(words))
    assert done.exit_code == 0, done.output
    return done.stdout


def test_page_and_table_tell_what_the_command_tells(data: DataFolder, tmp_path: Path) -> None:
    told = json.loads(run("labels", "example", "--json", "--data", str(data.root)))
    (group,) = told
    first, second = group["draws"]
    out = tmp_path / "report"
    run("report", "example", "--data", str(data.root), "--out", str(out))
    page = (out / "index.html").read_text("utf-8")
    plain = re.sub(r"\s+", " ", re.sub(r"<[^>]+>", "", page))
    assert page.count("<h2>What people say</h2>") == 2
    assert "People answered 200 of 200 questions of the draw example-1" in plain
    assert f"{first['agreement']['alpha']['value']:.2f}".replace("-", "−") in plain
    path = next(out.rglob("people.csv"))
    with path.open(encoding="utf-8", newline="") as lines:
        rows = {
            (row["draw"], row["measure"], row["judge"], row["part"]): row
            for row in csv.DictReader(lines)
        }
    alpha = rows["example-1", "alpha", "", "all"]
    assert float(alpha["value"]) == pytest.approx(first["agreement"]["alpha"]["value"])
    sway = next(one for one in first["sways"] if one["arm"] == "treatment")
    row = rows["example-1", "sway as people would find it", "", "treatment"]
    for end in ("value", "low", "high"):
        assert float(row[end]) == pytest.approx(sway["sway"][end])
    acting = first["judges"][0]
    parts = [one["part"] for one in acting["parts"]]
    assert parts[:3] == ["all", "before", "after"]
    assert len(parts) == 9
    for part in acting["parts"]:
        row = rows["example-1", "balanced accuracy", acting["judge"], part["part"]]
        assert float(row["value"]) == pytest.approx(part["balanced"]["value"])
        assert int(row["questions"]) == part["questions"]
    assert second["everyone"]
    assert second["sways"] == []


def test_the_matrix_is_told_for_each_person_and_the_majority(data: DataFolder) -> None:
    (group,) = json.loads(run("labels", "example-2", "--json", "--data", str(data.root)))
    assert [one["judge"] for one in group["matrices"]] == [
        "human/anna/example-2",
        "human/bo/example-2",
        "human/majority/of 2/example-2",
    ]
    assert all(one["estimate"] is not None for one in group["matrices"])
    assert [draw["draw"] for draw in group["draws"]] == ["example-2"]


def test_no_two_rows_of_the_matrix_have_one_name(data: DataFolder) -> None:
    """Two draws of the same people, one of whom is called as the majority."""
    (one,) = (one for one in read_people(data, ["example-kim-treatment"]) if one.header.everyone)
    people = replace(one, people=("majority", "majority of 2"))
    other = replace(people, header=people.header.model_copy(update={"name": "example-3"}))
    files = [
        file
        for each in (people, other)
        for file in as_judgements(each, set())["example-kim-treatment"]
    ]
    assert len(files) == 6
    assert len({file.judge.model for file in files}) == 6


def test_at_the_terminal(data: DataFolder) -> None:
    told = run("labels", "example-1", "--data", str(data.root))
    assert "anna: 200 labels" in told
    assert "Krippendorff's alpha" in told
    assert "sway as people would find it in all videos, treatment minus passive" in told
    assert "balanced accuracy %" in told


def test_before_anybody_was_asked(tmp_path: Path) -> None:
    folder = write_example(tmp_path / "data")
    done = CliRunner().invoke(main, ["labels", "example", "--data", str(folder.root)])
    assert done.exit_code == 2
    assert "Type: python -m agent label example --by anna" in done.output


def test_an_unfinished_draw_makes_no_matrix_and_says_how_far_it_is(
    data: DataFolder, tmp_path: Path
) -> None:
    folder = write_example(tmp_path / "data")
    draw_file = "labels/example-2/draw.jsonl"
    (folder.root / draw_file).parent.mkdir(parents=True)
    (folder.root / draw_file).write_bytes((data.root / draw_file).read_bytes())
    lines = LabelFile(data, "example-2", "anna").path.read_bytes().splitlines(keepends=True)
    LabelFile(folder, "example-2", "anna").path.write_bytes(b"".join(lines[:40]))
    (group,) = json.loads(run("labels", "example", "--json", "--data", str(folder.root)))
    assert group["matrices"] == []
    assert group["draws"][0]["labelled"] == 40
