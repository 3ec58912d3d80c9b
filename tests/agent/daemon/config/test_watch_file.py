"""The watch file: a mistake is told with its line, an edit is taken up whole or not at all."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from pathlib import Path

import pytest

from agent.daemon.config.jobs import load_watch_file, resolve_entries
from agent.daemon.config.reload import LoadedFile
from agent.daemon.config.watch_file import EXAMPLE, BadWatch
from agent.daemon.journal.state import Occurrence
from agent.daemon.journal.writer import JournalWriter
from agent.daemon.machine_clock import SystemClock
from agent.study.study_file import EXAMPLE as STUDY

GOOD = """\
timezone = "Europe/Berlin"

[[entry]]
name = "p12"
every = "5m"
run = { persona = "p12", account = "a1", before = 2, after = 2, like = true }

[[entry]]
name = "p05"
cron = "0 18 * * mon-fri"
[entry.run]
persona = "p05"
max_cost = 0.5
"""


def written(folder: Path, text: str) -> Path:
    file = folder / "watch.toml"
    file.write_text(text, encoding="utf-8")
    return file


COMMANDS = {
    "p05: There is no persona": "python -m personas list",
    "before its key is set": "export NOBODY_SET_IT_API_KEY=…",
}
"""What helps with an entry, where that is typed in a shell."""


@pytest.mark.parametrize(
    ("old", "new", "line", "words"),
    [
        ('timezone = "Europe/Berlin"', 'timezone = "Europe/Berlim"', 1, "no time zone"),
        ('every = "5m"', 'every = "5 minutes"', 5, "durations are written"),
        ('every = "5m"', 'evry = "5m"', 5, "evry"),
        ('every = "5m"', "", 3, "one of cron, every and between"),
        ("mon-fri", "1-5", 10, "days of the week by name"),
        ("0 18 * * mon-fri", "0 25 * * *", 10, "cron"),
        ("0 18 * * mon-fri", "0 0 30 2 *", 10, "is never due: there is no such date"),
        ('persona = "p05"', 'persona = "p5x"', 11, "p05: There is no persona"),
        ("max_cost = 0.5", "max_kost = 0.5", 11, "--max-kost"),
        ("max_cost = 0.5", "headed = true", 11, "not for a run that nobody watches"),
        ("max_cost = 0.5", 'strategy = "plain"', 11, "no taste of its own"),
        (
            '[entry.run]\npersona = "p05"',
            'budget_usd = 5\n[entry.run]\nmodel = "openai-api/a/b"\npersona = "p05"',
            12,
            "no price is known for openai-api/a/b",
        ),
        (
            '[entry.run]\npersona = "p05"',
            '[entry.run]\nmodel = "openai-api/nobody-set-it/b"\npersona = "p05"',
            11,
            "before its key is set",
        ),
        ('name = "p05"', 'name = "p12"', None, "the same name"),
        ('name = "p05"', 'name = = "p12"', 9, "line 9"),
    ],
)
def test_what_is_wrong_is_told_with_its_line(
    tmp_path: Path, old: str, new: str, line: int | None, words: str
) -> None:
    assert old in GOOD
    file = written(tmp_path, GOOD.replace(old, new))
    with pytest.raises(BadWatch) as caught:
        load_watch_file(file)
    assert words in str(caught.value)
    command = re.search("Type: (.*)$", str(caught.value))
    assert command
    assert command[1] == COMMANDS.get(words, "python -m agent daemon --example")
    if line is not None:
        assert caught.value.line == line


def test_the_example_holds_with_all_that_is_commented_out(tmp_path: Path) -> None:
    study = tmp_path / "study.toml"
    study.write_text(STUDY, encoding="utf-8")
    text = "\n".join(line.removeprefix("# ") for line in EXAMPLE.splitlines())
    watch = load_watch_file(written(tmp_path, text.replace("study.toml", str(study), 1)))
    assert [entry.kind for entry in watch.entries] == ["run", "run", "study"]
    assert load_watch_file(written(tmp_path, EXAMPLE)).entries == watch.entries[:2]


def test_an_entry_is_a_command_with_its_due_time(tmp_path: Path) -> None:
    watch = load_watch_file(written(tmp_path, GOOD))
    job = resolve_entries(watch)["p12"]
    due = datetime(2026, 11, 20, 12, tzinfo=UTC)
    words = job.command(Occurrence("p12", due), tmp_path, None)
    assert words[1:6] == ["-P", "-m", "agent", "run", "--persona"]
    assert "--like" in words
    assert words[words.index("--occurrence") + 1] == "p12@20261120T120000Z"
    assert {"--tethered", "--no-index"} <= set(words)
    assert (job.profiles, job.videos) == (frozenset(["playground/a1"]), 4)
    assert job.digest(due) != resolve_entries(watch)["p05"].digest(due)


def test_an_edit_is_taken_up_whole_or_refused_whole(tmp_path: Path) -> None:
    file = written(tmp_path, GOOD)
    book = JournalWriter(tmp_path / "journal.jsonl", SystemClock())
    try:
        taken = LoadedFile(file, book)
        assert taken.look()
        assert not taken.look()
        written(tmp_path, GOOD.replace('"5m"', '"6m"').replace("max_cost", "max_kost"))
        assert not taken.look()
        assert taken.watch.entries[0].every == 300
        assert book.state.refused is not None
        assert "max-kost" in book.state.refused.problem
        written(tmp_path, GOOD.replace('"5m"', '"6m"'))
        assert taken.look()
        assert taken.watch.entries[0].every == 360
        assert not book.state.refused
        file.unlink()
        assert not taken.look()
        assert "cannot be read" in str(book.state.refused)
        assert taken.watch.entries[0].every == 360
    finally:
        book.close()


def test_a_changed_study_file_is_a_change(tmp_path: Path) -> None:
    study = tmp_path / "study.toml"
    study.write_text(STUDY, encoding="utf-8")
    file = written(tmp_path, f'[[entry]]\nname = "s"\nevery = "1h"\nstudy = "{study}"\n')
    book = JournalWriter(tmp_path / "journal.jsonl", SystemClock())
    try:
        taken = LoadedFile(file, book)
        taken.look()
        study.write_text(STUDY.replace('"p32"', '"p33"'), encoding="utf-8")
        assert taken.look()
        assert "p33" in taken.jobs["s"].personas
        study.write_text(STUDY.replace('"p32"', '"nobody"'), encoding="utf-8")
        assert not taken.look()
        assert "nobody" in str(book.state.refused)
    finally:
        book.close()
