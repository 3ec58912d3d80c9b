"""``feedsway.toml``: where it is found, what may stand in it, and what a wrong one is told."""

from __future__ import annotations

import os
import tomllib
from pathlib import Path

import click
import pytest
from click import UsageError

from store.terminal.config_file import (
    CONFIG_KEYS,
    FILE,
    VARIABLE,
    ConfigFiles,
    example_file,
    read_config,
    tell_others_file,
)


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A user's configuration folder of the test's own."""
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    return tmp_path / "config" / "feedsway"


def write(folder: Path, text: str) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / FILE).write_text(text, encoding="utf-8")
    return folder / FILE


def values(config: ConfigFiles) -> dict[str, object]:
    return {name: one.value for name, one in config.values.items()}


def refusal(folder: Path, text: str) -> str:
    write(folder, text)
    with pytest.raises(click.UsageError) as refused:
        read_config({}, folder)
    return refused.value.message


def test_the_nearest_file_counts_and_the_user_s_fills_in(tmp_path: Path, home: Path) -> None:
    deep = tmp_path / "project" / "a" / "b"
    deep.mkdir(parents=True)
    assert values(read_config({}, deep)) == {}
    user = write(home, 'model = "scripted/no"\nheaded = true\n')
    above = write(tmp_path / "project", 'model = "scripted/yes"\n')
    config = read_config({}, deep)
    assert values(config) == {"model": "scripted/yes", "headed": True}
    assert config.files == (above, user)
    assert config.values["headed"].file == user
    nearest = write(deep, "max-cost = 2\n")
    assert read_config({}, deep).files == (nearest, user)
    assert values(read_config({VARIABLE: ""}, deep)) == {}
    assert values(read_config({VARIABLE: str(above)}, deep)) == {"model": "scripted/yes"}


def test_a_named_file_that_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(click.UsageError, match=f"Type: unset {VARIABLE}"):
        read_config({VARIABLE: str(tmp_path / "none.toml")}, tmp_path)


def test_a_file_of_another_user_is_passed_over(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = write(tmp_path / "project", 'browser = "/tmp/other"\n')
    owner = file.stat().st_uid
    monkeypatch.setattr(os, "getuid", lambda: owner + 1)
    config = read_config({}, file.parent)
    if owner == 0:  # root's own files count for everybody
        assert config.files == (file,)
        os.chown(file, 12345, -1)
        config = read_config({}, file.parent)
    assert config.files == ()
    assert values(config) == {}
    assert config.passed_over == (file,)
    assert f"export {VARIABLE}={file}" in tell_others_file(file)


def test_a_file_that_anybody_may_write_or_a_stranger_s_link_is_passed_over(tmp_path: Path) -> None:
    file = write(tmp_path / "project", 'browser = "/tmp/other"\n')
    file.chmod(0o666)
    assert read_config({}, file.parent).passed_over == (file,)
    file.chmod(0o644)
    assert read_config({}, file.parent).files == (file,)
    if os.getuid() != 0:
        return  # only root can give a link away
    link = tmp_path / "linked" / file.name
    link.parent.mkdir()
    link.symlink_to(file)
    assert read_config({}, link.parent).files == (link,)
    os.lchown(link, 12345, -1)
    assert read_config({}, link.parent).passed_over == (link,)


@pytest.mark.parametrize("name", ["data", "browser"])
def test_a_home_that_nobody_has_is_one_sentence(tmp_path: Path, name: str) -> None:
    file = write(tmp_path / "project", f'{name} = "~nosuchuser/x"\n')
    with pytest.raises(UsageError, match="leads nowhere") as told:
        read_config({}, file.parent)
    assert f'Type: {name} = "data"' in str(told.value.message)


def test_a_folder_that_may_not_be_searched_or_is_gone_has_no_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = Path.is_file

    def refuse(path: Path) -> bool:  # root, as tests may be, searches everything
        if path.parent == tmp_path:
            raise PermissionError(path)
        return real(path)

    monkeypatch.setattr(Path, "is_file", refuse)
    file = write(tmp_path / "project", "headed = true")
    assert read_config({}, file.parent / "below").files == (file,)
    file.unlink()
    assert read_config({}, file.parent).files == ()
    gone = tmp_path / "gone"
    gone.mkdir()
    monkeypatch.chdir(gone)
    gone.rmdir()
    assert read_config({}, Path()).files == ()


def test_paths_begin_at_the_file_s_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    project = tmp_path / "project"
    write(project, 'data = "kept"\nbrowser = "tools/chromium"\n')
    monkeypatch.chdir(project)
    assert values(read_config({}, project)) == {
        "data": "kept",
        "browser": str(project / "tools" / "chromium"),
    }
    (project / "below").mkdir()
    monkeypatch.chdir(project / "below")
    assert values(read_config({}, project / "below"))["data"] == "../kept"
    write(project, 'data = "s3://bucket/x"\nbrowser = "chromium"\n')
    assert values(read_config({}, project)) == {"data": "s3://bucket/x", "browser": "chromium"}
    write(project, 'data = "/srv/data"\nbrowser = "ws://host:1/"\n')
    assert values(read_config({}, project)) == {"data": "/srv/data", "browser": "ws://host:1/"}


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("modle = 1", ["no key 'modle'", "nearest is model", 'Type: model = "embedded/conse"']),
        ("max-token = 1", ["no key 'max-token'", "Type: max-tokens = 2000000"]),
        ("monkey = 1", ["no key 'monkey'"]),
        ("zzz = 1", ["no key 'zzz'", "agent config --help"]),
        ("max-cost = 'a'", ["max-cost must be a number from 0 on", "Type: max-cost = 5.0"]),
        ("max-cost = -1", ["a number from 0 on", "'-1'"]),
        ("max-cost = true", ["a number from 0 on"]),
        ("max-cost = nan", ["a number from 0 on"]),
        ("per-day = 1.5", ["a whole number from 0 on", "Type: per-day = 300"]),
        ("tokens = 5", ["no key 'tokens'", "Type: max-tokens = 2000000"]),
        ("pace = inf", ["a number from 0.5 on", "'inf'"]),
        ("quiet-hours = '99:99-77:88'", ["hours in quotes"]),
        ("pace = 0.1", ["a number from 0.5 on"]),
        ("headed = 1", ["true or false", "Type: headed = true"]),
        ("model = ''", ["text in quotes"]),
        ('model = "a\\u001b[2J"', ["text in quotes"]),
        ("quiet_hours = 'night'", ["hours in quotes", 'Type: quiet-hours = "23:00-07:00"']),
        ("timezone = 'Mars'", ["a time zone in quotes"]),
        ("[run]\nmodel = 'x'", ["no key 'run'"]),
        ("model", ["cannot be read", "agent config --example"]),
    ],
)
def test_what_is_wrong_is_one_sentence_that_says_what_to_type(
    tmp_path: Path, text: str, words: list[str]
) -> None:
    said = refusal(tmp_path / "project", text)
    assert [word for word in [*words, FILE, "Type: "] if word not in said] == []
    assert "\n" not in said
    assert "\x1b" not in said


@pytest.mark.parametrize(
    "text",
    [
        'OPENAI_API_KEY = "sk-abcdefghijklmnopqrstu"',
        'api-key = "x"',
        'apikey = "x"',
        'github_tokens = "x"',
        'hf_token = "x"',
        'password = "x"',
        'model = "sk-abcdefghijklmnopqrstu"',
        'browser = "wss://host/?token=abc"',
        'index = "http://me:hunter2@host:8000"',
    ],
)
def test_a_secret_is_refused_and_not_repeated(tmp_path: Path, text: str) -> None:
    said = refusal(tmp_path / "project", text)
    assert "none may stand there" in said
    secret = text.partition("= ")[2].strip('"')
    assert secret == "x" or secret not in said


def test_the_example_is_a_file_that_says_nothing_until_it_is_uncommented(tmp_path: Path) -> None:
    write(tmp_path / "project", example_file())
    assert values(read_config({}, tmp_path / "project")) == {}
    lines = [line for line in example_file().splitlines() if " = " in line]
    assert len(lines) == len(CONFIG_KEYS)
    write(tmp_path / "project", "\n".join(line.removeprefix("# ") for line in lines))
    found = read_config({}, tmp_path / "project")
    assert found.values.keys() == {key.name for key in CONFIG_KEYS}
    assert len(tomllib.loads("\n".join(line.removeprefix("# ") for line in lines))) > 10
