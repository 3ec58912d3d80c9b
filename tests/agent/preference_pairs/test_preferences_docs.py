"""docs/preferences.md tells every reason, column and option, and what it types can be typed."""

from __future__ import annotations

import re
import shlex
from pathlib import Path
from typing import get_args

import pytest

from agent.cli import cli
from store.dataset.preferences import TEXTS
from store.results.preference_pairs import ERRORS, Reason

DOC = (Path(__file__).parents[3] / "docs" / "preferences.md").read_text("utf-8")
LINES = re.findall(r"^\$ python -m agent (.+)$", DOC, re.MULTILINE)


def test_nothing_is_left_out() -> None:
    for name in (*get_args(Reason), *ERRORS, *TEXTS, "images", "prompt", "chosen", "rejected"):
        assert f"`{name}`" in DOC, name


@pytest.mark.parametrize("line", LINES)
def test_what_it_types_is_understood(line: str) -> None:
    name, *words = shlex.split(line)
    with cli.commands[name].make_context(name, words) as context:
        assert context.params


def test_its_scripted_lines_are_the_examples_that_are_run() -> None:
    for name in ("pairs", "probe"):
        examples = set(re.findall(r"python -m agent (.+)", cli.commands[name].epilog or ""))
        assert examples == {line for line in LINES if line.startswith(name) and "scripted" in line}
