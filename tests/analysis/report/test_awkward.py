"""Awkward studies: what the page, the terminal and the tables say where runs are few or odd."""

from __future__ import annotations

import csv
import json
import re
from collections import defaultdict
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner

from analysis.cli.main import main
from analysis.examples.study import STUDY
from analysis.report.feeds import lost_runs
from analysis.report.group_measures import Measures, measure
from analysis.report.number_sources import NumberSource
from analysis.report.page_files import ReportTable, write_tables
from analysis.report.report_group import GroupRows
from analysis.report.report_inputs import Material, read_study
from analysis.report.report_page import compose, render
from analysis.report.tables import tables
from analysis.statistics.null_models import NullOfI
from analysis.terminal.run_text import place
from store.jsonl.file_seal import strip_seal, write_sealed
from store.runs.data_folder import DataFolder
from store.runs.ledger_lines import Windows
from store.terminal.printing import share_text
from tests.analysis import made_results
from tests.analysis.report.conftest import NOW
from tests.analysis.report.html_reader import text_of, tree
from tests.analysis.report.test_wording import read
from tests.analysis.report.test_wording import said as said_of
from tests.store.sealed_lines import unseal_lines, write_anew

BEFORE, AFTER = 24, 52
WINDOWS = Windows(before=BEFORE, after=AFTER, baseline="passive")


def write(
    data: Path, persona: str, arm: str, yes: tuple[int, int], replicate: int = 1, **changes: Any
) -> str:
    """A run with this many yes before and after; ``lost`` has no answer, ``cut`` ends it early."""
    answers = [*made_results.spread(yes[0], BEFORE), *made_results.spread(yes[1], AFTER)]
    for at in changes.pop("lost", ()):
        answers[at] = "refused"
    cut = changes.pop("cut", None)
    steps = [
        made_results.step(i, "before" if i < BEFORE else "after", one)
        for i, one in enumerate(answers)
    ][:cut]
    run_id = f"{persona}-{arm}-{replicate}-{changes.get('model', 'm').replace('/', '-')}"
    config = changes.pop("config", {}) | {"replicate": replicate}
    first = made_results.started(
        run_id, persona, arm=arm, windows=WINDOWS, config=config, account=run_id, **changes
    )
    made_results.write(data, first, steps, finished=cut is None)
    return run_id


def declare(data: Path, sides: str, arms: Sequence[str], personas: str) -> None:
    """A study of these personas and arms that was drawn, with a contrast as its test."""
    folder = data / "studies" / "odd"
    folder.mkdir(parents=True)
    text = f'name = "odd"\n[test]\nprimary = "controlled"\nsides = "{sides}"\n'
    (folder / "study.toml").write_text(text, encoding="utf-8")
    cells = [
        {
            "platform": "playground",
            "strategy": "simple",
            "model": "scripted/test",
            "replicate": 1,
            "persona": persona,
            "arm": arm,
        }
        for persona in personas
        for arm in arms
    ]
    (folder / "draws.json").write_text(json.dumps(cells), encoding="utf-8")


def cell(persona: str, arm: str) -> dict[str, Any]:
    return {"study": "odd", "cell": f"playground/simple/scripted/test/1/{persona}/{arm}"}


def measured(material: Material) -> Measures:
    return measure(material, np.random.default_rng(0))


def rows(measures: Measures, folder: Path, name: str) -> list[dict[str, str]]:
    """A table of the report, as it is written."""
    write_tables(tables(measures, render(compose(measures, 0, NOW))), folder)
    with (folder / f"{name}.csv").open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


# The verdict


