"""``feedsway.toml`` in commands: what counts more, what it is for, and what it does not touch."""

from __future__ import annotations

import asyncio
import json
import re
import shutil
import sys
from pathlib import Path
from typing import Any

import click
import pytest
from click.testing import CliRunner, Result

from agent.cli import cli
from agent.cli.options import data_to_type
from agent.cli.run import _config, run
from agent.daemon.process.child import Child
from agent.judge.spending_cap import SpendingCap
from agent.study.cell_process import CellProcess
from analysis.cli.main import main as analysis_commands
from analysis.examples.study import write_example
from store.cli.configured_group import ConfigOption
from store.cli.main import main as store_commands
from store.cli.options import default_data
from store.runs.data_folder import DataFolder
from store.terminal.config_file import CONFIG_KEYS, FILE, VARIABLE


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_example(tmp_path_factory.mktemp("made")).root


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.delenv(VARIABLE)
    return tmp_path


def write(place: Path, text: str) -> None:
    (place / FILE).write_text(text, encoding="utf-8")


def invoke(group: click.Group, *words: str, **environment: str) -> Result:
    return CliRunner().invoke(group, words, env=environment, prog_name="feedsway")


def parameters(words: list[str], **environment: str) -> dict[str, Any]:
    """Return what `run` would be called with; of a persona, also the digest of what it records."""
    found: dict[str, Any] = {}

    @click.pass_context
    def keep(context: click.Context, /, **values: Any) -> None:
        found.update(values)
        if values["persona"]:
            config = _config(context, DataFolder(values["data"]))
            found.update(digest=config.digest(), recorded=config.model_dump_json())

    group = type(cli)("feedsway", reporter=cli.reporter, commands={})
    group.add_command(click.Command("run", params=run.params, callback=keep))
    result = invoke(group, "run", *words, **environment)
    assert result.exit_code == 0, result.output
    return found


def test_every_key_is_an_option_of_a_run_and_nothing_else_may_stand_there() -> None:
    marked = {one.config_key() for one in run.params if isinstance(one, ConfigOption)}
    assert marked == {key.name for key in CONFIG_KEYS}
    others = {
        one.config_key()
        for group in (cli, store_commands, analysis_commands)
        for command in group.commands.values()
        for one in command.params
        if isinstance(one, ConfigOption)
    }
    assert others == marked


def test_typed_counts_more_than_set_and_set_more_than_the_file(place: Path) -> None:
    assert parameters([])["data"] == Path("data")
    write(place, 'data = "filed"\nmodel = "scripted/yes"\nheaded = true\nmax-cost = 2\nper_day = 9')
    found = parameters([])
    assert (found["data"], found["model"], found["headed"]) == (Path("filed"), "scripted/yes", True)
    assert (found["max_cost"], found["per_day"], found["pace"]) == (2.0, 9, 3.0)
    assert parameters([], FEEDSWAY_DATA="set")["data"] == Path("set")
    typed = ["--data", "typed", "--headless", "--model", "scripted/no"]
    found = parameters(typed, FEEDSWAY_DATA="set")
    assert (found["data"], found["headed"], found["model"]) == (Path("typed"), False, "scripted/no")
    assert parameters([], **{VARIABLE: ""})["model"] == "embedded/conse"


def test_the_other_command_lines_and_python_take_the_data_folder_too(
    place: Path, made: Path
) -> None:
    shutil.copytree(made, place / "filed")
    write(place, 'data = "filed"')
    assert len(json.loads(invoke(store_commands, "runs", "--json").stdout)) > 3
    assert invoke(analysis_commands, "summary", "latest").exit_code == 0
    assert default_data() == "filed"


