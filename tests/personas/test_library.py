"""Personas in files: read, refused in plain words, written and read back."""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

import pytest
from hypothesis import given

from personas.errors import BadPersona, BadPersonaChat, CannotWrite, UnknownPersona
from personas.library import (
    LICENCE,
    all_personas,
    find,
    load,
    read_dialogues,
    to_toml,
    write_personas,
)
from personas.persona import Persona
from store.untrusted.size_limits import MOST_TABLE_BYTES
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


# Made up for these tests, in the published form.
PERSONA_CHAT = """\
1 your persona: i keep bees .
2 your persona: my boat is green .
3 your persona: i hum in lifts .
4 hello , who are you ?\ti am a boat person .\t\tfine .|ok .
5 nice . mine is green too .\tgreen is best .\t\tno .|yes .
1 your persona: i draw maps .
2 your persona: i am afraid of geese .
3 your persona: i own nine hats .
4 your persona: tea is my fuel .
5 hi .\thello .\t\tx|y
1 your persona: my boat is green.
2 your persona: I hum in lifts.
3 your persona: i keep bees .
4 hello again .\tyes .\t\tx|y
"""
CONVAI2 = """\
1 your persona: i keep bees.
2 your persona: my boat is green.
3 your persona: i hum in lifts.
4 partner's persona: i draw maps.
5 partner's persona: i am afraid of geese.
6 partner's persona: i own nine hats.
7 __SILENCE__\thello there .
8 how are you ?\tfine .
1 partner's persona: i sell umbrellas.
2 partner's persona: i never drive.
3 partner's persona: my knees hurt.
4 your persona: i like salt.
5 your persona: i skip stones.
6 hi .\thi .
"""
UNNUMBERED = """\
your persona: i keep bees.
your persona: my boat is green.
your persona: i hum in lifts.

your persona: i draw maps.
your persona: i am afraid of geese.
your persona: i own nine hats.
1 hello .\thi .
your persona: i sell umbrellas.
your persona: i never drive.
your persona: my knees hurt.
"""


def made(folder: Path, text: str) -> Path:
    path = folder / "train.txt"
    path.write_text(text, encoding="utf-8")
    return path


def test_persona_chat_is_read_without_repeats(tmp_path: Path) -> None:
    imported = read_dialogues(made(tmp_path, PERSONA_CHAT), source="test")
    first, second = imported.personas
    assert (first.id, second.id) == ("pc0001", "pc0002")
    assert first.traits == ("i keep bees .", "my boat is green .", "i hum in lifts .")
    assert len(second.traits) == 4
    assert (first.source, first.licence, first.themes, first.values) == ("test", LICENCE, (), ())
    assert imported.repeats == 1  # the third block, in another order and spacing
    assert imported.unusable == ()


def test_convai2_gives_both_sides(tmp_path: Path) -> None:
    path = made(tmp_path, CONVAI2)
    imported = read_dialogues(path, source="test", licence="CC0")
    assert [persona.traits[0] for persona in imported.personas] == [
        "i keep bees.",
        "i draw maps.",
        "i sell umbrellas.",
    ]
    assert {persona.licence for persona in imported.personas} == {"CC0"}
    assert imported.unusable == (12,)  # two sentences are no persona here


def test_unnumbered_blocks_end_at_blank_lines_and_at_the_talk(tmp_path: Path) -> None:
    imported = read_dialogues(made(tmp_path, UNNUMBERED), source="test")
    assert [persona.traits[2] for persona in imported.personas] == [
        "i hum in lifts.",
        "i own nine hats.",
        "my knees hurt.",
    ]


def test_windows_lines_and_curly_apostrophes_are_the_same(tmp_path: Path) -> None:
    path = made(tmp_path, CONVAI2)
    straight = read_dialogues(path, source="test")
    path.write_bytes(CONVAI2.replace("\n", "\r\n").replace("'", "’").encode())
    assert read_dialogues(path, source="test") == straight


@pytest.mark.parametrize(
    ("text", "line", "problem"),
    [
        ("", None, "no line says 'your persona: ...'"),
        ("1 hello .\thi .\n", None, "no line says 'your persona: ...'"),
        (PERSONA_CHAT + "hello there\n", 15, "neither a persona's sentence nor a numbered turn"),
        ("<html>\n", 1, "neither a persona's sentence nor a numbered turn"),
        ("1 your persona: i ski.\n2 your\n{}\n", 3, "neither a persona's sentence nor"),
    ],
)
def test_another_format_is_refused_with_its_line(
    tmp_path: Path, text: str, line: int | None, problem: str
) -> None:
    path = made(tmp_path, text)
    with pytest.raises(BadPersonaChat) as caught:
        read_dialogues(path, source="test")
    assert (caught.value.path, caught.value.line) == (str(path), line)
    assert problem in str(caught.value)
    assert str(caught.value).endswith("Type: python -m personas import --help")


def test_what_can_not_be_read_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadPersonaChat, match="no such file"):
        read_dialogues(tmp_path / "nothing.txt", source="test")
    with pytest.raises(BadPersonaChat, match="cannot be read"):
        read_dialogues(tmp_path, source="test")
    with (tmp_path / "huge.txt").open("wb") as file:
        file.truncate(MOST_TABLE_BYTES + 1)  # takes no room on the disk
    with pytest.raises(BadPersonaChat, match=r"more than 1,073,741,824 bytes\."):
        read_dialogues(tmp_path / "huge.txt", source="test")
    path = tmp_path / "bytes.txt"
    path.write_bytes(b"1 your persona: caf\xe9.\n")
    with pytest.raises(BadPersonaChat, match="not UTF-8"):
        read_dialogues(path, source="test")


def test_written_personas_load_and_nothing_is_replaced(tmp_path: Path) -> None:
    imported = read_dialogues(made(tmp_path, PERSONA_CHAT), source='a "test"')
    folder = tmp_path / "deep" / "mine"
    paths = write_personas(imported.personas, folder)
    assert [path.name for path in paths] == ["pc0001.toml", "pc0002.toml"]
    assert all_personas(folder) == imported.personas
    assert write_personas(imported.personas, folder) == paths  # the same again is no harm
    others = read_dialogues(made(tmp_path, CONVAI2), source="test").personas
    with pytest.raises(CannotWrite, match=r"pc0001\.toml cannot be written: it holds another"):
        write_personas(others, folder)
    assert all_personas(folder) == imported.personas


def test_a_folder_that_is_a_file_is_refused(tmp_path: Path) -> None:
    path = made(tmp_path, PERSONA_CHAT)
    imported = read_dialogues(path, source="test")
    with pytest.raises(CannotWrite, match="Type: --out with another folder"):
        write_personas(imported.personas, path)


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such limit")
def test_a_full_disk_leaves_no_half_persona(tmp_path: Path) -> None:
    import resource

    imported = read_dialogues(made(tmp_path, PERSONA_CHAT), source="test")
    folder = tmp_path / "mine"
    former = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (20, former[1]))
    try:
        with pytest.raises(CannotWrite, match=r"pc0001\.toml cannot be written"):
            write_personas(imported.personas, folder)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, former)
    assert list(folder.iterdir()) == []
    assert len(write_personas(imported.personas, folder)) == 2
