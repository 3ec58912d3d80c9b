"""Shards ask each question once between them, and united they are what one machine makes."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from agent.cli import cli
from store.cli.main import main as store_cli
from store.jsonl.atomic import write_whole
from store.results.preference_pairs import read_pairs
from store.runs.data_folder import DataFolder
from store.runs.ledger_lines import PersonaRecord
from store.runs.payment_book import PaymentBook
from store.runs.rejudgements import RejudgementKey, judgement_files, read_judgements
from tests.agent.models.fault_server import Server
from tests.store.samples import COLOURS, keep_run

OF = 3
COIN = "scripted/coin?p=0.5"


def typed(*words: str, data: Path) -> Result:
    return CliRunner().invoke(cli, [*words, "--data", str(data)], catch_exceptions=False)


def merged(target: Path, *folders: Path, words: tuple[str, ...] = ()) -> dict[str, Any]:
    command = ["merge", *map(str, folders), "--data", str(target), "--json", *words]
    done = CliRunner().invoke(store_cli, command, catch_exceptions=False)
    assert done.exit_code == 0, done.output
    told: dict[str, Any] = json.loads(done.stdout)
    return told


def persona(name: str) -> PersonaRecord:
    return PersonaRecord(id=name, traits=(f"I like {name}.",), source="made", licence="MIT")


@pytest.fixture
def begun(tmp_path: Path) -> Path:
    """A study of three complete runs, by three personas."""
    data = DataFolder(tmp_path / "begun")
    for number, name in enumerate(("ann", "bob", "cid")):
        study = {"study": "many", "cell": name}
        colours = COLOURS[number : number + 6]
        keep_run(data, f"r-{name}", colours, persona=persona(name), config=study)
    write_whole(data.study_dir("many") / "study.toml", b"")
    return data.root


def answers(data: Path) -> dict[str, dict[RejudgementKey, str | None]]:
    """What was said to each question, by file."""
    found: dict[str, dict[RejudgementKey, str | None]] = {}
    for ledger in DataFolder(data).ledgers():
        for path in judgement_files(ledger.parent):
            lines = read_judgements(path).lines
            said: dict[RejudgementKey, str | None] = {
                line.key: line.judgement.answer for line in lines
            }
            assert len(said) == len(lines)  # none is doubled
            found[path.relative_to(data).as_posix()] = said
    return found


@pytest.mark.parametrize("order", ["persona-first", "picture-first"])
def test_re_judging_in_shards_is_re_judging(tmp_path: Path, begun: Path, order: str) -> None:
    asked = ("rejudge", "many", "--everyone", "--mirrored", "--order", order, "--model", COIN)
    one, shards = tmp_path / "one", [tmp_path / f"s{number}" for number in range(1, OF + 1)]
    for folder in (one, *shards):
        shutil.copytree(begun, folder)
    assert typed(*asked, data=one).exit_code == 0
    for number, folder in enumerate(shards, 1):
        done = typed(*asked, "--shard", f"{number}/{OF}", data=folder)
        assert done.exit_code == 0, done.output
        assert f"in shard {number}/{OF}" in done.stdout
        assert "store merge FOLDER" in done.stderr
    parts = [answers(folder) for folder in shards]
    pictures = [{key.frame for said in part.values() for key in said} for part in parts]
    assert len(set().union(*pictures)) == sum(map(len, pictures)) > OF
    shutil.copytree(begun, tmp_path / "united")
    assert merged(tmp_path / "united", *shards[::-1])["answers"] > 0
    assert merged(tmp_path / "united", *shards)["files"] == 0
    assert answers(tmp_path / "united") == answers(one)
    assert sum(map(len, answers(one).values())) == 3 * 3 * 6 * 2
    again = typed(*asked, data=tmp_path / "united")
    assert "0 questions answered" in again.stdout


def test_pairs_and_spectra_in_shards(tmp_path: Path, begun: Path) -> None:
    one, shards = tmp_path / "one", [tmp_path / f"s{number}" for number in range(1, OF + 1)]
    for folder in (one, *shards):
        shutil.copytree(begun, folder)
    asked = ("pairs", "--model", "scripted/editor", "--kind", "object", "--frames", "9")
    assert typed(*asked, data=one).exit_code == 0
    for number, folder in enumerate(shards, 1):
        assert typed(*asked, "--shard", f"{number}/{OF}", data=folder).exit_code == 0
    merged(tmp_path / "united", *shards)
    (mine,), (theirs,) = (list((d / "pairs").glob("*.jsonl")) for d in (one, tmp_path / "united"))
    keys = [sorted(pair.key for pair in read_pairs(path).pairs) for path in (mine, theirs)]
    assert keys[0] == keys[1] != []
    refused = typed(*asked, "--shard", "1/3", "--export", str(tmp_path / "x"), data=one)
    assert refused.exit_code == 2


@pytest.mark.parametrize("word", ["0/4", "5/4", "x"])
@pytest.mark.parametrize(
    "command",
    [
        ("rejudge", "many"),
        ("study", "study.toml"),
        ("spectrum", "--model", "scripted/yes"),
        ("pairs", "--model", "scripted/editor"),
    ],
)
def test_what_is_no_shard(tmp_path: Path, command: tuple[str, ...], word: str) -> None:
    done = typed(*command, "--shard", word, data=tmp_path)
    assert (done.exit_code, "Type: --shard 1/16" in done.stderr) == (2, True)


def test_a_budget_of_a_study_is_not_spent_by_each_shard(
    begun: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One that cannot see what the others spend is told what it may spend."""
    monkeypatch.setenv("OPENAI_API_KEY", "made-up")
    toml = (
        'name = "many"\n[matrix]\npersonas = ["p01"]\nplatforms = ["playground"]\n'
        'strategies = ["simple"]\nmodels = ["openai/gpt-4o"]\n[budget]\nmax_cost = 8\n'
    )
    write_whole(begun / "studies" / "many" / "study.toml", toml.encode())
    asked = ("rejudge", "many", "--model", "openai/gpt-4o", "--shard", "1/4")
    done = typed(*asked, data=begun)
    assert done.exit_code == 2
    assert "none sees what the others spend" in done.stderr


