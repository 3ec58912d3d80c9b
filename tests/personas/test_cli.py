"""The commands: results to stdout, remarks to stderr, and errors in one sentence."""

from __future__ import annotations

import json
import re
import shlex
import subprocess
import sys
import tomllib
from pathlib import Path

import click
import pytest
from click.testing import CliRunner, Result

from personas.cli import main
from personas.library import all_personas, find, load
from tests.personas.test_library import CONVAI2

DOCS = Path(__file__).parents[2] / "docs" / "personas.md"


def run(*args: str) -> Result:
    return CliRunner().invoke(main, args)


def done(*args: str) -> Result:
    result = run(*args)
    assert result.exit_code == 0, result.output
    return result


def test_list_shows_every_persona_on_its_own_line() -> None:
    result = done("list")
    lines = result.stdout.splitlines()
    assert len(lines) == 61
    assert re.search(r"(?m)^p12  I grew up around horses.*animals, music, gardening", result.stdout)
    assert result.stderr == "60 of 60 personas. Type: python -m personas show p01\n"


def test_list_as_json_is_what_is_loaded() -> None:
    rows = json.loads(done("list", "--json").stdout)
    assert rows == json.loads(json.dumps([persona.model_dump() for persona in all_personas()]))


def test_list_can_be_narrowed() -> None:
    rows = json.loads(done("list", "--value", "power", "--theme", "cars", "--json").stdout)
    chosen = [p.id for p in all_personas() if "power" in p.values and "cars" in p.themes]
    assert [row["id"] for row in rows] == chosen
    assert 0 < len(chosen) < 60
    empty = done("list", "--value", "power", "--theme", "gardening")
    assert empty.stderr == "0 of 60 personas.\n"


def test_show_tells_one_persona_in_three_forms(tmp_path: Path) -> None:
    text = done("show", "p12").stdout
    assert all(trait in text for trait in find("p12").traits)
    assert "universalism, benevolence" in text
    assert json.loads(done("show", "p12", "--json").stdout)["id"] == "p12"
    own = tmp_path / "me.toml"
    own.write_text(done("show", "p12", "--toml").stdout, encoding="utf-8")
    assert load(own) == find("p12")
    assert done("show", str(own)).stdout == text


def test_import_prints_the_files_and_tells_what_was_left_out(tmp_path: Path) -> None:
    file = tmp_path / "train.txt"
    file.write_text(CONVAI2, encoding="utf-8")
    folder = tmp_path / "mine"
    result = done("import", str(file), "--out", str(folder), "--source", "ConvAI2 train")
    paths = result.stdout.split()
    assert [load(path).id for path in paths] == ["pc0001", "pc0002", "pc0003"]
    assert load(paths[0]).source == "ConvAI2 train"
    assert load(paths[0]).licence == "CC BY 4.0"
    assert result.stderr.startswith("3 personas; 0 repeats of them. Left out 1 ")
    assert "at line 12." in result.stderr
    assert result.stderr.endswith(f"Type: python -m personas show {paths[0]}\n")
    named = done("import", str(file), "--out", str(tmp_path / "b"), "--licence", "MIT")
    assert load(named.stdout.split()[0]).licence == "MIT"
    assert load(named.stdout.split()[0]).source == "Persona-Chat, train.txt"


def test_values_are_listed() -> None:
    rows = json.loads(done("values", "--json").stdout)
    text = done("values").stdout
    assert len(rows) == 10
    assert len(text.splitlines()) == 11
    assert all(row["definition"] in text for row in rows)


