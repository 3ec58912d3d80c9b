"""Strangers' bytes have one door: nothing prints, decodes pictures or reads bodies beside it."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGES = ("agent", "analysis", "personas", "store")
DOOR = {ROOT / "store" / "untrusted", ROOT / "store" / "terminal"}
PRINTS = (
    "click.echo",
    "click.secho",
    "click.style",
    "click.echo_via_pager",
    "print",
    "sys.stdout.write",
    "sys.stderr.write",
    "logging.Formatter",
    "logging.StreamHandler",
    "logging.basicConfig",
    "rich.console.Console",
    "rich.text.Text",
    "rich.panel.Panel",
    "rich.markup.render",
    "rich.print",
    "rich.progress.Progress",
    "rich.get_console",
)
DECODES = ("PIL.Image.open",)
UNPACKS = ("tarfile.open", "zipfile.ZipFile", "tomllib.loads", "tomllib.load", "gzip.open")
OURS = {
    "agent/evaluation/pair_prompts.py",
    "agent/models/token_estimate.py",
    "agent/recordings/allow_list.py",
    "agent/run/browser_profiles.py",
    "agent/study/proposal.py",
    "personas/answer_words.py",
    "personas/refusals.py",
    "personas/strategies.py",
    "personas/values.py",
    "store/dataset/formats.py",
    "store/dataset/leaks.py",
    "store/maintenance/backup.py",
}
"""Modules that write archives, or read what comes with the package or was just written by it."""
TABLES = ("csv.reader", "csv.DictReader")
PACKAGED = {"agent/playground/catalogue.py", "agent/playground/footage.py"}
"""Modules that read tables which come with the package."""


def names(source: str) -> Iterator[tuple[int, str]]:
    """Every dotted name that a module uses or imports, with what its imports stand for."""
    tree = ast.parse(source)
    known: dict[str, str] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for each in node.names:
                top = each.name.partition(".")[0]
                known[each.asname or top] = each.name if each.asname else top
        elif isinstance(node, ast.ImportFrom) and not node.level:
            known |= {a.asname or a.name: f"{node.module}.{a.name}" for a in node.names}
            yield from ((node.lineno, f"{node.module}.{a.name}") for a in node.names)
    for node in ast.walk(tree):
        if isinstance(node, ast.Name):
            yield node.lineno, known.get(node.id, node.id)
        elif isinstance(node, ast.Attribute) and (dotted := _dotted(node)):
            head, _, rest = dotted.partition(".")
            yield node.lineno, f"{known.get(head, head)}.{rest}"


def _dotted(node: ast.expr) -> str | None:
    if isinstance(node, ast.Name):
        return node.id
    if isinstance(node, ast.Attribute) and (before := _dotted(node.value)):
        return f"{before}.{node.attr}"
    return None


def bypasses(source: str, refused: tuple[str, ...]) -> list[int]:
    last = "|".join({name.rpartition(".")[2] for name in refused})
    if not re.search(rf"\b(?:{last})\b", source):
        return []  # parsing all of them takes seconds
    return sorted({line for line, name in names(source) if name in refused})


def users(refused: tuple[str, ...]) -> list[str]:
    found, seen = [], 0
    for package in PACKAGES:
        for path in (ROOT / package).rglob("*.py"):
            seen += 1
            if DOOR.isdisjoint(path.parents):
                lines = bypasses(path.read_text(encoding="utf-8"), refused)
                found += [f"{path.relative_to(ROOT)}:{line}" for line in lines]
    assert seen > 200
    return found


def test_everything_passes_the_door() -> None:
    assert users((*PRINTS, *DECODES)) == []


def test_nothing_else_unpacks_or_reads_what_a_stranger_wrote() -> None:
    assert {place.partition(":")[0] for place in users(UNPACKS)} == OURS
    of_strangers = {place.partition(":")[0] for place in users(TABLES)} - PACKAGED
    assert of_strangers
    for module in of_strangers:
        source = (ROOT / module).read_text(encoding="utf-8")
        assert "open_table(" in source, module
        assert not re.search(r"\.open\(encoding", source), module


@pytest.mark.parametrize(
    "source",
    [
        "import click\nclick.echo('x')",
        "from click import echo as tell\ntell('x')",
        "def f():\n    from rich.console import Console\n    Console().print('x')",
        "print('x')",
        "import sys\ng = sys.stderr.write",
        "import rich.text as t\nt.Text.from_markup('x')",
        "from rich import panel\npanel.Panel('x')",
        "import logging\nlogging.Formatter('x')",
    ],
)
def test_a_bypass_is_seen(source: str) -> None:
    assert bypasses(source, PRINTS)


def test_the_door_knows_nothing_of_ours() -> None:
    seen = 0
    for path in (file for folder in DOOR for file in folder.glob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ImportFrom) and node.module:
                seen += 1
                assert node.module.split(".")[0] not in PACKAGES or (
                    node.module.startswith(("store.untrusted.", "store.terminal."))
                ), f"{path}:{node.lineno}"
    assert seen > 5
