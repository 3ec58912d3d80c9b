"""A person labels by key in a real browser; the explorer may be killed at any moment."""

from __future__ import annotations

import json
import math
import random
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from click.testing import CliRunner

from agent.cli import cli
from agent.drivers.web.browser import find_browser, list_arguments
from analysis.cli.main import main
from analysis.examples.study import write_example
from store.runs.data_folder import DataFolder

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

KEYS = {"yes": "y", "no": "n", "unsure": "?"}
DRAW = "example-1"
TOLD = "document.querySelector('.told').textContent"
COUNT = "document.querySelector('.count').textContent"


@contextmanager
def explorer(data: DataFolder) -> Iterator[tuple[str, Callable[[], None]]]:
    """Serve the explorer; yields its link, and what kills it."""
    command = [sys.executable, "-m", "agent", "open", "--port", "0", "--no-browser"]
    command += ["--data", str(data.root)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None

        def kill() -> None:
            process.send_signal(signal.SIGKILL)
            process.wait()

        try:
            yield process.stdout.readline().strip(), kill
        finally:
            process.kill()


def open_page(browser: Browser, link: str, faults: list[str]) -> Page:
    page = browser.new_page()
    page.on("pageerror", lambda error: faults.append(str(error)))
    page.on("console", lambda message: faults.append(message.text))
    page.goto(link)
    page.wait_for_function("() => !location.hash.includes('token')")
    page.evaluate(f"location.hash = '#/labels/{DRAW}?by=anna'")
    page.wait_for_selector(".question:not([hidden]), .over:not([hidden])")
    return page


def answer_of(words: str, number: int) -> str:
    """What this person says: mostly what the caption is about, and sometimes nothing."""
    if number % 11 == 5:
        return "unsure"
    likes = any(theme in words for theme in ("music", "ocean", "bread", "chess"))
    return "yes" if likes != (number % 7 == 3) else "no"


def press(page: Page, key: str, count: int) -> None:
    page.keyboard.press(key)
    page.wait_for_function(f"want => {COUNT}.startsWith(`${{want}} of`)", arg=count)


def label_until(page: Page, start: int, end: int) -> list[str]:
    """Answer by key from one count to another; every 20th is taken back and given again."""
    given = []
    for number in range(start, end):
        answer = answer_of(page.inner_text(".question .words"), number)
        press(page, KEYS[answer], number + 1)
        if number % 20 == 9:
            press(page, "u", number)
            press(page, KEYS[answer], number + 1)
        given.append(answer)
    return given


def lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text("utf-8").splitlines()]


def standing(path: Path) -> dict[str, str]:
    """What stands of a person's lines, read by hand."""
    found: dict[str, str] = {}
    for line in lines(path):
        if line["kind"] == "undo":
            del found[line["question"]]
        else:
            assert line["question"] not in found, "labelled twice"
            found[line["question"]] = line["answer"]
    return found


@pytest.fixture
def data(tmp_path: Path) -> DataFolder:
    return write_example(tmp_path / "data")


def type_label(data: DataFolder, *words: str) -> None:
    done = CliRunner().invoke(cli, ["label", "example", *words, "--data", str(data.root)])
    assert done.exit_code == 0, done.output


def test_a_person_labels_by_key(data: DataFolder) -> None:
    from playwright.sync_api import sync_playwright

    faults: list[str] = []
    with explorer(data) as (link, _), sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=find_browser().path, args=list_arguments()
        )
        page = browser.new_page()
        page.on("pageerror", lambda error: faults.append(str(error)))
        page.on("console", lambda message: faults.append(message.text))
        page.goto(link)
        page.wait_for_function("() => !location.hash.includes('token')")
        page.click("text=Labels")
        page.fill("[data-draw] [name=runs]", "example")
        page.fill("[data-draw] [name=questions]", "24")
        page.fill("[data-draw] [name=by]", "anna")
        page.click("text=Draw and answer")
        page.wait_for_selector(".question:not([hidden])")
        given = label_until(page, 0, 22)
        page.wait_for_function(
            "() => [...document.querySelectorAll('.shown img')].every(one => one.naturalWidth > 0)"
        )
        page.click("text=Can't tell")
        page.wait_for_function(f"() => {COUNT}.startsWith('23')")
        press(page, " ", 24)
        assert page.inner_text(".over h2") == "All answered. Thank you."
        assert "24 labels" in page.inner_text(".over .sum")
        browser.close()
    assert faults == []
    told = standing(data.labels_dir / DRAW / "by-anna.jsonl")
    assert list(told.values()) == [*given, "unsure", "unsure"]


@pytest.mark.drill
def test_three_hundred_labels_outlive_a_kill(data: DataFolder, tmp_path: Path) -> None:
    type_label(data, "--by", "anna")
    draw = lines(data.labels_dir / DRAW / "draw.jsonl")
    questions = {line["id"]: line for line in draw if line["kind"] == "question"}
    assert len(questions) == 300
    rng = random.Random(2)
    rows = [f"{name},{rng.choice(['yes', 'no', 'no', 'unsure'])}" for name in questions]
    (tmp_path / "bo.csv").write_text("\n".join(["question,answer", *rows]) + "\n")
    type_label(data, "--by", "bo", "--import", str(tmp_path / "bo.csv"))
    given = label_through_kills(data)
    told, bo = (standing(data.labels_dir / DRAW / f"by-{name}.jsonl") for name in ("anna", "bo"))
    assert list(told.values()) == given
    assert set(told) == set(questions)
    measured = CliRunner().invoke(main, ["labels", "example", "--json", "--data", str(data.root)])
    assert measured.exit_code == 0, measured.output
    (group,) = json.loads(measured.stdout)
    (result,) = group["draws"]
    check_agreement(result, told, bo)
    check_sway(result, data, questions, (told, bo))


