"""Plug-ins of every kind do their work through the commands, and are named by what they made."""

from __future__ import annotations

import csv
import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from shutil import copytree
from typing import Any

import pytest
from click.testing import CliRunner, Result

from agent.cli import cli
from agent.models import load_here
from agent.platforms import load_platform
from analysis.cli.main import main as analysis_cli
from analysis.estimators.custom_estimators import PLUG_INS as ESTIMATORS
from store.cli.main import main as store_cli
from store.plug_ins.entry_points import PlugInBroken
from store.runs.data_folder import DataFolder
from store.runs.ledger import read
from store.runs.ledger_lines import PersonaRecord
from store.runs.rejudgements import judgement_files, read_judgements
from store.runs.run_provenance import PlugInMark
from tests.e2e.commands import feedsway, ledgers, only
from tests.plug_in_packages import SOURCE, forget, install, seen, write_package
from tests.store.cluster.ray_nodes import simulated_nodes
from tests.store.samples import COLOURS, keep_run

PAGE = (Path(__file__).parents[2] / "docs" / "plug-ins.md").read_text("utf-8")
PACKAGE = ("feedsway-example", "0.1.0")
GUITARIST = PersonaRecord(
    id="p12", traits=("I wear green.", "I bake.", "I sing."), source="feedsway", licence="MIT"
)
ANSWERS = """
from agent.models.custom_model import CustomModel

class Mine(CustomModel):
    def likes(self, question):
        return {likes}
"""


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return install(SOURCE, tmp_path_factory.mktemp("example") / "site")


@pytest.fixture
def example(site: Path) -> Iterator[Path]:
    with seen(site):
        yield site


@pytest.fixture
def data(tmp_path: Path) -> DataFolder:
    folder = DataFolder(tmp_path / "data")
    keep_run(folder, "r1", COLOURS[:4], persona=GUITARIST)
    return folder


def typed(command: Any, *words: str, data: DataFolder, code: int = 0) -> Result:
    done = CliRunner().invoke(command, [*words, "--data", str(data.root)])
    assert done.exit_code == code, done.output
    return done


def replay(data: DataFolder, *words: str, code: int = 0) -> Result:
    shown = ["run", "--persona", "p12", "--platform", "replay", "--of", "r1", *words]
    return typed(cli, *shown, data=data, code=code)


def marks(data: DataFolder) -> dict[str, PlugInMark]:
    """Plug-ins of the newest run, by kind."""
    run = data.runs()[-1].started
    assert run is not None
    return {mark.kind: mark for mark in run.provenance.plug_ins}


def finding(folder: Path) -> dict[str, str]:
    """Environment of a process that finds the packages of a folder."""
    known = os.environ.get("PYTHONPATH")
    path = os.pathsep.join([str(folder), *([known] if known else [])])
    return {**os.environ, "PYTHONPATH": path}


def change(folder: Path) -> Path:
    """Install the example in another state, under the same version."""
    source = copytree(SOURCE, folder / "source")
    judges = source / "feedsway_example" / "judges.py"
    judges.write_text(judges.read_text("utf-8").replace("0.9", "0.8"), encoding="utf-8")
    return install(source, folder / "changed")


def blocks(language: str) -> list[str]:
    found: list[str] = re.findall(rf"```{language}\n(.*?)```", PAGE, re.DOTALL)
    return found


# The page


def test_the_judge_of_the_page_is_installed_and_watches_a_feed(tmp_path: Path) -> None:
    judge, project, commands = blocks("python")[0], blocks("toml")[0], blocks("console")[0]
    assert len(judge.splitlines()) <= 10
    source = tmp_path / "mine"
    source.mkdir()
    (source / "mine.py").write_text(judge, encoding="utf-8")
    (source / "pyproject.toml").write_text(project, encoding="utf-8")
    environment = finding(install(source, tmp_path / "site"))
    *_, check, run = [line.removeprefix("$ python -m agent ") for line in commands.splitlines()]
    checked = feedsway(*check.split(), env=environment)
    assert (checked.returncode, checked.stderr) == (0, "")
    assert "model mine" in checked.stdout
    short = ["--before", "2", "--after", "2", "--data", str(tmp_path / "data"), "--no-index"]
    done = feedsway(*run.split(), *short, env=environment)
    assert done.returncode == 0, done.stderr
    ledger = only(tmp_path / "data")
    (mark,) = ledger.started.provenance.plug_ins
    assert (mark.kind, mark.name, mark.package, mark.version) == ("model", "mine", "mine", "0.1")
    assert {step.judgement.p_yes for step in ledger.steps} <= {0.1, 0.9}
    assert len(ledger.steps) >= 4


