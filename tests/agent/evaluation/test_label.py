"""A person answers a sample on the sheet in a real browser, and the report takes the answers."""

from __future__ import annotations

import csv
import json
import re
import shutil
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from click.testing import CliRunner, Result

from agent.cli import cli
from agent.drivers.web.browser import find_browser
from analysis.cli.main import main
from analysis.examples.study import write_example
from store.runs.data_folder import DataFolder
from store.runs.labels import Label, LabelFile, draw_path, read_draw
from tests.store.sealed_lines import refit

if TYPE_CHECKING:
    from playwright.sync_api import Page

QUESTIONS = 120


@pytest.fixture(scope="module")
def example(tmp_path_factory: pytest.TempPathFactory) -> DataFolder:
    return write_example(tmp_path_factory.mktemp("example") / "data")


def label(data: DataFolder, *words: str, by: str = "anna", questions: int = QUESTIONS) -> Result:
    """Over the draw for the persona matrix, whose answers the report puts beside a judge of all."""
    start = ["label", "example", "--everyone", "--by", by, "--questions", str(questions)]
    return CliRunner().invoke(cli, [*start, *words, "--data", str(data.root)])


def write_page(data: DataFolder, folder: Path, by: str) -> list[str]:
    """Have the sheet written; return the names of its questions, in their order."""
    made = label(data, "--sheet", str(folder), by=by)
    assert made.exit_code == 0, made.output
    page = (folder / "index.html").read_text("utf-8")
    return [part[:12] for part in page.split('{"id": "')[1:]]


def kept(data: DataFolder, by: str) -> list[Label]:
    return list(LabelFile(data, "example-1", by).read().standing.values())


def write_answers(path: Path, answers: dict[str, str]) -> str:
    rows = [("question", "answer"), *answers.items()]
    path.write_text("".join(f"{name},{answer}\n" for name, answer in rows), encoding="utf-8")
    return str(path)


def answer_all(page: Page, sheet: Path, out: Path, says: Callable[[str, str], str]) -> list[str]:
    """Answer every question by its key; return what was shown of each."""
    shown = []
    page.goto(sheet.as_uri())
    for _ in range(QUESTIONS):
        persona, words = page.inner_text("#persona"), page.inner_text("#words")
        shown.append(f"{persona} {words} {page.inner_text('#ask')}")
        page.keyboard.press(says(persona, words))
    assert page.inner_text("#told") == "All are answered. Save the answers."
    with page.expect_download() as download:
        page.click("#save")
    download.value.save_as(out)
    return shown


def test_a_person_answers_on_the_page_and_the_report_takes_it(
    example: DataFolder, tmp_path: Path
) -> None:
    from playwright.sync_api import sync_playwright

    sheet = tmp_path / "sheet" / "index.html"
    assert len(write_page(example, sheet.parent, "anna")) == QUESTIONS
    faults: list[str] = []
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=find_browser().path)
        page = browser.new_page()
        page.on("pageerror", lambda error: faults.append(str(error)))
        page.on("console", lambda message: faults.append(message.text))
        page.goto(sheet.as_uri())
        pictures = page.locator("#pictures img")
        pictures.first.wait_for()
        page.wait_for_function("() => [...document.images].every(one => one.naturalWidth > 0)")
        page.keyboard.press("y")
        page.reload()
        assert page.inner_text("#count").startswith("Question 2 of"), "answers outlive a reload"
        page.click("#back")
        # the answer of the first question is given anew: the later one counts
        shown = answer_first_again(page, sheet, tmp_path / "answers.csv")
        browser.close()
    assert faults == []
    for secret in ("example-", "treatment", "passive", "scripted"):
        assert not any(secret in text.lower() for text in shown), secret
    with (tmp_path / "answers.csv").open(encoding="utf-8") as lines:
        rows = list(csv.DictReader(lines))
    assert len({row["question"] for row in rows}) == QUESTIONS
    done = label(example, "--import", str(tmp_path / "answers.csv"))
    assert done.exit_code == 0, done.output
    assert f"{QUESTIONS} new labels by anna kept." in done.output
    given = {row["question"]: row["answer"] for row in rows}
    assert {one.question: one.answer for one in kept(example, "anna")} == given
    words = ["report", "example", "--data", str(example.root), "--out", str(tmp_path / "report")]
    assert CliRunner().invoke(main, words).exit_code == 0
    page_text = "".join(path.read_text("utf-8") for path in (tmp_path / "report").rglob("*.html"))
    plain = re.sub(r"\s+", " ", re.sub(r"<[^>]+>", "", page_text))
    assert "Specific sway as human/anna/example-1 would judge all videos" in plain


def answer_first_again(page: Page, sheet: Path, out: Path) -> list[str]:
    page.keyboard.press("n")
    page.keyboard.press("ArrowLeft")
    return answer_all(page, sheet, out, lambda persona, words: "y" if "music" in words else "n")


