"""A commit in a folder of its own, and what the tests say there."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Literal

import psutil

MANY = 4
"""Files of tests from which on four of them run at a time, as in `make test`."""
AT_ONCE = ("-n", "4", "--dist", "loadfile", "--no-loadscope-reorder")
OURS = ("FEEDSWAY_", "PYTEST_")
"""Settings of whoever calls, which broken code should not meet."""
PASSED, NO_TESTS = 0, 5
BROKEN = (3, 4)
"""Exit codes of a pytest that fell over itself; a broken `conftest.py` is among them."""
TIMEOUT = re.compile(r"Timeout \(>|\+ Timeout \+")
"""What pytest-timeout says of a single test."""
FAILURE = re.compile(r"^(?:FAILED|ERROR) (\S+)", re.MULTILINE)

Outcome = Literal["killed", "timed out", "survived", "unclear"]


@dataclass(frozen=True)
class Verdict:
    """What the tests say of a tree."""

    outcome: Outcome
    by: str = ""
    """The first test that failed, or the end of the output where none tells."""


@contextmanager
def checkout(root: Path, commit: str) -> Iterator[Path]:
    """Check a commit out where nothing else is; the folder goes afterwards."""
    with TemporaryDirectory(prefix="mutants-", ignore_cleanup_errors=True) as folder:
        tree = Path(folder) / "tree"
        clone = ["git", "clone", "--quiet", "--shared", "--no-checkout", str(root), str(tree)]
        subprocess.run(clone, check=True)
        subprocess.run(["git", "checkout", "--quiet", "--detach", commit], cwd=tree, check=True)
        yield tree


def start_pytest(
    tree: Path, words: Sequence[str], limit_s: float | None, more: Mapping[str, str] | None = None
) -> tuple[int | None, str]:
    """Run pytest in a tree, on that tree's code alone; nothing it started outlives it.

    Returns
    -------
    code, output
        No exit code where the time was over.
    """
    spoken = tree.parent / "output"  # not a pipe, which a child left behind would hold open
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *words]
    command.append(f"--basetemp={tree.parent / 't'}")
    own = {name: text for name, text in os.environ.items() if not name.startswith(OURS)}
    environment = {**own, "PYTHONPATH": str(tree), **(more or {})}
    with spoken.open("wb") as out:
        process = subprocess.Popen(
            command, cwd=tree, env=environment, stdout=out, stderr=out, start_new_session=True
        )
        code: int | None = None
        try:
            with suppress(subprocess.TimeoutExpired):
                code = process.wait(limit_s)
        finally:
            _end(process, tree)
    return code, spoken.read_text(encoding="utf-8", errors="replace")


def _end(process: subprocess.Popen[bytes], tree: Path) -> None:
    """Kill what runs on the tree's code, in whatever session: broken code may leave it behind."""
    for each in psutil.process_iter():
        with suppress(psutil.Error):
            if str(tree) in each.environ().get("PYTHONPATH", ""):
                each.kill()
    process.wait()


def run_tests(
    tree: Path, files: Sequence[str], limit_s: float, left_out: Sequence[str] = ()
) -> Verdict:
    """Run files of tests up to the first failure.

    Parameters
    ----------
    left_out
        Tests that fail without a mutant as well.
    """
    words = ["-x", "--no-header", "--tb=line", *(f"--deselect={test}" for test in left_out), *files]
    code, output = start_pytest(tree, [*words, *(AT_ONCE if len(files) >= MANY else ())], limit_s)
    failed = FAILURE.search(output)
    by = failed[1] if failed else output[-500:]
    if code is None or TIMEOUT.search(output):
        return Verdict("timed out", by)
    if code in (PASSED, NO_TESTS):
        return Verdict("survived")
    if code in BROKEN and "ImportError while loading conftest" not in output:
        return Verdict("unclear", by)
    return Verdict("killed", by)
