"""What else than the feed could have made a difference is looked for, and caps the headline."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from analysis.cli.main import main
from analysis.data.exposures import NO, NONE, YES, RunInfo
from analysis.estimators.contrasts import Attrition
from analysis.estimators.rejudged_matrix import persona_matrix
from analysis.estimators.rejudged_replies import RejudgedReplies
from analysis.examples.study import STUDY
from analysis.report.declared_study import PrimaryTest
from analysis.report.gate_check import GateCheck, GatedGroup, cap
from analysis.report.group_measures import MeasuredGroup, Measures, measure
from analysis.report.lost_runs_check import TellingLosses, attrition_check
from analysis.report.page_files import Rendered
from analysis.report.primary_outcome import Primary, WorstCase, primary
from analysis.report.report_inputs import Material, read_study
from analysis.report.verdict_gate import gate, missing_check
from analysis.statistics.estimate import NAN, Estimate
from store.jsonl.file_seal import strip_seal, write_sealed
from store.runs.data_folder import DataFolder
from store.runs.ledger_lines import Windows
from store.runs.study_looks import read_tested
from tests.analysis import made_results
from tests.analysis.report.html_reader import text_of, tree
from tests.analysis.report.test_awkward import cell, declare, write
from tests.store.sealed_lines import unseal_lines, write_anew

Chance = Callable[[bool, bool, np.random.Generator], float | None]
"""Of a yes, by own feed and after window; ``None`` refuses."""


def declared(data: DataFolder, primary: str, sides: str = "two") -> Material:
    file = data.studies_dir / STUDY / "study.toml"
    text = strip_seal(file.read_bytes()).replace(b'"controlled"', f'"{primary}"'.encode())
    write_sealed(file, text.replace(b'"two"', f'"{sides}"'.encode()))
    return read_study(data, STUDY)


def answer_again(data: DataFolder, chance: Chance, seed: int = 1) -> None:
    """Have the blind judge answer at random, whatever the frames show."""
    rng = np.random.default_rng(seed)
    for run in data.runs():
        assert run.started is not None
        for path in (run.path.parent / "judgements").glob("*.jsonl"):
            lines = [json.loads(line) for line in unseal_lines(path)]
            for line in lines:
                if line["kind"] == "asked":
                    own = line["persona"] == run.started.persona.id
                    likely = chance(own, line["position"] >= 48, rng)
                    yes = likely is not None and rng.random() < likely
                    line["judgement"] |= (
                        {"answer": None, "missing": "refused", "p_yes": None}
                        if likely is None
                        else {"answer": "yes" if yes else "no", "missing": None, "p_yes": None}
                    )
            write_anew(path, [json.dumps(line).encode() for line in lines])


def measured(material: Material) -> MeasuredGroup:
    (group,) = measure(material, np.random.default_rng(0)).groups
    return group


def check_of(group: MeasuredGroup, name: str) -> GateCheck:
    (check,) = [check for check in group.gate if check.name == name]
    return check


def capped(group: MeasuredGroup, name: str) -> bool:
    """Whether a difference that the test finds is capped, and by this check alone."""
    assert group.primary.verdict(0.05, group.p_holm) == "up"
    failed = [check.name for check in group.gate if check.outcome == "fails"]
    assert failed == [name], group.gate
    return group.verdict(0.05) == "capped"


def test_every_check_stands_on_the_page(measures: Measures, rendered: Rendered) -> None:
    (group,) = measures.groups
    assert group.verdict(0.05) == "capped"  # p = 0.035, a lost run and missing answers
    outcomes = {check.name: check.outcome for check in group.gate}
    assert outcomes == {
        "assignment at random": "holds",
        "start order": "holds",
        "accounts of their own": "holds",
        "tested once": "holds",
        "one judge for both arms": "open",
        "missing answers": "fails",
        "the judge's part": "holds",
        "exclusions": "holds",
        "seen and recorded": "open",
        "lost runs": "fails",
    }
    words = text_of(tree(rendered.html))
    assert "What else could have made it" in words
    for check in group.gate:
        assert check.finding.replace("'", "\N{RIGHT SINGLE QUOTATION MARK}") in words.replace(
            "'", "\N{RIGHT SINGLE QUOTATION MARK}"
        )
    assert "There is a difference, but it cannot be attributed to the feed" in words


def test_refusals_of_own_frames_cap_the_headline_wherever_it_is_read(copied: DataFolder) -> None:
    """Nothing happened, and the judge refuses most of what its persona dislikes in its own feed."""

    def chance(own: bool, after: bool, rng: np.random.Generator) -> float | None:
        if own and after and rng.random() < 0.45:
            return None
        return 0.55 if own and after else 0.3  # of what is left, since refused ones were noes

    answer_again(copied, chance)
    assert capped(measured(declared(copied, "matrix")), "missing answers")
    why = "cannot be attributed to the feed, because missing answers alone could have made it"
    words = ["report", STUDY, "--data", str(copied.root)]
    told = CliRunner().invoke(main, words)
    assert told.exit_code == 0, told.output
    assert why in told.stdout
    page = (copied.studies_dir / STUDY / "report" / "index.html").read_text(encoding="utf-8")
    shown = text_of(tree(page))
    assert f"There is a difference, but it {why} (bounds \N{MINUS SIGN}" in shown
    assert "(bounds -" in told.stdout
    (finding,) = json.loads(CliRunner().invoke(main, [*words, "--json"]).stdout)["findings"]
    assert finding["verdict"] == "capped"
    (missing,) = [one for one in finding["gate"] if one["name"] == "missing answers"]
    assert missing["outcome"] == "fails"


def test_profiles_that_lean_to_their_personas_are_no_sway(copied: DataFolder) -> None:
    answer_again(copied, lambda own, *_: 0.6 if own else 0.25, seed=0)
    group = measured(declared(copied, "matrix"))
    assert capped(group, "placebo")
    assert "the passive before windows differ already" in check_of(group, "placebo").finding


def test_a_judge_that_drifts_is_no_feed(copied: DataFolder) -> None:
    answer_again(copied, lambda *_: 0.3)
    group = measured(declared(copied, "paired"))
    assert capped(group, "the judge's part")


def test_frames_that_nobody_judged_again_leave_the_judge_s_part_open(copied: DataFolder) -> None:
    material = declared(copied, "paired")
    bare = replace(material, judgements=((),) * len(material.judgements))
    assert check_of(measured(bare), "the judge's part").outcome == "open"
    assert check_of(measured(material), "the judge's part").outcome == "holds"


def test_a_matrix_of_runs_that_nobody_drew_is_not_attributed(copied: DataFolder) -> None:
    (copied.studies_dir / STUDY / "draws.json").unlink()
    group = measured(declared(copied, "matrix"))
    assert (group.verdict(0.05), group.primary.estimate.exists) == ("untested", True)
    assert check_of(group, "assignment at random").outcome == "fails"
    nobody = "The primary test cannot be made: nobody drew personas for these accounts."
    assert group.claim(0.05) == nobody
    told = CliRunner().invoke(main, ["report", STUDY, "--data", str(copied.root)])
    assert nobody in told.stdout
    assert "p = " not in told.stdout
    table = copied.studies_dir / STUDY / "report" / "tables" / "estimates.csv"
    with table.open(encoding="utf-8") as file:
        assert [row["p"] for row in csv.DictReader(file) if row["name"] == "primary"] == [""]


def test_what_the_site_has_counted_otherwise_is_not_attributed(copied: DataFolder) -> None:
    """A run of another arm than those that are compared takes nothing from them."""
    material = declared(copied, "matrix")
    runs = {run.arm: run.run_id for run in material.views.runs}
    other = replace(material, disputed=frozenset({runs["passive"]}))
    assert check_of(measured(other), "seen and recorded").outcome == "open"
    mine = replace(material, disputed=frozenset({runs["treatment"]}))
    assert capped(measured(mine), "seen and recorded")


@pytest.mark.parametrize(("version", "outcome"), [("0123", "holds"), ("4567", "fails")])
def test_both_runs_of_a_pair_are_judged_by_one_version(
    copied: DataFolder, version: str, outcome: str
) -> None:
    material = declared(copied, "controlled")
    started = tuple(
        first.model_copy(update={"fingerprint": "0123" if first.arm == "treatment" else version})
        for first in material.started
    )
    check = check_of(measured(replace(material, started=started)), "one judge for both arms")
    assert check.outcome == outcome
    assert ("in 6 pairs" in check.finding) == (outcome == "fails")


def test_arms_that_lose_runs_unequally_are_not_compared(tmp_path: Path) -> None:
    declare(tmp_path, "two", ("treatment", "passive"), "abcdef")
    for at, persona in enumerate("abcdef"):
        for arm, yes in (("treatment", 30 + at), ("passive", 8 + at // 2)):
            cut = 70 if arm == "treatment" and persona != "a" else None
            write(tmp_path, persona, arm, (6, yes), cut=cut, config=cell(persona, arm))
    group = measured(read_study(DataFolder(tmp_path), "odd"))
    assert capped(group, "lost runs")
    assert "(treatment 5 of 6, passive 0 of 6; Fisher p = 0.015, two-sided)" in (
        check_of(group, "lost runs").finding
    )


@pytest.mark.parametrize(
    ("p", "losses", "outcome"),
    [
        (0.04, TellingLosses(frozenset(), 10, 0, 10), "holds"),
        (0.04, TellingLosses(frozenset({("a", 1)}), 10, 0, 10), "fails"),
        (0.002, TellingLosses(frozenset({("a", 1)}), 10, 0, 10), "holds"),
        (0.002, TellingLosses(frozenset({("a", 1), ("b", 1)}), 10, 0, 10), "fails"),
        (0.002, TellingLosses(frozenset(), 10, 1, 10), "holds"),
        (0.002, TellingLosses(frozenset(), 10, 2, 10), "fails"),
        (NAN, TellingLosses(frozenset({("a", 1)}), 6, 0, 6), "fails"),
    ],
)
def test_a_loss_costs_as_many_tests_as_it_leaves_choices(
    copied: DataFolder, p: float, losses: TellingLosses, outcome: str
) -> None:
    """Ten runs of which one is lost leave ten studies to choose from; each loss counts double."""
    group = GatedGroup(declared(copied, "matrix"), (), Primary("matrix", Estimate(5.0)), 0.05)
    lost = [Attrition("treatment", 10, 9, ("a",))]
    check = attrition_check(group, lost, NAN, losses, lambda _: WorstCase(4.0, p))
    assert check.outcome == outcome
    table = replace(group, material=replace(group.material, started=()))
    assert attrition_check(table, lost, NAN, losses, lambda _: WorstCase(4.0, p)).outcome == "open"


def test_one_run_judged_again_does_not_tell_the_judge_s_part(copied: DataFolder) -> None:
    """Its blind sway has no interval over runs."""
    material = declared(copied, "paired")
    first = next(at for at, files in enumerate(material.judgements) if files)
    alone = tuple(files if at == first else () for at, files in enumerate(material.judgements))
    group = measured(replace(material, judgements=alone))
    assert check_of(group, "the judge's part").outcome == "open"
    assert group.verdict(0.05) == "up"


def test_answers_of_several_sittings_do_not_tell_the_judge_s_part(copied: DataFolder) -> None:
    material = declared(copied, "paired")
    again = tuple(
        tuple(replace(file, sittings=file.sittings * 2) for file in files)
        for files in material.judgements
    )
    assert check_of(measured(material), "the judge's part").outcome == "holds"
    assert check_of(measured(replace(material, judgements=again)), "the judge's part").outcome == (
        "open"
    )


def test_a_draw_of_other_cells_gave_these_accounts_nothing(copied: DataFolder) -> None:
    file = copied.studies_dir / STUDY / "draws.json"
    cells = json.loads(file.read_bytes())
    file.write_text(json.dumps([cells[0] | {"persona": "somebody"}]))
    assert measured(declared(copied, "matrix")).verdict(0.05) == "untested"


def test_the_worst_case_is_corrected_for_several_groups(copied: DataFolder) -> None:
    """As Holm's correction corrects the test itself: at most by their number."""
    told = Primary(
        "paired", Estimate(15.0), p=0.005, bounds=(10, 20), worst=(WorstCase(10, 0.018),) * 2
    )
    material = declared(copied, "paired")
    outcomes = [
        next(
            check.outcome
            for check in gate(GatedGroup(material, (), told, 0.05 / groups), "", None, None)
            if check.name == "missing answers"
        )
        for groups in (1, 3)
    ]
    assert outcomes == ["holds", "fails"]


