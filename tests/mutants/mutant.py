"""Mutants: a sample of those that mutmut makes, those with a name, those judged equivalent."""

from __future__ import annotations

import ast
import difflib
import hashlib
import random
import tomllib
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, cast

import libcst
from libcst.metadata import CodeRange, MetadataWrapper, PositionProvider
from mutmut.configuration import config
from mutmut.mutation.file_mutation import Mutation, create_mutations

NAMED = Path("tests/mutants/named.toml")
EQUIVALENT = Path("tests/mutants/equivalent.toml")
Change = tuple[str, str, str]
"""A file, the lines that go, and those that come instead, each without its indentation."""


class PatchMissing(LookupError):
    """A named mutant changes a text that its file does not hold once."""


@dataclass(frozen=True)
class Mutant:
    """One file with one change that breaks it, or should."""

    path: str
    before: str
    after: str
    name: str = ""
    """Empty for one of the sample."""
    function: tuple[int, int] | None = None
    """First and last line of the function or method that the change lies in."""

    @cached_property
    def key(self) -> str:
        whole = "\0".join((self.path, self.before, self.after))
        return hashlib.sha256(whole.encode()).hexdigest()[:12]

    @cached_property
    def diff(self) -> list[str]:
        old, new = self.before.splitlines(), self.after.splitlines()
        return list(difflib.unified_diff(old, new, n=0, lineterm=""))[2:]

    @property
    def line(self) -> int:
        return int(self.diff[0].split()[1].lstrip("-").partition(",")[0])

    @property
    def change(self) -> Change:
        old, new = (
            "\n".join(line[1:].strip() for line in self.diff if line[0] == sign) for sign in "-+"
        )
        return self.path, old, new

    @cached_property
    def statement(self) -> tuple[int, int] | None:
        """First and last line of the statement that the change lies in; none outside functions.

        Of a compound statement, its head. A test that runs none of these lines cannot notice. The
        head of a function is run wherever the function is, so that there it is the function.
        """
        if self.function is None:
            return None
        span = self.function
        for node in ast.walk(ast.parse(self.before)):
            if not isinstance(node, ast.stmt):
                continue
            body = getattr(node, "body", None) or getattr(node, "cases", None)
            first, last = node.lineno, node.end_lineno or node.lineno
            if body:
                head = getattr(body[0], "lineno", None) or body[0].pattern.lineno
                last = max(first, head - 1)
            inside = first <= self.line <= last and span[0] <= first <= last <= span[1]
            definition = isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef)
            if inside and not definition:
                span = (first, last)
        return span

    def apply(self, tree: Path) -> None:
        (tree / self.path).write_text(self.after, encoding="utf-8")


def mutable_files(tree: Path) -> list[str]:
    """Files that `[tool.mutmut]` in `pyproject.toml` names, in order."""
    found = (
        str(path.relative_to(tree))
        for source in config().source_paths
        for path in (tree / source).rglob("*.py")
    )
    return sorted(path for path in found if config().should_mutate(path))


def draw_sample(tree: Path, size: int, seed: int) -> Iterator[Mutant]:
    """Draw lines, each with the same chance, and of each one of its mutants.

    A smaller sample is the beginning of a larger one of the same seed.
    """
    if size == 0:
        return  # reading all the code takes a minute
    modules: dict[str, libcst.Module] = {}
    places: dict[tuple[str, int], list[tuple[Mutation, tuple[int, int] | None]]] = defaultdict(list)
    for path in mutable_files(tree):
        code = (tree / path).read_text(encoding="utf-8")
        module, mutations, *_ = create_mutations(path, code)
        modules[path] = module
        wrapper = MetadataWrapper(module, unsafe_skip_copy=True)
        lines = cast("dict[libcst.CSTNode, CodeRange]", wrapper.resolve(PositionProvider))
        for mutation in mutations:
            outer = mutation.contained_by_top_level_function
            around = lines[outer] if isinstance(outer, libcst.FunctionDef) else None
            function = (around.start.line, around.end.line) if around else None
            line = lines[mutation.original_node].start.line
            places[path, line].append((mutation, function))
    rng = random.Random(seed)
    order = sorted(places)
    rng.shuffle(order)
    drawn = 0
    for path, line in order:
        if drawn == size:
            return
        rng.shuffle(places[path, line])
        for mutation, function in places[path, line]:
            module = modules[path]
            changed = module.deep_replace(mutation.original_node, mutation.mutated_node)
            after = cast("libcst.Module", changed).code
            if _is_another_program(module.code, after):
                yield Mutant(path, module.code, after, function=function)
                drawn += 1
                break


def named_mutants(tree: Path) -> list[Mutant]:
    """Read the mutants that are always tried.

    Raises
    ------
    PatchMissing
        The code has changed, so the list has to follow.
    """
    mutants = []
    for entry in _read(tree / NAMED):
        code = (tree / entry["file"]).read_text(encoding="utf-8")
        if (count := code.count(entry["old"])) != 1:
            raise PatchMissing(
                f"{entry['file']} holds the text of the mutant {entry['name']!r} {count} times, "
                f"not once. Change it in {NAMED}: {entry['old']!r}"
            )
        after = code.replace(entry["old"], entry["new"])
        mutants.append(Mutant(entry["file"], code, after, entry["name"]))
    return mutants


def equivalent_changes(tree: Path) -> dict[Change, str]:
    """Read the changes that somebody has judged to change nothing, with the reasons."""
    return {
        (entry["file"], entry["old"], entry["new"]): entry["reason"]
        for entry in _read(tree / EQUIVALENT)
    }


def _is_another_program(before: str, after: str) -> bool:
    try:
        compile(after, "mutant", "exec", dont_inherit=True)
    except SyntaxError:
        return False
    return before != after


def _read(file: Path) -> list[dict[str, Any]]:
    if not file.exists():
        return []
    entries: list[dict[str, Any]] = tomllib.loads(file.read_text("utf-8")).get("mutant", [])
    return entries
