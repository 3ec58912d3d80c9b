"""A person answers a sample, on the page in a real browser, and the report takes the answers."""

from __future__ import annotations

import csv
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from click.testing import CliRunner, Result

from agent.cli import cli
from agent.drivers.web.browser import find_browser
from analysis.cli.main import main
from analysis.examples.study import write_example
from store.runs.data_folder import DataFolder
from store.runs.rejudgements import Judgements, judgement_files, read_judgements

if TYPE_CHECKING:
    from playwright.sync_api import Page

QUESTIONS = 120


@pytest.fixture(scope="module")
def example(tmp_path_factory: pytest.TempPathFactory) -> DataFolder:
    return write_example(tmp_path_factory.mktemp("example") / "data")


def label(data: DataFolder, *words: str, by: str = "anna", questions: int = QUESTIONS) -> Result:
    start = ["label", "example", "--by", by, "--questions", str(questions)]
    return CliRunner().invoke(cli, [*start, *words, "--data", str(data.root)])


def sheet_of(data: DataFolder, by: str = "anna") -> Path:
    return data.root / "labels" / f"example-{by}-1" / "index.html"


def kept(data: DataFolder, by: str) -> list[Judgements]:
    return [
        read_judgements(path)
        for run in data.ledgers()
        for path in judgement_files(run.parent)
        if path.name.startswith(f"human-{by}-")
    ]


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

    made = label(example)
    assert made.exit_code == 0, made.output
    assert f"{QUESTIONS} questions about" in made.output
    faults: list[str] = []
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=find_browser().path)
        page = browser.new_page()
        page.on("pageerror", lambda error: faults.append(str(error)))
        page.on("console", lambda message: faults.append(message.text))
        page.goto(sheet_of(example).as_uri())
        pictures = page.locator("#pictures img")
        pictures.first.wait_for()
        page.wait_for_function("[...document.images].every(one => one.naturalWidth > 0)")
        page.keyboard.press("y")
        page.reload()
        assert page.inner_text("#count").startswith("Question 2 of"), "answers outlive a reload"
        page.click("#back")
        # the answer of the first question is given anew: the later one counts
        shown = answer_first_again(page, sheet_of(example), tmp_path / "answers.csv")
        browser.close()
    assert faults == []
    for secret in ("example-", "treatment", "passive", "scripted"):
        assert not any(secret in text.lower() for text in shown), secret
    with (tmp_path / "answers.csv").open(encoding="utf-8") as lines:
        rows = list(csv.DictReader(lines))
    assert len({row["question"] for row in rows}) == QUESTIONS
    done = label(example, "--answers", str(tmp_path / "answers.csv"))
    assert done.exit_code == 0, done.output
    assert f"{QUESTIONS} new answers kept, 0 still open." in done.output
    judged = kept(example, "anna")
    assert sum(len(one.asked) for one in judged) == QUESTIONS
    given = sorted(row["answer"] for row in rows)
    assert sorted(str(line.judgement.answer) for one in judged for line in one.asked) == given
    words = ["report", "example", "--data", str(example.root), "--out", str(tmp_path / "report")]
    assert CliRunner().invoke(main, words).exit_code == 0
    page_text = "".join(path.read_text("utf-8") for path in (tmp_path / "report").rglob("*.html"))
    plain = re.sub(r"\s+", " ", re.sub(r"<[^>]+>", "", page_text))
    assert "Specific sway as human/anna would judge all videos" in plain


def answer_first_again(page: Page, sheet: Path, out: Path) -> list[str]:
    page.keyboard.press("n")
    page.keyboard.press("ArrowLeft")
    return answer_all(page, sheet, out, lambda persona, words: "y" if "music" in words else "n")


