"""What a model cannot do is told before anything is read, trained, sent or looked for."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest
from click.testing import CliRunner

from agent.cli import cli
from agent.daemon.journal.events import read_events as read_journal

GERMAN = """id = "de1"
traits = [
  "Ich backe gern Brot mit meiner Mutter.",
  "Ich mag das Meer und die Berge.",
  "Ich lese jeden Abend ein Buch.",
]
"""


WATCH = """
[[entry]]
name = "dawn"
cron = "0 0 1 1 *"
run = { persona = "p12", model = "openai/gpt-4o" }
"""


@pytest.mark.parametrize(
    "words",
    [
        ("judge-check", "--model", "openai/gpt-4o"),
        ("spectrum", "--model", "openai/gpt-4o"),
        ("spectrum", "--model", "scripted/yes", "--modality", "--describe-by", "openai/gpt-4o"),
        ("probe", "--model", "scripted/yes", "--model", "openai/gpt-4o"),
        ("pairs", "--model", "scripted/editor", "--checker", "openai/gpt-4o"),
        ("align", ".", "--model", "hfvlm/none", "--judge", "openai/gpt-4o", "--style", "kind"),
    ],
)
def test_a_missing_key_is_told_first(
    words: Sequence[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    monkeypatch.chdir(tmp_path)
    told = CliRunner().invoke(cli, list(words))
    assert told.exit_code == 2
    assert told.output == (
        "openai/gpt-4o cannot be asked before its key is set. Type: export OPENAI_API_KEY=…\n"
    )


def test_an_english_viewer_is_asked_as_no_german_about_values(tmp_path: Path) -> None:
    persona = tmp_path / "de1.toml"
    persona.write_text(GERMAN, encoding="utf-8")
    words = ["spectrum", "--model", "embedded/conse", "--persona", str(persona)]
    told = CliRunner().invoke(cli, [*words, "--data", str(tmp_path)])
    assert told.exit_code == 2
    assert "embedded/conse reads English only, and the traits of de1 are" in told.stderr


def test_a_daemon_without_a_key_starts_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    file, data = tmp_path / "watch.toml", tmp_path / "data"
    file.write_text(WATCH, encoding="utf-8")
    told = CliRunner().invoke(cli, ["daemon", str(file), "--data", str(data)])
    assert told.exit_code == 2
    assert told.stderr.endswith("Type: export OPENAI_API_KEY=…\n")
    assert list(read_journal(data / "daemon" / "journal.jsonl")) == []
