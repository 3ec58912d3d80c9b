"""Which tests run which lines, how long they take, and which fail anyway: the quick suite, once.

A plugin of pytest tells each test's lines apart. A process that a test starts counts its lines for
that test too, by the name that pytest leaves in the environment.
"""

from __future__ import annotations

import json
import os
import shutil
from collections import defaultdict
from dataclasses import asdict, dataclass
from pathlib import Path

import coverage

from tests.mutants.checkout import AT_ONCE, start_pytest
from tests.mutants.lines_plugin import ENDS
from tests.mutants.mutant import Mutant, mutable_files, named_mutants

OUR_TESTS = "tests/mutants"
PLUGIN = Path(__file__).with_name("lines_plugin.py")
SETTINGS = """\
[run]
parallel = true
core = ctrace
data_file = {data}
context = ${{PYTEST_CURRENT_TEST-}}
disable_warnings = no-data-collected, trace-changed
include =
    {include}
"""


@dataclass(frozen=True)
class CoverageRecord:
    """What one run of the quick suite has shown, without a mutant."""

    commit: str
    seconds: dict[str, float]
    """By file of tests."""
    failed: list[str]
    lines: dict[str, dict[str, list[str]]]
    """Files of tests, by file and line of the code."""

    def tests_of(self, mutant: Mutant, changed: frozenset[str] = frozenset()) -> list[str]:
        """Files of tests that run the mutant's statement, or its file where it is in no function.

        Parameters
        ----------
        changed
            Files that are not as they were when this was recorded: such tests may run anything.
        """
        span = None if mutant.path in changed else mutant.statement
        found = {
            test
            for line, tests in self.lines.get(mutant.path, {}).items()
            if span is None or span[0] <= int(line) <= span[1]
            for test in tests
        }
        found |= {path for path in changed if path.rpartition("/")[2].startswith("test_")}
        return sorted(found, key=lambda test: (self.seconds.get(test, 0.0), test))

    def save(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        new = path.with_suffix(".new")
        new.write_text(json.dumps(asdict(self)), encoding="utf-8")
        new.replace(path)

    @classmethod
    def load(cls, path: Path) -> CoverageRecord:
        return cls(**json.loads(path.read_text(encoding="utf-8")))


def record_coverage(tree: Path, commit: str) -> CoverageRecord:
    """Run the quick suite under coverage, up to its end whatever fails."""
    settings, ends, data = (tree.parent / name for name in ("settings", "ends", "lines"))
    paths = {*mutable_files(tree), *(mutant.path for mutant in named_mutants(tree))}
    include = [str(tree / path) for path in sorted(paths)]
    settings.write_text(SETTINGS.format(data=data, include="\n    ".join(include)))
    shutil.copy(PLUGIN, tree.parent)  # the commit may not hold it
    words = ["-p", PLUGIN.stem, f"--ignore={OUR_TESTS}", *AT_ONCE]
    more = {
        "COVERAGE_PROCESS_START": str(settings),
        ENDS: str(ends),
        "PYTHONPATH": f"{tree}{os.pathsep}{tree.parent}",
    }
    _, output = start_pytest(tree, words, None, more)
    if not ends.exists():
        raise RuntimeError(f"No test has run:\n{output[-2000:]}")
    seconds: dict[str, float] = defaultdict(float)
    failed: dict[str, None] = {}
    for line in ends.read_text(encoding="utf-8").splitlines():
        test, took, bad = json.loads(line)
        seconds[test.partition("::")[0]] += took
        if bad:
            failed[test] = None
    return CoverageRecord(commit, dict(seconds), list(failed), _lines(tree, data))


def _lines(tree: Path, data: Path) -> dict[str, dict[str, list[str]]]:
    measured = coverage.Coverage(data_file=str(data), config_file=False)
    measured.combine([str(data.parent)])
    lines: dict[str, dict[str, list[str]]] = {}
    for path in measured.get_data().measured_files():
        contexts = measured.get_data().contexts_by_lineno(path)
        lines[str(Path(path).relative_to(tree))] = {
            str(line): sorted({one.partition("::")[0] for one in tests} - {""})
            for line, tests in contexts.items()
        }
    return lines