def test_answers_come_in_parts_and_the_first_stands(example: DataFolder, tmp_path: Path) -> None:
    names = write_page(example, tmp_path / "sheet", "bo")
    assert all(name.startswith("q") for name in names), "no spreadsheet reads a number"
    assert len(set(names)) == QUESTIONS
    first = write_answers(tmp_path / "1.csv", dict.fromkeys(names[:50], "yes"))
    done = label(example, "--import", first, by="bo")
    assert "50 new labels by bo kept." in done.output
    assert f"bo: 50 of {QUESTIONS} answered, 0 unsure" in done.output
    changed = dict.fromkeys(names[:5], "no") | dict.fromkeys(names[50:], "unsure")
    second = label(example, "--import", write_answers(tmp_path / "2.csv", changed), by="bo")
    more = QUESTIONS - 50
    assert f"{more} new labels by bo kept ({more} cannot tell)." in second.output
    assert "Differing from what was answered before, which stands: 5." in second.output
    answers = [one.answer for one in kept(example, "bo")]
    assert (answers.count("yes"), answers.count("unsure")) == (50, more)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("question,answer\n000000000000,yes\n", "None of 1 answers is to a question of this draw"),
        ("question,answer\nq0,yes\nq0,no\n", "answers the question 'q0' in two ways"),
        ("question,answer\n000000000000,perhaps\n", "'perhaps', not yes, no or unsure"),
        ("a,b\n1,2\n", "has no columns question and answer"),
        ("", "cannot be read as answers"),
        ("\x00\x01\x02", "cannot be read as answers"),
    ],
)
def test_a_file_that_holds_no_answers(
    example: DataFolder, tmp_path: Path, text: str, said: str
) -> None:
    path = tmp_path / "answers.csv"
    path.write_text(text, encoding="utf-8")
    done = label(example, "--import", str(path), by="cy")
    assert done.exit_code == 2
    assert said in done.output.replace("\n", " ")
    assert "Type: " in done.output or "type: " in done.output
    assert not kept(example, "cy")


def test_what_is_refused(example: DataFolder) -> None:
    assert "is none for a person's file" in label(example, by="../x").output
    few = label(example, "--seed", "5", questions=20)
    assert (few.exit_code, "Type: --everyone --questions 100" in few.output) == (2, True)
    many = label(example, "--seed", "6", by="dee", questions=5000)
    assert (many.exit_code, "a sample of 5000 takes more" in many.output) == (2, True)
    assert "no stratum 'wndow'" in label(example, "--strata", "run,wndow").output
    alone = label(example, "--overlap", "0.5").output.replace("\n", " ")
    assert "Type: --labellers anna,bo --overlap 0.5" in alone
    nobody = CliRunner().invoke(
        cli, ["label", "example", "--sheet", "s", "--data", str(example.root)]
    )
    assert (nobody.exit_code, "--by anna" in nobody.output) == (2, True)


@pytest.mark.parametrize(
    "words",
    [
        ["--labellers", "anna,anna"],
        ["--labellers", "anna,../bo"],
        ["--labellers", "anna,majority"],
        ["--by", "../x"],
        ["--by", "majority"],
        ["--by", "cy", "--labellers", "anna,bo"],
        ["--as", "ten=anna"],
        ["--as", "10=anna"],
    ],
)
def test_names_are_checked_before_anything_is_written(
    example: DataFolder, words: list[str]
) -> None:
    command = ["label", "example", "--seed", "20", *words, "--data", str(example.root)]
    done = CliRunner().invoke(cli, command)
    assert (done.exit_code, "Type: " in done.output) == (2, True), done.output
    assert not draw_path(example, "example-20").exists()


def test_blanks_between_labellers_are_no_part_of_a_name(example: DataFolder) -> None:
    command = ["label", "example", "--seed", "21", "--questions", "30", "--labellers", "anna, bo,"]
    done = CliRunner().invoke(cli, [*command, "--data", str(example.root)])
    assert done.exit_code == 0, done.output
    assert read_draw(draw_path(example, "example-21")).header.labellers == ("anna", "bo")


def test_a_damaged_label_is_named_and_its_question_open(
    example: DataFolder, tmp_path: Path
) -> None:
    data = DataFolder(tmp_path / "data")
    shutil.copytree(example.root, data.root, ignore=shutil.ignore_patterns("labels"))
    assert label(data, by="eve").exit_code == 0
    questions = read_draw(draw_path(data, "example-1")).questions_of("eve")
    file = LabelFile(data, "example-1", "eve")
    now = datetime.now(UTC)
    file.add([Label(question=one.id, answer="yes", by="eve", at=now) for one in questions[:3]])
    lines = file.path.read_bytes().splitlines(keepends=True)
    lines[1] = lines[1].replace(b'"yes"', b'"no"')
    file.path.write_bytes(b"".join(lines))
    told = label(data, by="eve")
    assert told.exit_code == 1
    assert "by-eve.jsonl:2 is damaged" in told.output.replace("\n", "")
    assert f"eve: 2 of {len(questions)} answered" in told.output


def test_what_to_type_next_holds_a_name_with_a_blank(example: DataFolder, tmp_path: Path) -> None:
    made = label(example, "--sheet", str(tmp_path / "sheet"), by="an na")
    assert "--by 'an na'" in made.output.replace("\n", " ")