@pytest.mark.parametrize("verdict", ["up", "down", "chance", "untested", "absent"])
def test_only_a_difference_is_capped(verdict: str) -> None:
    checks = [GateCheck("placebo", "open", "x"), GateCheck("missing answers", "holds", "y")]
    assert cap(verdict, checks) == verdict
    failed = [*checks, GateCheck("lost runs", "fails", "z")]
    assert cap(verdict, failed) == ("capped" if verdict in ("up", "down") else verdict)


@pytest.mark.parametrize(
    ("worst", "outcome"),
    [
        ((), "fails"),
        ((WorstCase(2.0, 0.04), WorstCase(9.0, 0.001)), "holds"),
        ((WorstCase(2.0, 0.06), WorstCase(9.0, 0.001)), "fails"),
        ((WorstCase(-2.0, 0.04), WorstCase(9.0, 0.001)), "fails"),
        ((WorstCase(2.0, NAN), WorstCase(9.0, 0.001)), "fails"),
    ],
)
def test_the_worst_case_has_to_be_found_too(worst: tuple[WorstCase, ...], outcome: str) -> None:
    told = Primary("paired", Estimate(5.0), p=0.001, bounds=(2.0, 9.0), worst=worst)
    assert missing_check(told, 0.05).outcome == outcome


