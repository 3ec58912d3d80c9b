"""The declared test is the one that is made, whatever the others say."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import numpy as np
import pytest

from analysis.examples.study import STUDY
from analysis.report.declared_study import PrimaryTest
from analysis.report.group_measures import MeasuredGroup, measure
from analysis.report.primary_outcome import Primary
from analysis.report.report_inputs import Material, read_study
from analysis.report.report_page import compose, render
from analysis.report.tables import tables
from analysis.statistics.estimate import NAN, Estimate
from store.runs.data_folder import DataFolder
from store.runs.rejudgements import JudgementWriter, judgement_files, read_judgements
from tests.analysis.report.conftest import NOW
from tests.analysis.report.html_reader import loose_numbers, text_of, tree


def declared(example: DataFolder, **test: Any) -> Material:
    material = read_study(example, STUDY)
    assert material.study is not None
    return replace(
        material, study=replace(material.study, test=replace(material.study.test, **test))
    )


def measured(material: Material) -> MeasuredGroup:
    return measure(material, np.random.default_rng(0)).groups[0]


def test_each_declared_test_gives_its_own_estimate(example: DataFolder) -> None:
    group = measured(declared(example))
    again = group.rejudged[0]
    assert again.matrix is not None
    assert again.matrix.borrowed is not None
    wanted = {
        "controlled": group.result.contrasts[0].estimate,
        "paired": next(arm.sway for arm in group.result.arms if arm.arm == "treatment"),
        "matrix": again.matrix.sway.estimate,
        "borrowed": again.matrix.borrowed.estimate,
    }
    for name, estimate in wanted.items():
        told = measured(declared(example, primary=name)).primary
        assert told.design == name
        assert told.estimate.value == pytest.approx(estimate.value)
        assert 0 < told.p < 0.2


@pytest.mark.parametrize("primary", ["controlled", "paired", "matrix", "borrowed"])
@pytest.mark.parametrize("sides", ["one", "two"])
def test_every_declared_test_makes_a_page(example: DataFolder, primary: str, sides: str) -> None:
    measures = measure(declared(example, primary=primary, sides=sides), np.random.default_rng(0))
    root = tree(render(compose(measures, 0, NOW)).html)
    assert list(loose_numbers(next(root.iter("body")))) == []
    said = text_of(root)
    assert f"the primary test is “{primary}”, {sides}-sided" in said


def test_one_sided_tests_look_towards_the_persona(example: DataFolder) -> None:
    two = measured(declared(example)).primary
    one = measured(declared(example, sides="one")).primary
    assert one.sides == "one"
    assert two.estimate.value > 0
    assert one.p == pytest.approx(two.p / 2)
    assert one.p_other <= two.p_other


def test_the_matrix_waits_for_re_judgements(example: DataFolder) -> None:
    material = declared(example, primary="matrix")
    bare = replace(material, judgements=((),) * len(material.judgements))
    group = measured(bare)
    assert group.primary.verdict(0.05, NAN) == "absent"
    measures = measure(bare, np.random.default_rng(0))
    said = text_of(tree(render(compose(measures, 0, NOW)).html))
    assert "The primary test cannot be made yet: no frame was judged again yet." in said


@pytest.mark.parametrize(
    ("value", "p", "adjusted", "verdict"),
    [
        (5, 0.01, 0.01, "up"),
        (-5, 0.01, 0.01, "down"),
        (5, 0.01, 0.06, "chance"),
        (5, 0.2, NAN, "chance"),
        (5, NAN, NAN, "untested"),
        (NAN, NAN, NAN, "absent"),
    ],
)
def test_verdicts_claim_no_more_than_the_test(
    value: float, p: float, adjusted: float, verdict: str
) -> None:
    told = Primary("paired", Estimate(value), p=p)
    assert told.verdict(0.05, adjusted) == verdict


def test_without_a_study_nothing_was_declared() -> None:
    assert not PrimaryTest(declared=False).declared


def add_sitting(data: DataFolder, seed: int, *, days: int, **how: Any) -> None:
    """Judge every treatment run again, everything the other way round."""
    other = {"yes": "no", "no": "yes", None: None}
    for run in data.runs():
        folder = run.path.parent
        first = [
            file
            for file in map(read_judgements, judgement_files(folder))
            if (file.judge.seed, file.judge.manner) == (7, "")
        ]
        if not first:
            continue
        (file,) = first
        at = file.judge.at + timedelta(days=days)
        changed = {"seed": seed, "at": at, **how}
        judge = file.judge.model_copy(update=changed)
        with JudgementWriter(judge.path(folder), judge) as writer:
            writer.append(
                [
                    line.model_copy(
                        update={
                            "judgement": line.judgement.model_copy(
                                update={"answer": other[line.judgement.answer]}
                            )
                        }
                    )
                    for line in file.lines
                ]
            )


def test_no_later_sitting_takes_the_primary_tests_place(copied: DataFolder) -> None:
    """The names of the files, which hold a hash of the seed, decide nothing."""
    alone = measured(declared(copied, primary="matrix"))
    judge = alone.rejudged[0].judge
    later = (judge.model_copy(update={"seed": seed}) for seed in range(8, 99))
    seed = next(one.seed for one in later if one.slug < judge.slug)
    add_sitting(copied, seed, days=9)
    group = measured(declared(copied, primary="matrix"))
    assert [told.judge.seed for told in group.rejudged] == [7, seed]
    assert group.primary.estimate == alone.primary.estimate


def test_another_version_of_the_judge_that_acted_is_named_and_comes_after_it(
    copied: DataFolder,
) -> None:
    alone = measured(declared(copied, primary="matrix"))
    add_sitting(copied, 7, days=-1, fingerprint="0123456789abcdef")
    material = declared(copied, primary="matrix")
    started = tuple(
        run.model_copy(update={"fingerprint": "fedcba9876543210"}) for run in material.started
    )
    measures = measure(replace(material, started=started), np.random.default_rng(0))
    likeness = {told.judge.fingerprint: told.likeness for told in measures.groups[0].rejudged}
    assert likeness == {None: "same", "0123456789abcdef": "other version"}
    assert measures.groups[0].primary.estimate == alone.primary.estimate
    said = text_of(tree(render(compose(measures, 0, NOW)).html))
    assert "another model of the name that acted" in said
    assert "the same judge that acted. The primary test takes its matrix." in said


def test_one_judge_asked_in_two_ways_is_told_apart_on_the_page_and_in_its_tables(
    copied: DataFolder,
) -> None:
    add_sitting(copied, 7, days=0, order="picture-first")
    add_sitting(copied, 7, days=0, settings={"temperature": 0.5}, fingerprint="0123456789abcdef")
    material = declared(copied, primary="matrix")
    started = tuple(
        run.model_copy(update={"fingerprint": "fedcba9876543210"}) for run in material.started
    )
    measures = measure(replace(material, started=started), np.random.default_rng(0))
    rendered = render(compose(measures, 0, NOW))
    said = text_of(tree(rendered.html))
    assert "with seed 7 (picture-first)" in said
    assert "with seed 7 (temperature=0.5)" in said
    assert "another model of the name" not in said, "it is the same one, asked otherwise"
    made = {table.name: table for table in tables(measures, rendered)}
    for name, column in (("matrix", "window"), ("estimates", "name")):
        places = slice(0, made[name].columns.index(column) + 1)
        named = [row[places] for row in made[name].rows]
        assert len(named) > 10
        assert len(set(named)) == len(named)