def test_a_data_folder_is_named_unless_a_command_takes_it_anyhow(
    place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert data_to_type(Path("data")) == ""
    assert data_to_type(Path("my data")) == " --data 'my data'"
    write(place, 'data = "filed"')
    assert (data_to_type(Path("filed")), data_to_type(Path("data"))) == ("", " --data data")
    monkeypatch.setenv("FEEDSWAY_DATA", "set")
    assert (data_to_type(Path("set")), data_to_type(Path("data"))) == ("", " --data data")


def test_a_run_records_values_and_not_where_they_come_from(place: Path) -> None:
    words = ["--persona", "p12", "--before", "2", "--after", "2"]
    typed = parameters([*words, "--model", "scripted/yes"])
    write(place, 'model = "scripted/yes"')
    filed = parameters(words)
    assert filed == typed
    assert '"model":"scripted/yes"' in filed["recorded"]
    assert FILE not in filed["recorded"]


def test_config_tells_each_value_and_its_source(place: Path) -> None:
    result = invoke(cli, "config")
    assert "model        embedded/conse  default\n" in result.stdout
    assert f"Type: feedsway config --example > {FILE}\n" in result.stderr
    write(place, 'model = "scripted/yes"\n')
    told = json.loads(invoke(cli, "config", "--json", FEEDSWAY_BROWSER="chromium").stdout)
    assert told["files"] == [str(place / FILE)]
    assert told["options"].keys() == {key.name for key in CONFIG_KEYS}
    assert told["options"]["model"] == {"value": "scripted/yes", "from": str(place / FILE)}
    assert told["options"]["browser"] == {"value": "chromium", "from": "FEEDSWAY_BROWSER"}
    assert told["options"]["data"] == {"value": "data", "from": "default"}
    shown = invoke(cli, "config", FEEDSWAY_BROWSER="wss://me:hunter2@host/?token=abcdef").stdout
    assert "wss://" in shown
    assert not {"hunter2", "abcdef"} & set(re.findall(r"\w+", shown))
    assert invoke(cli, "config", "--example").stdout.startswith("# Options that are the same")


def test_a_wrong_file_is_told_and_hinders_no_help(place: Path) -> None:
    write(place, "modle = 1")
    for group, words in ((cli, "doctor"), (store_commands, "runs"), (cli, "config")):
        result = invoke(group, words)
        assert result.exit_code == 2
        assert result.stdout == ""
        assert result.stderr.startswith(f"Error: {place / FILE} has no key 'modle'.")
        assert invoke(group, words, "--help").exit_code == 0
    assert invoke(cli, "--version").exit_code == 0


def test_what_a_study_declares_no_file_changes(place: Path) -> None:
    marked = {
        name: {
            one.config_key() for one in cli.commands[name].params if isinstance(one, ConfigOption)
        }
        for name in ("study", "daemon")
    }
    assert marked == {"study": {"browser", "index", "data"}, "daemon": {"browser", "data"}}


def test_children_of_a_study_and_a_daemon_read_no_file(place: Path) -> None:
    write(place, 'model = "scripted/yes"\nheaded = true')
    assert json.loads(invoke(cli, "config", "--json").stdout)["files"] == [str(place / FILE)]
    words = ("-m", "agent", "config", "--json")
    logs = place / "cell.log", place / "job.log"
    job = Child([sys.executable, *words], logs[1], place, "job")

    async def start() -> tuple[int, int]:
        await job.start()
        return await CellProcess(words, logs[0]).run(), await job.wait()

    assert asyncio.run(start()) == (0, 0)
    for log in logs:
        told = log.read_text("utf-8")
        found = json.loads(told[told.index("{") : told.rindex("}") + 1])
        assert found["files"] == []
        assert found["options"]["headed"] == {"value": False, "from": "default"}


def test_a_study_s_budget_counts_more_than_a_cap_of_the_file(
    place: Path, made: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copytree(made, place / "data")
    study = place / "data" / "studies" / "example" / "study.toml"
    study.write_text(study.read_text("utf-8") + "\n[budget]\nmax_cost = 1.0\n", "utf-8")
    caps: list[SpendingCap] = []

    def keep(_: str, cap: SpendingCap) -> None:
        caps.append(cap)
        raise KeyboardInterrupt  # before anything is asked

    monkeypatch.setattr(sys.modules["agent.cli.rejudge"], "announce", keep)
    words = ["rejudge", "example", "--model", "openai-api/near/x"]
    near = {"NEAR_API_KEY": "k", "NEAR_BASE_URL": "http://127.0.0.1:9/v1"}
    write(place, "max-cost = 100\nmax-tokens = 5")
    invoke(cli, *words, **near)
    invoke(cli, *words, "--max-cost", "3", **near)
    study.write_text(study.read_text("utf-8").replace("max_cost = 1.0", ""), "utf-8")
    invoke(cli, *words, **near)
    assert [(cap.cost_usd, cap.tokens) for cap in caps] == [(1.0, None), (3.0, None), (100, 5)]