@pytest.mark.parametrize(
    ("args", "words"),
    [
        (("show", "p122"), "There is no persona 'p122'. Nearest: "),
        (("show", "./nobody.toml"), "nobody.toml is not a persona: there is no such file."),
        (("list", "--value", "powr"), "There is no value 'powr'. Nearest: power"),
        (("list", "--theme", "trams"), "No persona has the theme 'trams'. Type: --theme animals|"),
        (("import", "nothing.txt", "--out", "mine"), "is not a Persona-Chat file: there is no"),
    ],
)
def test_errors_are_one_sentence_that_ends_in_what_to_type(
    args: tuple[str, ...], words: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    result = run(*args)
    assert result.exit_code == 2
    assert result.stdout == ""
    assert words in result.stderr
    assert re.search(r" Type: .+\n$", result.stderr)
    assert result.stderr.count("\n") == 1


def test_the_module_runs_and_keeps_tracebacks_to_itself() -> None:
    command = [sys.executable, "-m", "personas", "show", "nobody"]
    done_ = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done_.returncode == 2
    assert done_.stdout == ""
    assert done_.stderr == "There is no persona 'nobody'. Type: python -m personas list\n"


def test_help_loads_nothing_heavy() -> None:
    code = (
        "import sys; sys.argv = ['personas', '--help']\n"
        "from personas.cli import main\n"
        "try: main()\n"
        "except SystemExit: print({'pydantic', 'rich', 'tomllib'} & set(sys.modules))"
    )
    command = [sys.executable, "-c", code]
    out = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True).stdout
    assert out.endswith("set()\n")


def examples() -> list[str]:
    found = []
    for name in main.commands:
        help_ = done(name, "--help").stdout
        lines = re.findall(r"(?m)^ +\$ (python -m personas .+)$", help_)
        assert lines, f"{name} has no example"
        found += lines
    found += re.findall(r"(?m)^\$ (python -m personas .+)$", DOCS.read_text(encoding="utf-8"))
    return list(dict.fromkeys(found))


@pytest.mark.parametrize("line", examples())
def test_every_example_works(line: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("train_self_original.txt").write_text(CONVAI2, encoding="utf-8")
    Path("me.toml").write_text(done("show", "p12", "--toml").stdout, encoding="utf-8")
    command, _, target = line.partition(" > ")
    result = done(*shlex.split(command)[3:])
    assert result.stdout
    if target:
        assert load_text(result.stdout)


def load_text(text: str) -> dict[str, object]:
    return tomllib.loads(text)


def test_the_document_s_own_file_is_a_persona(tmp_path: Path) -> None:
    (block,) = re.findall(r"(?s)```toml\n(.+?)```", DOCS.read_text(encoding="utf-8"))
    path = tmp_path / "me.toml"
    path.write_text(block, encoding="utf-8")
    assert load(path).id == "me"


def test_no_command_is_without_help() -> None:
    assert set(main.commands) == {"list", "show", "import", "values"}
    for command in main.commands.values():
        assert isinstance(command, click.Command)
        assert command.help


def test_a_file_of_ours_cannot_pass_for_another_persona(tmp_path: Path) -> None:
    own = tmp_path / "me.toml"
    shown = done("show", "p12", "--toml")
    assert "--as me" in shown.stderr
    own.write_text(shown.stdout.replace("horses", "tractors"), encoding="utf-8")
    refused = run("show", str(own))
    assert refused.exit_code == 2
    assert "its id p12 belongs to a persona that comes with feedsway" in refused.stderr
    assert refused.stderr.endswith("Type: python -m personas show p12 --toml --as me\n")
    own.write_text(done("show", "p12", "--toml", "--as", "me").stdout, encoding="utf-8")
    assert load(own).id == "me"
    assert load(own).traits == find("p12").traits
    assert load(own).source == "made from p12 of feedsway"
    own.write_text(shown.stdout.replace('"p12"', '"mine"'), encoding="utf-8")
    assert "source is given as feedsway" in run("show", str(own)).stderr
    for name in ("p13", "Me"):
        refused = run("show", "p12", "--toml", "--as", name)
        assert refused.exit_code == 2
        assert refused.stderr.endswith("Type: --as me\n")


def test_a_file_without_a_source_is_never_recorded_as_ours(tmp_path: Path) -> None:
    own = tmp_path / "me.toml"
    own.write_text('id = "me"\ntraits = ["I row.", "I ski.", "I fish."]\n', encoding="utf-8")
    assert (load(own).source, load(own).licence) == ("not stated", "not stated")
    assert "feedsway" not in done("show", str(own)).stdout
