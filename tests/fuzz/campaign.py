"""A campaign over one target: inputs are drawn until its time is up, and findings are kept."""

from __future__ import annotations

import json
import time
from dataclasses import dataclass, field
from pathlib import Path
from random import Random

from tests.fuzz.edits import apply_edits, draw_edits
from tests.fuzz.guard import Finding, Target, examine, make_folder
from tests.fuzz.seeds import CORPUS, name_input

_MOST_KEPT = 400
"""Inputs that are built upon, beside the corpus."""


@dataclass
class Tally:
    """What came of a campaign."""

    target: str
    inputs: int = 0
    outcomes: dict[str, int] = field(default_factory=dict)
    """How often what was read, or what refused it."""
    findings: dict[str, str] = field(default_factory=dict)
    """Words of the first of each signature."""


def read_corpus(target: str) -> list[bytes]:
    """Return the inputs that a target begins with, in an order that stays."""
    return [path.read_bytes() for path in sorted((CORPUS / target).glob("*"))]


class Campaign:
    """Gives inputs to one target, and keeps one minimised input for each kind of finding."""

    def __init__(self, target: Target, seed: int, out: Path) -> None:
        self.target, self.tally = target, Tally(target.name)
        self._rng, self._out = Random(f"{seed}/{target.name}"), out / target.name
        self._pool = read_corpus(target.name)
        self._corpus = len(self._pool)
        self._known: set[str] = set()
        self._folder = make_folder()

    def run(self, seconds: float) -> Tally:
        """Draw inputs for so many seconds of processor time."""
        end = time.process_time() + seconds
        for content in list(self._pool):
            self.give(content)
        while time.process_time() < end:
            self.give(self.draw())
        return self.tally

    def draw(self) -> bytes:
        """Return a changed input of the pool."""
        edits = draw_edits(self._rng)
        base, other = self._rng.choice(self._pool), self._rng.choice(self._pool)
        return apply_edits(base, edits, self.target.kind, self.target.words, other)

    def give(self, content: bytes) -> str | None:
        """Give one input; return what came of it, ``None`` for a finding."""
        self.tally.inputs += 1
        try:
            told = examine(self.target, content, self._folder)
            if self.tally.inputs % 8 == 0 and examine(self.target, content, self._folder) != told:
                raise Finding(self.target.name, "reads the same bytes in two ways", "twice")
        except Finding as finding:
            self._keep(content, finding)
            return None
        kind = told if told.isidentifier() else f"read {len(told).bit_length()}"
        self.tally.outcomes[kind] = self.tally.outcomes.get(kind, 0) + 1
        self._learn(content, told)
        return told

    def _learn(self, content: bytes, told: str) -> None:
        """Build upon inputs that are read as something new; without coverage, that is a guide."""
        shape = told if len(told) < 40 else f"{told[:20]}{len(told)}"
        if shape not in self._known and len(content) < 20_000:
            self._known.add(shape)
            if len(self._pool) < self._corpus + _MOST_KEPT:
                self._pool.append(content)
            elif self._corpus < len(self._pool):
                self._pool[self._rng.randrange(self._corpus, len(self._pool))] = content

    def _keep(self, content: bytes, finding: Finding) -> None:
        if finding.signature in self.tally.findings:
            return
        self.tally.findings[finding.signature] = str(finding)
        small = minimise(self.target, content, finding.signature, self._folder)
        self._out.mkdir(parents=True, exist_ok=True)
        name = name_input(small)
        (self._out / name).write_bytes(small)
        told = {"finding": str(finding), "signature": finding.signature}
        (self._out / f"{name}.json").write_text(json.dumps(told, indent=1), "utf-8")


def minimise(
    target: Target, content: bytes, signature: str, folder: Path, limit_s: float = 10
) -> bytes:
    """Cut an input down to what still brings about a finding of the same signature."""

    def still(tried: bytes) -> bool:
        try:
            examine(target, tried, folder)
        except Finding as finding:
            return finding.signature == signature
        return False

    end, size = time.monotonic() + limit_s, max(1, len(content) // 2)
    while size and time.monotonic() < end:
        at = 0
        while at < len(content) and time.monotonic() < end:
            tried = content[:at] + content[at + size :]
            if still(tried):
                content = tried
            else:
                at += size
        size //= 2
    return content