def refusing_judge(rng: np.random.Generator, refuses: float) -> RejudgedReplies:
    """Six runs of 40 videos in which nothing happened, judged as each of six personas.

    A persona's own noes are refused by this chance.
    """
    size, videos = 6, 40
    persona, run, position = (
        codes.ravel() for codes in np.indices((size, size, videos), dtype=np.int64)
    )
    answer = np.where(rng.random(len(run)) < 0.3, YES, NO)
    answer[(persona == run) & (answer == NO) & (rng.random(len(run)) < refuses)] = NONE
    none, grade = np.zeros(len(run), dtype=np.int64), np.full(len(run), NAN)
    windows = Windows(before=0, after=videos)
    return RejudgedReplies(
        runs=tuple(RunInfo(f"r{i}", f"p{i}", windows=windows) for i in range(size)),
        members=tuple(range(size)),
        run=run,
        persona=np.array([f"p{i}" for i in range(size)])[persona],
        position=position,
        frame=np.array([f"{r}-{p}" for r, p in zip(run, position, strict=True)]),
        mirrored=none.astype(bool),
        repeat=none,
        paraphrase=none,
        answer=answer,
        after=np.ones(len(run), dtype=bool),
        batch=position // 12,
        acting=none,
        p_yes=grade,
        score=grade,
        outside=0,
        split=(),
    )


