import json
import math
from datetime import timedelta
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from analysis.cli.main import main
from analysis.data.exposures import from_ledgers
from analysis.errors import NothingToCompare
from analysis.estimators.iavg import iavg
from store.runs import ledger
from store.runs.data_folder import DataFolder
from store.runs.ledger_lines import PersonaRecord
from tests.analysis import made_results


def rng() -> np.random.Generator:
    return np.random.default_rng(1)


def test_i_per_persona_and_its_mean(tmp_path: Path) -> None:
    runs = [
        made_results.paper_run(tmp_path, 10, 20, run_id="a", persona="p01"),
        made_results.paper_run(tmp_path, 20, 10, run_id="b", persona="p02"),
        made_results.paper_run(tmp_path, 0, 10, run_id="c", persona="p03"),
    ]
    (group,) = iavg(from_ledgers(runs), rng())
    assert [person.change for person in group.personas[:2]] == [100, -50]
    assert math.isnan(group.personas[2].change)
    assert group.personas[2].reason == "nothing was yes before"
    assert group.i_avg == 25
    assert group.undefined == 1
    assert group.sway.value == pytest.approx((20 - 20 + 20) / 3)
    assert group.sway.clusters == 3
    assert group.null.low < group.null.mean < group.null.high


def test_runs_of_one_persona_are_pooled_and_groups_stay_apart(tmp_path: Path) -> None:
    runs = [
        made_results.paper_run(tmp_path, 10, 20, run_id="a"),
        made_results.paper_run(tmp_path, 0, 10, run_id="b"),
        made_results.paper_run(tmp_path, 10, 10, run_id="c", arm="passive"),
    ]
    treated, passive = iavg(from_ledgers(runs), rng())
    assert treated.personas[0].runs == 2
    assert treated.personas[0].judged_before == 100
    assert treated.i_avg == pytest.approx(200)
    assert passive.arm == "passive"
    assert passive.sway.reason or passive.sway.bounded


def test_a_run_without_an_after_window_does_not_spoil_the_rest(tmp_path: Path) -> None:
    short = [made_results.step(at, "before", "yes") for at in range(5)]
    runs = [
        made_results.paper_run(tmp_path, 10, 20, run_id="a", persona="p01"),
        made_results.paper_run(tmp_path, 10, 30, run_id="b", persona="p02"),
        ledger.read(
            made_results.write(tmp_path, made_results.started("c", "p03"), short, finished=False)
        ),
        ledger.read(
            made_results.write(tmp_path, made_results.started("d", "p04"), [], finished=False)
        ),
    ]
    (group,) = iavg(from_ledgers(runs), rng())
    assert group.i_avg == pytest.approx(150)
    assert group.undefined == 2
    assert group.sway.clusters == 2
    assert group.null.low < group.null.high
    assert group.personas[2].reason == "a window has no judged video"
    (alone,) = iavg(from_ledgers(runs[3:]), rng())
    assert math.isnan(alone.i_avg)
    assert alone.null.reason


def test_nothing_given() -> None:
    with pytest.raises(NothingToCompare, match="Type: python -m analysis iavg"):
        iavg(from_ledgers([]), rng())


def test_the_command_for_people_and_for_programs(tmp_path: Path) -> None:
    made_results.paper_run(tmp_path, 10, 20, run_id="a", persona="p01")
    made_results.paper_run(tmp_path, 0, 10, run_id="c", persona="p03")
    told = CliRunner().invoke(main, ["iavg", "a", "c", "--data", str(tmp_path)])
    assert told.exit_code == 0, told.output
    for words in ("undefined", "I_avg  +100.0 % over 1 of 2 personas", "if nothing happened"):
        assert words in told.stdout
    programs = CliRunner().invoke(main, ["iavg", "a", "--data", str(tmp_path), "--json"])
    (group,) = json.loads(programs.stdout)
    assert group["i_avg"] == 100
    assert group["sway"]["clusters"] == 9


def test_the_summary_command(tmp_path: Path) -> None:
    made_results.paper_run(tmp_path, 10, 20, run_id="a")
    told = CliRunner().invoke(main, ["summary", "a"], env={"FEEDSWAY_DATA": str(tmp_path)})
    assert told.exit_code == 0, told.output
    assert "+20.0 pp" in told.stdout
    as_data = CliRunner().invoke(main, ["summary", "a", "--data", str(tmp_path), "--json"])
    assert json.loads(as_data.stdout)["sway"]["value"] == pytest.approx(20)


def test_the_latest_run_is_the_one_started_last(tmp_path: Path) -> None:
    made_results.paper_run(tmp_path, 10, 20, run_id="z")
    made_results.paper_run(tmp_path, 10, 40, run_id="a", at=made_results.NOON + timedelta(hours=1))
    told = CliRunner().invoke(main, ["iavg", "latest", "--data", str(tmp_path), "--json"])
    assert json.loads(told.stdout)[0]["i_avg"] == pytest.approx(300)
    nothing = CliRunner().invoke(main, ["iavg", "latest", "--data", str(tmp_path / "empty")])
    assert nothing.exit_code == 2


def test_an_unknown_run_is_one_sentence(tmp_path: Path) -> None:
    made_results.paper_run(tmp_path, 10, 20, run_id="run-a")
    told = CliRunner().invoke(main, ["iavg", "nope", "--data", str(tmp_path)])
    assert told.exit_code == 2
    assert told.stdout == ""
    assert "There is no study and no run 'nope'" in told.stderr
    assert "Traceback" not in told.stderr


def test_two_personas_with_one_id_stay_apart(tmp_path: Path) -> None:
    other = PersonaRecord(id="p12", traits=("I fish.", "I ski.", "I row."), source="x", licence="x")
    made_results.paper_run(tmp_path, 10, 20, run_id="a")
    made_results.paper_run(tmp_path, 10, 40, run_id="b")
    made_results.paper_run(tmp_path, 20, 10, run_id="c", persona=other)
    runs = [ledger.read(path) for path in DataFolder(tmp_path).ledgers()]
    (group,) = iavg(from_ledgers(runs), rng())
    ours, theirs = (run.started.persona.traits_hash[:6] for run in runs[1:])
    found = [(person.persona, person.runs) for person in group.personas]
    assert found == [(f"p12~{ours}", 2), (f"p12~{theirs}", 1)]
    told = CliRunner().invoke(main, ["iavg", "a", "b", "c", "--data", str(tmp_path)])
    assert told.exit_code == 0, told.output
    assert f"p12~{theirs}" in told.stdout


def test_a_study_stands_for_the_newest_run_of_each_cell(tmp_path: Path) -> None:
    home = tmp_path / "studies" / "weekly"
    home.mkdir(parents=True)
    (home / "study.toml").write_text('name = "weekly"\n', encoding="utf-8")
    for run_id, after, hours, cell in (("z", 40, 0, "1"), ("a", 20, 1, "1"), ("b", 30, 0, "2")):
        made_results.paper_run(
            tmp_path,
            10,
            after,
            run_id=run_id,
            persona=f"p{cell}",
            at=made_results.NOON + timedelta(hours=hours),
            config={"study": "weekly", "cell": cell},
        )
    made_results.paper_run(tmp_path, 10, 50, run_id="alone")
    told = CliRunner().invoke(main, ["iavg", "weekly", "--data", str(tmp_path), "--json"])
    assert told.exit_code == 0, told.output
    (group,) = json.loads(told.stdout)
    assert group["i_avg"] == pytest.approx((100 + 200) / 2)
    assert told.stderr == (
        "Left out: 1 older run, since a newer run of the same cell stands in for each.\n"
    )