def test_an_interval_without_zero_is_not_called_evidence_of_nothing(tmp_path: Path) -> None:
    declare(tmp_path, "one", ("treatment", "passive"), "abcd")
    for at, persona in enumerate("abcd"):
        for arm, yes in (("treatment", 10 + at), ("passive", 26 + at // 2)):
            write(tmp_path, persona, arm, (12, yes), config=cell(persona, arm))
    material = read_study(DataFolder(tmp_path), "odd")
    (group,) = measured(material).groups
    assert group.primary.estimate.high < 0
    words = said_of(material)
    assert "No sway towards the personas could be told from chance." in words
    assert "fit every value of the interval" not in words
    assert "The interval leaves out zero all the same: it is two-sided" in words


def two_models(data: Path) -> list[str]:
    """Four pairs of each of two models; one p-value lies below 0.05 before Holm's correction."""
    gains = {"scripted/a": (9, 14, 3, 10), "scripted/b": (8, -3, 12, 2)}
    return [
        write(data, persona, arm, (8, 17 + (gain if arm == "treatment" else 0)), model=model)
        for model, found in gains.items()
        for persona, gain in zip("pqrs", found, strict=True)
        for arm in ("treatment", "passive")
    ]


def test_the_terminal_tells_the_p_value_that_the_verdict_rests_on(tmp_path: Path) -> None:
    names = two_models(tmp_path)
    words = ["report", *names, "--data", str(tmp_path), "--out", str(tmp_path / "out")]
    told = CliRunner().invoke(main, words)
    assert told.exit_code == 0, told.output
    (line,) = re.findall(r"p = 0\.032.*", told.stdout)
    assert line == "p = 0.032, two-sided, 0.065 after Holm's correction"
    page = next(tmp_path.rglob("index.html")).read_text(encoding="utf-8")
    assert "with Holm’s correction across them; p two-sided." in text_of(tree(page))
    with next(tmp_path.rglob("estimates.csv")).open(encoding="utf-8", newline="") as file:
        tested = [row for row in csv.DictReader(file) if row["p_holm"]]
    assert [f"{float(row['p']):.3f} {float(row['p_holm']):.3f}" for row in tested][:1] == [
        "0.032 0.065"
    ]


def test_every_row_of_the_numbers_names_its_group_and_judge(tmp_path: Path) -> None:
    names = two_models(tmp_path)
    values = defaultdict(set)
    for row in rows(measured(read(tmp_path, *names)), tmp_path / "t", "numbers"):
        values[row["what"], row["function"], row["used"], row["left_out"]].add(row["value"])
    assert len(values) > 200
    assert {what: found for what, found in values.items() if len(found) > 1} == {}


def test_what_cannot_be_tested_says_why(tmp_path: Path) -> None:
    names = [
        write(tmp_path, persona, arm, (BEFORE, AFTER))
        for persona in "abc"
        for arm in ("treatment", "passive")
    ]
    words = said_of(read(tmp_path, *names))
    assert "The primary test cannot be made: every cluster says the same" in words
    assert "Too little" not in words
    assert "no interval pp" not in words


# What goes in


def test_a_replicate_without_a_window_takes_no_row_of_the_forest_away(tmp_path: Path) -> None:
    names = [
        write(
            tmp_path,
            persona,
            arm,
            (6, 30 + at if arm == "treatment" else 12),
            replicate,
            cut=20 if (persona, arm, replicate) == ("a", "treatment", 2) else None,
        )
        for at, persona in enumerate("abc")
        for arm in ("treatment", "passive")
        for replicate in (1, 2)
    ]
    (group,) = measured(read(tmp_path, *names)).groups
    pairs = dict(group.result.contrasts[0].pairs)
    assert "a-treatment-2-m" not in pairs
    assert len(pairs) == 5
    shares = {
        run.run_id: 100 * unit.share for run, unit in zip(group.runs, group.counts, strict=True)
    }
    for row in group.forest:
        mine = [(shares[t], shares[c]) for t, c in pairs.items() if t.startswith(row.persona)]
        treated, control = np.mean(mine, axis=0)
        assert row.treatment == pytest.approx(tuple(treated))
        assert row.control == pytest.approx(tuple(control))
        assert row.estimate.value == pytest.approx(
            np.subtract(*treated[::-1]) - np.subtract(*control[::-1])
        )


def test_a_run_without_any_answer_widens_the_bounds(tmp_path: Path) -> None:
    names = []
    for persona in "abc":
        lost = range(BEFORE, BEFORE + AFTER) if persona == "a" else ()
        names += [
            write(tmp_path, persona, "treatment", (6, 26), lost=lost),
            write(tmp_path, persona, "passive", (6, 13)),
        ]
    (group,) = measured(read(tmp_path, *names)).groups
    (contrast,) = group.result.contrasts
    assert len(contrast.pairs) == 2
    sways = {
        run.run_id: 100 * (unit.share[1] - unit.share[0])
        for run, unit in zip(group.runs, group.counts, strict=True)
    }
    known = [sways[t] - sways[c] for t, c in contrast.pairs]
    # of 40 compared videos after none has an answer: none or all of them are yes
    lonely = [end - 25 - sways["a-passive-1-m"] for end in (0, 100)]
    assert contrast.bounds == pytest.approx([np.mean([*known, end]) for end in lonely])
    treated = next(arm for arm in group.result.arms if arm.arm == "treatment")
    known = [sways[name] for name in ("b-treatment-1-m", "c-treatment-1-m")]
    assert treated.bounds == pytest.approx([np.mean([*known, end]) for end in (-25, 75)])


def test_runs_that_never_began_hold_nothing_that_is_included(tmp_path: Path) -> None:
    declare(tmp_path, "two", ("treatment", "passive"), "abcd")
    for persona in "abc":
        for arm, yes in (("treatment", 30), ("passive", 20)):
            write(tmp_path, persona, arm, (6, yes), config=cell(persona, arm))
    words = said_of(read_study(DataFolder(tmp_path), "odd"))
    assert "Not every run that was drawn has begun." in words
    assert "What the incomplete ones hold" not in words


def test_controls_alone_have_no_sway(tmp_path: Path) -> None:
    names = [
        write(tmp_path, persona, "passive", (4, yes)) for persona, yes in (("a", 10), ("b", 20))
    ]
    material = read(tmp_path, *names)
    words = said_of(material)
    assert "There is no control arm" not in words
    assert "There are control runs without a treatment" in words
    measures = measured(material)
    whole = [
        one
        for _, one in render(compose(measures, 0, NOW)).numbers
        if one.what.startswith(("mean sway over runs", "sway, as declared"))
    ]
    assert whole
    assert not any(one.exists for one in whole if "units" not in one.what)


def test_attrition_names_the_arms_that_are_compared(tmp_path: Path) -> None:
    names = [
        write(tmp_path, persona, arm, (6, 20))
        for persona in "ab"
        for arm in ("treatment", "yoked", "passive")
    ]
    words = said_of(read(tmp_path, *names))
    assert "Attrition by arm, treatment against yoked control: Fisher’s exact test p = 1" in words


def test_a_chapter_tells_its_own_runs_that_newer_ones_stand_in_for(tmp_path: Path) -> None:
    declare(tmp_path, "two", ("treatment", "passive"), "abcd")
    for model in ("scripted/a", "scripted/b"):
        for persona in "abcd":
            for arm in ("treatment", "passive"):
                config = {"study": "odd", "cell": f"playground/simple/{model}/1/{persona}/{arm}"}
                write(tmp_path, persona, arm, (6, 20), model=model, config=config)
                if model == "scripted/a" and arm == "passive":
                    write(tmp_path, persona, arm, (6, 21), 2, model=model, config=config)
    measures = measured(read_study(DataFolder(tmp_path), "odd"))
    told = {
        group.name[2]: lost_runs(GroupRows(measures, group)).superseded for group in measures.groups
    }
    assert told["scripted/a"] is not None
    assert told["scripted/a"].value == 4
    assert told["scripted/b"] is None


def test_windows_without_a_gap_tell_of_none(tmp_path: Path) -> None:
    words = said_of(read(tmp_path, write(tmp_path, "a", "treatment", (6, 20))))
    assert "A run compares 24 videos before with 52 after." in words
    assert "lie between" not in words


def test_repeats_that_were_left_out_are_not_said_to_count(rendered: Any) -> None:
    told = re.findall(r"like any other video[^.]*\.", text_of(tree(rendered.html)))
    assert told == ["like any other video, save in the older runs here, which left them out."]


# Judges


def answer_all(data: DataFolder, changed: Callable[[dict[str, Any]], dict[str, Any]]) -> Material:
    """The example whose blind judge answered otherwise, with the matrix as its declared test."""
    for path in data.root.glob("runs/*/judgements/*.jsonl"):
        lines = [json.loads(line) for line in unseal_lines(path)]
        for line in lines:
            if line["kind"] == "asked":
                line["judgement"] |= changed(line)
        write_anew(path, [json.dumps(line).encode() for line in lines])
    file = data.studies_dir / STUDY / "study.toml"
    text = strip_seal(file.read_bytes()).replace(b'"controlled"', b'"matrix"')
    write_sealed(file, text)
    return read_study(data, STUDY)


def test_a_judge_that_always_says_yes_lies_below_no_draw(copied: DataFolder) -> None:
    material = answer_all(copied, lambda _: {"answer": "yes", "missing": None, "p_yes": 1.0})
    words = said_of(material)
    assert "all draws" not in words
    assert (
        "There is no null to show beside it: every assignment of runs to personas gives the same."
    ) in words
    assert "% interval no interval" not in words


def test_a_judge_that_says_nothing_is_not_told_to_be_asked_first(copied: DataFolder) -> None:
    lost = {"answer": None, "missing": "unreadable", "p_yes": None}
    words = said_of(answer_all(copied, lambda _: lost))
    assert (
        "has no answered video: judge every window as every persona, by a judge that answers. "
        in (words)
    )
    assert ".." not in words


# Figures and tables


def test_no_place_is_above_all_of_the_draws_that_it_is_not() -> None:
    null = NullOfI(99.975, 5.0, 1.0, 9.0, 0.0, 0.3, 0.1, 4_000)
    assert "above 99.97 % of such values" in place(null)
    assert NumberSource("of", "draws").percentile(99.975, "I").text == "99.97"


def test_no_cell_of_a_table_begins_a_formula(tmp_path: Path) -> None:
    write_tables([ReportTable("t", ("who", "sway"), [("=1+1", -2.5), ("@someone", 0.0)])], tmp_path)
    with (tmp_path / "t.csv").open(encoding="utf-8", newline="") as file:
        assert list(csv.reader(file))[1:] == [["'=1+1", "-2.5"], ["@someone", "0.0"]]


@pytest.mark.parametrize(
    ("share", "digits", "text"),
    [
        (100, 1, "100.0"),
        (0, 1, "0.0"),
        (99.96, 1, "99.96"),
        (99.94, 1, "99.9"),
        (0.02, 1, "0.02"),
        (99.7, 0, "99.7"),
        (99.4, 0, "99"),
        (0.3, 0, "0.3"),
        (100 - 1e-12, 0, "100"),
        (-12, 1, "-12.0"),
    ],
)
def test_only_all_is_a_hundred_percent(share: float, digits: int, text: str) -> None:
    assert share_text(share, digits) == text


def test_one_missing_answer_of_thousands_is_not_none(tmp_path: Path) -> None:
    steps = [
        made_results.step(i, "before" if i < 500 else "after", "yes" if i else "refused")
        for i in range(3000)
    ]
    first = made_results.started("r1", windows=Windows(before=500, after=2500))
    made_results.write(tmp_path, first, steps)
    told = {
        one.what: one.text
        for _, one in render(compose(measured(read(tmp_path, "r1")), 0, NOW)).numbers
    }
    assert told["missing answers, treatment"] == "0.03"


def test_shares_and_times_are_tested_against_nothing(measures: Measures, tmp_path: Path) -> None:
    units = {row["unit"] for row in rows(measures, tmp_path, "estimates")}
    assert {"%", "pp"} <= units
    for name in ("estimates", "drift", "dwell", "personas"):
        with (tmp_path / f"{name}.csv").open(encoding="utf-8", newline="") as file:
            told = [row for row in csv.DictReader(file) if row["unit"] not in ("pp", "points")]
        assert all(row["p"] == "" and not row.get("test") for row in told)


def test_the_table_has_the_sides_that_the_page_has(example: DataFolder, tmp_path: Path) -> None:
    from tests.analysis.report.test_wording import page_of

    measures, rendered = page_of(example.root, "matrix", "one")
    name = "p-value, permuting which run belongs to whom, one-sided"
    (told,) = [one.value for _, one in rendered.numbers if one.what == name]
    (row,) = [
        row
        for row in rows(measures, tmp_path / "t", "estimates")
        if row["name"].startswith("specific sway, simple")
    ]
    assert (float(row["p"]), row["sides"]) == (told, "one")