def test_the_other_blocks_of_the_page_are_so(example: Path) -> None:
    _, declaration, signature, contract = blocks("python")
    exec(f"from agent.models.custom_model import *\n{declaration}")
    source = (SOURCE / "feedsway_example" / "estimators.py").read_text("utf-8")
    assert signature.removesuffix(" ...\n") in source
    exec(contract)
    project = (SOURCE / "pyproject.toml").read_text("utf-8")
    for group, file in re.findall(r"^\| `(feedsway\.\w+)` .* `(\S+)` \|$", PAGE, re.MULTILINE):
        assert f'entry-points."{group}"' in project
        assert (SOURCE / "feedsway_example" / file).exists()
    assert len(re.findall(r"^\| `feedsway\.", PAGE, re.MULTILINE)) == 5


# Every kind through its commands


def test_a_run_judges_and_indexes_with_plug_ins_and_names_them(
    example: Path, data: DataFolder
) -> None:
    words = ["--model", "example/captions", "--strategy", "diary", "--encoder", "colour"]
    replay(data, *words)
    named = marks(data)
    assert set(named) == {"model", "strategy", "encoder"}
    assert {(mark.package, mark.version) for mark in named.values()} == {PACKAGE}
    assert len({mark.code for mark in named.values()}) == 1
    ledger = read(data.runs()[-1].path)
    # the p12 of the library says "every living thing"
    assert [step.judgement.p_yes for step in ledger.steps] == [0.9] * 4
    assert list(ledger.started.prompts) == ["diary.toml"]
    found = typed(store_cli, "search", "red", "--encoder", "colour", "--json", data=data)
    assert json.loads(found.stdout)[0]["caption"] == "a red thing", found.stdout


def test_the_opposite_question_and_the_questionnaire_agree(example: Path, data: DataFolder) -> None:
    """One number answers all, so that no judge of a package can be acquiescent by mistake."""
    for strategy, ways in (("simple", ("--mirrored",)), ("diary", ("--mirrored",)), ("isq", ())):
        words = ["rejudge", "r1", "--model", "example/captions", "--strategy", strategy, *ways]
        assert "questions answered" in typed(cli, *words, data=data).output
    files = [read_judgements(path) for path in judgement_files(data.run_dir("r1"))]
    assert len(files) == 3
    for file in files:
        said = [(line, line.judgement.answer == "yes") for line in file.lines]
        likes = {(line.position, yes != line.mirrored) for line, yes in said}
        assert likes == {(0, False), (1, True), (2, False), (3, False)}
        (sitting,) = file.sittings
        kinds = {"model", "strategy"} if sitting.strategy == "diary" else {"model"}
        assert {mark.kind for mark in sitting.plug_ins} == kinds
        assert {(mark.package, mark.version) for mark in sitting.plug_ins} == {PACKAGE}


def test_frames_are_indexed_again_by_a_plug_in(example: Path, data: DataFolder) -> None:
    for name in ("colour", "colour:again"):
        done = typed(store_cli, "index", "--encoder", name, data=data)
        assert done.stdout.startswith("4 frames added; the index holds 4.")


def test_a_study_is_quoted_with_plug_ins(example: Path, tmp_path: Path, data: DataFolder) -> None:
    file = tmp_path / "study.toml"
    file.write_text(
        'name = "own"\n[matrix]\npersonas = ["p12", "p05"]\narms = ["treatment"]\n'
        'strategies = ["diary"]\nmodels = ["example/captions"]\nplatforms = ["loopback"]\n'
        '[windows]\nbefore = 4\nadapt = 0\nafter = 4\n[test]\nprimary = "paired"\n'
    )
    done = typed(cli, "study", str(file), "--dry-run", data=data)
    assert "Study own: 2 runs, 16 videos at least" in done.stdout
    assert "Cost: none (no model here charges)" in done.stdout
    file.write_text(file.read_text().replace("diary", "dairy"))
    done = typed(cli, "study", str(file), "--dry-run", data=data, code=2)
    assert "--strategy plain|simple|isq|diary" in done.output


