"""Real browser runs on the playground, to be held beside simulated ones.

Three ordinary studies, one a feed, conducted as any other: what is complete is not run again, and
more runs extend them. Each has a data folder of its own below ``calibration/``, since accounts are
named by their slots and an account belongs to one feed. And what the viewer says of every video of
the catalogue, so that the simulation can watch with the same eyes.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from agent.benchmarks.simulated_studies import WINDOWS, Feed, Likes
from agent.benchmarks.viewer_inputs import Exhibit, Tell
from agent.judge.judge import ModelJudge
from agent.models.base import Model
from agent.playground.catalogue import Catalogue
from agent.run_config import RunConfig
from agent.study.conductor import Study
from agent.study.matrix import read_draws
from agent.study.preparation import DRAWS, FILE, keep_study, prepare_study
from agent.study.study_file import load_study
from personas.persona import Persona
from store.jsonl.atomic import write_whole
from store.runs.data_folder import DataFolder
from store.runs.ledger import Ledger, read

MODEL = "embedded/conse"
STRATEGY = "simple"
FEWEST = 3
"""One run of each feed."""
TOGETHER = 2
"""Runs of a feed at the same time: each keeps about half of two cores busy."""


def share_runs(total: int) -> dict[Feed, int]:
    """Share runs out: as many of listener as of random, fewer of contrarian."""
    contrarian = max(1, 2 * total // 7)
    listener = (total - contrarian) // 2
    return {"listener": listener, "random": total - contrarian - listener, "contrarian": contrarian}


def order_personas(personas: Sequence[Persona], seed: int) -> list[Persona]:
    """Personas with planted themes in a random order; more runs take more from its beginning."""
    known = [persona for persona in personas if persona.themes]
    order = np.random.default_rng(seed).permutation(len(known))
    return [known[place] for place in order]


@dataclass(frozen=True)
class RunsFolder:
    """Where the runs are kept, with what they are opened, and what tells them apart."""

    root: Path
    browser: str | None = None
    seed: int = 1

    def data(self, feed: Feed) -> DataFolder:
        return DataFolder(self.root / "calibration" / f"{feed}-{self.seed}")

    def folder(self, feed: Feed) -> Path:
        """Where the study of one feed keeps its own files."""
        return self.data(feed).studies_dir / f"calibrate-{feed}-{self.seed}"


def declare_study(feed: Feed, personas: Sequence[Persona], where: RunsFolder) -> Study:
    """Declare, or extend, the study of one feed. Its accounts are drawn as in any study."""
    data, home = where.data(feed), where.folder(feed)
    drawn = read_draws(home / DRAWS)
    asked = [persona.id for persona in personas]
    everyone = list(dict.fromkeys([*(cell.persona for cell in drawn), *asked]))
    path = home / FILE
    write_whole(path, _file(home.name, feed, everyone, where).encode())
    study = prepare_study(load_study(path), path, data, _check_nothing)
    keep_study(study, path)
    wanted = tuple(cell for cell in study.cells if cell.persona in asked)
    return replace(study, cells=wanted, browser=where.browser)


def _check_nothing(_: RunConfig) -> None:
    """Let every cell pass: its names are feedsway's own."""


def _file(name: str, feed: Feed, personas: Sequence[str], where: RunsFolder) -> str:
    return f"""\
name = "{name}"
seed = {where.seed}

[matrix]
personas = {json.dumps(list(personas))}
strategies = ["{STRATEGY}"]
models = ["{MODEL}"]
arms = ["treatment"]

[windows]
before = {WINDOWS.before}
adapt = {WINDOWS.adapt}
after = {WINDOWS.after}
baseline = "{WINDOWS.baseline}"

[site]
feed = "{feed}"
gain = 1.0
speed = 16

[pace]
parallel = {TOGETHER}

[test]
primary = "matrix"
"""


def read_complete_runs(study: Study) -> list[Ledger]:
    """Read the complete runs of a study, in the order of its personas."""
    runs = study.runs()
    wanted = sorted(study.cells, key=lambda cell: cell.persona)
    found = [runs[cell.key] for cell in wanted if cell.key in runs]
    return [read(run.path) for run in found if run.status == "complete"]


async def ask_opinions(
    model: Model,
    personas: Sequence[Persona],
    catalogue: Catalogue,
    exhibits: Sequence[Exhibit],
    tell: Tell,
) -> Likes:
    """Ask a viewer about every video as every persona. What it cannot answer is no yes.

    Exhibits are of every plain video that is no variation; a variation is answered as the video
    whose words it has. Ads and live cards are never asked about in a run.
    """
    judges = [ModelJudge.of(model, STRATEGY, persona) for persona in personas]
    likes = np.zeros((len(judges), len(catalogue.items)), dtype=np.bool_)
    for done, exhibit in enumerate(exhibits, start=1):
        number = catalogue.by_id[exhibit.id].number
        for row, judge in enumerate(judges):
            judgement = await judge.judge((exhibit.frame,), exhibit.caption)
            likes[row, number] = judgement.answer == "yes"
        tell(done, len(exhibits))
    for item in catalogue.items:
        if item.origin is not None:
            likes[:, item.number] = likes[:, item.origin]
    return likes


def count_alike_answers(
    ledgers: Sequence[Ledger], likes: Likes, catalogue: Catalogue
) -> tuple[int, int]:
    """How many answers of the runs are as in their rows of ``likes``, of how many."""
    same = asked = 0
    for row, ledger in zip(likes, ledgers, strict=True):
        for step in ledger.steps:
            if step.judgement.answer is not None:
                asked += 1
                expected = row[catalogue.by_id[step.video.id].number]
                same += bool(expected) == (step.judgement.answer == "yes")
    return same, asked