def label_through_kills(data: DataFolder) -> list[str]:
    """Answer all questions, the explorer killed between two answers, and during one."""
    from playwright.sync_api import sync_playwright

    path = data.labels_dir / DRAW / "by-anna.jsonl"
    faults: list[str] = []
    lost: list[str] = []  # what the browser tells of a server that is gone
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=find_browser().path, args=list_arguments()
        )
        with explorer(data) as (link, kill):
            page = open_page(browser, link, lost)
            given = label_until(page, 0, 137)
            kill()
            page.keyboard.press("y")
            page.wait_for_function(f"() => {TOLD}.includes('Not kept')")
            page.close()
        assert list(standing(path).values()) == given
        with explorer(data) as (link, kill):
            page = open_page(browser, link, lost)
            assert page.inner_text(".count") == "137 of 300"
            given += label_until(page, 137, 150)
            answer = answer_of(page.inner_text(".question .words"), 150)
            page.keyboard.press(KEYS[answer])
            kill()  # while it is on its way: it is kept or it is not, and nothing in between
            page.close()
        left = list(standing(path).values())
        assert left in (given, [*given, answer])
        with explorer(data) as (link, _):
            page = open_page(browser, link, faults)
            left += label_until(page, len(left), 300)
            assert page.inner_text(".over h2") == "All answered. Thank you."
        browser.close()
    assert faults == []
    assert all("Failed to load resource" in fault for fault in lost), lost
    return left


def check_agreement(result: dict[str, Any], one: dict[str, str], two: dict[str, str]) -> None:
    """Kappa and alpha of two people, by hand, of the questions that are compared."""
    pairs = [(one[name], two[name]) for name in one if "unsure" not in (one[name], two[name])]
    n = len(pairs)
    assert result["agreement"]["shared"] == n
    equal = sum(a == b for a, b in pairs) / n
    yes = [sum(pair[who] == "yes" for pair in pairs) / n for who in (0, 1)]
    chance = yes[0] * yes[1] + (1 - yes[0]) * (1 - yes[1])
    (pair,) = result["agreement"]["pairs"]
    assert pair["kappa"]["value"] == pytest.approx((equal - chance) / (1 - chance))
    whole = n * (yes[0] + yes[1])
    expected = 2 * whole * (2 * n - whole) / (2 * n * (2 * n - 1))
    assert result["agreement"]["alpha"]["value"] == pytest.approx(1 - (1 - equal) / expected)


def lines_of(data: DataFolder, runs: set[str], window: str) -> list[dict[str, Any]]:
    """The videos of runs that count in a window, by hand from the ledgers' lines."""
    return [
        line | {"run_id": run}
        for run in runs
        for line in lines(data.ledger_path(run))
        if line["kind"] == "step" and line["excluded"] is None and line["phase"] == window
    ]


def check_sway(
    result: dict[str, Any],
    data: DataFolder,
    questions: dict[str, dict[str, Any]],
    people: tuple[dict[str, str], ...],
) -> None:
    """The prediction-powered sway of the treatment runs, by hand from the ledgers' lines."""
    guess: dict[tuple[str, int], float] = {}
    length: dict[tuple[str, str], int] = {}  # videos of a run in a window: each run counts alike
    for run in {one["run_id"] for one in questions.values() if one["arm"] == "treatment"}:
        steps = [line for line in lines(data.ledger_path(run)) if line["kind"] == "step"]
        for window in ("before", "after"):
            mine = [one for one in steps if one["phase"] == window and one["excluded"] is None]
            said = {one["position"]: one["judgement"]["answer"] for one in mine}
            known = [float(answer == "yes") for answer in said.values() if answer is not None]
            share = math.fsum(known) / len(known)  # what a missing answer counts as
            length[run, window] = len(mine)
            guess |= {
                (run, at): share if answer is None else float(answer == "yes")
                for at, answer in said.items()
            }
    runs = {run for run, _ in length}
    rows = []
    for name, one in questions.items():
        votes = [person[name] for person in people]
        margin = votes.count("yes") - votes.count("no")
        if one["arm"] == "treatment" and margin:
            rows.append(
                (
                    one["window"],
                    1 / one["probability"] / length[one["run_id"], one["window"]],
                    float(margin > 0),
                    guess[one["run_id"], one["position"]],
                )
            )
    joint = spread = 0.0
    for window in ("before", "after"):
        part = [row[1:] for row in rows if row[0] == window]
        whole = sum(w for w, _, _ in part)
        y_mean, f_mean = (sum(row[0] * row[at] for row in part) / whole for at in (1, 2))
        joint += sum(w * (y - y_mean) * (f - f_mean) for w, y, f in part)
        spread += sum(w * (f - f_mean) ** 2 for w, _, f in part)
    tuning = min(max(joint / spread, 0.0), 1.0)
    shares = {}
    for window in ("before", "after"):
        part = [row[1:] for row in rows if row[0] == window]
        right = sum(w * (y - tuning * f) for w, y, f in part) / sum(w for w, _, _ in part)
        judged = {(one["run_id"], one["position"]) for one in lines_of(data, runs, window)}
        mean = math.fsum(guess[place] / length[place[0], window] for place in judged) / len(runs)
        shares[window] = tuning * mean + right
    told = next(one for one in result["sways"] if one["arm"] == "treatment")
    assert told["labels"] == len(rows)
    assert told["tuning"] == pytest.approx(tuning)
    assert told["sway"]["value"] == pytest.approx(100 * (shares["after"] - shares["before"]))
