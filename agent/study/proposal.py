"""A study that is proposed and not yet declared: its file, and what it will take."""

from __future__ import annotations

import json
import tomllib
from collections import Counter
from dataclasses import dataclass

from agent.models.providers import parse_model_name
from agent.study.matrix import draw
from agent.study.quote import StudyQuote, quote_study
from agent.study.study_file import EXAMPLE, StudyDeclaration
from personas.library import all_personas, find
from store.runs.ledger_lines import Windows

HEAD = """\
# Proposed by: python -m agent plan. What is not named here has its usual value:
# python -m agent study --example
"""


@dataclass(frozen=True)
class StudyProposal:
    """What a proposed study is made of; a matrix of treatment runs.

    ``others``, ``mirrored`` and ``batch``: how stored frames are judged again; in batches where its
    judge has a batch service. ``budget_usd``: the cap that its file carries.
    """

    name: str
    model: str
    strategy: str
    platform: str
    personas: int
    windows: Windows
    others: float = 1.0
    mirrored: bool = False
    batch: bool = False
    budget_usd: float | None = None
    parallel: int = 1
    seed: int = 1

    def declare(self) -> StudyDeclaration:
        """Return the study as its file declares it; raises ``ValidationError`` as a file does."""
        return StudyDeclaration.model_validate(tomllib.loads(self.file_text()))

    def quote(self) -> StudyQuote:
        """Quote it, with every run still to be made."""
        declared = self.declare()
        known = {name: find(name) for name in declared.matrix.personas}
        return quote_study(declared, tuple(draw(declared, [])), known)

    def file_text(self) -> str:
        """Return its study file."""
        windows = self.windows
        lines = [
            HEAD,
            f"name = {json.dumps(self.name)}",
            f"seed = {self.seed}",
            "",
            "[matrix]",
            f"personas = {json.dumps(unlike_personas(self.personas))}",
            f"platforms = [{json.dumps(self.platform)}]",
            f"strategies = [{json.dumps(self.strategy)}]",
            f"models = [{json.dumps(self.model)}]",
            'arms = ["treatment"]',
            "",
            "[windows]",
            f"before = {windows.before}",
            f"adapt = {windows.adapt}",
            f"after = {windows.after}",
            f"baseline = {json.dumps(windows.baseline)}",
            "",
            "[pace]",
            f"parallel = {self.parallel}",
            "",
            "[test]",
            'primary = "matrix"',
            "",
            "[rejudge]",
            f"others = {self.others:g}",
            f"mirrored = {json.dumps(self.mirrored)}",
        ]
        if self.batch and parse_model_name(self.model).batch_service is not None:
            lines.append("batch = true")
        if self.budget_usd is not None:
            lines += ["", "[budget]", f"max_cost = {self.budget_usd:g}"]
        return "\n".join(lines) + "\n"


def unlike_personas(count: int) -> list[str]:
    """Names of personas of unlike tastes: the example's, then those whose themes are rarest."""
    chosen: list[str] = tomllib.loads(EXAMPLE)["matrix"]["personas"][:count]
    left = {persona.id: persona.themes for persona in all_personas() if persona.id not in chosen}
    themes = Counter(theme for name in chosen for theme in find(name).themes)
    while len(chosen) < count:
        name = min(left, key=lambda each: (sum(themes[theme] for theme in left[each]), each))
        themes.update(left.pop(name))
        chosen.append(name)
    return chosen
