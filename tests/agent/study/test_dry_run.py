"""What the command tells or refuses of a study before anything runs."""

from __future__ import annotations

import json
from pathlib import Path

from click.testing import CliRunner, Result

from agent.cli import cli
from agent.study.preparation import keep_study, prepare_study
from agent.study.study_file import EXAMPLE, load_study
from store.runs.data_folder import DataFolder
from tests.agent.study.test_conductor import written


def dry_run(file: Path, data: Path) -> Result:
    return CliRunner().invoke(cli, ["study", str(file), "--dry-run", "--data", str(data)])


def test_a_study_refuses_a_prompt_that_has_changed(tmp_path: Path) -> None:
    data = DataFolder(tmp_path / "data")
    file = written(tmp_path, ["p12", "p09"])
    study = prepare_study(load_study(file), file, data, lambda config: None)
    keep_study(study, file)
    assert dry_run(file, data.root).exit_code == 0
    kept = study.folder / "frozen.json"
    was = json.loads(kept.read_text(encoding="utf-8"))
    was["prompts"]["simple"] = dict.fromkeys(was["prompts"]["simple"], "0" * 64)
    kept.write_text(json.dumps(was), encoding="utf-8")
    refused = dry_run(file, data.root)
    assert refused.exit_code == 2
    told = refused.stderr.rstrip()
    assert "A prompt of the strategy simple has changed since study small was begun" in told
    assert told.endswith('type in the study file: name = "ANOTHER"')


def test_a_study_tells_of_windows_beyond_its_catalogue(tmp_path: Path) -> None:
    file = written(tmp_path, ["p12", "p09"])
    assert "videos and the run watches" not in dry_run(file, tmp_path / "data").stderr
    text = file.read_text(encoding="utf-8")
    longer = text.replace("before = 2\n", "before = 150\n").replace("after = 2\n", "after = 151\n")
    file.write_text(longer, encoding="utf-8")
    told = dry_run(file, tmp_path / "data")
    assert told.exit_code == 0
    assert "has 300 videos and the run watches 301" in " ".join(told.stderr.split())


def test_the_example_tells_what_its_declared_test_asks_afterwards(tmp_path: Path) -> None:
    """Eight runs, each asked about 48 + 66 videos as eight personas."""
    file = tmp_path / "study.toml"
    file.write_text(EXAMPLE, encoding="utf-8")
    told = dry_run(file, tmp_path / "data")
    assert told.exit_code == 0
    assert "8 runs, 1,200 videos at least" in told.stdout
    assert "1,200 while watching, and 7,296 about stored frames afterwards" in told.stdout
    text = EXAMPLE.replace('primary = "matrix"', 'primary = "paired"')
    file.write_text(text, encoding="utf-8")
    assert "1,200 while watching.\n" in dry_run(file, tmp_path / "data").stdout