def test_refusals_alone_are_seldom_headlined() -> None:
    """150 studies in which nothing happened: found by the test, and what the gate lets through."""
    rng = np.random.default_rng(5)
    test = PrimaryTest("matrix", "one")
    found, let_through = 0, 0
    for _ in range(150):
        matrix = persona_matrix(refusing_judge(rng, 0.4), rng)
        told = primary(test, None, (), matrix, rng)  # type: ignore[arg-type]
        verdict = told.verdict(test.alpha, NAN)
        found += verdict == "up"
        let_through += cap(verdict, [missing_check(told, test.alpha)]) == "up"
    assert found > 45
    assert made_results.plausible(let_through, 150, 0.0, 0.05)


def test_runs_put_together_by_hand_have_a_matrix_without_p_values(copied: DataFolder) -> None:
    names = [run.run_id for run in copied.runs() if run.run_id.endswith("treatment")]
    words = ["report", *names, "--data", str(copied.root), "--out", str(copied.root / "out")]
    told = CliRunner().invoke(main, words)
    assert told.exit_code == 0, told.output
    page = text_of(tree((copied.root / "out" / "index.html").read_text(encoding="utf-8")))
    assert "no p-value, since nobody drew personas for these accounts" in page
    assert "permutation test p" not in page
    with (copied.root / "out" / "tables" / "estimates.csv").open(encoding="utf-8") as file:
        rows = [row for row in csv.DictReader(file) if row["test"].startswith("permut")]
    assert [row["name"].partition(",")[0] for row in rows] == [
        "specific sway",
        "placebo",
        "specific sway",
    ]
    assert all(row["value"] and not row["p"] for row in rows)


def test_a_study_is_tested_once_at_its_declared_size(copied: DataFolder, tmp_path: Path) -> None:
    """Reading a part of the runs, or more runs after a report, are further tries."""
    home = copied.studies_dir / STUDY
    drawn = (home / "draws.json").read_bytes()
    words = ["report", STUDY, "--data", str(copied.root), "--out", str(tmp_path / "out")]
    name = "tested once"
    assert check_of(measured(read_study(copied, STUDY)), name).outcome == "holds"
    more = [cell | {"replicate": 2} for cell in json.loads(drawn)]
    (home / "draws.json").write_text(json.dumps([*json.loads(drawn), *more]), encoding="utf-8")
    early = check_of(measured(read_study(copied, STUDY)), name)
    assert early.outcome == "fails"
    assert early.finding == "the study is not over: 12 of 24 runs have not begun"
    assert CliRunner().invoke(main, words).exit_code == 0
    assert read_tested(home) == ()  # what is not over was not tested
    (home / "draws.json").write_bytes(drawn)
    assert CliRunner().invoke(main, words).exit_code == 0
    assert [one.cells for one in read_tested(home)] == [12]
    assert check_of(measured(read_study(copied, STUDY)), name).outcome == "holds"
    added = json.loads(drawn)[0] | {"persona": "quin", "slot": 0}
    (home / "draws.json").write_text(json.dumps([added, *json.loads(drawn)]), encoding="utf-8")
    late = check_of(measured(read_study(copied, STUDY)), name)
    assert late.outcome == "fails"
    assert late.finding == "it was tested with 12 runs before, and extended since"
