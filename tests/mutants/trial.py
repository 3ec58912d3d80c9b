"""Tries mutants one after the other, and keeps what became of each as a line of JSON."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from time import monotonic
from typing import Any

from store.jsonl.append_only import LineFile
from tests.mutants.checkout import Verdict, checkout, run_tests
from tests.mutants.coverage_record import OUR_TESTS, CoverageRecord
from tests.mutants.mutant import Mutant

Row = dict[str, Any]
"""A line of the results."""
DETECTED = ("killed", "timed out")
SECONDS = 300.0
"""What a file of tests may take where nobody has measured it."""


@dataclass(frozen=True)
class Trial:
    """What mutants are tried against."""

    root: Path
    commit: str
    seed: int
    record: CoverageRecord | None
    """Without it, the mirrored tests alone are run."""
    changed: frozenset[str] = frozenset()
    """Files that are not as they were when that was recorded."""
    again: bool = False
    """Whether what was killed at an earlier commit counts as killed at this one."""

    def run(self, mutants: Sequence[Mutant], results: Path, show: Callable[[str], None]) -> None:
        """Try those that have no result yet; each result is kept at once."""
        done = self.done(results)
        waiting = [mutant for mutant in mutants if mutant.key not in done]
        began = monotonic()
        file = LineFile(results)
        try:
            for number, mutant in enumerate(waiting, 1):
                row = self.judge(mutant)
                file.append(json.dumps(row).encode() + b"\n")
                left = (monotonic() - began) / number * (len(waiting) - number)
                show(
                    f"{number}/{len(waiting)}  {row['outcome']:9}  {mutant.path}:{mutant.line}  "
                    f"{mutant.name or row['by']}  {row['seconds']:.0f} s, {left / 60:.0f} min left"
                )
        finally:
            file.close()

    def done(self, results: Path) -> dict[str, Row]:
        """Results that need no second try, by the key of their mutant."""
        found: dict[str, Row] = {}
        lines = results.read_text(encoding="utf-8").splitlines(True) if results.exists() else []
        for row in (json.loads(line) for line in lines if line.endswith("\n")):
            detected = row["outcome"] in DETECTED
            at = row["commit"] == self.commit or (self.again and detected)
            whole = detected or (row["outcome"] == "survived" and (row["whole"] or not self.record))
            if at and whole:
                found[row["key"]] = row
        return found

    def judge(self, mutant: Mutant) -> Row:
        """Break a checkout of its own with a mutant, and run tests until one fails."""
        began, verdict = monotonic(), Verdict("survived")
        with checkout(self.root, self.commit) as tree:
            mutant.apply(tree)
            for files in self.stages(mutant, tree):
                if files:
                    verdict = run_tests(tree, files, self._limit_s(files), self._failing())
                if verdict.outcome != "survived":
                    break
        return {
            "key": mutant.key,
            "name": mutant.name,
            "file": mutant.path,
            "line": mutant.line,
            "outcome": verdict.outcome,
            "by": verdict.by,
            "whole": self.record is not None,
            "seconds": round(monotonic() - began, 1),
            "diff": mutant.diff,
            "seed": self.seed,
            "commit": self.commit,
            "tool": f"mutmut {version('mutmut')}",
        }

    def stages(self, mutant: Mutant, tree: Path) -> Iterator[list[str]]:
        """Files of tests in stages: the mirrored one, its folder, all others that may tell."""
        folder, _, name = mutant.path.rpartition("/")
        mirrored = f"tests/{folder}/test_{name}"
        near = [path for path in _tests(tree) if path.startswith(f"tests/{folder}/test_")]
        told = near
        if self.record is not None:
            running = self.record.tests_of(mutant, self.changed)
            told = [path for path in running if path in set(_tests(tree))]
        yield [path for path in told if path == mirrored]
        yield [path for path in told if path in near and path != mirrored]
        yield [path for path in told if path not in near]

    def _limit_s(self, files: Sequence[str]) -> float:
        seconds = self.record.seconds if self.record else {}
        return 60 + 4 * sum(seconds.get(path, SECONDS) for path in files)

    def _failing(self) -> list[str]:
        return self.record.failed if self.record else []


def _tests(tree: Path) -> list[str]:
    found = sorted(str(path.relative_to(tree)) for path in (tree / "tests").rglob("test_*.py"))
    return [path for path in found if not path.startswith(OUR_TESTS)]
