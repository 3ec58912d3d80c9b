"""``python -m agent import``: what is said of a file, and how it is refused."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from agent.cli import cli
from store.runs.data_folder import DataFolder
from store.runs.ledger import read
from tests.store.dataset import donation_samples as samples


def typed(tmp_path: Path, *words: str) -> Result:
    return CliRunner().invoke(cli, ["import", *words, "--data", str(tmp_path / "data")])


def given(tmp_path: Path, told: object, name: str = "given.json") -> str:
    path = tmp_path / name
    path.write_text(json.dumps(told), "utf-8")
    return str(path)


def test_a_donation_says_what_was_kept_and_what_can_be_said_of_it(tmp_path: Path) -> None:
    done = typed(tmp_path, given(tmp_path, samples.youtube()), "--as", "donor7")
    assert done.exit_code == 0, done.output
    assert done.stdout == (
        "4 videos added; run imported-youtube-donor7 holds 4.\n"
        "3 videos on 1 day, 3.0 a day; 33.3 % seen before.\n"
    )
    assert "Nothing else of it was kept" in done.stderr
    assert "does not tell Shorts" in done.stderr
    assert "Left out, as no video with a time: 5 entries." in done.stderr
    assert "--beside imported-youtube-donor7" in done.stderr
    started = read(DataFolder(tmp_path / "data").ledger_path("imported-youtube-donor7")).started
    assert (started.persona.id, started.from_elsewhere) == ("donor7", True)
    assert str(tmp_path) not in started.model_dump_json(), "not even where the file lay"


def test_json_is_for_programs(tmp_path: Path) -> None:
    done = typed(tmp_path, given(tmp_path, samples.instagram_old()), "--as", "donor7", "--json")
    assert json.loads(done.stdout) == [
        {
            "run_id": "imported-instagram-donor7",
            "added": 6,
            "present": 6,
            "videos": 6,
            "days": 1,
            "repeats": None,
            "creators": 3,
            "commonest": 2,
            "left_out": 0,
        }
    ]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ((), "--as NAME"),
        (("--as", "../../etc"), "Type: --as donor7"),
        (("--as", "x" * 200), "Type: --as donor7"),
        (("--as", ""), "Type: --as donor7"),
    ],
)
def test_a_donation_needs_a_name_that_is_one(
    tmp_path: Path, words: tuple[str, ...], said: str
) -> None:
    refused = typed(tmp_path, given(tmp_path, samples.tiktok(3)), *words)
    assert refused.exit_code == 2
    assert said in refused.output
    assert not (tmp_path / "data").exists()


@pytest.mark.parametrize("name", ["Jürgen Ö", "語", "a b/c".replace("/", "-"), "-x"])
def test_any_name_makes_a_run_of_its_own(tmp_path: Path, name: str) -> None:
    done = typed(tmp_path, given(tmp_path, samples.tiktok(3)), f"--as={name}")
    assert done.exit_code == 0, done.output
    (run,) = (path.name for path in (tmp_path / "data" / "runs").iterdir())
    assert run.startswith("imported-tiktok-")
    assert run.isascii()


def test_what_is_no_history_is_refused_before_anything_is_made(tmp_path: Path) -> None:
    refused = typed(tmp_path, given(tmp_path, {"user": samples.SECRET}), "--as", "donor7")
    assert refused.exit_code == 2
    assert "no watch history" in refused.output
    assert "Type: python -m agent import --help" in refused.output
    assert samples.SECRET not in refused.output
    assert not (tmp_path / "data").exists()
