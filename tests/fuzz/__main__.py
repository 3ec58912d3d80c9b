"""``make fuzz``: every door for an equal share of the time, each in a process of its own."""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

OUT = Path("build/fuzz")
MOST_MEMORY = 4 * 2**30
"""Bytes of data that the process of a target may have: beyond it a door raises ``MemoryError``."""
PATIENCE = 20
"""How many times its share a target may take by the clock, where the machine is busy."""


def main(words: Sequence[str] | None = None) -> int:
    """Fuzz the doors that are named, or all; return 1 where there is a finding."""
    given = _options().parse_args(words)
    from tests.fuzz.targets import TARGETS

    names = given.target or list(TARGETS)
    if unknown := [name for name in names if name not in TARGETS]:
        known = ", ".join(TARGETS)
        sys.stderr.write(f"There is no target {unknown[0]}. There are: {known}\n")
        return 2
    if given.inside:
        return _run_here(names[0], given.inside, given.seed)
    at_once = os.cpu_count() or 1
    seconds = max(1.0, 60 * given.minutes * at_once / len(names))
    found = 0
    with ThreadPoolExecutor(at_once) as pool:
        for told in pool.map(lambda name: _run_child(name, seconds, given.seed), names):
            found += len(told["findings"])
            for line in tell(told):
                _say(line)
    _say(f"{found} findings" + (f", inputs in {OUT}" if found else ""))
    return 1 if found else 0


def _options() -> argparse.ArgumentParser:
    options = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    options.add_argument("--minutes", type=float, default=60.0, help="for all targets together")
    options.add_argument("--seed", type=int, default=1)
    options.add_argument("--target", action="append", help="one of the doors; can be repeated")
    options.add_argument("--inside", type=float, default=0.0, help=argparse.SUPPRESS)
    return options


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def tell(told: dict[str, Any]) -> Iterator[str]:
    """Say what came of one target."""
    outcomes, findings = told["outcomes"], told["findings"]
    assert isinstance(outcomes, dict)
    assert isinstance(findings, dict)
    most = sorted(outcomes.items(), key=lambda pair: -pair[1])[:4]
    words = ", ".join(f"{name} {count}" for name, count in most)
    yield f"{told['target']}: {told['inputs']} inputs ({words})"
    yield from (f"  FOUND {problem}" for problem in findings.values())


def _run_here(name: str, seconds: float, seed: int) -> int:
    from tests.fuzz.campaign import Campaign
    from tests.fuzz.targets import TARGETS

    resource.setrlimit(resource.RLIMIT_DATA, (MOST_MEMORY, MOST_MEMORY))
    tally = Campaign(TARGETS[name], seed, OUT).run(seconds)
    _say(json.dumps(vars(tally)))
    return 0


def _run_child(name: str, seconds: float, seed: int) -> dict[str, Any]:
    """Fuzz one target in a child; one that dies of an input is a finding, too."""
    words = [sys.executable, "-W", "ignore", "-m", "tests.fuzz", "--target", name]
    words += ["--seed", str(seed), "--inside", str(seconds)]
    try:
        done = subprocess.run(
            words, capture_output=True, text=True, check=False, timeout=60 + PATIENCE * seconds
        )
        problem = f"the process ended with {done.returncode}: {done.stderr[-300:]}"
    except subprocess.TimeoutExpired:
        return _lost(name, "the process came to no end")
    lines = done.stdout.splitlines()
    if done.returncode or not lines:
        return _lost(name, problem)
    told: dict[str, Any] = json.loads(lines[-1])
    return told


def _lost(name: str, problem: str) -> dict[str, Any]:
    return {"target": name, "inputs": 0, "outcomes": {}, "findings": {"lost": f"{name}: {problem}"}}


if __name__ == "__main__":
    sys.exit(main())