@pytest.mark.drill
def test_a_paid_question_is_paid_once_by_all_shards(tmp_path: Path, begun: Path) -> None:
    """Each shard is killed in its middle and typed again; what was paid is known to all."""
    shards = [tmp_path / f"s{number}" for number in range(1, OF + 1)]
    asked = ["rejudge", "many", "--everyone", "--model", "openai-api/loopback/yes"]
    asked += ["--connections", "1"]
    with Server().running() as server:
        env = {
            **os.environ,
            "LOOPBACK_BASE_URL": f"{server.url}/yes/v1",
            "LOOPBACK_API_KEY": "none",
        }
        for number, folder in enumerate(shards, 1):
            shutil.copytree(begun, folder)
            words = [sys.executable, "-m", "agent", *asked, "--data", str(folder)]
            words += ["--shard", f"{number}/{OF}"]
            before = server.requests["yes"]
            with subprocess.Popen(words, env=env, stdout=-3, stderr=-3) as child:
                while child.poll() is None and server.requests["yes"] < before + 3:
                    time.sleep(0.005)
                child.kill()
            done = subprocess.run(words, env=env, capture_output=True, text=True, check=False)
            assert done.returncode == 0, done.stderr
        paid = server.requests["yes"]
        united = tmp_path / "united"
        for _ in range(2):
            merged(united, *shards[::-1], words=("--own",))
        words = [sys.executable, "-m", "agent", *asked, "--data", str(united)]
        done = subprocess.run(words, env=env, capture_output=True, text=True, check=False)
        assert "0 questions answered" in done.stdout, done.stderr
        assert server.requests["yes"] == paid
    said = answers(united)
    questions = sum(map(len, said.values()))
    assert questions == 3 * 3 * 6
    assert questions <= paid <= questions + OF  # a call that was under way at a kill is sent again
    accounts = [Path(name).with_suffix("").as_posix() for name in said]
    balance = PaymentBook(united / "payments.jsonl").balance(accounts)
    each = [PaymentBook(one / "payments.jsonl").balance(accounts) for one in shards]
    assert balance.calls == sum(one.calls for one in each) == paid
    assert balance.tokens == sum(one.tokens for one in each)
