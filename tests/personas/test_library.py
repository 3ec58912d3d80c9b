"""Personas in files: read, refused in plain words, written and read back."""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

import pytest
from hypothesis import given

from personas.errors import BadPersona, UnknownPersona
from personas.library import all_personas, find, load, to_toml
from personas.persona import Persona
from tests.personas.conftest import personas

GOOD = """id = "me"
traits = [
    "I like trams.",
    "I sleep late.",
    "I collect keys.",
]
values = ["power"]
"""


def written(folder: Path, text: str, name: str = "me.toml") -> Path:
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


def test_an_id_finds_feedsway_s_own() -> None:
    assert find("p12").id == "p12"
    assert find("p12") in all_personas()


def test_a_path_finds_one_s_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = written(tmp_path, GOOD)
    monkeypatch.chdir(tmp_path)
    for name in ("me.toml", "./me.toml", str(path)):
        assert find(name) == Persona(
            id="me",
            traits=("I like trams.", "I sleep late.", "I collect keys."),
            values=("power",),
        )


def test_ids_can_be_looked_up_in_another_folder(tmp_path: Path) -> None:
    written(tmp_path, GOOD)
    assert find("me", tmp_path).id == "me"
    assert [persona.id for persona in all_personas(tmp_path)] == ["me"]
    with pytest.raises(UnknownPersona):
        find("p12", tmp_path)


@pytest.mark.parametrize("name", ["p1", "P12", "p122", "values", "", "12"])
def test_an_unknown_id_offers_the_nearest(name: str) -> None:
    with pytest.raises(UnknownPersona) as caught:
        find(name)
    assert str(caught.value).endswith("Type: python -m personas list")
    assert caught.value.exit_code == 2
    if name in {"P12", "p122"}:
        assert "p12" in caught.value.nearest


@pytest.mark.parametrize(
    ("text", "line", "problem"),
    [
        ("", None, "`id` is missing"),
        (GOOD.replace('id = "me"', 'id = "Me too"'), None, "`id` must be 1 to 64 of a-z"),
        (GOOD.replace('"me"', "12"), None, "`id` must be text in quotes"),
        (GOOD.replace('    "I like trams.",\n', ""), None, "it has 2 traits, where 3 to 6 are"),
        (
            GOOD.replace('"I like trams."', '"a b", ' * 6 + '"c d"'),
            None,
            "it has 9 traits, where 3 to 6",
        ),
        (GOOD.replace("I sleep late.", "  I "), None, "trait 2 is shorter than 3 characters"),
        (GOOD.replace("I sleep late.", "I" * 301), None, "trait 2 is longer than 300 characters"),
        (GOOD.replace('"I sleep late."', "7"), None, "trait 2 must be text in quotes"),
        (GOOD.replace('["power"]', '"power"'), None, "`values` must be a list"),
        (GOOD.replace('["power"]', "[1]"), None, "an entry of `values` must be text"),
        (GOOD.replace("power", "powr"), None, "'powr' is not one of the ten values (nearest: po"),
        (GOOD.replace("power", "money"), None, "'money' is not one of the ten values"),
        (GOOD + "theme = []\n", None, "`theme` is not one of its fields (id, traits, values"),
        (GOOD.replace('late."', "late."), 4, "its TOML is broken"),
        (GOOD + 'id = "again"\n', 8, "its TOML is broken"),
        (GOOD + 'themes = ["art"', None, "its TOML is broken"),
    ],
)
def test_a_bad_file_is_refused_in_plain_words(
    tmp_path: Path, text: str, line: int | None, problem: str
) -> None:
    path = written(tmp_path, text)
    with pytest.raises(BadPersona) as caught:
        load(path)
    message = str(caught.value)
    where = str(path) if line is None else f"{path}:{line}"
    assert message.startswith(f"{where} is not a persona: ")
    assert problem in message
    assert message.endswith("Type: python -m personas show p12 --toml --as me")
    assert (caught.value.path, caught.value.line) == (str(path), line)
    assert "pydantic" not in message
    assert "\n" not in message


def test_what_can_not_be_read_is_refused_in_plain_words(tmp_path: Path) -> None:
    with pytest.raises(BadPersona, match="there is no such file"):
        find(str(tmp_path / "nobody.toml"))
    with pytest.raises(BadPersona, match="it cannot be read"):
        find(str(tmp_path))
    (tmp_path / "latin.toml").write_bytes('id = "café"'.encode("latin-1"))
    with pytest.raises(BadPersona, match="not UTF-8 text"):
        load(tmp_path / "latin.toml")


@given(personas())
def test_what_is_written_reads_back_the_same(persona: Persona) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "me.toml"
        path.write_text(to_toml(persona), encoding="utf-8", newline="\n")
        assert load(path) == persona


def test_feedsway_s_own_files_are_as_it_would_write_them() -> None:
    for persona in all_personas():
        path = Path(sys.modules["personas"].__path__[0]) / "data" / f"{persona.id}.toml"
        text = path.read_text(encoding="utf-8")
        assert text.removeprefix(text.partition('id = "')[0]) == to_toml(persona)