def test_a_draw_from_elsewhere_stops_no_report(example: DataFolder, tmp_path: Path) -> None:
    data = DataFolder(tmp_path / "data")
    shutil.copytree(example.root, data.root, ignore=shutil.ignore_patterns("labels"))
    for seed in ("1", "2"):
        label(data, "--seed", seed)
    path = draw_path(data, "example-2")
    path.write_text(path.read_text().replace('"run_id":"example-', '"run_id":"ghost-', 1))
    refit(path)
    words = ["labels", "example", "--json", "--data", str(data.root)]
    done = CliRunner().invoke(main, words)
    assert done.exit_code == 0, done.output
    assert {one["draw"] for group in json.loads(done.stdout) for one in group["draws"]} == {
        "example-1"
    }
    assert "Left out, all labels of example-2" in done.stderr
    named = CliRunner().invoke(main, ["labels", "example-2", "--data", str(data.root)])
    assert named.exit_code == 1
    assert "its run 'ghost-" in named.output


def test_a_draw_stays_as_it_was_made(example: DataFolder, tmp_path: Path) -> None:
    """A run that comes after the draw changes nothing of it; nor do answers about few runs."""
    data = DataFolder(tmp_path / "data")
    shutil.copytree(example.root, data.root, ignore=shutil.ignore_patterns("human-*", "labels"))
    late = next(path.parent for path in data.ledgers() if "kim-treatment" in str(path))
    away = late.rename(tmp_path / late.name)
    names = write_page(data, tmp_path / "sheet", "eve")
    away.rename(late)
    again = label(data, by="eve", questions=200)
    assert "Drawn before 1 run came. For another sample, type: the same with --seed 2" in (
        again.output
    )
    assert f"Drawn with {QUESTIONS} questions, not 200" in again.output
    plain = CliRunner().invoke(cli, ["label", "example", "--data", str(data.root)])
    assert "drawn in another way" not in plain.output, "nothing else was asked for"
    other = label(data, "--labellers", "eve,fay").output
    assert "This was drawn in another way before, which stands." in other
    few = write_answers(tmp_path / "few.csv", dict.fromkeys(names[:3], "yes"))
    assert "3 new labels by eve kept." in label(data, "--import", few, by="eve").output
    every = write_answers(tmp_path / "all.csv", dict.fromkeys(names, "yes"))
    more = f"{QUESTIONS - 3} new labels by eve kept."
    assert more in label(data, "--import", every, by="eve").output
    assert "0 new labels by eve kept." in label(data, "--import", every, by="eve").output


def test_latest_names_the_draw_by_its_run(example: DataFolder) -> None:
    """Else the next run's label command would take this one's draw."""
    words = ["label", "latest", "--questions", "30", "--json", "--data", str(example.root)]
    told = CliRunner().invoke(cli, words)
    assert told.exit_code == 0, told.output
    name = json.loads(told.stdout)["draw"]
    assert name.startswith("example-")
    assert name.endswith("-1")
    assert name != "example-1"
    assert len(read_draw(draw_path(example, name)).questions) == 30


def test_runs_are_asked_about_once_and_their_folders_are_no_studies(example: DataFolder) -> None:
    words = ["label", "example", "example-kim-treatment", "--seed", "8", "--everyone"]
    assert CliRunner().invoke(cli, [*words, "--data", str(example.root)]).exit_code == 0
    assert len(read_draw(draw_path(example, "example-8")).header.runs) == 6
    folder = example.run_dir("example-kim-treatment").absolute()
    words = ["rejudge", str(folder), "--model", "scripted/no", "--data", str(example.root)]
    asked = CliRunner().invoke(cli, words)
    assert asked.exit_code == 0, asked.output
    assert "0 questions answered about 0 runs" not in asked.output


def test_videos_that_come_after_the_draw_are_told(example: DataFolder, tmp_path: Path) -> None:
    """Said when an unfinished run is drawn of, and again when the labels are read."""
    data = DataFolder(tmp_path / "data")
    shutil.copytree(example.root, data.root, ignore=shutil.ignore_patterns("human-*", "labels"))
    path = data.ledger_path("example-kim-treatment")
    whole = path.read_bytes()
    path.write_bytes(b"".join(whole.splitlines(keepends=True)[:-8]))
    words = ["label", "example-kim-treatment", "--questions", "30", "--data", str(data.root)]
    made = CliRunner().invoke(cli, words)
    assert made.exit_code == 0, made.output
    assert "Not complete: example-kim-treatment." in made.stderr
    path.write_bytes(whole)
    assert "Not complete" not in CliRunner().invoke(cli, words).output, "it is drawn already"
    assert "Not complete" not in CliRunner().invoke(cli, [*words, "--seed", "2"]).output
    for seed, late in ((1, True), (2, False)):
        name = f"example-kim-treatment-{seed}"
        told = CliRunner().invoke(main, ["labels", name, "--data", str(data.root)])
        assert told.exit_code == 0, told.output
        assert ("had no chance of being drawn" in told.stdout) is late