def test_an_adapter_file_is_no_plug_ins(example: Path, data: DataFolder, tmp_path: Path) -> None:
    assert load_platform("loopback").live
    words = ["run", "--persona", "p12", "--platform", "loopback", "--adapter", str(tmp_path / "a")]
    done = typed(cli, *words, data=data, code=2)
    assert "loopback has no adapter file" in done.output


def test_an_estimator_is_shown_in_terminal_page_and_tables(
    example: Path, data: DataFolder, tmp_path: Path
) -> None:
    replay(data, "--model", "example/captions", "--no-index")
    words = ["report", "r1", "latest", "--out", str(tmp_path / "report")]
    done = typed(analysis_cli, *words, data=data)
    assert "estimator first-batch of feedsway-example 0.1.0\n" in done.stdout
    page = (tmp_path / "report" / "index.html").read_text("utf-8")
    assert page.count("<h2>Estimators of others</h2>") == 2
    assert "feedsway_example.estimators:first_batch of feedsway-example 0.1.0 (code " in page
    assert "model example of feedsway-example 0.1.0 (code " in page  # what made the runs
    with (tmp_path / "report" / "tables" / "estimators_of_others.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [row["value"] for row in rows] == ["66.66666666666666", "100.0"]
    assert {(row["package"], row["version"]) for row in rows} == {PACKAGE}
    told = json.loads(typed(analysis_cli, *words, "--json", data=data).stdout)
    assert told["findings"][0]["custom_estimates"][0]["made_by"]["package"] == "feedsway-example"


def test_a_fault_of_an_estimator_is_its_own(data: DataFolder, tmp_path: Path) -> None:
    """The report is made, and no number of ours differs from one without it."""
    typed(analysis_cli, "report", "r1", "--out", str(tmp_path / "without"), data=data)
    code = (
        "import numpy as np\n"
        "def divides(views, rng):\n"
        "    rng.random(99)\n"
        "    views.answer[:] = 1\n"
        "    return 1 / 0\n"
        "def words(views, rng):\n    return {'a': 1.0}\n"
        "def lists(views, rng):\n    return [1.0]\n"
        "NUMBER = 3\n"
    )
    points = {f"estimators.{name}": f"bad:{name}" for name in ("divides", "words", "lists", "gone")}
    points["estimators.number"] = "bad:NUMBER"
    with seen(write_package(tmp_path / "site", "bad", code, points)):
        done = typed(analysis_cli, "report", "r1", "--out", str(tmp_path / "with"), data=data)
        assert len(ESTIMATORS.all()) == 5
    for problem in (
        "divides of bad 1.0: It failed with ZeroDivisionError: division by zero (bad.py, line 5).",
        "returned float for 'a', and no Estimate by its name",
        "returned a list, and no mapping",
        "AttributeError: module 'bad' has no attribute 'gone'",
        "it is no function",
    ):
        assert problem in done.stdout
    for table in ("estimates", "runs", "views", "i_avg", "personas"):
        one, two = (tmp_path / name / "tables" / f"{table}.csv" for name in ("without", "with"))
        assert one.read_bytes() == two.read_bytes(), table
    assert not (tmp_path / "without" / "tables" / "estimators_of_others.csv").exists()


# Faults while it answers, versions, resuming


def judge(folder: Path, likes: str, version: str = "1.0") -> Path:
    return write_package(
        folder, "mine", ANSWERS.format(likes=likes), {"models.mine": "mine:Mine"}, version
    )


def test_what_a_model_raises_is_a_failed_answer_with_its_line(
    tmp_path: Path, data: DataFolder
) -> None:
    raising = "1 / 0 if question.caption.startswith('a green') else 0.9"
    with seen(judge(tmp_path / "site", raising)):
        replay(data, "--model", "mine/x", "--no-index")
    steps = read(data.runs()[-1].path).steps
    assert [step.judgement.answer for step in steps] == ["yes", None, "yes", "yes"]
    assert steps[1].judgement.missing == "failed"
    fault = "mine/x failed: ZeroDivisionError: division by zero (mine.py, line 6)"
    assert steps[1].judgement.fault == fault


@pytest.mark.parametrize("likes", ["1.5", "'maybe'", "None", "float('nan')"])
def test_what_is_no_probability_is_a_failed_answer(
    tmp_path: Path, data: DataFolder, likes: str
) -> None:
    with seen(judge(tmp_path / "site", likes)):
        done = replay(data, "--model", "mine/x", "--no-index", "--max-missing", "2", code=1)
    told = "The model gave no reply to 2 questions in a row (the last one: mine/x failed: "
    assert told in done.output


@pytest.mark.parametrize(
    ("likes", "version"), [("0.9", "1.1"), ("0.8", "1.0")], ids=["version", "source"]
)
def test_a_run_does_not_go_on_with_another_state_of_its_model(
    tmp_path: Path, data: DataFolder, likes: str, version: str
) -> None:
    words = ["--model", "mine/x", "--no-index", "--max-missing", "1"]
    stops = "0.9 if question.caption.startswith('a red') else 1 / 0"
    with seen(judge(tmp_path / "one", stops)):
        replay(data, *words, code=1)
        replay(data, *words, code=1)  # the same state goes on
    assert len(data.runs()) == 2
    with seen(judge(tmp_path / "two", likes, version)):
        done = replay(data, *words, code=2)
        assert "The run was begun by another mine/x" in done.output
        assert done.output.strip().endswith("Type: the same command with --new")
        replay(data, *words, "--new")
    assert marks(data)["model"].version == version
    codes = [run.started.provenance.plug_ins for run in data.runs()[1:] if run.started]
    assert codes[0] != codes[1]


def test_a_run_does_not_go_on_with_other_prompts(tmp_path: Path, data: DataFolder) -> None:
    """Nor with other words of a strategy of ours, as after an upgrade."""
    words = ["--model", "scripted/fail", "--strategy", "own", "--no-index", "--max-missing", "1"]
    file = tmp_path / "site" / "own.toml"
    code = "from pathlib import Path\nX = Path(__file__).with_name('own.toml')"
    package = write_package(tmp_path / "site", "words", code, {"strategies.own": "words:X"})
    text = (SOURCE / "feedsway_example" / "diary.toml").read_text("utf-8")
    for content, exit_code, told in (
        (text, 1, "The model gave no reply"),
        (text.replace("diary", "notebook"), 2, "A prompt of the strategy own has changed"),
    ):
        file.write_text(content, encoding="utf-8")
        with seen(package):
            assert told in replay(data, *words, code=exit_code).output


def test_what_is_gone_on_with_is_named_again(
    tmp_path: Path, data: DataFolder, example: Path
) -> None:
    words = ["--model", "scripted/fail", "--encoder", "colour", "--max-missing", "1"]
    replay(data, *words, code=1)
    replay(data, *words, code=1)
    lines = data.runs()[-1].path.read_text("utf-8").splitlines()
    (resumed,) = [json.loads(line) for line in lines if '"run_resumed"' in line]
    assert [mark["name"] for mark in resumed["plug_ins"]] == ["colour"]


def test_a_reply_that_is_none_is_told(tmp_path: Path, data: DataFolder) -> None:
    code = (
        "from agent.models.custom_model import CustomModel\n"
        "class Mine(CustomModel):\n    async def ask(self, question):\n        return 'yes'\n"
    )
    with seen(write_package(tmp_path / "site", "mine", code, {"models.mine": "mine:Mine"})):
        done = replay(data, "--model", "mine/x", "--no-index", code=2)
    assert "its ask gave a str, and no Reply" in done.output


def test_what_was_not_asked_for_is_not_imported(tmp_path: Path, data: DataFolder) -> None:
    points = {"models.mine": "mine:Mine", "encoders.other": "mine:X", "platforms.site": "mine:Y"}
    with seen(write_package(tmp_path / "site", "mine", "raise KeyError('no')", points)):
        replay(data, "--model", "scripted/yes", "--no-index")
        assert "mine" not in sys.modules
        with pytest.raises(PlugInBroken):
            load_here("mine/x")
    forget()


# In processes of their own


@pytest.mark.drill
def test_a_site_of_a_package_is_watched(site: Path, tmp_path: Path) -> None:
    """The playground, served by hand and watched as a live site of another name."""
    serve = [sys.executable, "-m", "agent.playground", "--parent", "--state", str(tmp_path / "st")]
    with subprocess.Popen(
        serve, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    ) as server:
        assert server.stdout is not None
        url = json.loads(server.stdout.readline())["url"]
        environment = {**finding(site), "LOOPBACK_URL": url}
        words = ["run", "--persona", "p12", "--platform", "loopback", "--account", "mine"]
        words += ["--model", "example/captions", "--before", "2", "--after", "2", "--pace", "0.5"]
        data = tmp_path / "data"
        done = feedsway(*words, "--no-index", "--data", str(data), env=environment)
        assert done.returncode == 0, done.stderr
        server.communicate()
    ledger = only(data)
    assert ledger.started.platform == "loopback"
    assert {mark.kind for mark in ledger.started.provenance.plug_ins} == {"model", "platform"}
    assert all(step.video.caption and step.video.author for step in ledger.steps)
    assert len({step.video.id for step in ledger.steps}) == len(ledger.steps)


@pytest.mark.drill
def test_a_study_runs_with_plug_ins_and_refuses_another_state_of_them(
    site: Path, tmp_path: Path
) -> None:
    file, data = tmp_path / "study.toml", tmp_path / "data"
    file.write_text(
        'name = "own"\n[matrix]\npersonas = ["p12", "p05"]\narms = ["treatment"]\n'
        'strategies = ["diary"]\nmodels = ["example/captions"]\nreplicates = 1\n'
        '[windows]\nbefore = 4\nadapt = 0\nafter = 4\n[test]\nprimary = "paired"\n'
    )
    words = ["study", str(file), "--data", str(data), "--no-index"]
    done = feedsway(*words, env=finding(site))
    assert done.returncode == 0, done.stderr
    kept = ledgers(data)
    assert len(kept) == 2
    for ledger in kept:
        assert {mark.kind for mark in ledger.started.provenance.plug_ins} == {"model", "strategy"}
    changed = change(tmp_path)
    file.write_text(file.read_text("utf-8").replace("replicates = 1", "replicates = 2"))
    done = feedsway(*words, env=finding(changed))
    assert done.returncode == 1
    logs = "".join(path.read_text("utf-8") for path in data.glob("studies/own/logs/*.log"))
    assert "The model example/captions has changed since study own was begun" in logs


@pytest.mark.drill
def test_a_cluster_asks_a_plug_in_and_says_where_it_is_not(
    site: Path, tmp_path: Path, data: DataFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    with_it, without = finding(site), dict(os.environ)
    words = ["rejudge", "r1", "--model", "example/captions", "--on", "ray"]
    words += ["--data", str(data.root)]
    with simulated_nodes(1) as nodes:
        done = feedsway(*words, env={**nodes.environment, "PYTHONPATH": with_it["PYTHONPATH"]})
        assert done.returncode == 2, done.stderr
        assert "There is no model 'example/captions'" in done.stderr
    monkeypatch.setenv("PYTHONPATH", with_it["PYTHONPATH"])
    with simulated_nodes(1) as nodes:
        done = feedsway(*words, env=nodes.environment)
        assert done.returncode == 0, done.stderr
        assert "4 questions answered about 1 run." in done.stdout
        done = feedsway(*words, "--seed", "2", env={**nodes.environment, **without})
        assert done.returncode == 2
        changed = {**nodes.environment, "PYTHONPATH": finding(change(tmp_path))["PYTHONPATH"]}
        done = feedsway(*words, "--seed", "2", env=changed)
        assert done.returncode == 2, done.stderr
        assert "The nodes have the model example of feedsway-example 0.1.0 (code " in done.stderr
    (sitting,) = read_judgements(judgement_files(data.run_dir("r1"))[0]).sittings
    assert [mark.package for mark in sitting.plug_ins] == ["feedsway-example"]
    with seen(site):
        assert sitting.fingerprint == load_here("example/captions").fingerprint
