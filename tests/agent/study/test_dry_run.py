"""What the command tells or refuses of a study before anything runs."""

from __future__ import annotations

import json
import re
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


def test_thoughts_are_bounded_where_a_model_may_think(tmp_path: Path) -> None:
    """1,200 + 7,296 replies of at most 1,024 tokens, at 10 dollars a million, and the questions."""
    file = tmp_path / "study.toml"
    for model, thinks in (("openai/gpt-6.1-sol", True), ("openai/gpt-4o", False)):
        file.write_text(EXAMPLE.replace("embedded/conse", model), encoding="utf-8")
        told = dry_run(file, tmp_path / "data").stdout
        assert ("may think first" in told) == thinks
    most = 8496 * 1024 * 10 / 1e6
    file.write_text(EXAMPLE.replace("embedded/conse", "openai/gpt-6.1-sol"), encoding="utf-8")
    found = re.search(r"it: \$([\d.]+) at most", dry_run(file, tmp_path / "data").stdout)
    assert found is not None
    assert most < float(found[1]) < 1.2 * most


def test_thoughts_are_bounded_by_the_length_that_the_study_sets(tmp_path: Path) -> None:
    file, model = tmp_path / "study.toml", "openai/gpt-6.1-sol"
    text = EXAMPLE.replace("embedded/conse", model)
    file.write_text(f'{text}\n[model_settings."{model}"]\nmax_tokens = 16384\n', encoding="utf-8")
    told = dry_run(file, tmp_path / "data").stdout
    found = re.search(r"it: \$([\d.,]+) at most, with 16,384 tokens a reply", told)
    assert found is not None
    assert float(found[1].replace(",", "")) > 8496 * 16384 * 10 / 1e6


def test_a_judge_without_a_price_is_quoted_in_tokens(tmp_path: Path) -> None:
    file = tmp_path / "study.toml"
    unknown = "openai-api/loopback/tiny"
    file.write_text(EXAMPLE.replace("embedded/conse", unknown), encoding="utf-8")
    told = dry_run(file, tmp_path / "data").stdout
    assert f"Cost: not known, since no price is listed for {unknown}; about" in told
    file.write_text(file.read_text("utf-8") + "[budget]\nmax_cost = 5\n", encoding="utf-8")
    refused = dry_run(file, tmp_path / "data")
    assert refused.exit_code == 2
    assert "No price is known" in refused.stderr


def test_shares_that_are_not_drawn_are_refused_with_their_line(tmp_path: Path) -> None:
    file = tmp_path / "study.toml"
    file.write_text(EXAMPLE + "[rejudge]\nothers = 0.1\n", encoding="utf-8")
    refused = dry_run(file, tmp_path / "data")
    assert refused.exit_code == 2
    line = len(EXAMPLE.splitlines()) + 2
    assert f"study.toml:{line}: rejudge.others: others is drawn in steps of 0.05" in refused.stderr


def test_reasons_are_questions_or_longer_replies(tmp_path: Path) -> None:
    """After a yes they are asked for, which is taken to be 30 % of 7,296 answers."""
    file = tmp_path / "study.toml"
    text = EXAMPLE.replace("embedded/conse", "openai/gpt-4o")
    costs = []
    for explain, told in (("never", "7,296 about"), ("all", "7,296 about"), ("yes", "9,485 about")):
        file.write_text(f'{text}[rejudge]\nexplain = "{explain}"\n', encoding="utf-8")
        shown = dry_run(file, tmp_path / "data").stdout
        assert told in shown
        assert ("2,189 for reasons" in shown) == (explain == "yes")
        found = re.search(r"Cost: about \$([\d.]+)", shown)
        assert found is not None
        costs.append(float(found[1]))
    assert costs[0] < costs[1] < 2 * costs[0]
    assert costs[0] < costs[2] < 2 * costs[0]
