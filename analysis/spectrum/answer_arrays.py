"""Answers about the frames of a spectrum, laid out as arrays: frames by wordings."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from analysis.statistics.estimate import Floats, Ints, Mask
from store.results.value_spectrum import Retrieval
from store.runs.rejudgements import RejudgedAnswer, read_judgements

NEEDED = 3  # keywords of a value that must have found fitting frames

Paths = tuple[Path, Path | None, Path | None]
"""Of one model its file of answers, and those of explanations and of answers about descriptions
where there are any."""
_DESCRIBED = "described by "
"""Begins the name under which a file of answers keeps who described the frames."""


@dataclass(frozen=True)
class Layout:
    """The frames that were found, and what they were found for."""

    retrieval: Retrieval
    frames: tuple[str, ...]  # SHA-256, each once
    members: Mask  # whether a frame was found for a value, shape ``(F, V)``
    sure: Mask  # the same, of frames only that are taken to fit
    cluster: Ints  # number of the video that a frame is of, shape ``(F,)``
    found: tuple[int, ...]  # for each value, how many of its keywords are not doubtful
    sought: tuple[int, ...]  # for each value, how many keywords it has

    @classmethod
    def of(cls, retrieval: Retrieval) -> Layout:
        shown = retrieval.shown
        place = {frame: row for row, frame in enumerate(shown)}
        column = {value.id: number for number, value in enumerate(retrieval.values)}
        members = np.zeros((len(shown), len(column)), dtype=bool)
        sure = members.copy()
        for keyword in retrieval.keywords:
            for hit in keyword.found:
                cell = place[hit.frame], column[keyword.value]
                members[cell] = True
                sure[cell] |= hit.fits
        videos = [hit.cluster for hit in shown.values()]
        cluster = np.unique(videos, return_inverse=True)[1].astype(np.int64)
        sought = Counter(keyword.value for keyword in retrieval.keywords)
        found = Counter(k.value for k in retrieval.keywords if not k.doubtful)
        return cls(
            retrieval,
            tuple(shown),
            members,
            sure,
            cluster,
            tuple(found[name] for name in column),
            tuple(sought[name] for name in column),
        )

    def thin(self, place: int) -> bool:
        """Whether too few keywords of a value found what fits to speak of the value."""
        return self.found[place] < NEEDED


@dataclass(frozen=True)
class SpectrumAnswers:
    """What one model said about every frame; 1 likes it, 0 does not, nan is missing.

    ``plain`` and ``opposite`` have the shape ``(F, W)``; the answer to the opposite question is
    turned round, so that both speak of liking.
    """

    model: str
    persona: str
    plain: Floats
    opposite: Floats
    missing: Mapping[str, int]  # answers that there are not, by reason
    described: Mapping[str, str]  # what a model said that a frame shows, where it was asked
    read_of: str = ""  # who described the frames to a model that was asked about descriptions


def read_answers(layout: Layout, path: Path, explanations: Path | None = None) -> SpectrumAnswers:
    kept = read_judgements(path)
    asked = [line for line in kept.asked if line.frame in set(layout.frames)]
    place = {frame: row for row, frame in enumerate(layout.frames)}
    wordings = 1 + max((line.paraphrase for line in asked), default=0)
    sides = {side: np.full((len(place), wordings), np.nan) for side in (False, True)}
    missing: Counter[str] = Counter()
    for line in asked:
        answer = line.judgement.answer
        if answer is None:
            missing[line.judgement.missing or "not_asked"] += 1
            continue
        likes = (answer == "yes") != line.mirrored
        sides[line.mirrored][place[line.frame], line.paraphrase] = likes
    told = read_judgements(explanations).asked if explanations else ()
    return SpectrumAnswers(
        model=kept.judge.model,
        persona=asked[0].persona if asked else "",
        plain=sides[False],
        opposite=sides[True],
        missing=dict(sorted(missing.items())),
        described=_described(told),
        read_of="".join(
            name.removeprefix(_DESCRIBED)
            for name in kept.judge.prompts
            if name.startswith(_DESCRIBED)
        ),
    )


def kept_answers(folder: Path) -> list[Paths]:
    """Sort the files of a folder of answers by who was asked."""
    parts: dict[tuple[str, ...], dict[str, Path]] = {}
    for path in sorted(folder.glob("*.jsonl")):
        judge = read_judgements(path).judge
        own = sorted(name for name in judge.prompts if not name.startswith(_DESCRIBED))
        part = "explanations" if judge.explain == "all" else "pictures"
        if len(own) < len(judge.prompts):
            part = "words"
        parts.setdefault((judge.model, *own), {})[part] = path
    kept: list[Paths] = []
    for each in parts.values():
        if "pictures" in each:
            kept.append((each["pictures"], each.get("explanations"), each.get("words")))
        elif "words" in each:  # of a model that takes no pictures
            kept.append((each["words"], None, None))
    return kept


def _described(asked: Sequence[RejudgedAnswer]) -> dict[str, str]:
    return {
        line.frame: " ".join(filter(None, (line.judgement.description, line.judgement.reason)))
        for line in asked
        if line.judgement.description or line.judgement.reason
    }