def test_answers_come_in_parts_and_the_first_stands(example: DataFolder, tmp_path: Path) -> None:
    assert label(example, by="bo").exit_code == 0
    page = sheet_of(example, "bo").read_text("utf-8")
    names = [part[:12] for part in page.split('{"id": "')[1:]]
    assert all(name.startswith("q") for name in names), "no spreadsheet reads a number"
    assert len(set(names)) == QUESTIONS
    first = write_answers(tmp_path / "1.csv", dict.fromkeys(names[:50], "yes"))
    done = label(example, "--answers", first, by="bo")
    assert f"50 new answers kept, {QUESTIONS - 50} still open." in done.output
    changed = dict.fromkeys(names[:5], "no") | dict.fromkeys(names[50:], "unsure")
    second = label(example, "--answers", write_answers(tmp_path / "2.csv", changed), by="bo")
    more = QUESTIONS - 50
    assert f"{more} new answers kept ({more} unsure), 0 still open." in second.output
    assert "Differing from what was answered before, which stands: 5." in second.output
    lines = [line for one in kept(example, "bo") for line in one.asked]
    assert [line.judgement.answer for line in lines].count("yes") == 50
    assert [line.judgement.missing for line in lines].count("refused") == more


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("question,answer\n000000000000,yes\n", "None of 1 answers is to a question of this sheet"),
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
    done = label(example, "--answers", str(path), by="cy")
    assert done.exit_code == 2
    assert said in done.output.replace("\n", " ")
    assert "Type: " in done.output or "type: " in done.output
    assert not kept(example, "cy")


def test_what_is_refused(example: DataFolder) -> None:
    assert "is none for a file" in label(example, by="../x").output
    few = label(example, questions=20)
    assert (few.exit_code, "20 is not in the range x>=100" in few.output) == (2, True)
    many = label(example, by="dee", questions=5000)
    assert (many.exit_code, "a sample of 5000 takes more" in many.output) == (2, True)


def test_answers_are_kept_by_the_sheet_that_they_were_given_on(
    example: DataFolder, tmp_path: Path
) -> None:
    """A run that comes after the draw changes nothing of it; nor do answers about few runs."""
    data = DataFolder(tmp_path / "data")
    shutil.copytree(example.root, data.root, ignore=shutil.ignore_patterns("human-*", "labels"))
    late = next(path.parent for path in data.ledgers() if "kim-treatment" in str(path))
    away = late.rename(tmp_path / late.name)
    assert label(data, by="eve").exit_code == 0
    names = [part[:12] for part in sheet_of(data, "eve").read_text("utf-8").split('{"id": "')[1:]]
    away.rename(late)
    again = label(data, by="eve")
    assert "Drawn before 1 run came. For a sample of all, type: the same with --seed 2" in (
        again.output
    )
    few = write_answers(tmp_path / "few.csv", dict.fromkeys(names[:3], "yes"))
    done = label(data, "--answers", few, by="eve")
    assert f"3 new answers kept, {QUESTIONS - 3} still open" in done.output
    words = ["report", "example", "--data", str(data.root), "--out", str(tmp_path / "report")]
    told = CliRunner().invoke(main, words)
    assert told.exit_code == 0, told.output
    page = (tmp_path / "report" / "index.html").read_text("utf-8")
    assert "Not every question of the sample has been answered" in page
    every = write_answers(tmp_path / "all.csv", dict.fromkeys(names, "yes"))
    assert f"{QUESTIONS - 3} new answers kept, 0 still open" in (
        label(data, "--answers", every, by="eve").output
    )
    assert label(data, "--answers", every, by="fay").exit_code == 2, "another person's answers"


def test_runs_are_asked_about_once_and_their_folders_are_no_studies(example: DataFolder) -> None:
    words = ["label", "example", "example-kim-treatment", "--by", "gus", "--questions", "100"]
    assert CliRunner().invoke(cli, [*words, "--data", str(example.root)]).exit_code == 0
    folder = example.run_dir("example-kim-treatment").absolute()
    words = ["rejudge", str(folder), "--model", "scripted/no", "--data", str(example.root)]
    asked = CliRunner().invoke(cli, words)
    assert asked.exit_code == 0, asked.output
    assert "0 questions answered about 0 runs" not in asked.output
    assert len((example.root / "labels" / "example-gus-1.jsonl").read_text().splitlines()) == 6


def test_a_sheet_stays_as_it_was_drawn(example: DataFolder) -> None:
    assert label(example, by="hal").exit_code == 0
    again = label(example, by="hal", questions=200)
    assert f"{QUESTIONS} questions about" in again.output
    assert f"Drawn with {QUESTIONS} questions, not 200" in again.output
